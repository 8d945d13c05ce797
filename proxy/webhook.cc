// See webhook.h.
#include "proxy/webhook.h"

#include <algorithm>
#include <boost/asio/co_spawn.hpp>
#include <chrono>
#include <utility>

#include "auth/bytes.h"
#include "proxy/endpoints/json_text.h"
#include "proxy/metrics.h"
#include "proxy/net/timer.h"

namespace proxy {
namespace {

constexpr std::size_t queue_max = 1'000;
constexpr int tries_max = 6;  // over about a minute
constexpr std::chrono::milliseconds first_pause{1'000};

std::int64_t unix_seconds(auth::Time time) {
  return std::chrono::floor<std::chrono::seconds>(time).time_since_epoch().count();
}

}  // namespace

std::string alarm_body(const store::Revocation& theft) {
  endpoints::JsonText json;
  json.text("event", "refresh_token_reuse");
  json.text("user", theft.username);
  json.text("sessionId", theft.session_id);
  json.number("at", unix_seconds(theft.at));
  return json.done();
}

std::string alarm_signature(std::string_view secret, std::int64_t seconds, std::string_view body) {
  const std::string time = std::to_string(seconds);
  std::string signed_text = time;
  signed_text.append(".").append(body);
  const auth::Digest digest = auth::hmac_sha256(secret, signed_text);
  const std::string_view bytes(reinterpret_cast<const char*>(digest.data()), digest.size());
  return "t=" + time + ",v1=" + auth::hex(bytes);
}

Webhook::Webhook(net::Executor executor, WebhookOptions options) : executor_(std::move(executor)) {
  set_options(std::move(options));
}

void Webhook::set_options(WebhookOptions options) {
  options_ = std::move(options);
  tls_.reset();
  if (!options_.url.starts_with("https:")) return;
  net::TlsProblem problem;
  tls_ = net::TlsClient::make({}, problem);
}

void Webhook::raise(const store::Revocation& theft) {
  if (options_.url.empty()) return;
  if (queue_.size() >= queue_max) return count(Metric::alerts, "dropped");
  queue_.push_back(alarm_body(theft));
  if (is_sending_) return;
  is_sending_ = true;
  boost::asio::co_spawn(executor_, send_all(), [this](std::exception_ptr failure) {
    is_sending_ = false;
    if (failure) count(Metric::alerts, "failed");
  });
}

net::Task<void> Webhook::send_all() {
  net::Timer pause(executor_);
  while (!queue_.empty()) {
    const std::string body = std::move(queue_.front());
    queue_.pop_front();
    bool is_sent = co_await send(body);
    for (int tries = 1; !is_sent && tries < tries_max; ++tries) {
      pause.expires_after(first_pause * (1 << (tries - 1)));
      co_await pause.async_wait(net::as_result);
      is_sent = co_await send(body);
    }
    count(Metric::alerts, is_sent ? "sent" : "failed");
  }
}

net::Task<bool> Webhook::send(const std::string& body) {
  auto target = parse_url(options_.url);
  if (!target) co_return false;
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(now).count();
  FetchRequest request;
  request.target = std::move(*target);
  request.tls = tls_;
  request.method = "POST";
  request.headers = "Content-Type: application/json\r\nX-Gatehouse-Signature: " +
                    alarm_signature(options_.secret, seconds, body) + "\r\n";
  request.body = body;
  const Fetched answer = co_await fetch(executor_, std::move(request));
  const bool is_sent = answer.status >= 200 && answer.status < 300;
  co_return is_sent;
}

}  // namespace proxy
