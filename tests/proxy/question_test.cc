// What other proxies may say, and what is made of it.
#include "proxy/question.h"

#include <gtest/gtest.h>

#include "compiling.h"
#include "http/reading.h"

namespace proxy {
namespace {

class Questions : public ::testing::Test {
 protected:
  Questions() {
    config::Config config = small_config();
    config.endpoints.auth = "/.gatehouse/auth";
    config.trusted_proxies = {"192.0.2.1"};
    runtime_ = runtime_of(config);
  }

  // What is made of a question: "GET app.example.com /orders", or its problem.
  std::string read(std::string_view fields, std::string_view target = "/.gatehouse/auth",
                   std::string_view from = "192.0.2.1") {
    request_ = http::read_request("POST " + std::string(target) +
                                  " HTTP/1.1\r\nHost: gatehouse\r\nContent-Length: 0\r\n" +
                                  std::string(fields) + "\r\n");
    EXPECT_EQ(request_.error, http::ParseError::none);
    const Peer peer{*net::parse_address(std::string(from)), from, "8080", false, {}, {}};
    const Client client = client_of(*runtime_, peer, request_.head);
    question_ = question_in(*runtime_, client, request_.head);
    if (!question_) return "no question";
    if (!question_->problem.empty()) return std::string(question_->problem);
    const http::RequestHead& head = question_->head;
    std::string text(head.method_text);
    text.append(" ").append(head.authority).append(" ").append(head.target);
    return text;
  }

  std::shared_ptr<const Runtime> runtime_;
  http::Request request_;
  std::unique_ptr<Question> question_;
};

constexpr std::string_view forwarded =
    "X-Forwarded-Method: PUT\r\nX-Forwarded-Proto: https\r\n"
    "X-Forwarded-Host: app.example.com\r\nX-Forwarded-Uri: /orders?a=1\r\n";
constexpr std::string_view original =
    "X-Original-Method: PUT\r\nX-Original-URL: https://app.example.com/orders?a=1\r\n";

TEST_F(Questions, ComeInThreeForms) {
  EXPECT_EQ(read(forwarded), "PUT app.example.com /orders?a=1");
  EXPECT_EQ(question_->scheme, "https");
  EXPECT_EQ(read(original), "PUT app.example.com /orders?a=1");
  EXPECT_EQ(read("", "/.gatehouse/auth/envoy/orders?a=1"), "POST gatehouse /orders?a=1");
  EXPECT_TRUE(question_->by_envoy);
}

TEST_F(Questions, AreAskedAtOnePathByTrustedProxies) {
  EXPECT_EQ(read(forwarded, "/orders"), "no question");
  EXPECT_EQ(read(forwarded, "/.gatehouse/authority"), "no question");
  EXPECT_EQ(read(forwarded, "/.gatehouse/auth/"), "question_missing");
  EXPECT_EQ(read(forwarded, "/.gatehouse/auth/envoyage"), "question_unreadable");
  EXPECT_EQ(read(forwarded, "/.gatehouse/auth", "192.0.2.2"), "untrusted_proxy");
}

TEST_F(Questions, KeepTheClientsFieldsAndDropThoseOfTheHop) {
  read(std::string(forwarded) +
       "Authorization: Bearer x\r\nCookie: a=1\r\nOrigin: https://app.example.com\r\n"
       "X-Forwarded-For: 203.0.113.9\r\nConnection: keep-alive\r\nX_Original_URL: /x\r\n");
  const http::RequestHead& head = question_->head;
  EXPECT_EQ(head.value(http::HeaderId::authorization), "Bearer x");
  EXPECT_EQ(head.value(http::HeaderId::cookie), "a=1");
  EXPECT_EQ(head.value(http::HeaderId::origin), "https://app.example.com");
  EXPECT_EQ(head.find(http::HeaderId::connection), nullptr);
  EXPECT_EQ(head.find(http::HeaderId::content_length), nullptr);
  EXPECT_EQ(head.fields.size(), 4U) << "and Host";
}

TEST_F(Questions, OfBothFamiliesMustAgree) {
  EXPECT_EQ(read(std::string(forwarded) + std::string(original)),
            "PUT app.example.com /orders?a=1");
  for (const std::string_view other :
       {"X-Original-Method: PUT\r\nX-Original-URL: https://app.example.com/public\r\n",
        "X-Original-Method: GET\r\nX-Original-URL: https://app.example.com/orders?a=1\r\n",
        "X-Original-Method: PUT\r\nX-Original-URL: https://evil.example/orders?a=1\r\n",
        "X-Original-URL: https://app.example.com/orders?a=1\r\n"}) {
    EXPECT_EQ(read(std::string(forwarded) + std::string(other)), "question_ambiguous") << other;
  }
  // What load balancers in front of nginx add is no question.
  EXPECT_EQ(read(std::string(original) + "X-Forwarded-Proto: http\r\nX-Forwarded-Host: lb\r\n"),
            "PUT app.example.com /orders?a=1");
}

TEST_F(Questions, CannotSmuggleAWordIntoTheRequestLine) {
  const auto with_uri = [this](std::string_view uri) {
    return read("X-Forwarded-Method: GET\r\nX-Forwarded-Proto: https\r\nX-Forwarded-Host: a\r\n"
                "X-Forwarded-Uri: " +
                std::string(uri) + "\r\n");
  };
  EXPECT_EQ(with_uri("/public HTTP/1.1"), "question_unreadable");
  EXPECT_EQ(with_uri("/public\tx"), "question_unreadable");
  EXPECT_EQ(with_uri("http://a/public"), "question_unreadable");
  EXPECT_EQ(with_uri("/public#x"), "question_unreadable");
  EXPECT_EQ(with_uri("*"), "question_unreadable");
  EXPECT_EQ(with_uri("/\xc3\xa4"), "question_unreadable");
  EXPECT_EQ(with_uri("/" + std::string(7'000, 'a')), "GET a /" + std::string(7'000, 'a'));
}

TEST_F(Questions, CarryAHandshakeOrRefuseOne) {
  const std::string handshake =
      "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n";
  const std::string get =
      "X-Forwarded-Method: GET\r\nX-Forwarded-Proto: https\r\nX-Forwarded-Host: a\r\n"
      "X-Forwarded-Uri: /live\r\n";
  EXPECT_EQ(read(get + handshake), "question_unreadable") << "no key, but perhaps to others";
  EXPECT_EQ(read(get + "Connection: Upgrade\r\nUpgrade: h2c\r\n"), "GET a /live");
  EXPECT_FALSE(question_->head.wants_websocket);
}

}  // namespace
}  // namespace proxy
