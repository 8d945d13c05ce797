// The keys of log: what is written, and where.
#include "config/table_sections.h"

#include <array>
#include <string_view>

namespace config {

template <>
struct Words<LogLevel> {
  static constexpr std::array<std::string_view, 4> list{"debug", "info", "warning", "error"};
};
template <>
struct Words<AccessFormat> {
  static constexpr std::array<std::string_view, 5> list{"as_format", "json", "text", "clf",
                                                        "combined"};
};
template <>
struct Words<LogFormat> {
  static constexpr std::array<std::string_view, 2> list{"json", "text"};
};

Section<Log> log_keys() {
  using T = Log;
  return {
      choice("level", &T::level, "The least important lines that are written."),
      choice("format", &T::format, "One JSON object a line, or text."),
      key("access", &T::access, "One line for each request."),
      file("file", &T::file, "Write everything to this file.")
          .output()
          .by_default("standard error; access and audit lines to standard output"),
      choice("access_format", &T::access_format,
             "The form of access lines: as `format`, or in the Common or Combined Log Format of "
             "web servers, with request and trace id behind it."),
      key("sample", &T::sample,
          "Which part of the access lines is written; those of requests that were refused or "
          "failed always are."),
  };
}

}  // namespace config
