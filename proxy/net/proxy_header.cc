// See proxy_header.h.
#include "proxy/net/proxy_header.h"

#include <algorithm>
#include <charconv>
#include <cstring>

namespace proxy::net {
namespace {

using State = ProxyHeader::State;

constexpr std::string_view v2_mark("\r\n\r\n\0\r\nQUIT\n", 12);
constexpr std::string_view v1_mark = "PROXY ";
constexpr std::size_t shortest = 15;  // "PROXY UNKNOWN\r\n"
constexpr std::size_t v2_head = 16;
constexpr std::size_t v2_body_max = 4'096;  // addresses and whatever a balancer adds to them
constexpr std::size_t v4_body = 12;
constexpr std::size_t v6_body = 36;
constexpr std::size_t unix_body = 216;

unsigned byte_at(std::string_view text, std::size_t at) {
  return static_cast<unsigned char>(text[at]);
}
std::uint16_t number_at(std::string_view text, std::size_t at) {
  return static_cast<std::uint16_t>(byte_at(text, at) << 8U | byte_at(text, at + 1));
}

std::optional<std::uint16_t> port_from(std::string_view text) {
  std::uint16_t port = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), port);
  if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  if (text.size() > 1 && text.front() == '0') return std::nullopt;
  return port;
}

// "TCP4 192.0.2.7 192.0.2.1 51234 443"
std::optional<ProxyHeader::Source> parse_line(std::string_view line) {
  std::array<std::string_view, 5> words;
  for (std::size_t i = 0; i < words.size(); ++i) {
    const auto space = line.find(' ');
    if ((space == std::string_view::npos) != (i + 1 == words.size())) return std::nullopt;
    words[i] = line.substr(0, space);
    line.remove_prefix(space == std::string_view::npos ? line.size() : space + 1);
  }
  const auto source = parse_address(words[1]);
  const auto destination = parse_address(words[2]);
  const auto port = port_from(words[3]);
  if (!source || !destination || !port || !port_from(words[4])) return std::nullopt;
  const auto is = [&](std::string_view family, bool colons) {
    return words[0] == family && (words[1].find(':') != std::string_view::npos) == colons &&
           (words[2].find(':') != std::string_view::npos) == colons;
  };
  if (!is("TCP4", false) && !is("TCP6", true)) return std::nullopt;
  return ProxyHeader::Source{*source, *port};
}

}  // namespace

bool ProxyHeader::is_v2() const {
  const std::size_t known = std::min(size_, v2_mark.size());
  return text().substr(0, known) == v2_mark.substr(0, known);
}

std::size_t ProxyHeader::wants() const {
  if (size_ < shortest) return shortest - size_;
  if (!is_v2() || size_ < v2_head) return 1;
  const std::size_t whole = v2_head + number_at(text(), 14);
  return std::min<std::size_t>(whole - size_ - skipped_, bytes_.size());
}

State ProxyHeader::feed(std::string_view bytes) {
  const std::size_t kept = std::min(bytes.size(), bytes_.size() - size_);
  std::memcpy(bytes_.data() + size_, bytes.data(), kept);
  size_ += kept;
  skipped_ += bytes.size() - kept;
  return is_v2() ? check_v2() : check_v1();
}

State ProxyHeader::check_v1() {
  const std::size_t known = std::min(size_, v1_mark.size());
  if (text().substr(0, known) != v1_mark.substr(0, known)) return State::failed;
  const auto end = text().find('\n');
  if (end == std::string_view::npos) {
    return size_ == bytes_.size() ? State::failed : State::need_more;
  }
  // What is read in one go is never longer than the shortest line.
  if (end + 1 != size_ || text()[end - 1] != '\r') return State::failed;
  const std::string_view line = text().substr(v1_mark.size(), end - 1 - v1_mark.size());
  if (line == "UNKNOWN" || line.starts_with("UNKNOWN ")) return State::complete;
  source_ = parse_line(line);
  return source_ ? State::complete : State::failed;
}

State ProxyHeader::check_v2() {
  if (size_ < v2_head) return State::need_more;
  const unsigned command = byte_at(text(), 12);
  const std::size_t body = number_at(text(), 14);
  if ((command != 0x20 && command != 0x21) || body > v2_body_max) return State::failed;
  if (size_ + skipped_ < v2_head + body) return State::need_more;
  return command == 0x20 ? State::complete : take_v2_address();
}

State ProxyHeader::take_v2_address() {
  const std::size_t body = number_at(text(), 14);
  Source source;
  switch (byte_at(text(), 13)) {
    case 0x00:
      return State::complete;
    case 0x11:
      if (body < v4_body) return State::failed;
      source.address.bytes[10] = source.address.bytes[11] = 0xff;
      std::memcpy(source.address.bytes.data() + 12, bytes_.data() + v2_head, 4);
      source.port = number_at(text(), v2_head + 8);
      break;
    case 0x21:
      if (body < v6_body) return State::failed;
      std::memcpy(source.address.bytes.data(), bytes_.data() + v2_head, 16);
      source.port = number_at(text(), v2_head + 32);
      break;
    case 0x31:
      return body < unix_body ? State::failed : State::complete;
    default:
      return State::failed;  // no stream
  }
  source_ = source;
  return State::complete;
}

}  // namespace proxy::net
