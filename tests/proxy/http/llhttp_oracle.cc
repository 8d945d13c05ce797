// llhttp's callbacks only collect; all comparing is done behind them. Nothing here uses the tables
// or helpers of our parser, or one mistake in them would be made twice.
#include "llhttp_oracle.h"

#include <llhttp.h>

#include <vector>

namespace proxy::http {
namespace {

#if LLHTTP_VERSION_MAJOR < 9
// Loose mode, the default of 8.x, takes CVE-2025-23167 and CVE-2023-30589.
static_assert(LLHTTP_STRICT_MODE == 1, "llhttp 8 must be compiled in strict mode");
#endif

struct Named {
  std::string name;
  std::string value;
};

struct Reading {
  std::string refusal;  // empty: taken
  std::size_t end = 0;
  std::string method;
  int status = 0;
  int version_major = 0;
  int version_minor = 0;
  unsigned leniency = 0;
  std::string start_text;  // request target, or reason
  std::vector<Named> fields;
  bool naming = false;  // the last callback was one of a name
};

Reading& reading_of(llhttp_t* parser) { return *static_cast<Reading*>(parser->data); }

int on_start_text(llhttp_t* parser, const char* at, std::size_t length) {
  reading_of(parser).start_text.append(at, length);
  return 0;
}

int on_field(llhttp_t* parser, const char* at, std::size_t length) {
  Reading& reading = reading_of(parser);
  if (!reading.naming) reading.fields.emplace_back();
  reading.naming = true;
  reading.fields.back().name.append(at, length);
  return 0;
}

// Several pieces of one value, a folded line for example, are put together: a value that differs
// from ours is then found, whatever llhttp's reason was.
int on_value(llhttp_t* parser, const char* at, std::size_t length) {
  Reading& reading = reading_of(parser);
  if (reading.fields.empty()) return -1;
  reading.naming = false;
  reading.fields.back().value.append(at, length);
  return 0;
}

int on_headers_complete(llhttp_t*) { return HPE_PAUSED; }

std::string without_blanks(std::string_view text) {
  const std::size_t first = text.find_first_not_of(" \t");
  if (first == std::string_view::npos) return {};
  return std::string(text.substr(first, text.find_last_not_of(" \t") - first + 1));
}

Reading read(std::string_view bytes, llhttp_type_t type) {
  llhttp_settings_t settings;
  llhttp_settings_init(&settings);
  settings.on_url = on_start_text;
  settings.on_status = on_start_text;
  settings.on_header_field = on_field;
  settings.on_header_value = on_value;
  settings.on_headers_complete = on_headers_complete;

  Reading reading;
  llhttp_t parser;
  llhttp_init(&parser, type, &settings);
  parser.data = &reading;
  const llhttp_errno_t error = llhttp_execute(&parser, bytes.data(), bytes.size());
  reading.leniency = parser.lenient_flags;
  if (error != HPE_PAUSED) {
    reading.refusal = llhttp_errno_name(error);
    return reading;
  }
  // llhttp 8 pauses on the last LF, 9 behind it.
  reading.end = static_cast<std::size_t>(llhttp_get_error_pos(&parser) - bytes.data());
  if (reading.end < bytes.size() && reading.end > 0 && bytes[reading.end - 1] == '\r') {
    ++reading.end;
  }
  if (type == HTTP_REQUEST) {
    reading.method = llhttp_method_name(static_cast<llhttp_method_t>(parser.method));
  }
  reading.status = parser.status_code;
  reading.version_major = parser.http_major;
  reading.version_minor = parser.http_minor;
  for (Named& field : reading.fields) field.value = without_blanks(field.value);
  return reading;
}

// The same head with every TAB at the end of a line made a blank; all offsets stay.
std::string with_blanks_at_line_ends(std::string_view bytes, std::size_t head_size) {
  std::string text(bytes);
  bool at_end = false;
  for (std::size_t at = head_size; at-- > 0;) {
    if (at_end && text[at] == '\t') text[at] = ' ';
    at_end = text[at] == '\r' || (at_end && text[at] == ' ');
  }
  return text;
}

std::string differ(std::string_view what, std::string_view ours, std::string_view llhttps) {
  std::string text(what);
  return text.append(": ours '").append(ours).append("', llhttp's '").append(llhttps).append("'");
}

// What requests and answers have in common.
template <class Head>
std::string compare(const Head& head, const Reading& theirs) {
  if (theirs.end != head.head_size) {
    return differ("end", std::to_string(head.head_size), std::to_string(theirs.end));
  }
  if (theirs.version_major != 1 || theirs.version_minor != head.version_minor) {
    return differ("version", std::to_string(head.version_minor),
                  std::to_string(theirs.version_minor));
  }
  if (theirs.fields.size() != head.fields.size()) {
    return differ("fields", std::to_string(head.fields.size()),
                  std::to_string(theirs.fields.size()));
  }
  for (std::size_t i = 0; i < head.fields.size(); ++i) {
    const Field& ours = head.fields[i];
    if (theirs.fields[i].name != ours.name) return differ("name", ours.name, theirs.fields[i].name);
    if (theirs.fields[i].value != ours.value) {
      return differ("value", ours.value, theirs.fields[i].value);
    }
  }
  return {};
}

template <class Head>
Reading read_again(const Head& head, llhttp_type_t type) {
  const std::string_view bytes = head.bytes.view();
  Reading reading = read(bytes, type);
  if (reading.refusal.empty()) return reading;
  return read(with_blanks_at_line_ends(bytes, head.head_size), type);
}

}  // namespace

std::string disagreement(const RequestHead& head, bool passed) {
  const Reading theirs = read_again(head, HTTP_REQUEST);
  if (!theirs.refusal.empty()) return passed ? theirs.refusal : std::string();
  if (theirs.method != head.method_text || theirs.method != name(head.method)) {
    return differ("method", head.method_text, theirs.method);
  }
  if (theirs.start_text != head.target) return differ("target", head.target, theirs.start_text);
  return compare(head, theirs);
}

std::string disagreement(const ResponseHead& head, bool passed) {
  const Reading theirs = read_again(head, HTTP_RESPONSE);
  if (!theirs.refusal.empty()) return passed ? theirs.refusal : std::string();
  if (theirs.status != head.status) {
    return differ("status", std::to_string(head.status), std::to_string(theirs.status));
  }
  const std::string reason = without_blanks(head.reason);
  if (without_blanks(theirs.start_text) != reason) {
    return differ("reason", reason, theirs.start_text);
  }
  return compare(head, theirs);
}

unsigned oracle_leniency() {
  return read("GET / HTTP/1.1\r\nHost: a\r\n\r\n", HTTP_REQUEST).leniency;
}

}  // namespace proxy::http
