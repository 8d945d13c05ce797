// Buffer: contents survive growth, moves and reuse of storage.
#include "proxy/http/buffer.h"

#include <gtest/gtest.h>

#include <string>
#include <thread>
#include <utility>

namespace proxy::http {
namespace {

TEST(Buffer, HoldsNoStorageUntilNeeded) {
  const Buffer buffer;
  EXPECT_EQ(buffer.data(), nullptr);
  EXPECT_EQ(buffer.room(), 0U);
  EXPECT_TRUE(buffer.view().empty());
}

TEST(Buffer, KeepsContentWhenItGrows) {
  Buffer buffer;
  std::string expected;
  for (int i = 0; i < 5000; ++i) {
    buffer.append("0123456789");
    expected.append("0123456789");
  }
  EXPECT_EQ(buffer.view(), expected);
  EXPECT_GE(buffer.reserve(100'000).size(), 100'000U);
  EXPECT_EQ(buffer.view(), expected);
}

TEST(Buffer, WritesFieldsAndBytesAcrossItsGrowth) {
  Buffer buffer;
  std::string expected;
  for (int i = 0; i < 3000; ++i) {
    buffer.append_field("Name", "value");
    buffer.append_field("X-Empty", "");
    buffer.push_back('!');
    expected.append("Name: value\r\nX-Empty: \r\n!");
  }
  EXPECT_EQ(buffer.view(), expected);
}

TEST(Buffer, GrowsByDoubling) {
  Buffer buffer;
  EXPECT_EQ(buffer.reserve(1).size(), Buffer::block_bytes);
  buffer.commit(Buffer::block_bytes);
  EXPECT_EQ(buffer.reserve(1).size(), Buffer::block_bytes);
  EXPECT_EQ(buffer.reserve(Buffer::block_bytes + 1).size(), 3 * Buffer::block_bytes);
}

TEST(Buffer, ReserveDoesNotMoveContentThatFits) {
  Buffer buffer;
  buffer.append("abc");
  const char* before = buffer.data();
  (void)buffer.reserve(Buffer::block_bytes - 3);
  EXPECT_EQ(buffer.data(), before);
}

TEST(Buffer, ConsumeMovesTheRestToTheFront) {
  Buffer buffer;
  buffer.append("headbody");
  buffer.consume(4);
  EXPECT_EQ(buffer.view(), "body");
  buffer.consume(100);
  EXPECT_TRUE(buffer.empty());
}

TEST(Buffer, MoveLeavesTheSourceEmpty) {
  Buffer a;
  a.append("abc");
  Buffer b = std::move(a);
  EXPECT_EQ(b.view(), "abc");
  EXPECT_EQ(a.data(), nullptr);  // NOLINT(bugprone-use-after-move): that is the test
  Buffer c;
  c.append("old");
  c = std::move(b);
  EXPECT_EQ(c.view(), "abc");
}

#if !defined(__SANITIZE_ADDRESS__)
TEST(Buffer, ReleasedBlocksAreUsedAgain) {
  Buffer buffer;
  buffer.append("x");
  const char* block = buffer.data();
  buffer.release();
  EXPECT_EQ(buffer.data(), nullptr);
  buffer.append("y");
  EXPECT_EQ(buffer.data(), block);
}
#endif

TEST(Buffer, MayBeReleasedByAnotherThread) {
  Buffer buffer;
  buffer.append("x");
  std::thread([moved = std::move(buffer)]() mutable { moved.release(); }).join();
  buffer.append("y");
  EXPECT_EQ(buffer.view(), "y");
}

}  // namespace
}  // namespace proxy::http
