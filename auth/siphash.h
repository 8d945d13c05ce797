// SipHash-1-3 (Aumasson and Bernstein, 2012): a keyed hash for tables that strangers fill, so that
// nobody can choose keys that fall into one bucket. Not a MAC. Pure; any thread.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>

namespace auth {

struct SipSeed {
  std::uint64_t first = 0;
  std::uint64_t second = 0;
};

// From sixteen random bytes.
[[nodiscard]] inline SipSeed seed_from(std::string_view random) {
  SipSeed seed;
  std::memcpy(&seed, random.data(), sizeof(seed));
  return seed;
}

class SipState {
 public:
  explicit SipState(const SipSeed& seed)
      : a_(seed.first ^ 0x736f6d6570736575),
        b_(seed.second ^ 0x646f72616e646f6d),
        c_(seed.first ^ 0x6c7967656e657261),
        d_(seed.second ^ 0x7465646279746573) {}

  void absorb(std::uint64_t word) {
    d_ ^= word;
    mix();
    a_ ^= word;
  }

  [[nodiscard]] std::uint64_t finish() {
    c_ ^= 0xff;
    mix();
    mix();
    mix();
    return a_ ^ b_ ^ c_ ^ d_;
  }

 private:
  void mix() {
    a_ += b_;
    b_ = std::rotl(b_, 13) ^ a_;
    a_ = std::rotl(a_, 32);
    c_ += d_;
    d_ = std::rotl(d_, 16) ^ c_;
    a_ += d_;
    d_ = std::rotl(d_, 21) ^ a_;
    c_ += b_;
    b_ = std::rotl(b_, 17) ^ c_;
    c_ = std::rotl(c_, 32);
  }

  std::uint64_t a_, b_, c_, d_;
};

// Words are read in the machine's order: the values never leave the process.
[[nodiscard]] inline std::uint64_t siphash(const SipSeed& seed, std::string_view bytes) {
  SipState state(seed);
  const std::uint64_t length = bytes.size();
  while (bytes.size() >= 8) {
    std::uint64_t word;
    std::memcpy(&word, bytes.data(), 8);
    state.absorb(word);
    bytes.remove_prefix(8);
  }
  std::uint64_t last = 0;
  if (!bytes.empty()) std::memcpy(&last, bytes.data(), bytes.size());
  state.absorb(last | (length << 56));
  return state.finish();
}

}  // namespace auth
