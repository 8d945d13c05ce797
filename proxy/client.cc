// Trusting forwarding headers; see client.h.
#include "proxy/client.h"

#include <algorithm>

#include "proxy/http/guard.h"
#include "proxy/http/syntax.h"

namespace proxy {
namespace {

// From the right, the first address that is not a trusted proxy. An entry that is no address ends
// the walk: what is left of it cannot be trusted (SECURITY C03).
std::string_view client_in_chain(const Runtime& runtime, std::string_view chain,
                                 std::string_view peer) {
  std::string_view client = peer;
  while (!chain.empty()) {
    const auto comma = chain.rfind(',');
    const auto entry =
        http::syntax::trim(comma == std::string_view::npos ? chain : chain.substr(comma + 1));
    chain = comma == std::string_view::npos ? std::string_view{} : chain.substr(0, comma);
    const auto address = net::parse_address(entry);
    if (!address) return client;
    client = entry;
    if (!is_trusted(runtime, *address)) return client;
  }
  return client;
}

// The X-Forwarded-* fields proxies agree on.
struct ForwardedFields {
  std::string_view chain, proto, host, port, request_id;
  int chain_lines = 0;
  bool any = false;
};

ForwardedFields forwarded_fields(const http::RequestHead& head) {
  ForwardedFields found;
  for (const http::Field& field : head.fields) {
    if (field.id == http::HeaderId::x_request_id) found.request_id = field.value;
    if (field.id != http::HeaderId::other || field.name.size() < 15) continue;
    if (field.name.front() != 'X' && field.name.front() != 'x') continue;
    if (!http::equal_ignoring_case(field.name.substr(0, 12), "x-forwarded-")) continue;
    found.any = true;
    const auto kind = field.name.substr(12);
    if (http::equal_ignoring_case(kind, "for")) {
      found.chain = field.value;
      ++found.chain_lines;
    }
    if (http::equal_ignoring_case(kind, "proto")) found.proto = field.value;
    if (http::equal_ignoring_case(kind, "host")) found.host = field.value;
    if (http::equal_ignoring_case(kind, "port")) found.port = field.value;
  }
  return found;
}

// Some proxies add a line of their own instead of extending the one that is there: the lines are
// one list (RFC 9110 section 5.3).
std::string join_chain(const http::RequestHead& head) {
  std::string chain;
  for (const http::Field& field : head.fields) {
    if (!http::equal_ignoring_case(field.name, "x-forwarded-for")) continue;
    if (!chain.empty()) chain += ", ";
    chain += field.value;
  }
  return chain;
}

bool is_request_id(std::string_view text) {
  return !text.empty() && text.size() <= 128 && std::all_of(text.begin(), text.end(), [](char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '-' ||
           c == '_' || c == '.' || c == ':' || c == '/' || c == '=' || c == '+';
  });
}

}  // namespace

bool is_trusted(const Runtime& runtime, const net::Address& address) {
  return std::any_of(runtime.trusted_proxies.begin(), runtime.trusted_proxies.end(),
                     [&address](const net::Network& network) { return network.contains(address); });
}

Client client_of(const Runtime& runtime, const Peer& peer, const http::RequestHead& head) {
  Client client;
  client.address = peer.text;
  client.forwarding.peer = peer.text;
  client.forwarding.scheme = peer.is_secured ? "https" : "http";
  client.forwarding.certificate = peer.certificate_text;
  client.forwarding.host = head.authority;
  client.forwarding.port = peer.local_port;
  const ForwardedFields fields = forwarded_fields(head);
  client.peer_is_trusted = is_trusted(runtime, peer.address);
  if (!client.peer_is_trusted) {
    client.ignored_forwarding = fields.any;
    return client;
  }
  std::string_view chain = fields.chain;
  if (fields.chain_lines > 1) {
    client.joined_chain = std::make_unique<const std::string>(join_chain(head));
    chain = *client.joined_chain;
  }
  client.address = client_in_chain(runtime, chain, peer.text);
  // The chain is passed on only as far as it could be read; garbage in front of it is cut.
  if (!chain.empty() && client.address != peer.text) {
    const auto start = static_cast<std::size_t>(client.address.data() - chain.data());
    client.forwarding.chain = http::syntax::trim(chain.substr(start));
  }
  if (fields.proto == "http" || fields.proto == "https") {
    client.forwarding.scheme = fields.proto;
    client.forwarding.port = fields.proto == "https" ? "443" : "80";
  }
  if (const auto host = http::split_authority(fields.host)) {
    client.forwarding.host = fields.host;
    if (!host->port.empty()) client.forwarding.port = host->port;
  }
  const bool is_port = !fields.port.empty() && fields.port.size() <= 5 &&
                       std::all_of(fields.port.begin(), fields.port.end(),
                                   [](char c) { return c >= '0' && c <= '9'; });
  if (is_port) client.forwarding.port = fields.port;
  if (is_request_id(fields.request_id)) client.forwarding.request_id = fields.request_id;
  return client;
}

}  // namespace proxy
