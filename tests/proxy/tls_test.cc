// TLS over a stream, both sides: who is believed, what an end means, and what a hostile peer gets.
#include "proxy/net/tls.h"

#include <gtest/gtest.h>
#include <openssl/ssl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/error.hpp>
#include <csignal>
#include <memory>
#include <optional>
#include <string>

#include "certificates.h"
#include "proxy/net/poller.h"
#include "proxy/net/stream.h"
#include "proxy/net/tls_session.h"

namespace proxy::net {
namespace {

using namespace std::chrono_literals;
using boost::system::error_code;

const auto ignore_end = [](std::exception_ptr) {};

Task<void> secure(Stream& stream, std::unique_ptr<TlsSession> session,
                  std::optional<error_code>& result) {
  const error_code error = co_await stream.secure(std::move(session), 5s);
  result = error;
}

Task<void> read_all(Stream& stream, std::string& into, std::optional<error_code>& end) {
  std::array<char, 4'096> room{};
  for (;;) {
    const IoResult got = co_await stream.read_some(room, 5s);
    into.append(room.data(), got.bytes);
    if (!got.error) continue;
    end = got.error;
    co_return;
  }
}

Task<void> wait_for_input(Stream& stream, std::optional<error_code>& result) {
  const error_code error = co_await stream.wait_readable(5s);
  result = error;
}

Task<void> write(Stream& stream, const std::string& head, const std::string& body,
                 std::optional<error_code>& result) {
  Pieces pieces(head);
  pieces.add(body);
  const error_code error = co_await stream.write_all(pieces, 5s);
  result = error;
}

class TlsTest : public testing::Test {
 protected:
  TlsTest() {
    std::array<int, 2> pair{};
    EXPECT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair.data()), 0);
    client_ = std::make_unique<Stream>(loop_.get_executor(), wheel(), AF_UNIX, pair[0]);
    server_ = std::make_unique<Stream>(loop_.get_executor(), wheel(), AF_UNIX, pair[1]);
  }

  Poller& poller() { return Poller::of(loop_.get_executor()); }
  Wheel& wheel() { return poller().wheel(); }
  void spawn(Task<void> task) { boost::asio::co_spawn(loop_, std::move(task), ignore_end); }
  template <class Done>
  void run_until(Done done) {
    const auto give_up = std::chrono::steady_clock::now() + 20s;
    while (!done() && std::chrono::steady_clock::now() < give_up) poller().poll_once();
    EXPECT_TRUE(done());
  }

  std::shared_ptr<const TlsServer> server_for(const Authority::Files& files) {
    TlsServerOptions options;
    options.identity = "test";
    options.certificates = {{files.certificate, files.key, ""}};
    return server_with(options);
  }
  std::shared_ptr<const TlsServer> server_with(const TlsServerOptions& options) {
    TlsProblem problem;
    auto made = TlsServer::make(options, make_ticket_keys(), problem);
    EXPECT_TRUE(made) << problem.option << ": " << problem.message;
    return made;
  }
  std::shared_ptr<const TlsClient> client_for(TlsClientOptions options) {
    TlsProblem problem;
    if (options.ca_file.empty()) options.ca_file = authority_.ca_file();
    auto made = TlsClient::make(std::move(options), problem);
    EXPECT_TRUE(made) << problem.option << ": " << problem.message;
    return made;
  }
  // Both handshakes.
  void shake(const TlsServer& server, const TlsClient& client, const std::string& name) {
    spawn(secure(*server_, server.start(), server_result_));
    spawn(secure(*client_, client.start(name), client_result_));
    run_until([this] { return server_result_ && client_result_; });
  }
  void connect() {
    server_tls_ = server_for(authority_.issue("a", "DNS:a.example"));
    client_tls_ = client_for({});
    shake(*server_tls_, *client_tls_, "a.example");
    ASSERT_FALSE(*client_result_) << client_result_->message();
    ASSERT_FALSE(*server_result_) << server_result_->message();
  }
  // The client's verdict about a certificate.
  error_code verdict(const Authority::Files& files, const std::string& name) {
    const auto server = server_for(files);
    const auto client = client_for({});
    spawn(secure(*server_, server->start(), server_result_));
    spawn(secure(*client_, client->start(name), client_result_));
    run_until([this] { return client_result_.has_value(); });
    return *client_result_;
  }

  boost::asio::io_context loop_;
  Authority authority_{"test authority"};
  std::shared_ptr<const TlsServer> server_tls_;
  std::shared_ptr<const TlsClient> client_tls_;
  std::unique_ptr<Stream> client_;
  std::unique_ptr<Stream> server_;
  std::optional<error_code> client_result_;
  std::optional<error_code> server_result_;
};

TEST_F(TlsTest, BytesGoBothWaysWhateverTheirNumber) {
  connect();
  const std::string head = "head\r\n\r\n";
  const std::string body(3'000'000, 'x');
  std::string received;
  std::optional<error_code> written;
  std::optional<error_code> end;
  spawn(write(*server_, head, body, written));
  spawn(read_all(*client_, received, end));
  run_until([&] { return written.has_value(); });
  EXPECT_FALSE(*written);
  server_->shutdown_send();
  run_until([&] { return end.has_value(); });
  EXPECT_EQ(*end, boost::asio::error::eof);
  EXPECT_TRUE(received == head + body);
}

TEST_F(TlsTest, AnEndWithoutNoticeIsNotAnEnd) {
  connect();
  std::string received;
  std::optional<error_code> end;
  Pieces pieces("part");
  ASSERT_TRUE(server_->try_write(pieces));
  server_->close();
  spawn(read_all(*client_, received, end));
  run_until([&] { return end.has_value(); });
  EXPECT_EQ(received, "part");
  EXPECT_EQ(*end, make_error_code(TlsError::truncated));
}

TEST_F(TlsTest, AnIdleConnectionHasNothingToSayAlthoughTicketsCame) {
  connect();
  poller().poll();
  EXPECT_FALSE(client_->has_input());
  std::optional<error_code> ready;
  spawn(wait_for_input(*client_, ready));
  poller().poll();
  EXPECT_FALSE(ready);
  Pieces pieces("x");
  ASSERT_TRUE(server_->try_write(pieces));
  run_until([&] { return ready.has_value(); });
  EXPECT_FALSE(*ready);
  EXPECT_TRUE(client_->has_input());
  server_->shutdown_send();
  poller().poll();
  EXPECT_FALSE(client_->peer_closed()) << "a byte is left";
  std::array<char, 8> room{};
  EXPECT_EQ(client_->read_now(room).bytes, 1U);
  EXPECT_TRUE(client_->peer_closed());
}

TEST_F(TlsTest, OnlyTheNameThatWasMeantIsBelieved) {
  EXPECT_FALSE(verdict(authority_.issue("b", "DNS:b.example, IP:127.0.0.1"), "b.example"));
}
TEST_F(TlsTest, AnAddressInTheCertificateIsAName) {
  EXPECT_FALSE(verdict(authority_.issue("b", "DNS:b.example, IP:127.0.0.1"), "127.0.0.1"));
}
TEST_F(TlsTest, AnotherNameIsRefused) {
  EXPECT_TRUE(is_refused_certificate(verdict(authority_.issue("b", "DNS:b.example"), "a.example")));
}
TEST_F(TlsTest, TheSubjectIsNoName) {
  EXPECT_TRUE(is_refused_certificate(
      verdict(authority_.issue("a.example", "DNS:b.example"), "a.example")));
}
TEST_F(TlsTest, L06ANulInTheCertificateEndsNoName) {
  const std::string name("a.example\0.evil.example", 23);
  EXPECT_TRUE(is_refused_certificate(verdict(authority_.issue("x", "", name), "a.example")));
}
TEST_F(TlsTest, AStrangersCertificateIsRefused) {
  Authority stranger("stranger");
  EXPECT_TRUE(is_refused_certificate(verdict(stranger.issue("a", "DNS:a.example"), "a.example")));
}

TEST_F(TlsTest, L05AnAnswerInPlainTextIsNoHandshake) {
  client_tls_ = client_for({});
  Pieces pieces("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi");
  ASSERT_TRUE(server_->try_write(pieces));
  spawn(secure(*client_, client_tls_->start("a.example"), client_result_));
  run_until([this] { return client_result_.has_value(); });
  EXPECT_TRUE(*client_result_);
  std::array<char, 64> room{};
  EXPECT_TRUE(client_->read_now(room).error);
}

TEST_F(TlsTest, AHandshakeThatStopsEndsInTime) {
  server_tls_ = server_for(authority_.issue("a", "DNS:a.example"));
  spawn(secure(*server_, server_tls_->start(), server_result_));
  poller().poll();
  EXPECT_FALSE(server_result_);
  wheel().advance(std::chrono::steady_clock::now() + 6s);
  run_until([this] { return server_result_.has_value(); });
  EXPECT_EQ(*server_result_, boost::asio::error::timed_out);
}

TEST_F(TlsTest, L08RenegotiationEndsTheConnection) {
  TlsServerOptions options;
  const auto files = authority_.issue("a", "DNS:a.example");
  options.certificates = {{files.certificate, files.key, ""}};
  server_tls_ = server_with(options);
  client_tls_ = client_for({});
  auto session = client_tls_->start("a.example");
  SSL* const handle = session->handle();
  SSL_set_max_proto_version(handle, TLS1_2_VERSION);
  ::SSL_clear_options(handle, SSL_OP_NO_RENEGOTIATION);
  spawn(secure(*server_, server_tls_->start(), server_result_));
  spawn(secure(*client_, std::move(session), client_result_));
  run_until([this] { return server_result_ && client_result_; });
  ASSERT_FALSE(*client_result_);
  ASSERT_EQ(::SSL_renegotiate(handle), 1);
  ::SSL_do_handshake(handle);
  std::string received;
  std::optional<error_code> end;
  spawn(read_all(*server_, received, end));
  run_until([&] { return end.has_value(); });
  EXPECT_EQ(*end, make_error_code(TlsError::needless));
  EXPECT_EQ(received, "");
}

TEST_F(TlsTest, KeyUpdatesWithoutEndAreNotAnswered) {
  connect();
  SSL* const handle = client_->tls()->handle();
  std::string received;
  std::optional<error_code> end;
  spawn(read_all(*server_, received, end));
  for (int i = 0; i < 100 && !end; ++i) {
    ::SSL_key_update(handle, SSL_KEY_UPDATE_NOT_REQUESTED);
    ::SSL_do_handshake(handle);
    poller().poll();
  }
  ASSERT_TRUE(end);
  EXPECT_EQ(*end, make_error_code(TlsError::needless));
}

TEST_F(TlsTest, AFewKeyUpdatesDoNotDisturbTheData) {
  connect();
  SSL* const handle = client_->tls()->handle();
  std::string received;
  std::optional<error_code> end;
  spawn(read_all(*server_, received, end));
  for (int i = 0; i < 100 && !end; ++i) {
    ::SSL_key_update(handle, SSL_KEY_UPDATE_REQUESTED);
    ::SSL_do_handshake(handle);
    Pieces pieces("x");
    ASSERT_TRUE(client_->try_write(pieces));
    poller().poll();
  }
  EXPECT_EQ(received, std::string(100, 'x'));
}

// Its answer goes out with our next write: a read never has to wait for room.
TEST_F(TlsTest, AKeyUpdateIsReadThoughThereIsNoRoomToAnswerIt) {
  connect();
  std::array<char, 4'096> junk{};
  while (::send(server_->descriptor(), junk.data(), junk.size(), MSG_DONTWAIT) > 0) {
  }
  std::string received;
  std::optional<error_code> end;
  spawn(read_all(*server_, received, end));
  SSL* const handle = client_->tls()->handle();
  ::SSL_key_update(handle, SSL_KEY_UPDATE_REQUESTED);
  ::SSL_do_handshake(handle);
  Pieces pieces("behind it");
  ASSERT_TRUE(client_->try_write(pieces));
  run_until([&] { return !received.empty() || end; });
  EXPECT_EQ(received, "behind it");
}

TEST_F(TlsTest, ClientsAreAskedForACertificate) {
  const auto own = authority_.issue("server", "DNS:a.example");
  const auto theirs = authority_.issue("client one", "DNS:client.example");
  TlsServerOptions options;
  options.certificates = {{own.certificate, own.key, ""}};
  options.client_ca_file = authority_.ca_file();
  options.client_auth = ClientAuth::required;
  server_tls_ = server_with(options);
  TlsClientOptions with;
  with.certificate_file = theirs.certificate;
  with.key_file = theirs.key;
  client_tls_ = client_for(with);
  shake(*server_tls_, *client_tls_, "a.example");
  EXPECT_FALSE(*server_result_);
  const auto peer = server_->tls()->peer();
  ASSERT_TRUE(peer);
  EXPECT_EQ(peer->subject, "CN=client one");
  EXPECT_TRUE(peer->forwarded.starts_with("Hash="));
  EXPECT_EQ(peer->forwarded.substr(5 + 64), ";Subject=\"CN=client one\";DNS=client.example");
}

TEST_F(TlsTest, AClientWithoutACertificateIsTurnedAwayWhereOneIsRequired) {
  const auto own = authority_.issue("server", "DNS:a.example");
  TlsServerOptions options;
  options.certificates = {{own.certificate, own.key, ""}};
  options.client_ca_file = authority_.ca_file();
  options.client_auth = ClientAuth::required;
  server_tls_ = server_with(options);
  client_tls_ = client_for({});
  shake(*server_tls_, *client_tls_, "a.example");
  EXPECT_TRUE(*server_result_);
}

TEST_F(TlsTest, FilesThatCannotBeUsedAreNamed) {
  const auto one = authority_.issue("a", "DNS:a.example");
  const auto two = authority_.issue("b", "DNS:b.example");
  TlsServerOptions options;
  options.certificates = {{one.certificate, one.key, ""}, {one.certificate, two.key, ""}};
  TlsProblem problem;
  EXPECT_FALSE(TlsServer::make(options, make_ticket_keys(), problem));
  EXPECT_EQ(problem.option, "key_file");
  EXPECT_EQ(problem.certificate, 1U);
  EXPECT_NE(problem.message.find(two.key), std::string::npos) << problem.message;
  TlsClientOptions client;
  client.ca_file = "/nowhere/ca.pem";
  EXPECT_FALSE(TlsClient::make(client, problem));
  EXPECT_EQ(problem.option, "ca_file");
}

}  // namespace
}  // namespace proxy::net
