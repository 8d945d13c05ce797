// A lack of memory is told apart from a wrong signature.
#include "auth/memory.h"

#include <gtest/gtest.h>
#include <openssl/crypto.h>

#include <limits>
#include <new>
#include <thread>

#include "allocations.h"

namespace auth {
namespace {

// More than there can be; volatile, because a compiler that sees it complains.
volatile std::size_t too_much = std::numeric_limits<std::size_t>::max() / 4;

TEST(MemoryWatch, SeesThatOpenSslWasRefusedMemory) {
  if (is_instrumented()) GTEST_SKIP() << "sanitizers refuse nothing, they end the process";
  const MemoryWatch memory;
  EXPECT_NO_THROW(memory.require());
  EXPECT_EQ(OPENSSL_malloc(too_much), nullptr);
  EXPECT_THROW(memory.require(), std::bad_alloc);
  const MemoryWatch later;
  EXPECT_NO_THROW(later.require()) << "what failed before says nothing about what comes now";
  void* block = OPENSSL_malloc(16);
  EXPECT_EQ(OPENSSL_realloc(block, too_much), nullptr);
  EXPECT_THROW(later.require(), std::bad_alloc);
  OPENSSL_free(block);
}

TEST(MemoryWatch, IsAboutItsThread) {
  if (is_instrumented()) GTEST_SKIP() << "sanitizers refuse nothing, they end the process";
  const MemoryWatch memory;
  std::thread([] { EXPECT_EQ(OPENSSL_malloc(too_much), nullptr); }).join();
  EXPECT_NO_THROW(memory.require());
}

TEST(MemoryWatch, NothingAskedForIsNothingRefused) {
  const MemoryWatch memory;
  EXPECT_EQ(OPENSSL_malloc(0), nullptr);
  EXPECT_NO_THROW(memory.require());
}

}  // namespace
}  // namespace auth
