// Access lines cost no allocation. This binary counts its own calls of operator new; sanitizers
// bring an allocator of their own, so there is nothing to count under them.
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <new>

#include "proxy/telemetry.h"

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define GATEHOUSE_COUNTS_ALLOCATIONS 0
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define GATEHOUSE_COUNTS_ALLOCATIONS 0
#endif
#endif
#ifndef GATEHOUSE_COUNTS_ALLOCATIONS
#define GATEHOUSE_COUNTS_ALLOCATIONS 1
#endif

#if GATEHOUSE_COUNTS_ALLOCATIONS
namespace {
thread_local std::size_t allocations = 0;
}

void* operator new(std::size_t size) {
  ++allocations;
  if (void* memory = std::malloc(size)) return memory;
  throw std::bad_alloc();
}
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t) noexcept { std::free(memory); }
#endif

namespace proxy {
namespace {

TEST(Log, AnAccessLineAllocatesNothing) {
#if GATEHOUSE_COUNTS_ALLOCATIONS
  std::string directory =
      (std::filesystem::temp_directory_path() / "gatehouse-lines-XXXXXX").string();
  ASSERT_NE(::mkdtemp(directory.data()), nullptr);
  for (const Format format : {Format::json, Format::text}) {
    LogOptions options;
    options.format = format;
    options.file = directory + "/log";
    LogWriter writer(options);
    Log log(writer, options);
    AccessRecord record;
    record.started = std::chrono::sys_days{std::chrono::year{2026} / 8 / 26};
    record.duration = std::chrono::microseconds{123};
    record.request_id = "0f3a";
    record.client = "192.0.2.7";
    record.method = "GET";
    record.host = "app.example.com";
    record.path = "/a path\nwith \"everything\" \xff \xe2\x80\xa8";
    record.status = 200;
    record.user = "alice";
    // Fewer lines than a buffer holds: handing over is the writer's business.
    const std::size_t before = allocations;
    for (int i = 0; i < 100; ++i) {
      log.access(record);
      record.started += std::chrono::milliseconds{700};
    }
    EXPECT_EQ(allocations - before, 0U);
  }
  std::filesystem::remove_all(directory);
#else
  GTEST_SKIP() << "allocations are not counted under a sanitizer";
#endif
}

}  // namespace
}  // namespace proxy
