// A second opinion for tests and fuzzers: llhttp, strict, reads the bytes of a head that our parser
// has taken, from the same first byte and as far as it wants, and has to find the same end and the
// same parts. It is not in the program itself (docs/decisions/0001-one-parser.md).
// One thread; a value without state between two heads.
#pragma once

#include "proxy/http/head.h"

#include <string>

namespace proxy::http {

// Empty when llhttp reads `head.bytes` as our parser has; otherwise what differs. `passed`: the
// guard has let the head pass. What it refuses, llhttp may refuse too (lengths and codings are the
// guard's business with us, a target of no known form as well), but must not read differently.
//
// Differences that are legal, and are therefore allowed:
// - a TAB behind a length or a coding is white space like a blank (RFC 9110 section 5.6.3), which
//   llhttp 8 refuses there;
// - blanks at the ends of a reason, which nobody acts upon.
[[nodiscard]] std::string disagreement(const RequestHead& head, bool passed);
[[nodiscard]] std::string disagreement(const ResponseHead& head, bool passed);

// The lenient flags llhttp has read with: 0, always.
[[nodiscard]] unsigned oracle_leniency();

}  // namespace proxy::http
