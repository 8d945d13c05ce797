// The bytes of a request as the application gets them, asserted one by one, and the few lines of an
// answer's head that are made here.
#include "proxy/upstream_request.h"

#include <gtest/gtest.h>

#include <boost/asio/io_context.hpp>
#include <limits>
#include <string>
#include <string_view>

#include "compiling.h"
#include "proxy/http/guard.h"

namespace proxy {
namespace {

class UpstreamRequest : public ::testing::Test {
 protected:
  UpstreamRequest() { compile_again(small_config()); }

  void compile_again(config::Config config) {
    config::Route live = route_for("/live");
    live.websocket = true;
    config::Route api = route_for("/api/**");
    api.strip_prefix = "/api";
    config.routes = {public_route("/public/**"), live, api};
    runtime_ = runtime_of(config);
    local_ = new LocalRuntime(runtime_, loop_.get_executor(), wheel_, 1);
    auth::AccessClaims claims = claims_of("alice");
    claims.groups = {"staff", "admins"};
    token_ = token_for(*runtime_, claims);
  }

  // Reads and decides a request; everything is ready to be sent.
  Exchange& received(const std::string& bytes) {
    exchange_ = std::make_unique<Exchange>(http::HeadLimits{}, 0);
    exchange_->request.bytes.append(bytes);
    EXPECT_EQ(exchange_->request_parser.feed(exchange_->request), http::Progress::complete);
    EXPECT_EQ(http::check_request(exchange_->request), http::ParseError::none);
    exchange_->local = local_;
    const Peer peer{*net::parse_address("192.0.2.7"), "192.0.2.7", "8080", false, {}, {}};
    exchange_->client = client_of(*runtime_, peer, exchange_->request);
    exchange_->client.forwarding.request_id = "0123456789abcdef00000001";
    exchange_->decision =
        decide({*runtime_, local_->tokens, revocations_, noon}, exchange_->request);
    EXPECT_EQ(exchange_->decision.kind, Decision::Kind::forward) << exchange_->decision.error;
    return *exchange_;
  }

  std::string sent(const std::string& bytes) {
    const Exchange& exchange = received(bytes);
    http::Buffer out;
    out.append("left from the last request");
    const Upstream& upstream = *local_->upstreams[exchange.decision.route->upstream];
    write_upstream_head(
        exchange, upstream.host_for(exchange.request.authority, *upstream.targets().front()), out);
    return std::string(out.view());
  }

  std::string bearer() const { return "Authorization: Bearer " + token_ + "\r\n"; }

  boost::asio::io_context loop_;
  net::Wheel wheel_;
  store::Revocations revocations_;
  std::shared_ptr<const Runtime> runtime_;
  LocalRuntimeRef local_;
  std::string token_;
  std::unique_ptr<Exchange> exchange_;
};

const std::string identity =
    "X-Forwarded-User: alice\r\nX-Forwarded-Groups: staff,admins\r\n";
const std::string forwarding =
    "X-Forwarded-For: 192.0.2.7\r\nX-Forwarded-Proto: http\r\nX-Forwarded-Host: a.example\r\n"
    "X-Forwarded-Port: 8080\r\nX-Request-Id: 0123456789abcdef00000001\r\n";

TEST_F(UpstreamRequest, IsRebuiltFromItsParts) {
  EXPECT_EQ(sent("GET /a/b?c=d HTTP/1.1\r\nhost: a.example\r\nAccept: */*\r\n" + bearer() +
                 "X-Forwarded-User: root\r\nX_Forwarded_Groups: root\r\nConnection: x-hop\r\n"
                 "X-Hop: 1\r\nCookie: a=1; __Host-gatehouse_refresh=gh1.x\r\n\r\n"),
            "GET /a/b?c=d HTTP/1.1\r\nHost: a.example\r\nAccept: */*\r\nCookie: a=1\r\n" +
                identity + forwarding + "\r\n");
}

TEST_F(UpstreamRequest, OfNobodyCarriesNoIdentity) {
  EXPECT_EQ(sent("GET /public/a HTTP/1.1\r\nHost: a.example\r\nX-Forwarded-User: root\r\n"
                 "Authorization: Bearer not.a.token\r\nRemote-User: root\r\n\r\n"),
            "GET /public/a HTTP/1.1\r\nHost: a.example\r\n" + forwarding + "\r\n");
}

TEST_F(UpstreamRequest, AnEmptyQueryStaysAQuery) {
  EXPECT_TRUE(sent("GET /public/a? HTTP/1.1\r\nHost: a.example\r\n\r\n")
                  .starts_with("GET /public/a? HTTP/1.1\r\n"));
  EXPECT_TRUE(sent("GET /public/a?x=/..//%2e?y HTTP/1.1\r\nHost: a.example\r\n\r\n")
                  .starts_with("GET /public/a?x=/..//%2e?y HTTP/1.1\r\n"));
}

TEST_F(UpstreamRequest, AnAbsoluteTargetBecomesAPath) {
  EXPECT_EQ(sent("GET http://a.example/public/a?x HTTP/1.1\r\nHost: a.example\r\n\r\n"),
            "GET /public/a?x HTTP/1.1\r\nHost: a.example\r\n" + forwarding + "\r\n");
}

TEST_F(UpstreamRequest, AStrippedPrefixIsGoneAndTheQueryStays) {
  EXPECT_EQ(sent("GET /api/things?in=/api HTTP/1.1\r\nHost: a.example\r\n" + bearer() + "\r\n"),
            "GET /things?in=/api HTTP/1.1\r\nHost: a.example\r\n" + identity + forwarding + "\r\n");
}

TEST_F(UpstreamRequest, FramingIsWrittenByUs) {
  EXPECT_EQ(sent("POST /public/a HTTP/1.1\r\nHost: a.example\r\ncontent-length: 0005\r\n"
                 "Content-Type: text/plain\r\n\r\n"),
            "POST /public/a HTTP/1.1\r\nHost: a.example\r\nContent-Type: text/plain\r\n" +
                forwarding + "Content-Length: 5\r\n\r\n");
  EXPECT_EQ(sent("POST /public/a HTTP/1.1\r\nHost: a.example\r\nTransfer-Encoding: CHUNKED\r\n"
                 "Trailer: X-Forwarded-User\r\nTE: trailers\r\n\r\n"),
            "POST /public/a HTTP/1.1\r\nHost: a.example\r\n" + forwarding +
                "Transfer-Encoding: chunked\r\n\r\n");
  EXPECT_EQ(sent("PUT /public/a HTTP/1.1\r\nHost: a.example\r\nContent-Length: 0\r\n\r\n"),
            "PUT /public/a HTTP/1.1\r\nHost: a.example\r\n" + forwarding +
                "Content-Length: 0\r\n\r\n");
}

TEST_F(UpstreamRequest, ExpectationsAndUpgradesEndAtUs) {
  EXPECT_EQ(sent("POST /public/a HTTP/1.1\r\nHost: a.example\r\nContent-Length: 5\r\n"
                 "Expect: 100-continue\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n"
                 "HTTP2-Settings: AAMAAABkAAQAAP__\r\n\r\n"),
            "POST /public/a HTTP/1.1\r\nHost: a.example\r\n" + forwarding +
                "Content-Length: 5\r\n\r\n");
}

TEST_F(UpstreamRequest, AWebsocketHandshakeIsAskedForAnew) {
  EXPECT_EQ(sent("GET /live HTTP/1.1\r\nHost: a.example\r\n" + bearer() +
                 "Connection: keep-alive, upgrade\r\nUpgrade: WebSocket\r\n"
                 "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
                 "\r\n"),
            "GET /live HTTP/1.1\r\nHost: a.example\r\nSec-WebSocket-Version: 13\r\n"
            "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n" +
                identity + forwarding + "Connection: Upgrade\r\nUpgrade: websocket\r\n\r\n");
}

TEST_F(UpstreamRequest, TheHostIsTheApplicationsOwnWhereTheClientsIsNotKept) {
  config::Config config = small_config();
  config.upstreams.front().preserve_host = false;
  compile_again(config);
  EXPECT_EQ(sent("GET /public/a HTTP/1.1\r\nHost: a.example\r\n\r\n"),
            "GET /public/a HTTP/1.1\r\nHost: 127.0.0.1:3000\r\n" + forwarding + "\r\n");
}

TEST_F(UpstreamRequest, AnOldRequestWithoutHostGetsOne) {
  const std::string head = sent("GET /public/a HTTP/1.0\r\n\r\n");
  EXPECT_TRUE(head.starts_with("GET /public/a HTTP/1.1\r\nHost: 127.0.0.1:3000\r\n")) << head;
  EXPECT_EQ(head.find("X-Forwarded-Host"), std::string::npos);
}

TEST_F(UpstreamRequest, AConfiguredHostReplacesTheClients) {
  config::Config config = small_config();
  config.upstreams.front().host = "app.internal";
  compile_again(config);
  const std::string head = sent("GET /public/a HTTP/1.1\r\nHost: a.example\r\n\r\n");
  EXPECT_TRUE(head.starts_with("GET /public/a HTTP/1.1\r\nHost: app.internal\r\n")) << head;
}

TEST_F(UpstreamRequest, AConnectionAuthenticationBindsTheConnection) {  // E07
  config::Config keeping = small_config();
  keeping.identity.authorization = config::Authorization::keep;
  compile_again(keeping);
  for (const char* value : {"NTLM TlRMTVNTUAAB", "ntlm x", "Negotiate YII=", "negotiate"}) {
    const std::string field = std::string("Authorization: ") + value + "\r\n";
    const std::string bytes = "GET /public/a HTTP/1.1\r\nHost: a.example\r\n" + field + "\r\n";
    compile_again(keeping);
    EXPECT_TRUE(carries_connection_identity(received(bytes))) << value;
    compile_again(small_config());  // where it is not passed on, it binds nothing
    EXPECT_FALSE(carries_connection_identity(received(bytes))) << value;
  }
  compile_again(keeping);
  for (const char* value : {"Basic eDp5", "Bearer x", "Nego", "Digest x"}) {
    const std::string field = std::string("Authorization: ") + value + "\r\n";
    EXPECT_FALSE(carries_connection_identity(
        received("GET /public/a HTTP/1.1\r\nHost: a.example\r\n" + field + "\r\n")))
        << value;
  }
}

TEST_F(UpstreamRequest, AChallengeOfTheApplicationBindsTheConnectionToo) {
  for (const auto& [value, binds] :
       {std::pair("NTLM", true), std::pair("Negotiate", true), std::pair("Basic realm=a", false)}) {
    Exchange& exchange = received("GET /public/a HTTP/1.1\r\nHost: a.example\r\n\r\n");
    exchange.response.bytes.append(std::string("HTTP/1.1 401 No\r\nWWW-Authenticate: Basic\r\n"
                                               "WWW-Authenticate: ") +
                                   value + "\r\nContent-Length: 0\r\n\r\n");
    ASSERT_EQ(exchange.response_parser.feed(exchange.response), http::Progress::complete);
    EXPECT_EQ(carries_connection_identity(exchange), binds) << value;
  }
}

TEST(AnswerHead, StatusLineAndLengthAreWrittenAnew) {
  http::ResponseHead response;
  response.status = 404;
  response.reason = "Not Found";
  http::Buffer out;
  append_status_line(response, out);
  append_content_length(std::numeric_limits<std::uint64_t>::max(), out);
  EXPECT_EQ(out.view(), "HTTP/1.1 404 Not Found\r\nContent-Length: 18446744073709551615\r\n");
  out.clear();
  response.status = 299;
  response.reason = {};
  append_status_line(response, out);
  append_content_length(0, out);
  EXPECT_EQ(out.view(), "HTTP/1.1 299 \r\nContent-Length: 0\r\n");
}

}  // namespace
}  // namespace proxy
