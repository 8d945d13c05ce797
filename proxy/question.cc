// Reading questions; see question.h.
#include "proxy/question.h"

#include <algorithm>
#include <array>

#include "proxy/endpoints/fields.h"
#include "proxy/http/guard.h"
#include "proxy/http/parser.h"

namespace proxy {
namespace {

using http::HeaderId;

constexpr std::string_view missing = "question_missing";
constexpr std::string_view ambiguous = "question_ambiguous";
constexpr std::string_view unreadable = "question_unreadable";

// A field that may stand once.
struct Told {
  int count = 0;
  std::string_view value;
  void take(std::string_view text) {
    ++count;
    value = text;
  }
  [[nodiscard]] bool is_there() const { return count > 0; }
};

// What the two families of fields say.
struct ToldFields {
  Told original_method, original_url;
  Told method, proto, host, uri;
};

ToldFields told_fields(const http::RequestHead& head) {
  ToldFields told;
  const std::array<std::pair<std::string_view, Told*>, 6> names{{
      {"x-original-method", &told.original_method},
      {"x-original-url", &told.original_url},
      {"x-forwarded-method", &told.method},
      {"x-forwarded-proto", &told.proto},
      {"x-forwarded-host", &told.host},
      {"x-forwarded-uri", &told.uri},
  }};
  for (const http::Field& field : head.fields) {
    if (field.id != HeaderId::other) continue;
    for (const auto& [name, target] : names) {
      if (http::equal_ignoring_case(field.name, name)) target->take(field.value);
    }
  }
  return told;
}

// The request line and Host in their parts.
struct Parts {
  std::string_view method, scheme, authority, target;
};

// "https://app.example.com/orders?page=2". False when it is anything else.
bool split_url(std::string_view url, Parts& parts) {
  const auto end = url.find("://");
  if (end == std::string_view::npos) return false;
  parts.scheme = url.substr(0, end);
  url.remove_prefix(end + 3);
  const auto path = url.find('/');
  if (path == std::string_view::npos) return false;
  parts.authority = url.substr(0, path);
  parts.target = url.substr(path);
  return true;
}

// A client's own X-Original-URL passes proxies that speak the other family, and the other way
// round: where both are there, they must mean one request (SECURITY C01).
bool contradicts(const Parts& parts, const ToldFields& told) {
  if (told.method.is_there() && told.method.value != parts.method) return true;
  if (told.uri.is_there() && told.uri.value != parts.target) return true;
  const bool is_question = told.method.is_there() || told.uri.is_there();
  return is_question && told.host.is_there() &&
         !http::equal_ignoring_case(told.host.value, parts.authority);
}

std::string_view read_parts(const http::RequestHead& head, Parts& parts) {
  const ToldFields told = told_fields(head);
  for (const Told* field : {&told.original_method, &told.original_url, &told.method, &told.proto,
                            &told.host, &told.uri}) {
    if (field->count > 1) return ambiguous;
  }
  if (told.original_method.is_there() || told.original_url.is_there()) {
    if (!told.original_method.is_there() || !told.original_url.is_there()) {
      return told.uri.is_there() ? ambiguous : missing;
    }
    parts.method = told.original_method.value;
    if (!split_url(told.original_url.value, parts)) return unreadable;
    return contradicts(parts, told) ? ambiguous : std::string_view{};
  }
  if (!told.method.is_there() || !told.proto.is_there() || !told.host.is_there() ||
      !told.uri.is_there()) {
    return missing;
  }
  parts = {told.method.value, told.proto.value, told.host.value, told.uri.value};
  return {};
}

// Nothing that could end a line or add a word to it.
bool is_one_word(std::string_view text) {
  return !text.empty() &&
         std::all_of(text.begin(), text.end(), [](char c) { return c > ' ' && c <= '~'; });
}

// Fields of the question itself and of the hop that it came by; the rest is the client's.
bool belongs_to_question(const http::Field& field) {
  if (field.id != HeaderId::other) return http::ends_at_hop(field.id);
  return http::folded_starts_with(field.name, "xoriginal") ||
         http::folded_starts_with(field.name, "xforwarded");
}

void write_head(const http::RequestHead& outer, const Parts& parts, http::Buffer& out) {
  for (const std::string_view text : {parts.method, std::string_view(" "), parts.target,
                                      std::string_view(" HTTP/1.1\r\n")}) {
    out.append(text);
  }
  out.append_field("Host", parts.authority);
  for (const http::Field& field : outer.fields) {
    if (!belongs_to_question(field)) out.append_field(field.name, field.value);
  }
  if (outer.wants_websocket) out.append("Connection: Upgrade\r\nUpgrade: websocket\r\n");
  out.append("\r\n");
}

// What is no well-formed handshake to us may be one to the application behind the other proxy.
bool hides_upgrade(const http::RequestHead& outer, const http::RequestHead& asked) {
  return !asked.wants_websocket &&
         std::any_of(outer.fields.begin(), outer.fields.end(), [](const http::Field& field) {
           return field.id == HeaderId::upgrade && http::has_token(field.value, "websocket");
         });
}

std::string_view read_asked(const Runtime& runtime, const http::RequestHead& outer,
                            const Parts& parts, Question& question) {
  const bool is_https = parts.scheme == "https";
  if (!is_https && parts.scheme != "http") return unreadable;
  question.scheme = is_https ? "https" : "http";
  if (!is_one_word(parts.method) || !is_one_word(parts.authority) || !is_one_word(parts.target) ||
      parts.target.front() != '/') {
    return unreadable;
  }
  write_head(outer, parts, question.head.bytes);
  http::HeadLimits limits;
  // What came in was within the limits; the request line is rebuilt from a field of its own.
  limits.head_bytes = runtime.config.limits.request_head + 1024;
  limits.fields = runtime.config.limits.header_count + 3;
  http::RequestParser parser(limits);
  if (parser.feed(question.head) != http::Progress::complete) return unreadable;
  // A field that hid a line end would have ended the head early.
  if (question.head.head_size != question.head.bytes.size()) return unreadable;
  if (http::check_request(question.head) != http::ParseError::none) return unreadable;
  return hides_upgrade(outer, question.head) ? unreadable : std::string_view{};
}

bool wants_redirect(std::string_view query) {
  const auto pairs = endpoints::read_pairs(query, endpoints::Plus::is_plus);
  return pairs && std::find(pairs->begin(), pairs->end(),
                            endpoints::Pairs::value_type("redirect", "true")) != pairs->end();
}

// Envoy asks with the request line of the request itself, behind our path.
constexpr std::string_view envoy_segment = "/envoy";

}  // namespace

std::unique_ptr<Question> question_in(const Runtime& runtime, const Client& client,
                                      const http::RequestHead& head) {
  const std::string& path = runtime.config.endpoints.auth;
  if (path.empty() || !head.path.starts_with(path)) return nullptr;
  const std::string_view rest = head.path.substr(path.size());
  if (!rest.empty() && rest.front() != '/') return nullptr;
  auto question = std::make_unique<Question>();
  question->by_envoy = rest.starts_with(envoy_segment);
  Parts parts;
  if (!client.peer_is_trusted) {
    question->problem = "untrusted_proxy";
  } else if (rest.empty()) {
    question->sends_to_login = wants_redirect(head.query);
    question->problem = read_parts(head, parts);
  } else if (question->by_envoy && rest.size() > envoy_segment.size()) {
    const std::size_t skipped = path.size() + envoy_segment.size();
    parts = {head.method_text, client.forwarding.scheme, head.authority,
             head.target.substr(static_cast<std::size_t>(head.path.data() - head.target.data()) +
                                skipped)};
  } else {
    question->problem = missing;
  }
  if (question->problem.empty()) {
    question->problem = read_asked(runtime, head, parts, *question);
  }
  return question;
}

}  // namespace proxy
