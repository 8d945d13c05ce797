// A small HTTP client; see fetch.h.
#include "proxy/fetch.h"

#include <boost/asio/error.hpp>

#include "auth/bytes.h"
#include "proxy/body.h"
#include "proxy/http/guard.h"
#include "proxy/http/parser.h"
#include "proxy/net/poller.h"
#include "proxy/net/stream.h"

namespace proxy {
namespace {

using boost::system::error_code;
using std::chrono::milliseconds;

constexpr int fetch_interim_max = 16;

// A whole exchange with its buffers, which are too big for a coroutine's frame.
class Fetch {
 public:
  Fetch(net::Executor executor, FetchRequest request)
      : executor_(executor),
        wheel_(net::Poller::of(executor).wheel()),
        request_(std::move(request)),
        began_(wheel_.now_tick()) {}

  // Passwords and secrets are among what is sent.
  ~Fetch() { auth::cleanse(request_.body); }
  Fetch(const Fetch&) = delete;
  Fetch& operator=(const Fetch&) = delete;

  net::Task<Fetched> run();

 private:
  [[nodiscard]] milliseconds left() const {
    return request_.timeout - (wheel_.now_tick() - began_) * net::Wheel::tick_length;
  }
  net::Task<error_code> connect();
  net::Task<error_code> send();
  net::Task<error_code> read_head();
  net::Task<error_code> read_body();
  [[nodiscard]] std::string head_text() const;

  net::Executor executor_;
  net::Wheel& wheel_;
  FetchRequest request_;
  std::int64_t began_;
  std::unique_ptr<net::Stream> stream_;
  http::ResponseParser parser_{http::HeadLimits{}};
  http::ResponseHead head_;
  http::Buffer relay_;
  BodyReader body_;
  Fetched result_;
};

error_code too_large() {
  return boost::asio::error::make_error_code(boost::asio::error::no_buffer_space);
}
error_code not_http() { return boost::asio::error::make_error_code(boost::asio::error::fault); }

std::string words_for(const error_code& error) {
  if (error == boost::asio::error::timed_out) return "no answer in time";
  if (error == too_large()) return "the answer is too large";
  if (error == not_http()) return "the answer is not HTTP";
  if (error == boost::asio::error::eof) return "the answer is not whole";
  return error.message();
}

net::Task<error_code> Fetch::connect() {
  const FetchTarget& target = request_.target;
  std::vector<std::string> addresses{target.endpoint.host};
  const bool needs_lookup =
      target.endpoint.unix_path.empty() && !net::parse_address(target.endpoint.host);
  if (needs_lookup) {
    net::Resolved resolved = co_await net::resolve(executor_, target.endpoint.host, left());
    if (resolved.error) co_return resolved.error;
    addresses = std::move(resolved.addresses);
  }
  net::ConnectTls tls;
  tls.client = request_.tls;
  tls.name = request_.tls_name.empty() ? target.endpoint.host : request_.tls_name;
  const net::ConnectTls* const secured = target.is_https ? &tls : nullptr;
  error_code error = boost::asio::error::make_error_code(boost::asio::error::host_not_found);
  if (target.is_https && !tls.client) co_return error;
  for (const std::string& address : addresses) {
    if (left() <= milliseconds{0}) co_return error;
    net::Endpoint at = target.endpoint;
    at.host = address;
    net::ConnectResult made = co_await net::connect(executor_, wheel_, at, left(), secured);
    stream_ = std::move(made.stream);
    if (stream_) co_return error_code{};
    error = made.error;
  }
  co_return error;
}

std::string Fetch::head_text() const {
  std::string text = request_.method + " " + request_.target.path + " HTTP/1.1\r\nHost: " +
                     request_.target.authority + "\r\nConnection: close\r\n" + request_.headers;
  const bool has_body =
      !request_.body.empty() || request_.method == "POST" || request_.method == "PUT";
  if (has_body) text += "Content-Length: " + std::to_string(request_.body.size()) + "\r\n";
  return text + "\r\n";
}

net::Task<error_code> Fetch::send() {
  const std::string head = head_text();
  net::Pieces pieces(head);
  pieces.add(request_.body);
  const error_code error = co_await stream_->write_all(pieces, left());
  co_return error;
}

net::Task<error_code> Fetch::read_head() {
  const http::Method method = http::method_from(request_.method);
  for (int interim = 0; interim < fetch_interim_max; ++interim) {
    while (head_.bytes.empty() || parser_.feed(head_) != http::Progress::complete) {
      if (parser_.error() != http::ParseError::none) co_return not_http();
      if (left() <= milliseconds{0}) {
        co_return boost::asio::error::make_error_code(boost::asio::error::timed_out);
      }
      const auto room = head_.bytes.reserve(http::Buffer::block_bytes / 4);
      const net::IoResult got = co_await stream_->read_some(room, left());
      if (got.error) co_return got.error;
      head_.bytes.commit(got.bytes);
    }
    if (http::check_response(head_, method, false) != http::ParseError::none) co_return not_http();
    if (head_.status >= 200) co_return error_code{};
    head_.bytes.consume(head_.head_size);
    head_.clear();
    parser_.reset();
  }
  co_return not_http();
}

net::Task<error_code> Fetch::read_body() {
  body_.start(*stream_, head_.body, head_.bytes, head_.head_size, relay_);
  while (!body_.at_end()) {
    if (left() <= milliseconds{0}) {
      co_return boost::asio::error::make_error_code(boost::asio::error::timed_out);
    }
    const BodyPiece piece = co_await body_.next(left());
    if (piece.outcome == BodyPiece::Outcome::malformed) co_return not_http();
    if (piece.outcome == BodyPiece::Outcome::failed) co_return piece.error;
    if (result_.body.size() + piece.data.size() > request_.answer_bytes_max) co_return too_large();
    result_.body += piece.data;
  }
  co_return error_code{};
}

net::Task<Fetched> Fetch::run() {
  error_code error = co_await connect();
  if (!error) error = co_await send();
  // Whoever answers before the body was taken may close it; the answer counts.
  if (stream_ && error != boost::asio::error::timed_out) error = co_await read_head();
  if (!error) error = co_await read_body();
  if (stream_) stream_->close();
  if (error) {
    Fetched failed;
    failed.error = words_for(error);
    co_return failed;
  }
  result_.status = head_.status;
  result_.content_type = head_.value(http::HeaderId::content_type);
  co_return std::move(result_);
}

bool is_plain(std::string_view text) {
  return text.find_first_of(" \t\r\n\\\"<>") == std::string_view::npos &&
         text.find_first_not_of("!\"#$%&'()*+,-./0123456789:;<=>?@ABCDEFGHIJKLMNOPQRSTUVWXYZ[\\]^_`"
                                "abcdefghijklmnopqrstuvwxyz{|}~") == std::string_view::npos;
}

}  // namespace

std::optional<FetchTarget> parse_url(std::string_view url) {
  FetchTarget target;
  if (!is_plain(url) || url.find('#') != std::string_view::npos) return std::nullopt;
  if (url.starts_with("https://")) {
    target.is_https = true;
    url.remove_prefix(8);
  } else if (url.starts_with("http://")) {
    url.remove_prefix(7);
  } else {
    return std::nullopt;
  }
  const auto end = url.find_first_of("/?");
  target.authority = url.substr(0, end);
  if (end != std::string_view::npos) {
    target.path = url[end] == '?' ? "/" + std::string(url.substr(end)) : url.substr(end);
  }
  if (target.authority.find('@') != std::string::npos) return std::nullopt;
  const auto parts = http::split_authority(target.authority);
  if (!parts || parts->host.empty()) return std::nullopt;
  const std::string port(parts->port.empty() ? (target.is_https ? "443" : "80") : parts->port);
  const auto endpoint = net::parse_endpoint(std::string(parts->host) + ":" + port);
  if (!endpoint || endpoint->port == 0) return std::nullopt;
  target.endpoint = *endpoint;
  return target;
}

net::Task<Fetched> fetch(net::Executor executor, FetchRequest request) {
  const auto running = std::make_unique<Fetch>(executor, std::move(request));
  co_return co_await running->run();
}

}  // namespace proxy
