// Once warm, reading and checking a request allocates nothing. malloc itself is counted, so that
// operator new, vectors and buffers all are.
#include "reading.h"

#include <gtest/gtest.h>

#include <cstddef>

#if defined(__GLIBC__) && !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
#define GATEHOUSE_COUNTS_ALLOCATIONS 1

namespace {
thread_local std::size_t allocations = 0;
}  // namespace

extern "C" {
void* __libc_malloc(std::size_t bytes);  // NOLINT: glibc's own malloc behind ours
void* malloc(std::size_t bytes) noexcept {
  ++allocations;
  return __libc_malloc(bytes);
}
}
#endif

namespace proxy::http {
namespace {

TEST(HotPath, ReadingARequestAllocatesNothingOnceWarm) {
#ifndef GATEHOUSE_COUNTS_ALLOCATIONS
  GTEST_SKIP() << "allocations are not counted under sanitizers";
#else
  constexpr std::string_view text =
      "POST /api/items?page=2 HTTP/1.1\r\nHost: app.example.com\r\nUser-Agent: test\r\n"
      "Accept: */*\r\nAuthorization: Bearer aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\r\n"
      "Cookie: theme=dark; id=1\r\nConnection: keep-alive, x-mine\r\nX-Request-Id: 1\r\n"
      "Content-Type: text/plain\r\nTransfer-Encoding: chunked\r\n\r\n";
  constexpr std::string_view body = "5\r\nhello\r\n0\r\n\r\n";
  RequestParser parser{HeadLimits{}};
  RequestHead head;
  ChunkedDecoder decoder;
  int good = 0;
  const auto serve = [&] {
    head.clear();
    parser.reset();
    decoder.reset();
    head.bytes.append(text);
    head.bytes.append(body);
    if (parser.feed(head) != Progress::complete) return;
    if (check_request(head) != ParseError::none) return;
    std::string_view rest = head.bytes.view().substr(head.head_size);
    while (!rest.empty()) rest.remove_prefix(decoder.next(rest).consumed);
    head.bytes.release();  // as an idle connection does
    ++good;
  };
  for (int i = 0; i < 10; ++i) serve();
  const std::size_t before = allocations;
  for (int i = 0; i < 10'000; ++i) serve();
  EXPECT_EQ(allocations - before, 0U);
  EXPECT_EQ(good, 10'010);
  EXPECT_GT(before, 0U);  // the counter counts
#endif
}

}  // namespace
}  // namespace proxy::http
