// Any body of a login, a refresh or a logout, as JSON and as a form: what is taken out of it is
// text, each name once, and a form's pairs survive being written and read again.
#include <array>
#include <string>
#include <string_view>

#include "proxy/endpoints/fields.h"
#include "tests/fuzz/require.h"

using namespace proxy;

namespace {

http::RequestHead head_with_type(std::string_view type) {
  http::RequestHead head;
  head.fields.push_back({http::HeaderId::content_type, "Content-Type", type});
  return head;
}

void read(std::string_view type, std::string_view body) {
  constexpr std::array<std::string_view, 3> wanted{"username", "password", "token"};
  const http::RequestHead head = head_with_type(type);
  endpoints::Fields fields;
  const auto problem = endpoints::read_fields(head, body, wanted, fields);
  fuzz::require(problem.status == 0 || problem.status == 400 || problem.status == 413);
  fuzz::require((problem.status == 0) == problem.code.empty());
  fuzz::require(fields.value("other").empty());
  // The same member a second time is always refused.
  if (problem.status == 0 && type == "application/json" && body.ends_with("}")) {
    const std::string_view open = body.substr(0, body.size() - 1);
    const std::string twice = std::string(open) + R"(,"token":"a","token":"b"})";
    endpoints::Fields none;
    fuzz::require(endpoints::read_fields(head, twice, wanted, none).status != 0);
  }
}

std::string percent_encoded(std::string_view text) {
  constexpr std::string_view digits = "0123456789ABCDEF";
  std::string out;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    out += '%';
    out += digits[byte >> 4U];
    out += digits[byte & 0xFU];
  }
  return out;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view body = fuzz::text(data, size);
  read("application/json", body);
  read("application/x-www-form-urlencoded", body);
  for (const auto plus : {endpoints::Plus::is_space, endpoints::Plus::is_plus}) {
    const auto pairs = endpoints::read_pairs(body, plus);
    if (!pairs) continue;
    std::string again;
    for (const auto& [name, value] : *pairs) {
      if (!again.empty()) again += '&';
      again += percent_encoded(name) + '=' + percent_encoded(value);
    }
    const auto second = endpoints::read_pairs(again, plus);
    fuzz::require(second.has_value() && *second == *pairs);
  }
  return 0;
}
