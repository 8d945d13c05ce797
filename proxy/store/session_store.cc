// The names of the store's closed lists, for logs and metrics; see session_store.h.
#include "proxy/store/session_store.h"

#include <boost/throw_exception.hpp>

#include <stdexcept>

namespace proxy::store {

std::string_view name(StoreError error) {
  switch (error) {
    case StoreError::unavailable: return "unavailable";
    case StoreError::full: return "full";
  }
  return "unknown";
}

void throw_exception_from_error(StoreError error, const boost::source_location& where) {
  boost::throw_exception(std::logic_error(std::string(name(error))), where);
}

std::string_view name(RevokeReason reason) {
  switch (reason) {
    case RevokeReason::logout: return "logout";
    case RevokeReason::logout_all: return "logout_all";
    case RevokeReason::login: return "login";
    case RevokeReason::reuse: return "reuse";
    case RevokeReason::admin: return "admin";
    case RevokeReason::user_changed: return "user_changed";
    case RevokeReason::expired: return "expired";
  }
  return "unknown";
}

}  // namespace proxy::store
