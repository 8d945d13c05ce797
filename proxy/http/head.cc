// Names <-> ids, and looking fields up. Pure; no allocation.
#include "proxy/http/head.h"

#include "proxy/http/syntax.h"

#include <array>
#include <bit>
#include <cstring>
#include <type_traits>

namespace proxy::http {
namespace {

struct KnownName {
  std::string_view name;
  HeaderId id;
};

// Sorted by length: the length alone leaves at most six candidates.
constexpr std::array known_names = std::to_array<KnownName>({
    {"te", HeaderId::te},
    {"via", HeaderId::via},
    {"date", HeaderId::date},
    {"host", HeaderId::host},
    {"accept", HeaderId::accept},
    {"cookie", HeaderId::cookie},
    {"expect", HeaderId::expect},
    {"origin", HeaderId::origin},
    {"server", HeaderId::server},
    {"referer", HeaderId::referer},
    {"trailer", HeaderId::trailer},
    {"upgrade", HeaderId::upgrade},
    {"location", HeaderId::location},
    {"forwarded", HeaderId::forwarded},
    {"connection", HeaderId::connection},
    {"keep-alive", HeaderId::keep_alive},
    {"set-cookie", HeaderId::set_cookie},
    {"user-agent", HeaderId::user_agent},
    {"content-type", HeaderId::content_type},
    {"max-forwards", HeaderId::max_forwards},
    {"x-request-id", HeaderId::x_request_id},
    {"authorization", HeaderId::authorization},
    {"cache-control", HeaderId::cache_control},
    {"content-length", HeaderId::content_length},
    {"http2-settings", HeaderId::http2_settings},
    {"sec-fetch-dest", HeaderId::sec_fetch_dest},
    {"sec-fetch-mode", HeaderId::sec_fetch_mode},
    {"sec-fetch-site", HeaderId::sec_fetch_site},
    {"proxy-connection", HeaderId::proxy_connection},
    {"www-authenticate", HeaderId::www_authenticate},
    {"sec-websocket-key", HeaderId::sec_websocket_key},
    {"transfer-encoding", HeaderId::transfer_encoding},
    {"proxy-authenticate", HeaderId::proxy_authenticate},
    {"proxy-authorization", HeaderId::proxy_authorization},
});

constexpr std::size_t longest_name = known_names.back().name.size();

// first_of_length[n] is the first entry with at least n characters.
constexpr auto first_of_length = [] {
  std::array<std::uint8_t, longest_name + 2> first{};
  std::uint8_t entry = 0;
  for (std::size_t length = 0; length < first.size(); ++length) {
    while (entry < known_names.size() && known_names[entry].name.size() < length) ++entry;
    first[length] = entry;
  }
  return first;
}();

// Some bytes as a number, the same for tables made by the compiler and names read at run time.
template <class Word>
constexpr std::uint64_t load(const char* at) {
  std::array<char, sizeof(Word)> bytes{};
  if (std::is_constant_evaluated()) {
    for (std::size_t i = 0; i < bytes.size(); ++i) bytes[i] = at[i];
  } else {
    std::memcpy(bytes.data(), at, bytes.size());
  }
  return std::bit_cast<Word>(bytes);
}

// Eight letters at once. A byte is upper case when adding 0x3f to its low seven bits carries into
// the eighth (it is 'A' or more) and adding 0x25 does not (it is 'Z' or less).
constexpr std::uint64_t lower(std::uint64_t word) {
  constexpr std::uint64_t ones = 0x0101010101010101;
  const std::uint64_t low = word & (ones * 0x7f);
  const std::uint64_t upper = (low + ones * 0x3f) & ~(low + ones * 0x25) & ~word & (ones * 0x80);
  return word | upper >> 2;
}

// The beginning and the end of a name in lower case; together they are the whole of a name of up to
// 16 bytes, so that most names are told apart by comparing two numbers.
struct NameKey {
  std::uint64_t front = 0;
  std::uint64_t back = 0;
  constexpr bool operator==(const NameKey&) const = default;
};
constexpr std::size_t covered = 2 * sizeof(std::uint64_t);

constexpr NameKey key_of(std::string_view name) {
  const char* at = name.data();
  const char* end = at + name.size();
  if (name.size() >= 8) {
    return {lower(load<std::uint64_t>(at)), lower(load<std::uint64_t>(end - 8))};
  }
  if (name.size() >= 4) {
    return {lower(load<std::uint32_t>(at) | load<std::uint32_t>(end - 4) << 32)};
  }
  return {lower(load<std::uint16_t>(at) | load<std::uint16_t>(end - 2) << 32)};
}

constexpr auto known_keys = [] {
  std::array<NameKey, known_names.size()> keys;
  for (std::size_t i = 0; i < keys.size(); ++i) keys[i] = key_of(known_names[i].name);
  return keys;
}();

template <class Head>
const Field* find_in(const Head& head, HeaderId id) {
  for (const Field& field : head.fields) {
    if (field.id == id) return &field;
  }
  return nullptr;
}

template <class Head>
std::string_view value_in(const Head& head, HeaderId id) {
  const Field* field = find_in(head, id);
  return field == nullptr ? std::string_view() : field->value;
}

}  // namespace

std::string_view name(Method method) {
  switch (method) {
    case Method::get: return "GET";
    case Method::head: return "HEAD";
    case Method::post: return "POST";
    case Method::put: return "PUT";
    case Method::patch: return "PATCH";
    case Method::delete_: return "DELETE";
    case Method::options: return "OPTIONS";
    case Method::trace: return "TRACE";
    case Method::connect: return "CONNECT";
    case Method::other: break;
  }
  return "other";
}

Method method_from(std::string_view text) {
  const auto only = [text](Method method) { return text == name(method) ? method : Method::other; };
  switch (text.size()) {
    case 3: return only(text.front() == 'G' ? Method::get : Method::put);
    case 4: return only(text.front() == 'H' ? Method::head : Method::post);
    case 5: return only(text.front() == 'P' ? Method::patch : Method::trace);
    case 6: return only(Method::delete_);
    case 7: return only(text.front() == 'O' ? Method::options : Method::connect);
    default: return Method::other;
  }
}

bool ends_at_hop(HeaderId id) {
  switch (id) {
    case HeaderId::connection:
    case HeaderId::content_length:
    case HeaderId::expect:
    case HeaderId::host:
    case HeaderId::http2_settings:
    case HeaderId::keep_alive:
    case HeaderId::proxy_authorization:
    case HeaderId::proxy_connection:
    case HeaderId::te:
    case HeaderId::trailer:
    case HeaderId::transfer_encoding:
    case HeaderId::upgrade:
      return true;
    default:
      return false;
  }
}

HeaderId header_id(std::string_view name) {
  if (name.size() < 2 || name.size() > longest_name) return HeaderId::other;
  const NameKey key = key_of(name);
  const std::size_t end = first_of_length[name.size() + 1];
  for (std::size_t i = first_of_length[name.size()]; i < end; ++i) {
    if (known_keys[i] != key) continue;
    const bool whole = name.size() <= covered || equal_ignoring_case(known_names[i].name, name);
    return whole ? known_names[i].id : HeaderId::other;
  }
  return HeaderId::other;
}

const Field* RequestHead::find(HeaderId id) const { return find_in(*this, id); }
std::string_view RequestHead::value(HeaderId id) const { return value_in(*this, id); }
const Field* ResponseHead::find(HeaderId id) const { return find_in(*this, id); }
std::string_view ResponseHead::value(HeaderId id) const { return value_in(*this, id); }

void RequestHead::clear() {
  head_size = 0;
  method = Method::other;
  method_text = target = path = query = authority = host = {};
  has_query = false;
  fields.clear();
  version_minor = 1;
  body = {};
  keep_alive = true;
  expects_continue = false;
  wants_websocket = false;
}

void ResponseHead::clear() {
  head_size = 0;
  status = 0;
  reason = {};
  fields.clear();
  version_minor = 1;
  body = {};
  keep_alive = true;
}

bool has_token(std::string_view list, std::string_view token) {
  while (true) {
    const std::size_t comma = list.find(',');
    if (equal_ignoring_case(syntax::trim(list.substr(0, comma)), token)) return true;
    if (comma == std::string_view::npos) return false;
    list.remove_prefix(comma + 1);
  }
}

bool equal_ignoring_case(std::string_view a, std::string_view b) {
  if (a.size() != b.size()) return false;
  std::size_t i = 0;
  for (; a.size() - i >= sizeof(std::uint64_t); i += sizeof(std::uint64_t)) {
    if (lower(load<std::uint64_t>(a.data() + i)) != lower(load<std::uint64_t>(b.data() + i))) {
      return false;
    }
  }
  for (; i < a.size(); ++i) {
    if (syntax::lower(a[i]) != syntax::lower(b[i])) return false;
  }
  return true;
}

}  // namespace proxy::http
