// See login_counters.h.
#include "proxy/store/login_counters.h"

#include "auth/bytes.h"

#include <algorithm>
#include <cstring>
#include <string>

namespace proxy::store {
namespace {

// Each part carries its length: the account "a" from address "b1" is not "ab" from "1".
LoginCounters::Key key_of(char kind, std::string_view account, std::string_view address) {
  std::string text(1, kind);
  text += std::to_string(account.size());
  text += ':';
  text += account;
  text += address;
  const auth::Digest digest = auth::sha256(text);
  LoginCounters::Key key;
  std::copy_n(digest.begin(), key.size(), key.begin());
  return key;
}

struct Keys {
  explicit Keys(const ThrottleKeys& keys)
      : account_and_address(key_of('b', keys.account, keys.address)),
        account(key_of('u', keys.account, "")),
        address(key_of('a', "", keys.address)) {}

  LoginCounters::Key account_and_address;
  LoginCounters::Key account;
  LoginCounters::Key address;
};

}  // namespace

std::size_t LoginCounters::KeyHash::operator()(const Key& key) const noexcept {
  std::size_t hash = 0;
  std::memcpy(&hash, key.data(), sizeof hash);
  return hash;
}

auth::milliseconds LoginCounters::throttled(const ThrottleKeys& names, auth::Time now) const {
  const Keys keys(names);
  auth::milliseconds wait{0};
  const std::lock_guard lock(mutex_);
  for (const Key* key : {&keys.account_and_address, &keys.account, &keys.address}) {
    const auto found = by_key_.find(*key);
    if (found == by_key_.end()) continue;
    wait = std::max(wait, auth::throttled_for(found->second->counter, now));
  }
  return wait;
}

void LoginCounters::note_failure(const ThrottleKeys& names, const ThrottleRules& rules,
                                 auth::Time now) {
  const Keys keys(names);
  const std::lock_guard lock(mutex_);
  forget_stale(counting_, now);
  forget_stale(banned_, now);
  note_failure(keys.account_and_address, rules.account_and_address, rules.ban, now);
  note_failure(keys.account, rules.account, rules.ban, now);
  note_failure(keys.address, rules.address, rules.ban, now);
}

void LoginCounters::note_success(const ThrottleKeys& names) {
  const Keys keys(names);
  const std::lock_guard lock(mutex_);
  const auto found = by_key_.find(keys.account_and_address);
  if (found == by_key_.end()) return;
  erase(found->second);
}

void LoginCounters::note_failure(const Key& key, const auth::ThrottleRate& rate,
                                 auth::milliseconds ban, auth::Time now) {
  if (rate.count == 0) return;
  auto found = by_key_.find(key);
  if (found == by_key_.end()) {
    make_room();
    const auto added = counting_.insert(counting_.end(), Entry{key, {}, {}, false});
    found = by_key_.emplace(key, added).first;
  }
  const Entries::iterator entry = found->second;
  Entries& from = list_of(*entry);
  auth::note_failure(entry->counter, rate, ban, now);
  entry->is_banned = entry->counter.banned_until > now;
  entry->forget_at = entry->is_banned ? entry->counter.banned_until
                                      : entry->counter.window_started + rate.window;
  Entries& to = list_of(*entry);
  to.splice(to.end(), from, entry);
}

void LoginCounters::make_room() {
  if (by_key_.size() < entries_max_) return;
  Entries& oldest = counting_.empty() ? banned_ : counting_;
  erase(oldest.begin());
}

// Entries are nearly in the order of their ends, so a look at the front is enough; what a longer
// window holds back there is only forgotten a little later.
void LoginCounters::forget_stale(Entries& entries, auth::Time now) {
  constexpr int at_once_max = 8;
  for (int i = 0; i < at_once_max && !entries.empty(); ++i) {
    if (entries.front().forget_at > now) return;
    erase(entries.begin());
  }
}

void LoginCounters::erase(Entries::iterator entry) {
  by_key_.erase(entry->key);
  list_of(*entry).erase(entry);
}

std::size_t LoginCounters::size() const {
  const std::lock_guard lock(mutex_);
  return by_key_.size();
}

void LoginCounters::for_each_ban(auth::Time now,
                                 const std::function<void(const Entry&)>& visit) const {
  const std::lock_guard lock(mutex_);
  for (const Entry& entry : banned_) {
    if (entry.counter.banned_until > now) visit(entry);
  }
}

void LoginCounters::restore(const Entry& entry) {
  const std::lock_guard lock(mutex_);
  if (by_key_.contains(entry.key)) return;
  make_room();
  const auto restored = banned_.insert(banned_.end(), entry);
  restored->is_banned = true;
  by_key_.emplace(entry.key, restored);
}

}  // namespace proxy::store
