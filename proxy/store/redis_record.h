// A session as it lies in Redis: a string of bytes that the scripts read and write
// (redis_scripts.cc has the layout), kept short because there may be a hundred million of them.
// Pure; any thread.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "proxy/store/session_store.h"

namespace proxy::store {

// Browsers are few and sessions are many: the user agent lies once under its digest.
using AgentId = std::array<char, 8>;
[[nodiscard]] AgentId agent_id(std::string_view user_agent);

struct RedisRecord {
  Session session;  // without family and user agent
  auth::FamilyRecord rotation;
  AgentId agent{};
};
// nullopt for a tombstone, or for bytes that are no record.
[[nodiscard]] std::optional<RedisRecord> read_record(std::string_view bytes);

// A user's list of sessions, oldest first.
struct RedisUserEntry {
  auth::FamilyId family{};
  auth::Time absolute_expires_at{};
};
[[nodiscard]] std::vector<RedisUserEntry> read_user_index(std::string_view bytes);

[[nodiscard]] std::string_view as_text(const auth::FamilyId& family);

}  // namespace proxy::store
