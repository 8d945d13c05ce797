// The memory store's token buckets, by name: a bounded table, since names may come from clients. A
// bucket that is full again says nothing and is forgotten first. One mutex, held for a lookup; any
// thread.
#pragma once

#include <cstddef>
#include <functional>
#include <mutex>
#include <string>
#include <string_view>
#include <unordered_map>

#include "auth/throttle.h"

namespace proxy::store {

class TokenBuckets {
 public:
  explicit TokenBuckets(std::size_t entries_max = 131'072) : entries_max_(entries_max) {}
  [[nodiscard]] auth::milliseconds take(std::string_view name, const auth::BucketRate& rate,
                                        auth::Time now);
  [[nodiscard]] std::size_t size() const;

 private:
  struct Hash {
    using is_transparent = void;
    std::size_t operator()(std::string_view text) const {
      return std::hash<std::string_view>{}(text);
    }
  };
  void make_room(auth::Time now);

  std::size_t entries_max_;
  mutable std::mutex mutex_;
  std::unordered_map<std::string, auth::Bucket, Hash, std::equal_to<>> buckets_;
};

}  // namespace proxy::store
