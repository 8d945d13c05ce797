// One request with its response, while it is being worked on. Pooled by the worker, so that
// buffers, parsers and lists keep their storage from one request to the next. One thread; views in
// `decision`, `client` and `record` point into `request` and the connection.
#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <string_view>

#include "proxy/body.h"
#include "proxy/client.h"
#include "proxy/decide.h"
#include "proxy/http/head.h"
#include "proxy/http/parser.h"
#include "proxy/local_runtime.h"
#include "proxy/question.h"
#include "proxy/trace.h"

namespace proxy {

struct Exchange {
  // `version` tells configurations apart, since the parsers keep the limits they were made with.
  Exchange(const http::HeadLimits& limits, std::uint64_t version);

  const std::uint64_t limits_version;
  http::RequestHead request;
  http::RequestParser request_parser;
  http::ResponseHead response;
  http::ResponseParser response_parser;
  BodyReader request_body;
  BodyReader response_body;
  http::Buffer out;         // heads on their way out, to either side
  http::Buffer relay_up;    // request body
  http::Buffer relay_down;  // response body
  http::Buffer trailers_up;    // of rules that forward them: as they came, then as they go
  http::Buffer trailers_down;

  LocalRuntimeRef local;
  std::unique_ptr<Question> question;  // set where `request` asks about another one
  Decision decision;                   // about subject()
  std::string rewritten_path;  // behind decision.path where the rule rewrites
  Client client;
  std::array<char, 24> request_id{};
  Trace trace;
  std::chrono::steady_clock::time_point began;
  std::chrono::system_clock::time_point began_wall;
  std::chrono::microseconds upstream_duration{-1};
  std::chrono::microseconds upstream_began{-1};  // after `began`; where a span is recorded
  unsigned resends = 0;
  int status = 0;               // what the client was told; 0: nothing
  std::uint64_t bytes_out = 0;  // body bytes that went to the client
  TargetRef target;             // the endpoint that was asked last
  std::string_view upstream;    // its address
  std::string_view reason;      // why it was refused or failed; a literal or an enum's name
  std::string user;             // set by our endpoints; otherwise the token's
  std::string session_id;
  // Of a session that was renewed for this request: the token it goes on with, and the Set-Cookie
  // lines that every kind of answer carries.
  std::string fresh_token;
  std::string cookies;

  // The request that is decided about.
  [[nodiscard]] const http::RequestHead& subject() const {
    return question && question->problem.empty() ? question->head : request;
  }
  // Ready for the next request on the same connection; bytes read behind this one stay.
  void next();
  // Gives all buffers back to the thread's free list.
  void release();
};

}  // namespace proxy
