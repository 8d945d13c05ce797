// See redis_record.h.
#include "proxy/store/redis_record.h"

#include <algorithm>

#include "auth/bytes.h"

namespace proxy::store {
namespace {

constexpr std::size_t time_bytes = 6;
constexpr std::size_t second_bytes = 5;
constexpr std::size_t width_max = 7;

// Big-endian numbers, one after the other; once something is missing all is zero.
class Reader {
 public:
  explicit Reader(std::string_view bytes) : rest_(bytes) {}
  std::uint64_t number(std::size_t size) {
    std::uint64_t value = 0;
    for (const char byte : text(size)) value = value << 8 | static_cast<unsigned char>(byte);
    return value;
  }
  auth::Time time() { return auth::Time{auth::milliseconds{number(time_bytes)}}; }
  auth::Time second() { return auth::Time{std::chrono::seconds{number(second_bytes)}}; }
  std::string_view text(std::size_t size) {
    if (size > rest_.size()) {
      failed_ = true;
      rest_ = {};
      return {};
    }
    const std::string_view front = rest_.substr(0, size);
    rest_.remove_prefix(size);
    return front;
  }
  [[nodiscard]] std::string_view rest() const { return rest_; }
  [[nodiscard]] bool failed() const { return failed_; }

 private:
  std::string_view rest_;
  bool failed_ = false;
};

}  // namespace

AgentId agent_id(std::string_view user_agent) {
  const auth::Digest digest = auth::sha256(user_agent);
  AgentId id{};
  std::copy_n(digest.begin(), id.size(), id.begin());
  return id;
}

std::string_view as_text(const auth::FamilyId& family) {
  return {reinterpret_cast<const char*>(family.data()), family.size()};
}

std::optional<RedisRecord> read_record(std::string_view bytes) {
  Reader reader(bytes);
  const std::size_t width = reader.number(1);
  if (width == 0 || width > width_max) return std::nullopt;
  RedisRecord record;
  auth::FamilyRecord& rotation = record.rotation;
  rotation.gen = reader.number(width);
  rotation.base = reader.number(width);
  rotation.floor = reader.number(width);
  rotation.made_at = reader.time();
  const auth::Time proven_at = reader.time();
  if (proven_at != auth::Time{}) rotation.proven_at = proven_at;
  rotation.idle_expires_at = reader.time();
  Session& session = record.session;
  session.last_seen_at = reader.time();
  rotation.absolute_expires_at = reader.second();
  session.created_at = reader.time();
  rotation.idle_life = std::chrono::seconds{reader.number(4)};
  const std::string_view agent = reader.text(record.agent.size());
  std::copy(agent.begin(), agent.end(), record.agent.begin());
  session.password_mark = static_cast<std::uint32_t>(reader.number(4));
  session.address_prefix = reader.text(reader.number(1));
  session.username = reader.rest();
  session.generation = rotation.gen;
  session.idle_expires_at = rotation.idle_expires_at;
  session.absolute_expires_at = rotation.absolute_expires_at;
  if (reader.failed() || session.username.empty()) return std::nullopt;
  return record;
}

std::vector<RedisUserEntry> read_user_index(std::string_view bytes) {
  std::vector<RedisUserEntry> entries;
  Reader reader(bytes);
  static_cast<void>(reader.time());
  while (!reader.rest().empty()) {
    RedisUserEntry entry;
    const std::string_view family = reader.text(entry.family.size());
    std::copy(family.begin(), family.end(), entry.family.begin());
    entry.absolute_expires_at = reader.second();
    if (reader.failed()) break;
    entries.push_back(entry);
  }
  return entries;
}

}  // namespace proxy::store
