// See token_buckets.h.
#include "proxy/store/token_buckets.h"

namespace proxy::store {

auth::milliseconds TokenBuckets::take(std::string_view name, const auth::BucketRate& rate,
                                      auth::Time now) {
  const std::lock_guard lock(mutex_);
  const auto known = buckets_.find(name);
  if (known != buckets_.end()) return auth::take(known->second, rate, now);
  if (buckets_.size() >= entries_max_) make_room(now);
  return auth::take(buckets_[std::string(name)], rate, now);
}

// All that are full again; where none is, one that may be anybody's, which then gets a full bucket.
void TokenBuckets::make_room(auth::Time now) {
  const std::int64_t now_us = now.time_since_epoch().count() * 1'000;
  std::erase_if(buckets_, [now_us](const auto& entry) {
    return entry.second.full_at_us <= now_us;
  });
  if (buckets_.size() >= entries_max_) buckets_.erase(buckets_.begin());
}

std::size_t TokenBuckets::size() const {
  const std::lock_guard lock(mutex_);
  return buckets_.size();
}

}  // namespace proxy::store
