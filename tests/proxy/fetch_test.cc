// Our own requests: what is sent, what is taken for an answer, and that nothing is without a bound.
#include "proxy/fetch.h"

#include <dlfcn.h>
#include <gtest/gtest.h>
#include <netdb.h>
#include <unistd.h>

#include <array>
#include <boost/asio/co_spawn.hpp>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>

#include "certificates.h"
#include "proxy/net/listen.h"
#include "proxy/net/poller.h"
#include "proxy/net/stream.h"
#include "proxy/net/tls_session.h"

namespace {

// A name server that does not answer, until the test is over.
struct Silence {
  std::mutex mutex;
  std::condition_variable over;
  bool is_over = false;

  void wait() {
    std::unique_lock lock(mutex);
    over.wait(lock, [this] { return is_over; });
  }
  void end() {
    const std::lock_guard lock(mutex);
    is_over = true;
    over.notify_all();
  }
};
Silence silence;

}  // namespace

// Before the system's own.
extern "C" int getaddrinfo(const char* node, const char* service, const addrinfo* hints,
                           addrinfo** found) {
  if (node != nullptr && std::string_view(node) == "silent.test") {
    silence.wait();
    return EAI_AGAIN;
  }
  using Real = int (*)(const char*, const char*, const addrinfo*, addrinfo**);
  static const auto real = reinterpret_cast<Real>(::dlsym(RTLD_NEXT, "getaddrinfo"));
  return real(node, service, hints, found);
}

namespace proxy {
namespace {

using namespace std::chrono_literals;

const auto ignore_end = [](std::exception_ptr) {};

enum class Ending { notice, none, open };

// Reads until the end of a request's head, then writes `answer`.
net::Task<void> answer_one(net::Stream& stream, std::unique_ptr<net::TlsSession> tls,
                           const std::string& answer, std::string& request, Ending ending) {
  if (tls) {
    const auto error = co_await stream.secure(std::move(tls), 5s);
    if (error) co_return;
  }
  std::array<char, 4'096> room{};
  while (request.find("\r\n\r\n") == std::string::npos) {
    const net::IoResult got = co_await stream.read_some(room, 5s);
    if (got.error) co_return;
    request.append(room.data(), got.bytes);
  }
  const net::Pieces pieces(answer);
  (void)co_await stream.write_all(pieces, 5s);
  if (ending == Ending::notice) stream.shutdown_send();
  if (ending == Ending::none) stream.close();
}

net::Task<void> call(net::Executor executor, FetchRequest request, std::optional<Fetched>& result) {
  Fetched fetched = co_await fetch(executor, std::move(request));
  result = std::move(fetched);
}

class FetchTest : public testing::Test {
 protected:
  FetchTest() : listening_(net::listen_on(*net::parse_endpoint("127.0.0.1:0"), 1)) {
    port_ = listening_.address.substr(listening_.address.rfind(':') + 1);
  }
  ~FetchTest() override { net::close_all(listening_); }

  void spawn(net::Task<void> task) {
    boost::asio::co_spawn(loop_, std::move(task), ignore_end);
  }
  net::Poller& poller() { return net::Poller::of(loop_.get_executor()); }
  FetchRequest request(const std::string& scheme = "http") {
    FetchRequest made;
    made.target = parse_url(scheme + "://127.0.0.1:" + port_ + "/keys?x=1").value();
    return made;
  }
  Fetched exchange(FetchRequest made, const std::string& answer, Ending ending = Ending::notice) {
    std::optional<Fetched> result;
    spawn(call(loop_.get_executor(), std::move(made), result));
    const auto give_up = std::chrono::steady_clock::now() + 20s;
    while (!result && std::chrono::steady_clock::now() < give_up) {
      poller().poll_once();
      accept(answer, ending);
    }
    EXPECT_TRUE(result);
    return result.value_or(Fetched{});
  }
  void accept(const std::string& answer, Ending ending) {
    const auto accepted = net::accept_from(listening_.descriptors.front());
    if (accepted.outcome != net::Accepted::Outcome::connection) return;
    stream_ = std::make_unique<net::Stream>(loop_.get_executor(), poller().wheel(), AF_INET,
                                            accepted.descriptor);
    auto tls = server_ ? server_->start() : nullptr;
    spawn(answer_one(*stream_, std::move(tls), answer, seen_, ending));
  }

  boost::asio::io_context loop_;
  net::Listening listening_;
  std::string port_;
  std::shared_ptr<const net::TlsServer> server_;
  std::unique_ptr<net::Stream> stream_;
  std::string seen_;
};

TEST_F(FetchTest, AnAnswerIsReadWhole) {
  auto made = request();
  made.headers = "Accept: application/json\r\n";
  const Fetched got = exchange(std::move(made),
                               "HTTP/1.1 200 OK\r\nContent-Type: text/x\r\n"
                               "Transfer-Encoding: chunked\r\n\r\n"
                               "3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n");
  EXPECT_EQ(got.status, 200) << got.error;
  EXPECT_EQ(got.body, "abcde");
  EXPECT_EQ(got.content_type, "text/x");
  EXPECT_EQ(seen_, "GET /keys?x=1 HTTP/1.1\r\nHost: 127.0.0.1:" + port_ +
                       "\r\nConnection: close\r\nAccept: application/json\r\n\r\n");
}

TEST_F(FetchTest, ABodyIsSentWithItsLength) {
  auto made = request();
  made.method = "POST";
  made.body = "{}";
  const Fetched got = exchange(std::move(made), "HTTP/1.1 204 No Content\r\n\r\n");
  EXPECT_EQ(got.status, 204) << got.error;
  EXPECT_NE(seen_.find("Content-Length: 2\r\n\r\n{}"), std::string::npos) << seen_;
}

TEST_F(FetchTest, InterimAnswersAreNotTheAnswer) {
  const Fetched got = exchange(request(),
                               "HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n"
                               "HTTP/1.1 404 No\r\nContent-Length: 2\r\n\r\nno");
  EXPECT_EQ(got.status, 404) << got.error;
  EXPECT_EQ(got.body, "no");
}

TEST_F(FetchTest, WhatIsCutIsNoAnswer) {
  const Fetched got = exchange(request(), "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc");
  EXPECT_EQ(got.status, 0);
  EXPECT_EQ(got.error, "the answer is not whole");
  EXPECT_EQ(got.body, "");
}

TEST_F(FetchTest, AmbiguousFramingIsNoAnswer) {
  const Fetched got = exchange(
      request(), "HTTP/1.1 200 OK\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\nabc");
  EXPECT_EQ(got.status, 0);
  EXPECT_EQ(got.error, "the answer is not HTTP");
}

TEST_F(FetchTest, AnAnswerThatIsTooLargeIsNotRead) {
  auto made = request();
  made.answer_bytes_max = 1'000;
  const Fetched got = exchange(
      std::move(made), "HTTP/1.1 200 OK\r\nContent-Length: 5000\r\n\r\n" + std::string(5'000, 'x'));
  EXPECT_EQ(got.status, 0);
  EXPECT_EQ(got.error, "the answer is too large");
}

TEST_F(FetchTest, ATimeLimitIsForAllOfIt) {
  auto made = request();
  made.timeout = 300ms;
  const Fetched got = exchange(std::move(made), "HTTP/1.1 200", Ending::open);
  EXPECT_EQ(got.status, 0);
  EXPECT_EQ(got.error, "no answer in time");
}

TEST_F(FetchTest, NobodyThereIsAnError) {
  auto made = request();
  net::close_all(listening_);
  std::optional<Fetched> result;
  spawn(call(loop_.get_executor(), std::move(made), result));
  while (!result) poller().poll_once();
  EXPECT_EQ(result->status, 0);
  EXPECT_NE(result->error, "");
}

TEST_F(FetchTest, ASilentNameServerIsNotWaitedForLongerThanForAnAnswer) {
  constexpr std::size_t count = 6;  // one look-up runs at a time: the others must not queue behind
  std::array<std::optional<Fetched>, count> results;
  const auto begin = std::chrono::steady_clock::now();
  for (auto& result : results) {
    auto made = request();
    made.target.endpoint.host = "silent.test";
    made.timeout = 300ms;
    spawn(call(loop_.get_executor(), std::move(made), result));
  }
  for (auto& result : results) {
    while (!result) poller().poll_once();
    EXPECT_EQ(result->status, 0);
    EXPECT_EQ(result->error, "no answer in time");
  }
  EXPECT_LT(std::chrono::steady_clock::now() - begin, 20s);
  silence.end();
}

class FetchTlsTest : public FetchTest {
 protected:
  FetchTlsTest() {
    const auto files = authority_.issue("a", "IP:127.0.0.1");
    net::TlsServerOptions options;
    options.certificates = {{files.certificate, files.key, ""}};
    net::TlsProblem problem;
    server_ = net::TlsServer::make(options, net::make_ticket_keys(), problem);
    net::TlsClientOptions client;
    client.ca_file = authority_.ca_file();
    client_ = net::TlsClient::make(client, problem);
  }
  FetchRequest secured() {
    auto made = request("https");
    made.tls = client_;
    return made;
  }
  Authority authority_{"ca"};
  std::shared_ptr<const net::TlsClient> client_;
};

TEST_F(FetchTlsTest, TlsIsSpokenAndVerified) {
  const Fetched got = exchange(secured(), "HTTP/1.1 200 OK\r\n\r\nuntil the end");
  EXPECT_EQ(got.status, 200) << got.error;
  EXPECT_EQ(got.body, "until the end");
}

TEST_F(FetchTlsTest, ABodyThatEndsWithoutNoticeIsCut) {
  const Fetched got = exchange(secured(), "HTTP/1.1 200 OK\r\n\r\nuntil the en", Ending::none);
  EXPECT_EQ(got.status, 0);
  EXPECT_EQ(got.error, "TLS: ended without notice");
}

TEST_F(FetchTlsTest, AStrangerIsNotAsked) {
  Authority other("other");
  net::TlsClientOptions options;
  options.ca_file = other.ca_file();
  net::TlsProblem problem;
  auto made = secured();
  made.tls = net::TlsClient::make(options, problem);
  const Fetched got = exchange(std::move(made), "HTTP/1.1 200 OK\r\n\r\n");
  EXPECT_EQ(got.status, 0);
  EXPECT_NE(got.error.find("certificate refused"), std::string::npos) << got.error;
  EXPECT_EQ(seen_, "");
}

TEST(FetchUrl, PartsAreFoundAndNonsenseIsRefused) {
  const auto one = parse_url("https://idp.example.com/keys?a=b");
  ASSERT_TRUE(one);
  EXPECT_TRUE(one->is_https);
  EXPECT_EQ(one->endpoint.host, "idp.example.com");
  EXPECT_EQ(one->endpoint.port, 443);
  EXPECT_EQ(one->authority, "idp.example.com");
  EXPECT_EQ(one->path, "/keys?a=b");
  const auto two = parse_url("http://[::1]:8080");
  ASSERT_TRUE(two);
  EXPECT_EQ(two->endpoint.host, "::1");
  EXPECT_EQ(two->path, "/");
  for (const char* const wrong :
       {"", "idp", "ftp://a/", "https://", "https://u@a/", "https://a:0/", "https://a:x/",
        "https://a/ b", "https://a/#x", "https://a/\r\nX: y", "https://a\\b/"}) {
    EXPECT_FALSE(parse_url(wrong)) << wrong;
  }
}

}  // namespace
}  // namespace proxy
