// See family.h. The token's bytes are one length byte and the key id, 16 bytes of family, 8 of
// generation, 8 of expiry in seconds (both big-endian, 64 bits wide so that 2038 is an ordinary
// year) and 32 of MAC. What is signed is not these bytes but a list in which each field carries its
// length, so that no two different tokens can share a MAC input.
#include "auth/family.h"

#include "auth/bytes.h"

#include <algorithm>
#include <span>
#include <stdexcept>
#include <utility>

namespace auth {
namespace {

constexpr std::size_t kid_bytes_max = 32;
constexpr std::size_t number_bytes = 8;
constexpr std::size_t mac_bytes = 32;
constexpr std::size_t family_bytes = std::tuple_size_v<FamilyId>;
constexpr std::size_t fixed_bytes = 1 + family_bytes + 2 * number_bytes + mac_bytes;
constexpr std::size_t token_bytes_max = fixed_bytes + kid_bytes_max;
constexpr std::size_t token_text_max = refresh_token_prefix.size() + (token_bytes_max * 4 + 2) / 3;
constexpr std::size_t secret_bytes_min = 32;

// Far beyond the year 9999, far below what overflows when it is counted in milliseconds.
constexpr std::uint64_t expiry_seconds_max = std::uint64_t{1} << 40;

std::string_view as_text(const FamilyId& id) {
  return {reinterpret_cast<const char*>(id.data()), id.size()};
}

std::string big_endian(std::uint64_t number) {
  std::string bytes(number_bytes, '\0');
  for (std::size_t i = number_bytes; i-- > 0; number >>= 8) {
    bytes[i] = static_cast<char>(number & 0xFF);
  }
  return bytes;
}

std::uint64_t from_big_endian(std::string_view bytes) {
  std::uint64_t number = 0;
  for (const char byte : bytes) {
    number = number << 8 | static_cast<unsigned char>(byte);
  }
  return number;
}

std::uint64_t seconds_of(Time time) {
  const auto seconds = std::chrono::floor<std::chrono::seconds>(time).time_since_epoch().count();
  return seconds < 0 ? 0 : static_cast<std::uint64_t>(seconds);
}

// The label keeps this MAC apart from any other use of the same secret (CVE-2023-35941 is what
// becomes of fields that are only put side by side).
Digest mac_of(const RefreshKey& key, std::string_view family, std::string_view generation,
              std::string_view expiry) {
  std::string input;
  for (const std::string_view field :
       {std::string_view{"gatehouse refresh token 1"}, std::string_view{key.kid}, family,
        generation, expiry}) {
    input += big_endian(field.size());
    input += field;
  }
  return hmac_sha256(key.secret, input);
}

std::string_view as_text(const Digest& digest) {
  return {reinterpret_cast<const char*>(digest.data()), digest.size()};
}

// Cuts `count` bytes off the front; the caller has checked that they are there.
std::string_view take(std::string_view& bytes, std::size_t count) {
  const std::string_view front = bytes.substr(0, count);
  bytes.remove_prefix(count);
  return front;
}

void extend_idle(FamilyRecord& record, Time now, const FamilyRules& rules) {
  const milliseconds own = record.idle_life;
  const milliseconds life = own > milliseconds{0} ? own : rules.idle_life;
  record.idle_expires_at = std::min(now + life, record.absolute_expires_at);
}

// The step that `rotated` and `repaired` share: the holder of `shown` gets a successor.
void advance(FamilyRecord& record, std::uint64_t shown, Time now) {
  record.floor = record.base;
  record.base = shown;
  record.gen = shown + 1;
  record.made_at = now;
  record.proven_at.reset();
}

bool is_over(const FamilyRecord& record, Time now) {
  return record.revoked || now >= record.idle_expires_at || now >= record.absolute_expires_at;
}

// Times of a store whose clock went back would otherwise hold grace open for long.
void clamp_to_now(FamilyRecord& record, Time now) {
  record.made_at = std::min(record.made_at, now);
  if (record.proven_at) {
    record.proven_at = std::min(*record.proven_at, now);
  }
}

// The table, row by row, for a family that is alive.
Outcome step(FamilyRecord& record, std::uint64_t shown, Time now, const FamilyRules& rules) {
  if (shown > record.gen) {
    // The MAC says that we made it, so the store has lost the writes in between.
    advance(record, shown, now);
    return Outcome::repaired;
  }
  const bool in_grace = now - record.made_at < rules.grace;
  if (!in_grace) {
    record.floor = record.base;
  }
  if (shown < record.floor) return Outcome::reuse;
  if (in_grace) return Outcome::replayed;
  if (shown == record.gen) {
    advance(record, shown, now);
    return Outcome::rotated;
  }
  if (shown == record.base && !record.proven_at) {
    // Nobody was ever seen with the successor: the answer that carried it was lost.
    ++record.gen;
    record.made_at = now;
    return Outcome::reissued;
  }
  if (shown == record.base && now - *record.proven_at < rules.grace) return Outcome::replayed;
  return Outcome::reuse;
}

}  // namespace

Result<FamilyId> new_family_id() {
  const Result<std::string> bytes = random_bytes(family_bytes);
  if (!bytes) return bytes.error();
  FamilyId id{};
  std::copy(bytes->begin(), bytes->end(), id.begin());
  return id;
}

std::string to_text(const FamilyId& id) { return base64url_encode(as_text(id)); }

std::optional<FamilyId> family_from_text(std::string_view text) {
  constexpr std::size_t text_bytes = 22;
  if (text.size() != text_bytes) return std::nullopt;
  const std::optional<std::string> bytes = base64url_decode(text);
  if (!bytes || bytes->size() != family_bytes) return std::nullopt;
  FamilyId id;
  std::copy(bytes->begin(), bytes->end(), id.begin());
  return id;
}

RefreshKeys::RefreshKeys(std::vector<RefreshKey> keys, std::string_view sign_with)
    : keys_(std::move(keys)) {
  for (auto key = keys_.begin(); key != keys_.end(); ++key) {
    if (key->kid.empty() || key->kid.size() > kid_bytes_max) {
      throw std::invalid_argument("a refresh key id has 1 to 32 bytes");
    }
    if (key->secret.size() < secret_bytes_min) {
      throw std::invalid_argument("refresh key " + key->kid + " has fewer than 32 bytes");
    }
    if (std::any_of(keys_.begin(), key, [&](const RefreshKey& o) { return o.kid == key->kid; })) {
      throw std::invalid_argument("two refresh keys are named " + key->kid);
    }
  }
  if (sign_with.empty()) return;
  const auto active = std::find_if(keys_.begin(), keys_.end(),
                                   [&](const RefreshKey& key) { return key.kid == sign_with; });
  if (active == keys_.end()) {
    throw std::invalid_argument("there is no refresh key named " + std::string(sign_with));
  }
  active_ = static_cast<std::size_t>(active - keys_.begin());
}

std::string RefreshKeys::mint(const RefreshToken& token) const {
  if (keys_.empty()) return {};
  const RefreshKey& key = keys_[active_];
  const std::string generation = big_endian(token.generation);
  const std::string expiry = big_endian(seconds_of(token.expires_at));
  const Digest mac = mac_of(key, as_text(token.family), generation, expiry);

  std::string bytes(1, static_cast<char>(key.kid.size()));
  bytes.append(key.kid).append(as_text(token.family)).append(generation).append(expiry);
  bytes.append(as_text(mac));
  return std::string(refresh_token_prefix) + base64url_encode(bytes);
}

Result<RefreshToken> RefreshKeys::read(std::string_view text, Time now) const {
  if (text.size() > token_text_max || !text.starts_with(refresh_token_prefix)) {
    return Error::malformed;
  }
  const auto decoded = base64url_decode(text.substr(refresh_token_prefix.size()));
  if (!decoded || decoded->size() <= fixed_bytes) return Error::malformed;
  std::string_view rest = *decoded;
  const std::size_t kid_bytes = static_cast<unsigned char>(take(rest, 1).front());
  if (kid_bytes + fixed_bytes != decoded->size()) return Error::malformed;
  const std::string_view kid = take(rest, kid_bytes);
  const std::string_view family = take(rest, family_bytes);
  const std::string_view generation = take(rest, number_bytes);
  const std::string_view expiry = take(rest, number_bytes);

  const auto key = std::find_if(keys_.begin(), keys_.end(),
                                [&](const RefreshKey& one) { return one.kid == kid; });
  if (key == keys_.end()) return Error::unknown_key;
  // Nothing that was read is believed before this line.
  const Digest mac = mac_of(*key, family, generation, expiry);
  if (!equal_constant_time(as_text(mac), rest)) return Error::bad_signature;

  const std::uint64_t seconds = from_big_endian(expiry);
  if (seconds > expiry_seconds_max) return Error::malformed;
  RefreshToken token;
  std::copy(family.begin(), family.end(), token.family.begin());
  token.generation = from_big_endian(generation);
  token.expires_at = Time{std::chrono::seconds{static_cast<std::int64_t>(seconds)}};
  if (token.generation > generation_max) return Error::malformed;
  if (now >= token.expires_at) return Error::expired;
  return token;
}

std::string RefreshKeys::snapshot_key() const {
  if (keys_.empty()) return {};
  return hkdf_sha256(keys_[active_].secret, "gatehouse snapshot 1", 32);
}

std::vector<std::string> RefreshKeys::derived(std::string_view purpose) const {
  std::vector<std::string> result;
  for (std::size_t i = 0; i < keys_.size(); ++i) {
    result.push_back(hkdf_sha256(keys_[(active_ + i) % keys_.size()].secret, purpose, 32));
  }
  return result;
}

std::string_view name(Outcome outcome) {
  switch (outcome) {
    case Outcome::rotated: return "rotated";
    case Outcome::replayed: return "replayed";
    case Outcome::reissued: return "reissued";
    case Outcome::repaired: return "repaired";
    case Outcome::reuse: return "reuse";
    case Outcome::dead: return "dead";
  }
  return "unknown";
}

FamilyRecord new_family(Time now, milliseconds absolute_life, const FamilyRules& rules) {
  FamilyRecord record;
  // Older than any grace, so that the first refresh rotates at once.
  record.made_at = now - std::chrono::hours{24};
  // Whole seconds, because tokens carry it so: both must end at the same instant.
  record.absolute_expires_at = std::chrono::ceil<std::chrono::seconds>(now + absolute_life);
  extend_idle(record, now, rules);
  return record;
}

Rotation rotate(FamilyRecord& record, std::uint64_t shown, Time now, const FamilyRules& rules,
                bool active) {
  if (is_over(record, now) || shown > generation_max) return {Outcome::dead, 0};
  clamp_to_now(record, now);
  const Outcome outcome = step(record, shown, now, rules);
  if (outcome == Outcome::reuse) {
    record.revoked = true;
    return {Outcome::reuse, 0};
  }
  if (active) extend_idle(record, now, rules);
  return {outcome, record.gen};
}

bool prove(FamilyRecord& record, std::uint64_t generation, Time now, const FamilyRules& rules) {
  if (is_over(record, now) || generation != record.gen || record.proven_at) return false;
  clamp_to_now(record, now);
  if (now - record.made_at < rules.grace) return false;
  record.proven_at = now;
  return true;
}

}  // namespace auth
