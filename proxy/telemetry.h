// Log lines. Three streams: application, access (one line a request) and audit (one line for each
// login, refresh, reuse, logout, throttle, revocation). JSON or text by `log.format`; every value
// is escaped, no value is ever a secret (SECURITY I10, I11).
// A Log belongs to one thread and fills a buffer of its own; full or ticked buffers go to the one
// LogWriter thread, so that a slow reader never blocks a worker: what does not fit is dropped and
// counted.
#pragma once

#include <chrono>
#include <cstdint>
#include <initializer_list>
#include <memory>
#include <string>
#include <string_view>

namespace proxy {

enum class Level : std::uint8_t { debug, info, warning, error };
enum class Format : std::uint8_t { json, text };
// clf and combined: as web servers write it, see access_line.h.
enum class AccessFormat : std::uint8_t { as_format, json, text, clf, combined };

struct LogOptions {
  Level level = Level::info;
  Format format = Format::json;
  bool access = true;
  AccessFormat access_format = AccessFormat::as_format;
  std::uint32_t access_sample = 1'000'000;  // millionths of the requests that went well
  std::string file;  // empty: access and audit to standard output, application to standard error
};

// One request, written when it is over, after failures too. Views live during the call.
struct AccessRecord {
  std::chrono::system_clock::time_point started;
  std::chrono::microseconds duration{0};
  std::chrono::microseconds upstream_duration{-1};  // -1: not forwarded
  std::string_view request_id;
  std::string_view trace_id;
  std::string_view client;  // address, after trusted proxies were honoured
  std::string_view method;
  std::string_view host;
  std::string_view path;        // without the query: it may hold secrets
  bool http_1_0 = false;
  int status = 0;               // 0: the client left before an answer
  std::uint64_t bytes_in = 0;   // body
  std::uint64_t bytes_out = 0;  // body
  std::string_view user;
  std::string_view session_id;
  std::string_view route;
  std::string_view upstream;  // endpoint address
  std::string_view reason;    // why it was refused or failed: an enum's name
  std::string_view user_agent;
  std::string_view referer;  // as it came; only where writes_referer()
};

// A security event. Empty views are left out.
struct AuditEvent {
  std::string_view event{};    // login, refresh, reuse, logout, throttle, revoke, admin
  std::string_view outcome{};  // ok, failed, rotated, replayed, ...
  std::string_view reason{};
  std::string_view user{};
  std::string_view session_id{};
  std::string_view client{};
  std::string_view request_id{};
  std::string_view trace_id{};
  std::string_view user_agent{};
};

struct LogField {
  std::string_view key{};
  std::string_view value{};
};

// The thread that writes. Process-wide; made before the workers, ended after them.
class LogWriter {
 public:
  explicit LogWriter(LogOptions options);
  ~LogWriter();  // writes what was handed over
  LogWriter(const LogWriter&) = delete;
  LogWriter& operator=(const LogWriter&) = delete;
  // An error sentence when `file` could not be opened, empty otherwise.
  [[nodiscard]] const std::string& error() const;
  void reopen();  // after logrotate
  [[nodiscard]] std::uint64_t dropped() const;

 private:
  friend class Log;
  struct Impl;
  std::shared_ptr<Impl> impl_;
};

class Log {
 public:
  Log(LogWriter& writer, LogOptions options);
  ~Log();  // flushes
  Log(const Log&) = delete;
  Log& operator=(const Log&) = delete;

  void access(const AccessRecord& record);
  void audit(const AuditEvent& event);
  // `message` is a sentence; fields carry the values.
  void write(Level level, std::string_view message, std::initializer_list<LogField> fields = {});
  [[nodiscard]] bool logs_access() const;
  [[nodiscard]] bool writes_referer() const;  // in the Combined Log Format
  void set_options(LogOptions options);  // level and format after a reload; the file stays
  void flush();                          // hand the buffer over; called by the worker's tick

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace proxy
