// Names and statuses; see failure.h.
#include "proxy/failure.h"

namespace proxy {

std::string_view name(Failure failure) {
  switch (failure) {
    case Failure::none:
      return "";
    case Failure::upstream_unresolved:
      return "upstream_unresolved";
    case Failure::upstream_unavailable:
      return "upstream_unavailable";
    case Failure::upstream_overloaded:
      return "upstream_overloaded";
    case Failure::connect_refused:
      return "upstream_connect_failed";
    case Failure::connect_timeout:
      return "upstream_connect_timeout";
    case Failure::upstream_closed:
      return "upstream_closed";
    case Failure::upstream_timeout:
      return "upstream_timeout";
    case Failure::retryable_status:
      return "upstream_status";
    case Failure::bad_response:
      return "upstream_bad_response";
    case Failure::bad_request_body:
      return "bad_request_body";
    case Failure::request_body_timeout:
      return "request_body_timeout";
    case Failure::request_body_too_large:
      return "request_body_too_large";
    case Failure::client_closed:
      return "client_closed";
    case Failure::session_ended:
      return "session_ended";
  }
  return "";
}

int status_of(Failure failure) {
  switch (failure) {
    case Failure::connect_timeout:
    case Failure::upstream_timeout:
      return 504;
    case Failure::upstream_unavailable:
    case Failure::upstream_overloaded:
      return 503;
    case Failure::session_ended:
      return 401;
    case Failure::bad_request_body:
      return 400;
    case Failure::request_body_timeout:
      return 408;
    case Failure::request_body_too_large:
      return 413;
    default:
      return 502;
  }
}

}  // namespace proxy
