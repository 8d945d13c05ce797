// See session_table.h.
#include "proxy/store/session_table.h"

#include <algorithm>
#include <cstring>
#include <limits>
#include <utility>

namespace proxy::store {
namespace {

constexpr std::size_t user_agent_bytes_max = 200;

}  // namespace

std::size_t SessionTable::FamilyHash::operator()(const auth::FamilyId& id) const noexcept {
  std::size_t hash = 0;
  std::memcpy(&hash, id.data(), sizeof hash);
  return hash;
}

SessionTable::FamilyStripe& SessionTable::stripe_of(const auth::FamilyId& family) {
  // Other bytes than the hash takes, or each stripe would use every 64th of its buckets.
  return families_[family.back() % stripes];
}

const SessionTable::FamilyStripe& SessionTable::stripe_of(const auth::FamilyId& family) const {
  return families_[family.back() % stripes];
}

std::size_t SessionTable::user_stripe_of(std::string_view username) {
  return std::hash<std::string_view>{}(username) / stripes % stripes;
}

Session SessionTable::describe(const Node& node) {
  const auto& [family, record] = node;
  Session session;
  session.family = family;
  session.username = *record.username;
  session.user_agent = record.user_agent->first;
  session.address_prefix = record.address_prefix_text();
  session.created_at = record.created_at;
  session.last_seen_at = record.last_seen_at;
  session.idle_expires_at = record.idle_expires_at;
  session.absolute_expires_at = record.absolute_expires_at;
  session.generation = record.gen;
  session.password_mark = record.password_mark;
  return session;
}

// Rings are ordered by creation. What is new nearly always belongs in front.
void SessionTable::link(UserStripe& users, std::string_view username, Node& node) {
  const auto [user, is_first] = users.newest.try_emplace(std::string(username), &node);
  Record& record = node.second;
  record.username = &user->first;
  if (is_first) {
    record.older = record.newer = &node;
    return;
  }
  Node* const head = user->second;
  const bool is_newest = record.created_at >= head->second.created_at;
  Node* next = head;
  while (next->second.created_at > record.created_at) {
    next = next->second.older;
    if (next == head) break;
  }
  record.older = next;
  record.newer = next->second.newer;
  record.newer->second.older = &node;
  next->second.newer = &node;
  if (is_newest) user->second = &node;
}

void SessionTable::unlink(UserStripe& users, Node& node) {
  const Record& record = node.second;
  const auto user = users.newest.find(*record.username);
  if (record.older == &node) {
    users.newest.erase(user);
    return;
  }
  record.older->second.newer = record.newer;
  record.newer->second.older = record.older;
  if (user->second == &node) user->second = record.older;
}

bool SessionTable::reserve(std::size_t sessions_max) {
  std::size_t size = size_.load(std::memory_order_relaxed);
  while (size < sessions_max) {
    if (size_.compare_exchange_weak(size, size + 1, std::memory_order_relaxed)) return true;
  }
  return false;
}

SessionTable::Added SessionTable::add(const SavedSession& saved, std::size_t sessions_max,
                                      auth::Time now, std::optional<Session>& evicted) {
  evicted = evict_oldest(saved.session.username, sessions_per_user_max);
  bool has_room = reserve(sessions_max);
  if (!has_room) {
    // What has expired goes before anything that is alive: one whole stripe a try.
    const std::size_t turn = next_sweep_.fetch_add(1, std::memory_order_relaxed);
    sweep(families_[turn % stripes], std::numeric_limits<std::size_t>::max(), now);
    has_room = reserve(sessions_max);
  }
  if (!has_room && !evicted) {
    evicted = evict_oldest(saved.session.username, 1);
    has_room = evicted && reserve(sessions_max);
  }
  if (!has_room) return Added::full;

  Record record;
  record.set_rotation(saved.record);
  record.created_at = saved.session.created_at;
  record.last_seen_at = saved.session.last_seen_at;
  record.set_address_prefix(saved.session.address_prefix);
  record.password_mark = saved.session.password_mark;

  UserStripe& users = users_[user_stripe_of(saved.session.username)];
  FamilyStripe& stripe = stripe_of(saved.session.family);
  const std::scoped_lock lock(users.mutex, stripe.mutex);
  const auto [node, is_new] = stripe.records.try_emplace(saved.session.family, record);
  if (!is_new) {
    size_.fetch_sub(1, std::memory_order_relaxed);
    return Added::full;
  }
  const std::string_view agent = saved.session.user_agent;
  node->second.user_agent = texts_.keep(agent.substr(0, user_agent_bytes_max));
  if (!saved.profile.empty()) node->second.profile = texts_.keep(saved.profile);
  link(users, saved.session.username, *node);
  return Added::added;
}

Rotated SessionTable::rotate(const auth::FamilyId& family, std::uint64_t generation,
                             bool active, auth::Time now, const auth::FamilyRules& rules) {
  Rotated result;
  bool is_over = false;
  {
    FamilyStripe& stripe = stripe_of(family);
    const std::lock_guard lock(stripe.mutex);
    const auto node = stripe.records.find(family);
    if (node == stripe.records.end()) return result;
    Record& record = node->second;
    auth::FamilyRecord rotation = record.rotation();
    result.rotation = auth::rotate(rotation, generation, now, rules, active);
    record.set_rotation(rotation);
    is_over = record.revoked || record.is_over(now);
    if (!is_over && active) {
      record.last_seen_at = std::max(record.last_seen_at, now);
    }
    result.session = describe(*node);
  }
  // From the moment the lock was given back everybody else saw it as revoked.
  if (is_over) remove_if(family, [now](const Record& record) { return !record.is_open(now); });
  return result;
}

void SessionTable::prove(const auth::FamilyId& family, std::uint64_t generation, auth::Time now,
                         const auth::FamilyRules& rules) {
  FamilyStripe& stripe = stripe_of(family);
  const std::lock_guard lock(stripe.mutex);
  const auto node = stripe.records.find(family);
  if (node == stripe.records.end() || !node->second.is_open(now)) return;
  auth::FamilyRecord rotation = node->second.rotation();
  if (auth::prove(rotation, generation, now, rules)) {
    node->second.set_rotation(rotation);
  }
  node->second.last_seen_at = std::max(node->second.last_seen_at, now);
}

std::optional<Session> SessionTable::find(const auth::FamilyId& family, auth::Time now) const {
  const FamilyStripe& stripe = stripe_of(family);
  const std::lock_guard lock(stripe.mutex);
  const auto node = stripe.records.find(family);
  if (node == stripe.records.end() || !node->second.is_open(now)) return std::nullopt;
  return describe(*node);
}

std::string SessionTable::profile(const auth::FamilyId& family, auth::Time now) const {
  const FamilyStripe& stripe = stripe_of(family);
  const std::lock_guard lock(stripe.mutex);
  const auto node = stripe.records.find(family);
  const bool has_one = node != stripe.records.end() && node->second.is_open(now) &&
                       node->second.profile != nullptr;
  return has_one ? node->second.profile->first : std::string{};
}

// Which user's lock must be taken first is only known from the record, so it is looked up twice;
// in between it may have gone, or have been renewed, which the condition is for.
std::optional<Session> SessionTable::remove_if(const auth::FamilyId& family,
                                               const Condition& condition) {
  FamilyStripe& stripe = stripe_of(family);
  std::size_t user_stripe = 0;
  {
    const std::lock_guard lock(stripe.mutex);
    const auto node = stripe.records.find(family);
    if (node == stripe.records.end()) return std::nullopt;
    user_stripe = user_stripe_of(*node->second.username);
  }
  const std::lock_guard user_lock(users_[user_stripe].mutex);
  const std::lock_guard lock(stripe.mutex);
  const auto node = stripe.records.find(family);
  if (node == stripe.records.end() || !condition(node->second)) return std::nullopt;
  Session removed = describe(*node);
  texts_.release(node->second.user_agent);
  if (node->second.profile != nullptr) texts_.release(node->second.profile);
  unlink(users_[user_stripe], *node);
  stripe.records.erase(node);
  size_.fetch_sub(1, std::memory_order_relaxed);
  return removed;
}

std::optional<Session> SessionTable::remove(const auth::FamilyId& family, auth::Time now) {
  bool was_open = false;
  auto removed = remove_if(family, [&was_open, now](const Record& record) {
    was_open = record.is_open(now);
    return true;
  });
  if (!was_open) removed.reset();
  return removed;
}

void SessionTable::remove_all() {
  for (FamilyStripe& stripe : families_) {
    std::vector<auth::FamilyId> families;
    {
      const std::lock_guard lock(stripe.mutex);
      for (const Node& node : stripe.records) families.push_back(node.first);
    }
    for (const auth::FamilyId& family : families) {
      remove_if(family, [](const Record&) { return true; });
    }
  }
}

std::optional<Session> SessionTable::evict_oldest(std::string_view username,
                                                  std::size_t at_least) {
  std::optional<auth::FamilyId> oldest;
  {
    const UserStripe& users = users_[user_stripe_of(username)];
    const std::lock_guard lock(users.mutex);
    const auto user = users.newest.find(std::string(username));
    if (user == users.newest.end()) return std::nullopt;
    const Node* const newest = user->second;
    const Node* session = newest;
    for (std::size_t count = 1; count < at_least; ++count) {
      session = session->second.older;
      if (session == newest) return std::nullopt;
    }
    oldest = newest->second.newer->first;
  }
  return remove_if(*oldest, [](const Record&) { return true; });
}

std::vector<Session> SessionTable::list(std::string_view username, auth::Time now) const {
  std::vector<Session> sessions;
  const UserStripe& users = users_[user_stripe_of(username)];
  const std::lock_guard user_lock(users.mutex);
  const auto user = users.newest.find(std::string(username));
  if (user == users.newest.end()) return sessions;
  const Node* const newest = user->second;
  const Node* session = newest;
  do {
    const std::lock_guard lock(stripe_of(session->first).mutex);
    if (session->second.is_open(now)) sessions.push_back(describe(*session));
    session = session->second.older;
  } while (session != newest);
  return sessions;
}

std::vector<auth::FamilyId> SessionTable::collect(FamilyStripe& stripe, std::size_t buckets,
                                                  auth::Time now) {
  std::vector<auth::FamilyId> over;
  const std::lock_guard lock(stripe.mutex);
  const auto& records = stripe.records;
  for (std::size_t i = std::min(buckets, records.bucket_count()); i > 0; --i) {
    stripe.sweep_bucket = (stripe.sweep_bucket + 1) % records.bucket_count();
    const std::size_t bucket = stripe.sweep_bucket;
    for (auto node = records.begin(bucket); node != records.end(bucket); ++node) {
      if (!node->second.is_open(now)) over.push_back(node->first);
    }
  }
  return over;
}

void SessionTable::sweep(FamilyStripe& stripe, std::size_t buckets, auth::Time now) {
  for (const auth::FamilyId& family : collect(stripe, buckets, now)) {
    remove_if(family, [now](const Record& record) { return !record.is_open(now); });
  }
}

void SessionTable::sweep_some(auth::Time now) {
  constexpr std::size_t buckets = 4;
  const std::size_t turn = next_sweep_.fetch_add(1, std::memory_order_relaxed);
  sweep(families_[turn % stripes], buckets, now);
}

void SessionTable::for_each(auth::Time now,
                            const std::function<void(const SavedSession&)>& visit) const {
  for (const FamilyStripe& stripe : families_) {
    const std::lock_guard lock(stripe.mutex);
    for (const Node& node : stripe.records) {
      if (!node.second.is_open(now)) continue;
      const auto* const profile = node.second.profile;
      visit({describe(node), node.second.rotation(),
             profile != nullptr ? profile->first : std::string{}});
    }
  }
}

}  // namespace proxy::store
