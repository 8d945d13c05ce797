// The bytes of a memory store's snapshot: a fixed head with the version, then three counted lists
// (sessions, revocations, bans). Numbers are 64 bits, big-endian; texts carry their length. Reading
// believes nothing: each length is held against what is left, and nothing is taken over before
// everything was understood.
#include "proxy/store/memory_state.h"

#include <algorithm>
#include <limits>
#include <utility>

namespace proxy::store {
namespace {

constexpr std::string_view head = "gatehouse memory store 4\n";
// Of version 0.1, whose sessions had no idle life of their own, no profile and no password mark.
constexpr std::string_view old_head = "gatehouse memory store 1\n";
constexpr std::size_t text_bytes_max = 4'096;
// Times in milliseconds stay far from what overflows when two are added.
constexpr std::int64_t time_max = std::int64_t{1} << 53;

class Writer {
 public:
  void number(std::uint64_t value) {
    for (int shift = 56; shift >= 0; shift -= 8) {
      bytes_ += static_cast<char>(value >> shift & 0xFF);
    }
  }
  void time(auth::Time value) {
    number(static_cast<std::uint64_t>(value.time_since_epoch().count()));
  }
  void text(std::string_view value) {
    number(value.size());
    bytes_ += value;
  }
  template <std::size_t size>
  void raw(const std::array<std::uint8_t, size>& value) {
    bytes_.append(value.begin(), value.end());
  }
  // Writes a list of unknown length: room for its count now, the count when it is known.
  template <class List>
  void counted(List&& list) {
    const std::size_t at = bytes_.size();
    number(0);
    const std::uint64_t count = list();
    Writer patch;
    patch.number(count);
    bytes_.replace(at, patch.bytes_.size(), patch.bytes_);
  }
  [[nodiscard]] std::string take() { return std::move(bytes_); }

 private:
  std::string bytes_;
};

// Once something did not fit, `failed` stays set and everything reads as empty.
class Reader {
 public:
  explicit Reader(std::string_view bytes) : rest_(bytes) {}

  std::string_view raw(std::size_t count) {
    if (failed_ || count > rest_.size()) {
      failed_ = true;
      return {};
    }
    const std::string_view front = rest_.substr(0, count);
    rest_.remove_prefix(count);
    return front;
  }
  template <std::size_t size>
  void raw(std::array<std::uint8_t, size>& value) {
    const std::string_view bytes = raw(size);
    std::copy(bytes.begin(), bytes.end(), value.begin());
  }
  std::uint64_t number() {
    std::uint64_t value = 0;
    for (const char byte : raw(8)) {
      value = value << 8 | static_cast<unsigned char>(byte);
    }
    return value;
  }
  auth::Time time() {
    const auto count = static_cast<std::int64_t>(number());
    require(count >= -time_max && count <= time_max);
    return failed_ ? auth::Time{} : auth::Time{auth::milliseconds{count}};
  }
  std::string text() {
    const std::uint64_t size = number();
    require(size <= text_bytes_max);
    return failed_ ? std::string{} : std::string(raw(size));
  }
  void require(bool condition) { failed_ = failed_ || !condition; }
  [[nodiscard]] bool failed() const { return failed_; }
  [[nodiscard]] bool at_end() const { return rest_.empty(); }

 private:
  std::string_view rest_;
  bool failed_ = false;
};

struct Content {
  std::vector<SavedSession> sessions;
  std::vector<Revocation> revocations;
  std::vector<LoginCounters::Entry> bans;
};

void write(Writer& writer, const SavedSession& saved) {
  writer.raw(saved.session.family);
  writer.text(saved.session.username);
  writer.text(saved.session.user_agent);
  writer.text(saved.session.address_prefix);
  writer.time(saved.session.created_at);
  writer.time(saved.session.last_seen_at);
  writer.number(saved.record.gen);
  writer.number(saved.record.base);
  writer.number(saved.record.floor);
  writer.time(saved.record.made_at);
  writer.number(saved.record.proven_at ? 1 : 0);
  writer.time(saved.record.proven_at.value_or(auth::Time{}));
  writer.time(saved.record.idle_expires_at);
  writer.time(saved.record.absolute_expires_at);
  writer.number(static_cast<std::uint64_t>(saved.record.idle_life.count()));
  writer.text(saved.profile);
  writer.number(saved.session.password_mark);
}

SavedSession read_old_session(Reader& reader) {
  SavedSession saved;
  reader.raw(saved.session.family);
  saved.session.username = reader.text();
  saved.session.user_agent = reader.text();
  saved.session.address_prefix = reader.text();
  saved.session.created_at = reader.time();
  saved.session.last_seen_at = reader.time();
  saved.record.gen = reader.number();
  saved.record.base = reader.number();
  saved.record.floor = reader.number();
  saved.record.made_at = reader.time();
  const bool is_proven = reader.number() != 0;
  const auth::Time proven_at = reader.time();
  if (is_proven) saved.record.proven_at = proven_at;
  saved.record.idle_expires_at = reader.time();
  saved.record.absolute_expires_at = reader.time();
  reader.require(!saved.session.username.empty() && saved.record.gen <= auth::generation_max &&
                 saved.record.base <= saved.record.gen && saved.record.floor <= saved.record.base);
  return saved;
}

SavedSession read_session(Reader& reader) {
  SavedSession saved = read_old_session(reader);
  const auto idle_life = static_cast<std::int64_t>(reader.number());
  reader.require(idle_life >= 0 && idle_life <= time_max);
  if (!reader.failed()) saved.record.idle_life = auth::milliseconds{idle_life};
  saved.profile = reader.text();
  const std::uint64_t mark = reader.number();
  reader.require(mark <= std::numeric_limits<std::uint32_t>::max());
  saved.session.password_mark = static_cast<std::uint32_t>(mark);
  return saved;
}

void write(Writer& writer, const Revocation& revocation) {
  writer.text(revocation.session_id);
  writer.text(revocation.username);
  writer.time(revocation.at);
  writer.time(revocation.forget_at);
  writer.number(static_cast<std::uint64_t>(revocation.reason));
}

Revocation read_revocation(Reader& reader) {
  Revocation revocation;
  revocation.session_id = reader.text();
  revocation.username = reader.text();
  revocation.at = reader.time();
  revocation.forget_at = reader.time();
  const std::uint64_t reason = reader.number();
  reader.require(reason <= static_cast<std::uint64_t>(RevokeReason::expired));
  if (!reader.failed()) revocation.reason = static_cast<RevokeReason>(reason);
  return revocation;
}

void write(Writer& writer, const LoginCounters::Entry& ban) {
  writer.raw(ban.key);
  writer.time(ban.counter.banned_until);
}

LoginCounters::Entry read_ban(Reader& reader) {
  LoginCounters::Entry ban;
  reader.raw(ban.key);
  ban.counter.banned_until = reader.time();
  ban.forget_at = ban.counter.banned_until;
  return ban;
}

// The count is only a promise: memory grows with what is really read.
template <class Item>
void read_list(Reader& reader, std::vector<Item>& list, Item (*read_item)(Reader&)) {
  for (std::uint64_t left = reader.number(); left > 0 && !reader.failed(); --left) {
    list.push_back(read_item(reader));
  }
}

std::optional<Content> read_content(std::string_view bytes) {
  const bool is_old = bytes.starts_with(old_head);
  if (!is_old && !bytes.starts_with(head)) return std::nullopt;
  Reader reader(bytes.substr(head.size()));
  Content content;
  read_list(reader, content.sessions, is_old ? read_old_session : read_session);
  read_list(reader, content.revocations, read_revocation);
  read_list(reader, content.bans, read_ban);
  if (reader.failed() || !reader.at_end()) return std::nullopt;
  return content;
}

bool is_over(const auth::FamilyRecord& record, auth::Time now) {
  return now >= record.idle_expires_at || now >= record.absolute_expires_at;
}

}  // namespace

bool MemoryStore::Impl::restore(const SavedSession& saved, auth::Time now) {
  if (is_over(saved.record, now) || log.is_revoked(saved.session)) return false;
  std::optional<Session> evicted;
  const bool is_added =
      sessions.add(saved, sessions_max.load(), now, evicted) == SessionTable::Added::added;
  return is_added && !evicted;
}

// Revocations are written last: one that is made while sessions are being written is in the list
// even when its session is, and reading lets the revocation win.
std::string MemoryStore::save(auth::Time now) const {
  Writer writer;
  writer.counted([&] {
    std::uint64_t count = 0;
    impl_->sessions.for_each(now, [&](const SavedSession& saved) {
      write(writer, saved);
      ++count;
    });
    return count;
  });
  writer.counted([&] {
    const std::vector<Revocation> revocations = impl_->log.all(now);
    for (const Revocation& revocation : revocations) {
      write(writer, revocation);
    }
    return std::uint64_t{revocations.size()};
  });
  writer.counted([&] {
    std::uint64_t count = 0;
    impl_->logins.for_each_ban(now, [&](const LoginCounters::Entry& ban) {
      write(writer, ban);
      ++count;
    });
    return count;
  });
  return std::string(head) + writer.take();
}

std::optional<std::size_t> MemoryStore::load(std::string_view bytes, auth::Time now) {
  std::optional<Content> content = read_content(bytes);
  if (!content) return std::nullopt;
  for (const Revocation& revocation : content->revocations) {
    if (revocation.forget_at > now) impl_->log.add(revocation, now);
  }
  for (const LoginCounters::Entry& ban : content->bans) {
    if (ban.counter.banned_until > now) impl_->logins.restore(ban);
  }
  // Oldest first, which is the order in which a user's list grows.
  std::sort(content->sessions.begin(), content->sessions.end(),
            [](const SavedSession& a, const SavedSession& b) {
              return a.session.created_at < b.session.created_at;
            });
  std::size_t taken = 0;
  for (const SavedSession& saved : content->sessions) {
    if (impl_->restore(saved, now)) ++taken;
  }
  return taken;
}

}  // namespace proxy::store
