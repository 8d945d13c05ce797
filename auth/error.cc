// Names of the errors, for logs and metrics.
#include "auth/error.h"

#include <stdexcept>
#include <string>

namespace auth {

std::string_view name(Error error) {
  switch (error) {
    case Error::missing:
      return "missing";
    case Error::ambiguous:
      return "ambiguous";
    case Error::malformed:
      return "malformed";
    case Error::unsupported_type:
      return "unsupported_type";
    case Error::unsupported_algorithm:
      return "unsupported_algorithm";
    case Error::unsupported_critical:
      return "unsupported_critical";
    case Error::unknown_key:
      return "unknown_key";
    case Error::bad_signature:
      return "bad_signature";
    case Error::expired:
      return "expired";
    case Error::not_yet_valid:
      return "not_yet_valid";
    case Error::missing_expiry:
      return "missing_expiry";
    case Error::wrong_issuer:
      return "wrong_issuer";
    case Error::wrong_audience:
      return "wrong_audience";
    case Error::wrong_claims:
      return "wrong_claims";
    case Error::unsafe_identity:
      return "unsafe_identity";
    case Error::revoked:
      return "revoked";
    case Error::unknown_user:
      return "unknown_user";
    case Error::disabled_user:
      return "disabled_user";
    case Error::wrong_password:
      return "wrong_password";
    case Error::throttled:
      return "throttled";
    case Error::overloaded:
      return "overloaded";
    case Error::insufficient_groups:
      return "insufficient_groups";
    case Error::insufficient_scope:
      return "insufficient_scope";
    case Error::insufficient_claims:
      return "insufficient_claims";
    case Error::store_unavailable:
      return "store_unavailable";
    case Error::no_entropy:
      return "no_entropy";
    case Error::no_memory:
      return "no_memory";
  }
  return "unknown";
}

void throw_exception_from_error(Error error, const boost::source_location& where) {
  throw std::logic_error(std::string(name(error)) + " at " + where.to_string());
}

}  // namespace auth
