// Why an exchange with the application failed, and on whose side. Pure; any thread.
#pragma once

#include <cstdint>
#include <string_view>

namespace proxy {

// What went wrong, on which side; the status and the log line follow from it.
enum class Failure : std::uint8_t {
  none,
  upstream_unresolved,     // 502: its name has no address
  upstream_unavailable,    // 503: the health check found no endpoint well
  upstream_overloaded,     // 503: no connection came free in time
  connect_refused,         // 502
  connect_timeout,         // 504
  upstream_closed,         // 502: before a complete answer
  upstream_timeout,        // 504: no answer in time
  retryable_status,        // an answer that is asked for once more; never the last word
  bad_response,            // 502: an answer no proxy may pass on
  bad_request_body,        // 400
  request_body_timeout,    // 408
  request_body_too_large,  // 413
  client_closed,           // nobody left to answer
  session_ended,           // a stream whose session was revoked
};
[[nodiscard]] std::string_view name(Failure failure);
[[nodiscard]] int status_of(Failure failure);
// Whether the application is to blame, and not the client, its request or its session.
[[nodiscard]] inline bool is_of_upstream(Failure failure) {
  return failure != Failure::client_closed && status_of(failure) >= 502;
}

}  // namespace proxy
