// Scalars as gatehouse.yaml spells them: strict decimal integers, durations, sizes, rates and
// percentages, read and written. Nothing is guessed: `010`, `yes`, `+5`, `1_000` and a bare `30`
// for a duration are refused, because YAML libraries disagree about each of them. Pure; any thread.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "config/config.h"

namespace config {

// Decimal digits without sign, leading zero or separator.
[[nodiscard]] std::optional<std::uint64_t> parse_integer(std::string_view text);
// `true` or `false`, nothing else.
[[nodiscard]] std::optional<bool> parse_boolean(std::string_view text);
// `500ms 30s 15m 1h30m 7d`: units from large to small, each at most once; or `0`.
[[nodiscard]] std::optional<milliseconds> parse_duration(std::string_view text);
// Bytes: `512B 8KiB 1MiB 2GiB`; or `0`.
[[nodiscard]] std::optional<std::uint64_t> parse_size(std::string_view text);
// `5/2m`: a count and a duration.
[[nodiscard]] std::optional<Rate> parse_rate(std::string_view text);
// `0`, `1`, or `0.25` with up to six digits.
[[nodiscard]] std::optional<Fraction> parse_fraction(std::string_view text);
// `20%`, at most 100.
[[nodiscard]] std::optional<Percent> parse_percent(std::string_view text);

// The shortest spelling that the functions above read back as the same value.
[[nodiscard]] std::string duration_text(milliseconds duration);
[[nodiscard]] std::string size_text(std::uint64_t bytes);
[[nodiscard]] std::string rate_text(const Rate& rate);
[[nodiscard]] std::string fraction_text(const Fraction& fraction);

}  // namespace config
