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
// False for over password_bytes_max, for NUL bytes, and for over 72 bytes with bcrypt (I03).
[[nodiscard]] bool verify_password(std::string_view hash, std::string_view password);

// argon2id, 19 MiB, two passes, one lane (OWASP).
[[nodiscard]] Result<std::string> hash_password(std::string_view password);

// A hash nobody knows the password of, for logins of unknown users: same work, same time (I01).
[[nodiscard]] const std::string& decoy_hash();

}  // namespace auth
