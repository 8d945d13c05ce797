// Scalars are read in exactly one way, and written so that they are read back.
#include "config/scalar.h"

#include <gtest/gtest.h>

namespace config {
namespace {

TEST(Integer, TakesPlainDecimals) {
  EXPECT_EQ(parse_integer("0"), 0U);
  EXPECT_EQ(parse_integer("65535"), 65535U);
  EXPECT_EQ(parse_integer("9999999999999999999"), 9999999999999999999ULL);
}

TEST(Integer, RefusesEverySpellingThatCouldMeanSomethingElse) {
  for (const char* text : {"", "010", "00", "0x10", "0o10", "+5", "-5", "1_000", "1,000", "1e3",
                           "5 ", " 5", "5.0", "99999999999999999999", "one", "\xD9\xA5"}) {
    EXPECT_FALSE(parse_integer(text)) << text;
  }
}

TEST(Boolean, TakesOnlyTrueAndFalse) {
  EXPECT_EQ(parse_boolean("true"), true);
  EXPECT_EQ(parse_boolean("false"), false);
  for (const char* text : {"", "yes", "no", "on", "off", "True", "FALSE", "y", "1", "0", "~"}) {
    EXPECT_FALSE(parse_boolean(text)) << text;
  }
}

TEST(Duration, TakesEachUnitAndTheirCombinations) {
  using namespace std::chrono_literals;
  EXPECT_EQ(parse_duration("500ms"), 500ms);
  EXPECT_EQ(parse_duration("30s"), 30s);
  EXPECT_EQ(parse_duration("15m"), 15min);
  EXPECT_EQ(parse_duration("1h30m"), 90min);
  EXPECT_EQ(parse_duration("7d"), 168h);
  EXPECT_EQ(parse_duration("1d2h3m4s5ms"), 24h + 2h + 3min + 4s + 5ms);
  EXPECT_EQ(parse_duration("0"), 0ms);
  EXPECT_EQ(parse_duration("0s"), 0ms);
}

TEST(Duration, RefusesBareNumbersWrongUnitsAndDisorder) {
  for (const char* text : {"", "5", "00", "s", "5 s", "5S", "5sec", "5w", "1.5h", "-5s", "+5s",
                           "05s", "30m1h", "1m1m", "1h30", "5us", "1ms1s"}) {
    EXPECT_FALSE(parse_duration(text)) << text;
  }
}

TEST(Duration, RefusesWhatWouldOverflow) {
  EXPECT_FALSE(parse_duration("9223372036854775807d"));
  EXPECT_FALSE(parse_duration("36600d1h"));
  EXPECT_TRUE(parse_duration("36600d"));
}

TEST(Size, TakesBinaryUnits) {
  EXPECT_EQ(parse_size("0"), 0U);
  EXPECT_EQ(parse_size("512B"), 512U);
  EXPECT_EQ(parse_size("8KiB"), 8192U);
  EXPECT_EQ(parse_size("1MiB"), 1048576U);
  EXPECT_EQ(parse_size("2GiB"), 2147483648U);
}

TEST(Size, RefusesBareNumbersAndDecimalUnits) {
  for (const char* text : {"", "8", "8KB", "8K", "8kib", "8 KiB", "1.5MiB", "08KiB", "KiB",
                           "9999999999GiB", "1MiB1KiB"}) {
    EXPECT_FALSE(parse_size(text)) << text;
  }
}

TEST(Rate, TakesACountAndAWindow) {
  const auto rate = parse_rate("5/2m");
  ASSERT_TRUE(rate);
  EXPECT_EQ(rate->count, 5U);
  EXPECT_EQ(rate->window, milliseconds{120'000});
}

TEST(Rate, RefusesHalves) {
  for (const char* text : {"", "5", "5/", "/2m", "5/2", "5/2m/1", "-5/2m", "4294967296/1s"}) {
    EXPECT_FALSE(parse_rate(text)) << text;
  }
}

TEST(Fraction, TakesPartsOfTheWhole) {
  const std::pair<const char*, std::uint32_t> known[] = {
      {"0", 0}, {"1", 1'000'000}, {"0.5", 500'000}, {"0.000001", 1}, {"0.250000", 250'000}};
  for (const auto& [text, millionths] : known) {
    ASSERT_TRUE(parse_fraction(text)) << text;
    EXPECT_EQ(parse_fraction(text)->millionths, millionths) << text;
  }
  for (const char* text : {"", "2", "1.0", ".5", "0.", "-0.5", "0.0000001", "50%", "0,5", "1e-3"}) {
    EXPECT_FALSE(parse_fraction(text)) << text;
  }
}

TEST(ScalarText, IsReadBackAsTheSameValue) {
  for (const char* text : {"0s", "500ms", "1m15s", "1h30m", "7d", "1d5ms"}) {
    EXPECT_EQ(duration_text(*parse_duration(text)), text);
  }
  EXPECT_EQ(duration_text(*parse_duration("90m")), "1h30m");
  for (const char* text : {"0", "1B", "8KiB", "1025B", "3GiB"}) {
    EXPECT_EQ(size_text(*parse_size(text)), text);
  }
  EXPECT_EQ(rate_text(*parse_rate("5/120s")), "5/2m");
  for (const char* text : {"0", "1", "0.25", "0.000001"}) {
    EXPECT_EQ(fraction_text(*parse_fraction(text)), text);
  }
}

}  // namespace
}  // namespace config
