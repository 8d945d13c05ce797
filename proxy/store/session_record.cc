// See session_record.h.
#include "proxy/store/session_record.h"

#include <algorithm>
#include <limits>

namespace proxy::store {
namespace {

constexpr std::string_view v4_end = ".0/24";
constexpr std::string_view v6_end = "::/48";

std::uint32_t distance(std::uint64_t newest, std::uint64_t older) {
  return static_cast<std::uint32_t>(
      std::min<std::uint64_t>(newest - older, std::numeric_limits<std::uint32_t>::max()));
}

}  // namespace

const SharedTexts::Entry* SharedTexts::keep(std::string_view text) {
  const std::lock_guard lock(mutex_);
  Entry& entry = *texts_.try_emplace(std::string(text), 0).first;
  ++entry.second;
  return &entry;
}

void SharedTexts::release(const Entry* entry) {
  const std::lock_guard lock(mutex_);
  const auto found = texts_.find(entry->first);
  if (--found->second == 0) texts_.erase(found);
}

auth::FamilyRecord SessionRecord::rotation() const {
  auth::FamilyRecord record{.gen = gen, .base = gen - base_behind, .floor = gen - floor_behind,
                            .made_at = made_at, .proven_at = std::nullopt,
                            .idle_expires_at = idle_expires_at,
                            .absolute_expires_at = absolute_expires_at,
                            .idle_life = std::chrono::seconds{idle_life_s}, .revoked = revoked};
  if (proven_at != not_proven) {
    record.proven_at = proven_at;
  }
  return record;
}

void SessionRecord::set_rotation(const auth::FamilyRecord& record) {
  gen = record.gen;
  base_behind = distance(record.gen, record.base);
  floor_behind = distance(record.gen, record.floor);
  made_at = record.made_at;
  proven_at = record.proven_at.value_or(not_proven);
  idle_expires_at = record.idle_expires_at;
  absolute_expires_at = record.absolute_expires_at;
  idle_life_s = static_cast<std::uint32_t>(
      std::chrono::ceil<std::chrono::seconds>(record.idle_life).count());
  revoked = record.revoked;
}

// Networks end alike: "198.51.100.0/24" is kept as "198.51.100.", "2001:db8::/48" as "2001:db8:".
void SessionRecord::set_address_prefix(std::string_view text) {
  for (const std::string_view end : {v4_end, v6_end}) {
    if (text.ends_with(end)) text.remove_suffix(end.size() - 1);
  }
  text = text.substr(0, address_prefix.size());
  std::copy(text.begin(), text.end(), address_prefix.begin());
}

std::string SessionRecord::address_prefix_text() const {
  const auto end = std::find(address_prefix.begin(), address_prefix.end(), '\0');
  std::string text(address_prefix.begin(), end);
  if (text.ends_with('.')) text += v4_end.substr(1);
  if (text.ends_with(':')) text += v6_end.substr(1);
  return text;
}

}  // namespace proxy::store
