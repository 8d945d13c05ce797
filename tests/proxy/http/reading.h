// What the tests of this folder and the fuzzers share: a head read in one go, and a whole
// conversation read in pieces of any size. Whatever is read here is also held against llhttp; a
// disagreement is an exception, which fails a test and stops a fuzzer wherever it comes up.
#pragma once

#include "llhttp_oracle.h"

#include "proxy/http/chunked.h"
#include "proxy/http/guard.h"
#include "proxy/http/parser.h"

#include <algorithm>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace proxy::http {

template <class Head>
void hold_against_llhttp(const Head& head, ParseError verdict) {
  const std::string difference = disagreement(head, verdict == ParseError::none);
  if (difference.empty()) return;
  throw std::logic_error("llhttp disagrees, " + difference + "\n" +
                         std::string(head.bytes.view().substr(0, head.head_size)));
}

struct Request {
  Progress progress = Progress::need_more;
  ParseError error = ParseError::none;
  RequestHead head;
};

// Parser and guard over `text`.
inline Request read_request(std::string_view text, HeadLimits limits = {}) {
  Request request;
  RequestParser parser(limits);
  request.head.bytes.append(text);
  request.progress = parser.feed(request.head);
  request.error = parser.error();
  if (request.progress == Progress::complete) {
    request.error = check_request(request.head);
    hold_against_llhttp(request.head, request.error);
  }
  return request;
}

// A complete request for `/`, with `fields` behind a good Host.
inline Request read_fields(std::string_view fields, std::string_view method = "POST") {
  std::string text(method);
  text.append(" / HTTP/1.1\r\nHost: a\r\n").append(fields).append("\r\n");
  return read_request(text);
}

struct Response {
  Progress progress = Progress::need_more;
  ParseError error = ParseError::none;
  ResponseHead head;
};

inline Response read_response(std::string_view text, Method method = Method::get,
                              bool upgrade_sent = false) {
  Response response;
  ResponseParser parser{HeadLimits{}};
  response.head.bytes.append(text);
  response.progress = parser.feed(response.head);
  response.error = parser.error();
  if (response.progress == Progress::complete) {
    response.error = check_response(response.head, method, upgrade_sent);
    hold_against_llhttp(response.head, response.error);
  }
  return response;
}

// One connection's worth of bytes, in pieces, as a list of what was understood: heads, bodies, and
// at most one error, behind which nothing is read.
class Conversation {
 public:
  void feed(std::string_view piece) {
    if (failed()) return;
    head_.bytes.append(piece);
    while (!failed() && !closed_ && step()) {
    }
  }

  [[nodiscard]] bool failed() const { return error_ != ParseError::none; }
  [[nodiscard]] ParseError error() const { return error_; }
  [[nodiscard]] const std::vector<std::string>& events() const { return events_; }

 private:
  // False when more bytes are needed.
  bool step() {
    if (in_body_) return read_body();
    const Progress progress = parser_.feed(head_);
    if (progress == Progress::need_more) return false;
    const ParseError error = progress == Progress::failed ? parser_.error() : check_request(head_);
    if (progress == Progress::complete) hold_against_llhttp(head_, error);
    if (error != ParseError::none) return fail(error);
    events_.push_back(describe());
    closed_ = head_.method == Method::connect;
    body_ = head_.body;
    head_.bytes.consume(head_.head_size);
    in_body_ = true;
    return true;
  }

  bool read_body() {
    const std::string_view bytes = head_.bytes.view();
    std::size_t consumed = 0;
    if (body_.kind == BodyKind::chunked) {
      const ChunkedDecoder::Step step = decoder_.next(bytes);
      if (step.state == ChunkedDecoder::State::failed) return fail(ParseError::bad_chunk);
      content_.append(step.data);
      consumed = step.consumed;
      if (step.state == ChunkedDecoder::State::end) body_ = {};
    } else if (body_.length != 0) {
      consumed = static_cast<std::size_t>(std::min<std::uint64_t>(body_.length, bytes.size()));
      content_.append(bytes.substr(0, consumed));
      body_.length -= consumed;
    }
    head_.bytes.consume(consumed);
    if (body_.kind != BodyKind::chunked && body_.length == 0) {
      events_.push_back("body " + content_);
      content_.clear();
      decoder_.reset();
      head_.clear();
      parser_.reset();
      in_body_ = false;
    }
    return !head_.bytes.empty();
  }

  std::string describe() const {
    std::string text(head_.method_text);
    text.append(" ").append(head_.authority).append(" ").append(head_.path);
    text.append(head_.has_query ? "?" : "").append(head_.query);
    for (const Field& field : head_.fields) {
      text.append("|").append(field.name).append("=").append(field.value);
    }
    return text;
  }

  bool fail(ParseError error) {
    error_ = error;
    events_.push_back("error " + std::string(name(error)));
    return false;
  }

  RequestParser parser_{HeadLimits{}};
  RequestHead head_;
  ChunkedDecoder decoder_;
  Body body_;
  bool in_body_ = false;
  bool closed_ = false;
  std::string content_;
  std::vector<std::string> events_;
  ParseError error_ = ParseError::none;
};

}  // namespace proxy::http
