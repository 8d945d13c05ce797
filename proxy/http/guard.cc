// One pass over the fields collects the few that decide; then each rule stands in a function of its
// own. Requests and answers share the framing rules.
#include "proxy/http/guard.h"

#include "proxy/http/syntax.h"

#include <algorithm>
#include <array>
#include <limits>

namespace proxy::http {
namespace {

// What Connection lines say (RFC 9110 section 7.6.1).
struct Connection {
  bool close = false;
  bool keep_alive = false;
  bool upgrade = false;
};

// The fields that decide, and how often those came that may come once.
struct Deciding {
  const Field* host = nullptr;
  const Field* content_length = nullptr;
  const Field* transfer_encoding = nullptr;
  const Field* expect = nullptr;
  const Field* upgrade = nullptr;
  const Field* websocket_key = nullptr;
  int upgrade_lines = 0;
  Connection connection;
};

// Fields a client may not have removed by naming them in Connection: what we add or decide by, and
// what the application decides by (SECURITY A05, P9). Folded, because the attack was in spellings.
constexpr std::array kept_fields = std::to_array<std::string_view>(
    {"authorization", "content-length", "content-type", "cookie", "forwarded", "host", "origin",
     "referer", "transfer-encoding", "x-real-ip", "x-request-id", "x-rewrite-url"});
constexpr std::array kept_prefixes = std::to_array<std::string_view>(
    {"xforwarded", "xoriginal", "secfetch", "secwebsocket", "xauth", "remote"});

bool is_alphanumeric(char c) {
  const char l = syntax::lower(c);
  return syntax::is_digit(c) || (l >= 'a' && l <= 'z');
}

bool must_be_kept(std::string_view option) {
  for (const std::string_view name : kept_fields) {
    if (folded_equal(option, name)) return true;
  }
  for (const std::string_view prefix : kept_prefixes) {
    if (folded_starts_with(option, prefix)) return true;
  }
  return false;
}

// False when it is none of the three options that mean something to us.
bool read_option(std::string_view option, Connection& connection) {
  if (equal_ignoring_case(option, "close")) return connection.close = true;
  if (equal_ignoring_case(option, "keep-alive")) return connection.keep_alive = true;
  if (equal_ignoring_case(option, "upgrade")) return connection.upgrade = true;
  return false;
}

// Adds the options of one Connection line. False when `may_name` refuses another one.
template <class MayName>
bool read_connection(std::string_view list, Connection& connection, MayName may_name) {
  while (true) {
    const std::size_t comma = list.find(',');
    const std::string_view option = syntax::trim(list.substr(0, comma));
    if (!read_option(option, connection) && !may_name(option)) return false;
    if (comma == std::string_view::npos) return true;
    list.remove_prefix(comma + 1);
  }
}

bool client_may_name(std::string_view option) {
  return syntax::all(syntax::token_char, option) && !must_be_kept(option);
}

// What an application lists is removed, whatever it is.
bool application_may_name(std::string_view) { return true; }

// False when there was one already.
bool set_once(const Field*& slot, const Field& field) {
  if (slot != nullptr) return false;
  slot = &field;
  return true;
}

// A name that only looks like a framing field ("Transfer_Encoding"). It could be dropped like other
// look-alikes, but whoever stands in front of us may have framed the body by it, and then the rest
// of the body is our next request (SECURITY D26).
ParseError check_look_alike(std::string_view name) {
  constexpr std::string_view length = "contentlength";
  constexpr std::string_view coding = "transferencoding";
  if (name.size() < length.size()) return ParseError::none;
  if (folded_equal(name, length)) return ParseError::bad_content_length;
  return folded_equal(name, coding) ? ParseError::bad_transfer_encoding : ParseError::none;
}

// Fields that may come once and are only forwarded or read elsewhere: two of them would let us and
// the application believe different ones (SECURITY A06, P4).
constexpr bool is_single(HeaderId id) {
  switch (id) {
    case HeaderId::authorization:
    case HeaderId::content_type:
    case HeaderId::max_forwards:
    case HeaderId::origin:
    case HeaderId::proxy_authorization:
    case HeaderId::referer:
    case HeaderId::sec_fetch_dest:
    case HeaderId::sec_fetch_mode:
    case HeaderId::sec_fetch_site: return true;
    default: return false;
  }
}

ParseError collect_request(const std::vector<Field>& fields, Deciding& found) {
  std::uint64_t seen = 0;
  for (const Field& field : fields) {
    switch (field.id) {
      case HeaderId::other:
        if (const ParseError error = check_look_alike(field.name); error != ParseError::none) {
          return error;
        }
        break;
      case HeaderId::host:
        if (!set_once(found.host, field)) return ParseError::duplicate_header;
        break;
      case HeaderId::content_length:
        if (!set_once(found.content_length, field)) return ParseError::duplicate_header;
        break;
      case HeaderId::transfer_encoding:
        if (!set_once(found.transfer_encoding, field)) return ParseError::bad_transfer_encoding;
        break;
      case HeaderId::expect:
        if (!set_once(found.expect, field)) return ParseError::bad_expect;
        break;
      case HeaderId::sec_websocket_key:
        if (!set_once(found.websocket_key, field)) return ParseError::duplicate_header;
        break;
      case HeaderId::upgrade:
        found.upgrade = &field;
        ++found.upgrade_lines;
        break;
      case HeaderId::connection:
        if (!read_connection(field.value, found.connection, client_may_name)) {
          return ParseError::bad_connection;
        }
        break;
      default:
        if (is_single(field.id)) {
          const std::uint64_t bit = std::uint64_t{1} << static_cast<unsigned>(field.id);
          if ((seen & bit) != 0) return ParseError::duplicate_header;
          seen |= bit;
        }
    }
  }
  return ParseError::none;
}

// Digits only, at most 2^63 - 1 (SECURITY D14); leading zeros are legal.
std::optional<std::uint64_t> parse_length(std::string_view text) {
  constexpr std::uint64_t max = std::numeric_limits<std::int64_t>::max();
  if (text.empty()) return std::nullopt;
  std::uint64_t value = 0;
  for (const char c : text) {
    if (!syntax::is_digit(c)) return std::nullopt;
    const auto digit = static_cast<std::uint64_t>(c - '0');
    if (value > (max - digit) / 10) return std::nullopt;
    value = value * 10 + digit;
  }
  return value;
}

// How Content-Length and Transfer-Encoding delimit a body (RFC 9112 section 6.3, SECURITY P1, P2);
// BodyKind::none when neither is there.
ParseError read_framing(const Deciding& found, int version_minor, Body& body) {
  body = {};
  if (found.transfer_encoding != nullptr) {
    const std::string_view coding = found.transfer_encoding->value;
    if (found.content_length != nullptr) return ParseError::conflicting_length;
    if (version_minor == 0) return ParseError::bad_transfer_encoding;
    if (!equal_ignoring_case(coding, "chunked")) {
      const bool one_coding = !coding.empty() && syntax::all(syntax::token_char, coding);
      return one_coding ? ParseError::unknown_transfer_encoding : ParseError::bad_transfer_encoding;
    }
    body.kind = BodyKind::chunked;
    return ParseError::none;
  }
  if (found.content_length == nullptr) return ParseError::none;
  const std::optional<std::uint64_t> length = parse_length(found.content_length->value);
  if (!length) return ParseError::bad_content_length;
  body = {BodyKind::length, *length};
  return ParseError::none;
}

// "Content-Length: 0" is a length, but no content.
bool has_content(const Body& body) {
  return body.kind == BodyKind::chunked || body.length != 0;
}

bool stays_open(const Connection& connection, int version_minor) {
  return !connection.close && (version_minor >= 1 || connection.keep_alive);
}

int port_number(std::string_view port, int otherwise) {
  if (port.empty()) return otherwise;
  int value = 0;
  for (const char c : port) value = value * 10 + (c - '0');
  return value;
}

bool same_authority(const HostPort& a, const HostPort& b, int default_port) {
  return equal_ignoring_case(a.host, b.host) &&
         port_number(a.port, default_port) == port_number(b.port, default_port);
}

void split_query(std::string_view text, RequestHead& head) {
  const std::size_t mark = text.find('?');
  head.path = text.substr(0, mark);
  head.has_query = mark != std::string_view::npos;
  head.query = head.has_query ? text.substr(mark + 1) : std::string_view();
}

// http://authority/path: the authority must be the Host's (SECURITY E02). The RFC would have us
// ignore Host, but a client that names two has a reason we do not want to know.
ParseError split_absolute(RequestHead& head, const std::optional<HostPort>& host) {
  std::string_view rest = head.target;
  const std::size_t colon = rest.find("://");
  if (colon == std::string_view::npos) return ParseError::bad_target;
  const std::string_view scheme = rest.substr(0, colon);
  const bool secure = equal_ignoring_case(scheme, "https");
  if (!secure && !equal_ignoring_case(scheme, "http")) return ParseError::bad_target;
  rest.remove_prefix(colon + 3);
  const std::size_t end = std::min(rest.find_first_of("/?"), rest.size());
  head.authority = rest.substr(0, end);
  const std::optional<HostPort> named = split_authority(head.authority);
  if (!named) return ParseError::bad_target;
  head.host = named->host;
  if (host && !same_authority(*named, *host, secure ? 443 : 80)) return ParseError::bad_host;
  rest.remove_prefix(end);
  split_query(rest, head);
  // RFC 9112 section 3.2.4: an empty path is "/", but "*" for OPTIONS.
  if (rest.empty() && head.method == Method::options) {
    head.path = "*";
  } else if (head.path.empty()) {
    head.path = "/";
  }
  return ParseError::none;
}

// RFC 9112 section 3.2: which form of target goes with which method (SECURITY E03).
ParseError split_target(RequestHead& head, const std::optional<HostPort>& host) {
  const std::string_view target = head.target;
  head.path = head.query = {};
  head.has_query = false;
  if (head.method == Method::connect) {
    const std::optional<HostPort> named = split_authority(target);
    if (!named || named->port.empty()) return ParseError::bad_target;
    head.authority = target;
    head.host = named->host;
    return ParseError::none;
  }
  if (target == "*") {
    head.path = target;
    return head.method == Method::options ? ParseError::none : ParseError::bad_target;
  }
  if (!target.starts_with('/')) return split_absolute(head, host);
  split_query(target, head);
  return ParseError::none;
}

ParseError check_host(RequestHead& head, const Field* field, std::optional<HostPort>& host) {
  head.authority = head.host = {};
  if (field == nullptr) return head.version_minor == 0 ? ParseError::none : ParseError::bad_host;
  host = split_authority(field->value);
  if (!host) return ParseError::bad_host;
  head.authority = field->value;
  head.host = host->host;
  return ParseError::none;
}

// P12: exactly `100-continue` on HTTP/1.1; near misses have desynchronised proxies (SECURITY D22).
ParseError check_expect(RequestHead& head, const Field* field) {
  head.expects_continue = false;
  if (field == nullptr) return ParseError::none;
  if (head.version_minor == 0 || field->value != "100-continue") return ParseError::bad_expect;
  head.expects_continue = has_content(head.body);
  return ParseError::none;
}

// 16 bytes in base64: 22 digits, of which the last carries two bits, and "==".
bool is_websocket_key(std::string_view key) {
  if (key.size() != 24 || !key.ends_with("==")) return false;
  for (const char c : key.substr(0, 22)) {
    if (!is_alphanumeric(c) && c != '+' && c != '/') return false;
  }
  return true;
}

// RFC 6455 section 4.2.1. Anything less is no handshake: its Upgrade is dropped like that of every
// other protocol, and the request goes on as a plain one (SECURITY E04, E05).
bool is_websocket(const RequestHead& head, const Deciding& found) {
  if (found.upgrade_lines != 1 || !equal_ignoring_case(found.upgrade->value, "websocket")) {
    return false;
  }
  if (head.method != Method::get || head.version_minor == 0 || !found.connection.upgrade ||
      has_content(head.body) || found.websocket_key == nullptr ||
      !is_websocket_key(found.websocket_key->value)) {
    return false;
  }
  int versions = 0;
  for (const Field& field : head.fields) {
    if (field.id != HeaderId::other || !equal_ignoring_case(field.name, "sec-websocket-version")) {
      continue;
    }
    if (field.value != "13") return false;
    ++versions;
  }
  return versions == 1;
}

ParseError collect_response(const std::vector<Field>& fields, Deciding& found) {
  for (const Field& field : fields) {
    bool once = true;
    if (field.id == HeaderId::content_length) once = set_once(found.content_length, field);
    if (field.id == HeaderId::transfer_encoding) once = set_once(found.transfer_encoding, field);
    if (field.id == HeaderId::upgrade) once = set_once(found.upgrade, field);
    if (!once) return ParseError::bad_response;
    if (field.id == HeaderId::connection) {
      static_cast<void>(read_connection(field.value, found.connection, application_may_name));
    }
  }
  return ParseError::none;
}

// 101 ends HTTP on the connection: only where we asked, and to what we asked for.
bool is_websocket_answer(const Deciding& found) {
  return found.connection.upgrade && found.upgrade != nullptr &&
         equal_ignoring_case(found.upgrade->value, "websocket");
}

}  // namespace

ParseError check_request(RequestHead& head) {
  Deciding found;
  std::optional<HostPort> host;
  ParseError error = collect_request(head.fields, found);
  if (error == ParseError::none) error = check_host(head, found.host, host);
  if (error == ParseError::none) error = split_target(head, host);
  if (error == ParseError::none) error = read_framing(found, head.version_minor, head.body);
  if (error == ParseError::none) error = check_expect(head, found.expect);
  if (error != ParseError::none) return error;
  // Bodies of HTTP/1.0 requests that never had one: caches and servers of the time ignore them and
  // read them as the next request (SECURITY D20).
  const bool bodiless = head.method == Method::get || head.method == Method::head ||
                        head.method == Method::delete_;
  if (head.version_minor == 0 && bodiless && has_content(head.body)) {
    return ParseError::bad_content_length;
  }
  head.keep_alive = stays_open(found.connection, head.version_minor);
  head.wants_websocket = is_websocket(head, found);
  return ParseError::none;
}

ParseError check_response(ResponseHead& head, Method method, bool upgrade_sent) {
  Deciding found;
  const bool valid = head.status >= 100 &&
                     collect_response(head.fields, found) == ParseError::none &&
                     read_framing(found, head.version_minor, head.body) == ParseError::none;
  if (!valid) return ParseError::bad_response;
  head.keep_alive = stays_open(found.connection, head.version_minor);

  const bool interim = head.status < 200;
  if (interim || head.status == 204) {
    // RFC 9110 section 8.6: no length here. Zero is common and harmless, a body would be taken for
    // the next answer by one of us.
    if (has_content(head.body)) return ParseError::bad_response;
    head.body = {};
    if (head.status == 101) {
      if (!upgrade_sent || !is_websocket_answer(found)) return ParseError::bad_response;
      head.keep_alive = false;
    }
    return ParseError::none;
  }
  if (method == Method::head || head.status == 304) {
    head.body = {};
    return ParseError::none;
  }
  if (found.content_length == nullptr && found.transfer_encoding == nullptr) {
    head.body.kind = BodyKind::until_close;
    head.keep_alive = false;
  }
  return ParseError::none;
}

bool folded_equal(std::string_view a, std::string_view b) {
  std::size_t i = 0;
  std::size_t j = 0;
  while (true) {
    while (i < a.size() && !is_alphanumeric(a[i])) ++i;
    while (j < b.size() && !is_alphanumeric(b[j])) ++j;
    if (i == a.size() || j == b.size()) return i == a.size() && j == b.size();
    if (syntax::lower(a[i++]) != syntax::lower(b[j++])) return false;
  }
}

bool folded_starts_with(std::string_view name, std::string_view prefix) {
  for (const char c : name) {
    if (prefix.empty()) return true;
    if (!is_alphanumeric(c)) continue;
    if (syntax::lower(c) != prefix.front()) return false;
    prefix.remove_prefix(1);
  }
  return prefix.empty();
}

// FNV-1a; for tables of names known at start, so nobody can choose collisions worth having.
std::uint64_t folded_hash(std::string_view name) {
  std::uint64_t hash = 0xcbf29ce484222325;
  for (const char c : name) {
    if (!is_alphanumeric(c)) continue;
    hash ^= static_cast<unsigned char>(syntax::lower(c));
    hash *= 0x100000001b3;
  }
  return hash;
}

}  // namespace proxy::http
