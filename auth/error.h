// The closed list of reasons why a credential is not accepted, and the Result that carries them.
// Which of them is 401, 403 or 503 is decided in one place (proxy/decide.cc); clients never see
// the name, logs always do.
#pragma once

#include <boost/system/result.hpp>
#include <string_view>

namespace auth {

enum class Error {
  missing,              // no credential at all
  ambiguous,            // two credentials where one is allowed
  malformed,            // not three base64url parts, bad JSON, wrong types, over the size limit
  unsupported_type,     // `typ` is not one we take here
  unsupported_algorithm,
  unsupported_critical, // `crit` names something
  unknown_key,          // no key with that kid, or none for that algorithm
  bad_signature,
  expired,
  not_yet_valid,
  missing_expiry,
  wrong_issuer,
  wrong_audience,
  wrong_claims,         // a claim has the wrong type or unsafe bytes
  unsafe_identity,      // verified, but a claim could not stand in a header for the application
  revoked,
  unknown_user,
  disabled_user,
  wrong_password,
  throttled,
  overloaded,           // the hashing queue is full
  insufficient_groups,
  insufficient_scope,
  insufficient_claims,
  store_unavailable,
  no_entropy,           // the random generator failed; nothing is issued
  no_memory,            // for the check itself: nothing is known about the credential
};

[[nodiscard]] std::string_view name(Error error);

template <class T>
using Result = boost::system::result<T, Error>;

// For Result::value() on an error: a programming mistake, never reached by input.
[[noreturn]] void throw_exception_from_error(Error error, const boost::source_location& where);

}  // namespace auth
