// See scalar.h. Numbers are bounded before they are multiplied, so nothing here can overflow.
#include "config/scalar.h"

#include <array>
#include <limits>

namespace config {
namespace {

struct Unit {
  std::string_view name;
  std::uint64_t factor;
};

// From large to small: the order in which a duration has to be written.
constexpr std::array<Unit, 5> duration_units{{
    {"d", 86'400'000}, {"h", 3'600'000}, {"m", 60'000}, {"s", 1'000}, {"ms", 1}}};
constexpr std::array<Unit, 4> size_units{
    {{"GiB", 1ULL << 30}, {"MiB", 1ULL << 20}, {"KiB", 1ULL << 10}, {"B", 1}}};

// A century in milliseconds; far above every range, far below an overflow of the 64-bit count.
constexpr std::uint64_t duration_max = 100ULL * 366 * 86'400'000;

bool is_decimal(char c) { return c >= '0' && c <= '9'; }

// Splits the digits off the front of `text`.
std::optional<std::uint64_t> take_integer(std::string_view& text) {
  std::size_t length = 0;
  while (length < text.size() && is_decimal(text[length])) { ++length; }
  const auto value = parse_integer(text.substr(0, length));
  text.remove_prefix(length);
  return value;
}

// Splits the letters off the front of `text`.
std::string_view take_unit(std::string_view& text) {
  std::size_t length = 0;
  while (length < text.size() && !is_decimal(text[length])) { ++length; }
  const auto unit = text.substr(0, length);
  text.remove_prefix(length);
  return unit;
}

}  // namespace

std::optional<std::uint64_t> parse_integer(std::string_view text) {
  if (text.empty() || text.size() > 19) { return std::nullopt; }
  if (text.size() > 1 && text.front() == '0') { return std::nullopt; }
  std::uint64_t value = 0;
  for (const char c : text) {
    if (!is_decimal(c)) { return std::nullopt; }
    value = value * 10 + static_cast<std::uint64_t>(c - '0');
  }
  return value;
}

std::optional<bool> parse_boolean(std::string_view text) {
  if (text == "true") { return true; }
  if (text == "false") { return false; }
  return std::nullopt;
}

std::optional<milliseconds> parse_duration(std::string_view text) {
  if (text == "0") { return milliseconds{0}; }
  if (text.empty()) { return std::nullopt; }
  std::uint64_t total = 0;
  std::size_t next_unit = 0;  // units before this one may no longer come
  while (!text.empty()) {
    const auto count = take_integer(text);
    const auto name = take_unit(text);
    std::size_t unit = next_unit;
    while (unit < duration_units.size() && duration_units[unit].name != name) { ++unit; }
    if (!count || unit == duration_units.size()) { return std::nullopt; }
    if (*count > duration_max / duration_units[unit].factor) { return std::nullopt; }
    total += *count * duration_units[unit].factor;
    next_unit = unit + 1;
  }
  if (total > duration_max) { return std::nullopt; }
  return milliseconds{static_cast<std::int64_t>(total)};
}

std::optional<std::uint64_t> parse_size(std::string_view text) {
  if (text == "0") { return 0; }
  const auto count = take_integer(text);
  if (!count) { return std::nullopt; }
  for (const auto& unit : size_units) {
    if (text != unit.name) { continue; }
    if (*count > (1ULL << 50) / unit.factor) { return std::nullopt; }
    return *count * unit.factor;
  }
  return std::nullopt;
}

std::optional<Rate> parse_rate(std::string_view text) {
  const auto slash = text.find('/');
  if (slash == std::string_view::npos) { return std::nullopt; }
  const auto count = parse_integer(text.substr(0, slash));
  const auto window = parse_duration(text.substr(slash + 1));
  if (!count || !window || *count > std::numeric_limits<std::uint32_t>::max()) {
    return std::nullopt;
  }
  return Rate{static_cast<std::uint32_t>(*count), *window};
}

std::optional<Percent> parse_percent(std::string_view text) {
  if (text.empty() || text.back() != '%') { return std::nullopt; }
  const auto number = parse_integer(text.substr(0, text.size() - 1));
  if (!number || *number > 100) { return std::nullopt; }
  return Percent{static_cast<std::uint32_t>(*number)};
}

std::string duration_text(milliseconds duration) {
  auto rest = static_cast<std::uint64_t>(duration.count());
  if (rest == 0) { return "0s"; }
  std::string text;
  for (const auto& unit : duration_units) {
    if (rest / unit.factor == 0) { continue; }
    text += std::to_string(rest / unit.factor);
    text += unit.name;
    rest %= unit.factor;
  }
  return text;
}

std::string size_text(std::uint64_t bytes) {
  if (bytes == 0) { return "0"; }
  for (const auto& unit : size_units) {
    if (bytes % unit.factor == 0) {
      return std::to_string(bytes / unit.factor) + std::string(unit.name);
    }
  }
  return std::to_string(bytes) + "B";
}

std::string rate_text(const Rate& rate) {
  return std::to_string(rate.count) + "/" + duration_text(rate.window);
}

std::optional<Fraction> parse_fraction(std::string_view text) {
  if (text == "0") { return Fraction{0}; }
  if (text == "1") { return Fraction{}; }
  if (!text.starts_with("0.") || text.size() < 3 || text.size() > 8) { return std::nullopt; }
  std::uint32_t millionths = 0;
  std::uint32_t place = 100'000;
  for (const char c : text.substr(2)) {
    if (c < '0' || c > '9') { return std::nullopt; }
    millionths += place * static_cast<std::uint32_t>(c - '0');
    place /= 10;
  }
  return Fraction{millionths};
}

std::string fraction_text(const Fraction& fraction) {
  if (fraction.millionths == 0) { return "0"; }
  if (fraction.millionths >= 1'000'000) { return "1"; }
  std::string digits = std::to_string(fraction.millionths);
  digits.insert(0, 6 - digits.size(), '0');
  digits.erase(digits.find_last_not_of('0') + 1);
  return "0." + digits;
}

}  // namespace config
