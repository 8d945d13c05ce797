#!/usr/bin/env python3
"""Writes auth/known_secrets.cc: digests of HMAC secrets that anybody can look up.

usage: known_secrets.py LIST > auth/known_secrets.cc

LIST has one secret a line, such as jwt.secrets.list of github.com/wallarm/jwt-secrets (MIT). The
list itself is not part of this project: a table of truncated digests tells whether a secret is on
it, and shorter secrets than 32 bytes are refused by their length anyway.
"""

import hashlib
import sys

BYTES_MIN = 32
PER_LINE = 4

# Examples of jwt.io that lists tend to lack.
EXTRA = [
    b"a-string-secret-at-least-256-bits-long",
    b"a-valid-string-secret-that-is-at-least-384-bits-long",
    b"a-valid-string-secret-that-is-at-least-512-bits-long-which-is-very-long",
]

HEAD = """\
// Made by scripts/known_secrets.py from wallarm/jwt-secrets (MIT) and the examples of jwt.io: the
// first eight bytes of the SHA-256 of each public secret of 32 bytes or more, sorted. A random
// secret is on it by accident with a chance of one in 2^53.
#include <algorithm>
#include <cstdint>
#include <iterator>

#include "auth/bytes.h"
#include "auth/keys.h"

namespace auth {
namespace {

constexpr std::uint64_t digests[] = {
"""

TAIL = """\
};

}  // namespace

bool is_publicly_known_secret(std::string_view secret) {
  const auto digest = sha256(secret);
  std::uint64_t start = 0;
  for (int i = 0; i < 8; ++i) {
    start = (start << 8) | digest[static_cast<std::size_t>(i)];
  }
  return std::binary_search(std::begin(digests), std::end(digests), start);
}

}  // namespace auth
"""


def main() -> None:
    with open(sys.argv[1], "rb") as file:
        secrets = set(line.rstrip(b"\r\n") for line in file)
    secrets.update(EXTRA)
    starts = sorted(hashlib.sha256(s).hexdigest()[:16] for s in secrets if len(s) >= BYTES_MIN)
    sys.stdout.write(HEAD)
    for i in range(0, len(starts), PER_LINE):
        sys.stdout.write("    " + " ".join(f"0x{s}," for s in starts[i:i + PER_LINE]) + "\n")
    sys.stdout.write(TAIL)


if __name__ == "__main__":
    main()
