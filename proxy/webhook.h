// Tells somebody about stolen tokens: a signed POST for each, one after the other, tried again with
// growing pauses, from a bounded queue. Control thread; outlives its loop's coroutines.
#pragma once

#include <deque>
#include <memory>
#include <string>

#include "proxy/fetch.h"
#include "proxy/store/session_store.h"

namespace proxy {

// What an alarm says, and how it is signed. Pure.
[[nodiscard]] std::string alarm_body(const store::Revocation& theft);
// "t=<seconds>,v1=<hex of HMAC-SHA-256 over "<seconds>.<body>">"
[[nodiscard]] std::string alarm_signature(std::string_view secret, std::int64_t seconds,
                                          std::string_view body);

struct WebhookOptions {
  std::string url;  // empty: alarms go nowhere
  std::string secret;
};

class Webhook {
 public:
  Webhook(net::Executor executor, WebhookOptions options);
  // For the alarms from then on.
  void set_options(WebhookOptions options);
  void raise(const store::Revocation& theft);

 private:
  net::Task<void> send_all();
  [[nodiscard]] net::Task<bool> send(const std::string& body);

  net::Executor executor_;
  WebhookOptions options_;
  std::shared_ptr<const net::TlsClient> tls_;
  std::deque<std::string> queue_;
  bool is_sending_ = false;
};

}  // namespace proxy
