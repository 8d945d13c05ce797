// Two readings that must agree. HeadScan judges every byte as it comes and finds the end of the
// head; then llhttp, strict, reads the whole head once and names its parts. A head passes only when
// both take it, end it at the same byte and count the same fields, so a leniency of one is never a
// leniency of the proxy. Since llhttp sees complete heads only, its views need no bookkeeping when
// the buffer moves between reads.
#include "proxy/http/parser.h"

#include "proxy/http/head_scan.h"
#include "proxy/http/syntax.h"

#include <llhttp.h>

namespace proxy::http {
namespace {

#if LLHTTP_VERSION_MAJOR < 9
// Loose mode, the default of 8.x, takes CVE-2025-23167 and CVE-2023-30589.
static_assert(LLHTTP_STRICT_MODE == 1, "llhttp 8 must be compiled in strict mode");
#endif

// What the callbacks write to: the parts both kinds of head share.
struct Target {
  std::vector<Field>* fields = nullptr;
  std::string_view* start_text = nullptr;  // request target or reason
};

Target& target_of(llhttp_t* parser) { return *static_cast<Target*>(parser->data); }

int on_start_text(llhttp_t* parser, const char* at, std::size_t length) {
  *target_of(parser).start_text = {at, length};
  return 0;
}

int on_field(llhttp_t* parser, const char* at, std::size_t length) {
  const std::string_view name(at, length);
  target_of(parser).fields->push_back({header_id(name), name, {}});
  return 0;
}

int on_value(llhttp_t* parser, const char* at, std::size_t length) {
  std::vector<Field>& fields = *target_of(parser).fields;
  // A second piece of one value would be a folded line.
  if (fields.empty() || fields.back().value.data() != nullptr) return -1;
  fields.back().value = syntax::trim({at, length});
  return 0;
}

int on_headers_complete(llhttp_t*) { return HPE_PAUSED; }

const llhttp_settings_t& settings() {
  static const llhttp_settings_t value = [] {
    llhttp_settings_t s;
    llhttp_settings_init(&s);
    s.on_url = on_start_text;
    s.on_status = on_start_text;
    s.on_header_field = on_field;
    s.on_header_value = on_value;
    s.on_headers_complete = on_headers_complete;
    return s;
  }();
  return value;
}

// What llhttp refuses although the grammar allows it; the guard would refuse all of it too, but
// for white space it calls wrong (a TAB behind "chunked").
ParseError error_from(llhttp_errno_t error, const std::vector<Field>& fields) {
  switch (error) {
    case HPE_INVALID_CONTENT_LENGTH: return ParseError::bad_content_length;
    case HPE_INVALID_TRANSFER_ENCODING: return ParseError::bad_transfer_encoding;
    case HPE_UNEXPECTED_CONTENT_LENGTH:
      for (const Field& field : fields) {
        if (field.id == HeaderId::transfer_encoding) return ParseError::conflicting_length;
      }
      return ParseError::duplicate_header;
    case HPE_INVALID_URL: return ParseError::bad_target;
    case HPE_INVALID_METHOD: return ParseError::unknown_method;
    case HPE_INVALID_VERSION: return ParseError::bad_version;
    default: return ParseError::bad_header;
  }
}

}  // namespace

// The scan of one kind of head, and llhttp behind it. Not in the unnamed namespace: it is a base of
// the parsers' own Impl.
class HeadReader {
 public:
  HeadReader(HeadScan::Kind kind, const HeadLimits& limits) : scan_(kind, limits) {
    llhttp_init(&parser_, kind == HeadScan::Kind::request ? HTTP_REQUEST : HTTP_RESPONSE,
                &settings());
  }

  // `head` gets its fields, `start_text`, version and head_size.
  template <class Head>
  Progress feed(Head& head, std::string_view& start_text) {
    if (progress_ != Progress::need_more) return progress_;
    progress_ = scan_.scan(head.bytes.view());
    error_ = scan_.error();
    if (progress_ != Progress::complete) return progress_;
    error_ = read(head, start_text);
    if (error_ != ParseError::none) return progress_ = Progress::failed;
    head.head_size = scan_.end();
    head.version_minor = parser_.http_minor;
    return progress_;
  }

  void reset() {
    scan_.reset();
    progress_ = Progress::need_more;
    error_ = ParseError::none;
  }

  [[nodiscard]] const HeadScan& scan() const { return scan_; }
  [[nodiscard]] const llhttp_t& llhttp() const { return parser_; }
  [[nodiscard]] ParseError error() const { return error_; }

 private:
  template <class Head>
  ParseError read(Head& head, std::string_view& start_text) {
    head.fields.clear();
    Target target{&head.fields, &start_text};
    llhttp_reset(&parser_);
    parser_.data = &target;
    const std::string_view bytes =
        head.bytes.view().substr(scan_.begin(), scan_.end() - scan_.begin());
    const llhttp_errno_t error = llhttp_execute(&parser_, bytes.data(), bytes.size());
    parser_.data = nullptr;
    if (error != HPE_PAUSED) {
      return error == HPE_OK ? ParseError::bad_header : error_from(error, head.fields);
    }
    // llhttp 8 pauses on the last LF, 9 behind it.
    const char* end = bytes.data() + bytes.size();
    const char* paused = llhttp_get_error_pos(&parser_);
    const bool agree = (paused == end || paused + 1 == end) &&
                       head.fields.size() == scan_.fields() && parser_.http_major == 1;
    return agree ? ParseError::none : ParseError::bad_header;
  }

  HeadScan scan_;
  llhttp_t parser_{};
  Progress progress_ = Progress::need_more;
  ParseError error_ = ParseError::none;
};

std::string_view name(ParseError error) {
  switch (error) {
    case ParseError::none: return "none";
    case ParseError::bad_request_line: return "bad_request_line";
    case ParseError::bad_version: return "bad_version";
    case ParseError::unknown_method: return "unknown_method";
    case ParseError::bad_target: return "bad_target";
    case ParseError::target_too_long: return "target_too_long";
    case ParseError::bad_header: return "bad_header";
    case ParseError::header_too_large: return "header_too_large";
    case ParseError::head_too_large: return "head_too_large";
    case ParseError::too_many_headers: return "too_many_headers";
    case ParseError::bad_host: return "bad_host";
    case ParseError::bad_content_length: return "bad_content_length";
    case ParseError::bad_transfer_encoding: return "bad_transfer_encoding";
    case ParseError::unknown_transfer_encoding: return "unknown_transfer_encoding";
    case ParseError::conflicting_length: return "conflicting_length";
    case ParseError::bad_connection: return "bad_connection";
    case ParseError::bad_expect: return "bad_expect";
    case ParseError::bad_upgrade: return "bad_upgrade";
    case ParseError::duplicate_header: return "duplicate_header";
    case ParseError::bad_chunk: return "bad_chunk";
    case ParseError::bad_response: return "bad_response";
  }
  return "unknown";
}

int status_of(ParseError error) {
  switch (error) {
    case ParseError::target_too_long: return 414;
    case ParseError::bad_expect: return 417;
    case ParseError::header_too_large:
    case ParseError::head_too_large:
    case ParseError::too_many_headers: return 431;
    case ParseError::unknown_method:
    case ParseError::unknown_transfer_encoding: return 501;
    case ParseError::bad_response: return 502;
    case ParseError::bad_version: return 505;
    default: return 400;
  }
}

struct RequestParser::Impl : HeadReader {
  explicit Impl(const HeadLimits& limits) : HeadReader(HeadScan::Kind::request, limits) {}
};

RequestParser::RequestParser(HeadLimits limits) : impl_(std::make_unique<Impl>(limits)) {}
RequestParser::~RequestParser() = default;

Progress RequestParser::feed(RequestHead& head) {
  const Progress progress = impl_->feed(head, head.target);
  if (progress == Progress::complete) {
    const HeadScan& scan = impl_->scan();
    head.method_text = head.bytes.view().substr(scan.begin(), scan.method_bytes());
    head.method = method_from(head.method_text);
  }
  return progress;
}

ParseError RequestParser::error() const { return impl_->error(); }
bool RequestParser::at_start() const { return impl_->scan().at_start(); }
void RequestParser::reset() { impl_->reset(); }
unsigned RequestParser::leniency() const { return impl_->llhttp().lenient_flags; }

struct ResponseParser::Impl : HeadReader {
  explicit Impl(const HeadLimits& limits) : HeadReader(HeadScan::Kind::response, limits) {}
};

ResponseParser::ResponseParser(HeadLimits limits) : impl_(std::make_unique<Impl>(limits)) {}
ResponseParser::~ResponseParser() = default;

Progress ResponseParser::feed(ResponseHead& head) {
  const Progress progress = impl_->feed(head, head.reason);
  if (progress == Progress::complete) head.status = impl_->llhttp().status_code;
  return progress;
}

// Whatever an upstream does wrong is one and the same thing to a client: 502.
ParseError ResponseParser::error() const {
  return impl_->error() == ParseError::none ? ParseError::none : ParseError::bad_response;
}
void ResponseParser::reset() { impl_->reset(); }

}  // namespace proxy::http
