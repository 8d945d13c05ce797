// What the machine grants: how many workers that means, how many connections, how much memory.
#include "proxy/machine.h"

#include <gtest/gtest.h>
#include <sys/resource.h>

#include <filesystem>
#include <fstream>
#include <vector>

namespace proxy {
namespace {

TEST(Machine, AQuotaIsRoundedUpToWholeProcessors) {
  EXPECT_EQ(processors_of_quota("100000", "100000"), 1U);
  EXPECT_EQ(processors_of_quota("50000", "100000"), 1U);
  EXPECT_EQ(processors_of_quota("150000", "100000"), 2U);
  EXPECT_EQ(processors_of_quota("800000", "100000"), 8U);
}

TEST(Machine, NoQuotaIsToldApart) {
  EXPECT_EQ(processors_of_quota("max", "100000"), 0U);
  EXPECT_EQ(processors_of_quota("-1", "100000"), 0U);
  EXPECT_EQ(processors_of_quota("100000", "0"), 0U);
}

TEST(Machine, ThereAreAsManyWorkersAsProcessorsButFourAtMost) {
  EXPECT_EQ(workers_for(0, 2), 2U);
  EXPECT_EQ(workers_for(0, 64), 4U);
  EXPECT_EQ(workers_for(1, 64), 1U);
  EXPECT_EQ(workers_for(8, 64), 4U);
  EXPECT_EQ(workers_for(8, 2), 2U);
  EXPECT_EQ(workers_for(0, 0), 1U);
  EXPECT_GE(default_workers(), 1U);
  EXPECT_LE(default_workers(), 4U);
}

TEST(Machine, ConnectionsFitIntoHalfOfTheDescriptors) {
  rlimit limit{};
  ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &limit), 0);
  config::Config config;
  config.limits.connections = 1'000'000'000;
  const std::string said = fit_to_descriptors(config);
  ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &limit), 0);
  EXPECT_EQ(limit.rlim_cur, limit.rlim_max) << "as many as there may be";
  EXPECT_LE(config.limits.connections, limit.rlim_max / 2);
  EXPECT_NE(said.find("limits.connections is lowered to " +
                      std::to_string(config.limits.connections)), std::string::npos) << said;
  config.limits.connections = 10;
  EXPECT_EQ(fit_to_descriptors(config), "");
  EXPECT_EQ(config.limits.connections, 10U);
}

TEST(Machine, AFileThatChangedHasAnotherStamp) {
  const std::string path = testing::TempDir() + "machine_test.txt";
  std::filesystem::remove(path);
  EXPECT_EQ(stamp_of(path), FileStamp{});
  std::ofstream(path) << "a";
  const FileStamp first = stamp_of(path);
  EXPECT_EQ(stamp_of(path), first);
  std::ofstream(path) << "bc";
  EXPECT_NE(stamp_of(path), first);
  std::filesystem::remove(path);
}

using enum MemoryState;
constexpr std::uint64_t limit = 16'000;

TEST(MemoryState, IsEnoughWithoutALimit) {
  EXPECT_EQ(memory_state(enough, 1'000'000'000, 0), enough);
  EXPECT_EQ(memory_state(exhausted, 1'000'000'000, 0), enough);
}

TEST(MemoryState, IsScarceBeyondTheLimitAndExhaustedAQuarterBeyondIt) {
  EXPECT_EQ(memory_state(enough, limit, limit), enough);
  EXPECT_EQ(memory_state(enough, limit + 1, limit), scarce);
  EXPECT_EQ(memory_state(enough, 20'000, limit), scarce);
  EXPECT_EQ(memory_state(enough, 20'001, limit), exhausted);
}

TEST(MemoryState, ComesBackALittleBelow) {
  EXPECT_EQ(memory_state(scarce, 15'500, limit), scarce);
  EXPECT_EQ(memory_state(scarce, 15'000, limit), enough);
  EXPECT_EQ(memory_state(exhausted, 19'500, limit), exhausted);
  EXPECT_EQ(memory_state(exhausted, 19'000, limit), scarce);
  EXPECT_EQ(memory_state(exhausted, 15'001, limit), scarce);
}

TEST(Memory, WhatIsTakenIsSeen) {
  const std::uint64_t before = anonymous_bytes();
  std::vector<char> taken(32 * 1024 * 1024, 'x');
  EXPECT_GE(anonymous_bytes() - before, 31U * 1024U * 1024U);
  EXPECT_EQ(taken.back(), 'x');
}

}  // namespace
}  // namespace proxy
