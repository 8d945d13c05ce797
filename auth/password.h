// Password hashes: argon2id, bcrypt, scrypt and yescrypt are verified, argon2id is made. Slow on
// purpose (tens of milliseconds): call it on the hashing pool, never on an event loop. Any thread.
#pragma once

#include <string>
#include <string_view>

#include "auth/error.h"

namespace auth {

inline constexpr std::size_t password_bytes_max = 1'024;

// Why a stored hash cannot be used, as one sentence; empty when it can. Bounds its cost, since a
// hash string can ask for gigabytes (SECURITY I04): argon2id m <= 256 MiB, t <= 10, p <= 4; bcrypt
// cost 4 to 15; scrypt and yescrypt at most 256 MiB.
[[nodiscard]] std::string check_hash(std::string_view hash);
// A sentence when the hash is usable but weaker than today's recommendation; empty otherwise.
[[nodiscard]] std::string hash_warning(std::string_view hash);

// The password exactly as sent, after NFC is NOT applied: bytes are compared as they were hashed.
// False for over password_bytes_max, for NUL bytes, for over 72 bytes with bcrypt (I03) and for
// over 511 with scrypt and yescrypt (libcrypt's limit).
[[nodiscard]] bool verify_password(std::string_view hash, std::string_view password);

// argon2id, 19 MiB, two passes, one lane (OWASP). malformed for a password that could never be
// verified (empty, too long, NUL), no_entropy, overloaded when there is no memory for it.
[[nodiscard]] Result<std::string> hash_password(std::string_view password);

// A hash nobody knows the password of, for logins of unknown users: same work, same time (I01).
[[nodiscard]] const std::string& decoy_hash();
// The same for a place whose users have hashes like `hash`: its scheme and cost, another digest.
[[nodiscard]] std::string decoy_like(std::string_view hash);
// The part of a hash that decides its cost ("$2b$12$"); empty when the hash cannot be used.
[[nodiscard]] std::string_view hash_parameters(std::string_view hash);

}  // namespace auth
