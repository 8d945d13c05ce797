// Refresh tokens and the rules of rotation. A token is a pure function of (key, family, generation,
// expiry): `gh1.` and base64url of key id, family id, generation, absolute expiry and an
// HMAC-SHA-256 over all of them, each length-prefixed. Nothing that could be stolen lies in the
// store and a forged token is refused without asking it. The rules are pure functions over a record
// and a time: any thread, no I/O. RFC 9700 section 4.14.2 is the reason for all of it.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "auth/error.h"
#include "auth/policy.h"

namespace auth {

using FamilyId = std::array<std::uint8_t, 16>;

[[nodiscard]] Result<FamilyId> new_family_id();
[[nodiscard]] std::string to_text(const FamilyId& id);  // 22 characters, the `sid` claim
[[nodiscard]] std::optional<FamilyId> family_from_text(std::string_view text);

inline constexpr std::string_view refresh_token_prefix = "gh1.";

// A refresh every millisecond for 285,000 years; also the largest integer that a JSON number and a
// Lua number hold exactly, so every store counts alike. Nothing above it is ever accepted.
inline constexpr std::uint64_t generation_max = (std::uint64_t{1} << 53) - 1;

struct RefreshToken {
  FamilyId family{};
  std::uint64_t generation = 0;
  Time expires_at{};  // absolute end of the family, whole seconds
};

struct RefreshKey {
  std::string kid;     // 1 to 32 bytes
  std::string secret;  // at least 32 bytes
};

// Mints with the active key, reads with any. Immutable; shared by all workers.
class RefreshKeys {
 public:
  RefreshKeys() = default;
  // `sign_with` empty: the first key is active. Throws std::invalid_argument for a kid or secret of
  // a wrong length, for two keys of one name and for a `sign_with` that names none.
  explicit RefreshKeys(std::vector<RefreshKey> keys, std::string_view sign_with = "");
  [[nodiscard]] std::string mint(const RefreshToken& token) const;
  // malformed, unknown_key, bad_signature, or expired at `now`.
  [[nodiscard]] Result<RefreshToken> read(std::string_view text, Time now) const;
  // A key for sealing the memory store's snapshot, derived from the active key.
  [[nodiscard]] std::string snapshot_key() const;
  // Keys for another purpose, one from each of ours, the active one first: what one replica made is
  // known to a replica whose active key is another one.
  [[nodiscard]] std::vector<std::string> derived(std::string_view purpose) const;
  [[nodiscard]] bool empty() const { return keys_.empty(); }

 private:
  std::vector<RefreshKey> keys_;
  std::size_t active_ = 0;
};

// What the store keeps about a family, beside whose it is. A login makes gen = base = floor = 0 and
// made_at long ago. Times are the store's; one in the future counts as now.
struct FamilyRecord {
  std::uint64_t gen = 0;            // newest generation
  std::uint64_t base = 0;           // generation whose holder asked for `gen`
  std::uint64_t floor = 0;          // oldest generation still answered
  Time made_at{};                   // when `gen` was made
  std::optional<Time> proven_at;    // when a client was first seen to hold `gen`
  Time idle_expires_at{};
  Time absolute_expires_at{};
  milliseconds idle_life{0};        // of its own ("remember me"); zero: what the rules say
  bool revoked = false;
};

enum class Outcome { rotated, replayed, reissued, repaired, reuse, dead };
[[nodiscard]] std::string_view name(Outcome outcome);

struct Rotation {
  Outcome outcome = Outcome::dead;
  std::uint64_t generation = 0;  // answer with token(generation) unless reuse or dead
};

struct FamilyRules {
  milliseconds grace{30'000};
  milliseconds idle_life{7LL * 24 * 3600 * 1000};
};

[[nodiscard]] FamilyRecord new_family(Time now, milliseconds absolute_life,
                                      const FamilyRules& rules);
// The table of the rotation rule, in its order. Changes the record; every outcome but reuse and
// dead also extends the idle expiry (never past the absolute one), unless nobody is there: a page
// that refreshes by itself is not `active`.
[[nodiscard]] Rotation rotate(FamilyRecord& record, std::uint64_t shown, Time now,
                              const FamilyRules& rules, bool active = true);
// An access token carrying `generation` was presented. Counts only for the newest generation, once,
// and at least `grace` after it was made. True when the record changed.
bool prove(FamilyRecord& record, std::uint64_t generation, Time now, const FamilyRules& rules);

}  // namespace auth
