// Where coroutine frames come from, that they are used again, and that what is left over goes.
#include "proxy/net/frames.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <thread>
#include <vector>

#include "proxy/free_list.h"
#include "proxy/net/task.h"

namespace proxy::net {
namespace {

TEST(Frames, OneThatWasGivenBackIsTheNextOfItsSize) {
  if (address_sanitizer) GTEST_SKIP() << "each frame is the sanitizer's own there";
  void* const first = take_frame(300);
  give_back_frame(first, 300);
  void* const other_size = take_frame(500);
  EXPECT_NE(other_size, first);
  void* const again = take_frame(310);
  EXPECT_EQ(again, first) << "300 and 310 bytes are one size";
  give_back_frame(again, 310);
  give_back_frame(other_size, 500);
}

TEST(Frames, EverySizeCanBeTakenAndFilled) {
  for (int round = 0; round < 3; ++round) {
    std::vector<void*> frames;
    for (std::size_t bytes = 1; bytes <= 5'000; ++bytes) {
      frames.push_back(take_frame(bytes));
      std::memset(frames.back(), static_cast<int>(bytes), bytes);
    }
    for (std::size_t bytes = 1; bytes <= 5'000; ++bytes) {
      const auto* const content = static_cast<const unsigned char*>(frames[bytes - 1]);
      const auto expected = static_cast<unsigned char>(bytes);
      EXPECT_TRUE(std::all_of(content, content + bytes, [&](auto c) { return c == expected; }));
      give_back_frame(frames[bytes - 1], bytes);
    }
    trim_frames();
  }
}

TEST(Frames, MayBeGivenBackByAnotherThreadAndOutliveTheirs) {
  std::vector<void*> frames;
  std::thread([&] {
    for (int i = 0; i < 1'000; ++i) frames.push_back(take_frame(200));
    for (int i = 0; i < 500; ++i) {
      give_back_frame(frames.back(), 200);
      frames.pop_back();
    }
  }).join();
  for (void* const frame : frames) give_back_frame(frame, 200);
}

TEST(FreeList, WhatABurstLeftIsTrimmedOnceItWasNotNeeded) {
  if (address_sanitizer) GTEST_SKIP() << "nothing is kept there";
  struct Block {
    std::array<char, 64> bytes;
  };
  std::vector<Block> blocks(1'000);
  FreeList<900, 8> list;
  std::size_t refused = 0;
  for (Block& block : blocks) refused += list.give_back(&block) ? 0U : 1U;
  EXPECT_EQ(refused, 100U);
  std::size_t disposed = 0;
  const auto count = [&](void*) { ++disposed; };
  list.trim(count);
  EXPECT_EQ(disposed, 0U) << "a moment ago there were none";
  std::vector<void*> taken;
  for (int i = 0; i < 300; ++i) taken.push_back(list.take());
  for (void* const block : taken) EXPECT_TRUE(list.give_back(block));
  list.trim(count);
  EXPECT_EQ(disposed, 600U) << "300 were needed";
  list.trim(count);
  EXPECT_EQ(disposed, 892U) << "and none since then, but a few are kept";
  list.clear(count);
  EXPECT_EQ(disposed, 900U);
  EXPECT_EQ(list.take(), nullptr);
}

Task<int> answer() { co_return 42; }

TEST(Frames, AreWhereTasksLive) {
  if (address_sanitizer) GTEST_SKIP() << "each frame is the sanitizer's own there";
  // One of each size is free, and the task takes the one of its own.
  std::vector<void*> frames;
  for (std::size_t bytes = 64; bytes <= 2'048; bytes += 64) frames.push_back(take_frame(bytes));
  for (std::size_t i = 0; i < frames.size(); ++i) give_back_frame(frames[i], 64 * (i + 1));
  std::size_t missing = 0;
  {
    const Task<int> task = answer();
    for (std::size_t i = 0; i < frames.size(); ++i) {
      void* const frame = take_frame(64 * (i + 1));
      missing += frame != frames[i] ? 1U : 0U;
      give_back_frame(frame, 64 * (i + 1));
    }
  }
  EXPECT_EQ(missing, 1U);
}

}  // namespace
}  // namespace proxy::net
