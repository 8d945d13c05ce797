// One GET against a listener that answers what a test says.
#include "proxy/net/probe.h"

#include <string>
#include <thread>

#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <gtest/gtest.h>

namespace proxy::net {
namespace {

using std::chrono::milliseconds;

// Takes one connection, reads the head of a request and sends `answer`.
class OneAnswer {
 public:
  explicit OneAnswer(std::string answer) : listener_(::socket(AF_INET, SOCK_STREAM, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    EXPECT_EQ(bind(listener_, reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
    EXPECT_EQ(listen(listener_, 1), 0);
    socklen_t size = sizeof address;
    getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &size);
    port_ = ntohs(address.sin_port);
    thread_ = std::thread([this, answer = std::move(answer)] {
      const int peer = accept(listener_, nullptr, nullptr);
      char bytes[512];
      while (request_.find("\r\n\r\n") == std::string::npos) {
        const auto count = recv(peer, bytes, sizeof bytes, 0);
        if (count <= 0) { break; }
        request_.append(bytes, static_cast<std::size_t>(count));
      }
      if (!answer.empty()) {
        send(peer, answer.data(), answer.size(), MSG_NOSIGNAL);
      } else {
        // Silent until the client gives up.
        recv(peer, bytes, sizeof bytes, 0);
      }
      close(peer);
    });
  }
  ~OneAnswer() {
    finish();
    close(listener_);
  }
  [[nodiscard]] std::string url(const std::string& path) const {
    return "http://127.0.0.1:" + std::to_string(port_) + path;
  }
  // The request as it came.
  const std::string& finish() {
    if (thread_.joinable()) { thread_.join(); }
    return request_;
  }

 private:
  int listener_;
  std::uint16_t port_ = 0;
  std::string request_;
  std::thread thread_;
};

TEST(Probe, AsksForThePathAndReadsTheStatus) {
  OneAnswer server("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
  const auto answer = probe(server.url("/readyz?a=b"), milliseconds{2'000});
  EXPECT_EQ(answer.status, 200);
  EXPECT_EQ(answer.error, "");
  const auto& request = server.finish();
  EXPECT_EQ(request.rfind("GET /readyz?a=b HTTP/1.1\r\nHost: 127.0.0.1:", 0), 0U) << request;
}

TEST(Probe, GivesOtherStatusesBack) {
  OneAnswer server("HTTP/1.1 503 Service Unavailable\r\n\r\n");
  EXPECT_EQ(probe(server.url(""), milliseconds{2'000}).status, 503);
  EXPECT_EQ(server.finish().rfind("GET / HTTP/1.1\r\n", 0), 0U);
}

TEST(Probe, RefusesWhatIsNotHttp) {
  for (const char* text : {"SSH-2.0-x\r\n", "HTTP/1.1 2x0 OK\r\n", "HTTP/2 200\r\n", "\r\n"}) {
    OneAnswer server(text);
    const auto answer = probe(server.url("/"), milliseconds{2'000});
    EXPECT_EQ(answer.status, 0);
    EXPECT_EQ(answer.error, "the answer is not HTTP");
  }
}

TEST(Probe, DoesNotWaitForever) {
  OneAnswer server("");
  const auto answer = probe(server.url("/"), milliseconds{50});
  EXPECT_EQ(answer.status, 0);
  EXPECT_EQ(answer.error, "no answer in time");
}

TEST(Probe, RefusesUrlsThatAreNone) {
  for (const char* url : {"", "127.0.0.1", "https://a", "http://", "http://:80/", "http://a:/",
                          "http://a:123456/", "http://a:b/", "http://u@a/", "http://[::1/",
                          "http://a/\r\nX: y", "http://a/ b"}) {
    EXPECT_TRUE(probe(url, milliseconds{50}).is_usage_error) << url;
  }
}

}  // namespace
}  // namespace proxy::net
