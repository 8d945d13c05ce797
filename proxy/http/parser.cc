// One reading: HeadScan judges every byte and notes where the parts stand; when the head is
// complete the views into it are made, once, from the buffer as it lies then.
#include "proxy/http/parser.h"

#include "proxy/http/head_scan.h"
#include "proxy/http/syntax.h"

namespace proxy::http {

// What both kinds of head share. Not in an unnamed namespace: the parsers' own Impl derive from it.
class HeadReader {
 public:
  HeadReader(HeadScan::Kind kind, const HeadLimits& limits) : scan_(kind, limits) {}

  // `head` gets its fields, version and head_size when it is complete.
  template <class Head>
  Progress feed(Head& head) {
    if (progress_ != Progress::need_more) return progress_;
    const std::string_view bytes = head.bytes.view();
    progress_ = scan_.scan(bytes);
    if (progress_ != Progress::complete) return progress_;
    head.fields.clear();
    for (const FieldSpan& field : scan_.fields()) {
      const std::string_view name = field.name.of(bytes);
      head.fields.push_back({header_id(name), name, syntax::trim(field.value.of(bytes))});
    }
    head.head_size = scan_.end();
    head.version_minor = scan_.version_minor();
    return progress_;
  }

  void reset() {
    scan_.reset();
    progress_ = Progress::need_more;
  }

  [[nodiscard]] const HeadScan& scan() const { return scan_; }

 private:
  HeadScan scan_;
  Progress progress_ = Progress::need_more;
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
  const Progress progress = impl_->feed(head);
  if (progress == Progress::complete) {
    const HeadScan& scan = impl_->scan();
    const std::string_view bytes = head.bytes.view();
    head.method = scan.method();
    head.method_text = scan.method_text().of(bytes);
    head.target = scan.start_text().of(bytes);
  }
  return progress;
}

ParseError RequestParser::error() const { return impl_->scan().error(); }
bool RequestParser::at_start() const { return impl_->scan().at_start(); }
void RequestParser::reset() { impl_->reset(); }

struct ResponseParser::Impl : HeadReader {
  explicit Impl(const HeadLimits& limits) : HeadReader(HeadScan::Kind::response, limits) {}
};

ResponseParser::ResponseParser(HeadLimits limits) : impl_(std::make_unique<Impl>(limits)) {}
ResponseParser::~ResponseParser() = default;

Progress ResponseParser::feed(ResponseHead& head) {
  const Progress progress = impl_->feed(head);
  if (progress == Progress::complete) {
    head.status = impl_->scan().status();
    head.reason = impl_->scan().start_text().of(head.bytes.view());
  }
  return progress;
}

// Whatever an upstream does wrong is one and the same thing to a client: 502.
ParseError ResponseParser::error() const {
  return impl_->scan().error() == ParseError::none ? ParseError::none : ParseError::bad_response;
}
void ResponseParser::reset() { impl_->reset(); }

}  // namespace proxy::http
