// Log fills two buffers on its own thread (access and audit, application) and hands them over under
// a short lock; the LogWriter's thread swaps them out and writes. Only that thread ever waits for a
// reader, and what it could not take in time is dropped and counted, never waited for.
#include "proxy/telemetry.h"

#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <condition_variable>
#include <cstring>
#include <mutex>
#include <thread>
#include <utility>

#include "proxy/access_line.h"
#include "proxy/event_metrics.h"

namespace proxy {

namespace {

constexpr std::size_t buffer_bytes = 64 * 1024;
// An access line with every value at its limit and every byte escaped sixfold has about 22 KiB.
constexpr std::size_t line_bytes_max = 24 * 1024;
// What may wait for a reader that does not read, for each of the two streams.
constexpr std::size_t pending_bytes_max = 4 * 1024 * 1024;
// A buffer that grew in a jam is given back afterwards.
constexpr std::size_t kept_bytes_max = 1024 * 1024;
// How long the end of the process waits for a jammed reader.
constexpr std::chrono::seconds farewell{2};

enum Stream : std::size_t { records, application };

std::string_view level_name(Level level) {
  switch (level) {
    case Level::debug:
      return "debug";
    case Level::info:
      return "info";
    case Level::warning:
      return "warning";
    case Level::error:
      break;
  }
  return "error";
}

// O_NONBLOCK matters for named pipes only, whose reader may be slow or gone.
int open_for_append(const std::string& file) {
  return ::open(file.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOCTTY | O_NONBLOCK,
                0640);
}

// Lines that wait, and how many they are.
struct Lines {
  http::Buffer text;
  std::uint64_t count = 0;
  void clear() {
    text.clear();
    count = 0;
  }
};

// Pipes, sockets and terminals can jam. A pipe that poll() calls writable takes PIPE_BUF bytes
// without blocking, even where standard output is in blocking mode (its mode is shared with other
// processes, so it is not ours to change).
bool can_jam(int descriptor) {
  struct stat status {};
  return ::fstat(descriptor, &status) != 0 || !S_ISREG(status.st_mode);
}

// At most `bytes_max` bytes, ending at a line where possible: another process may write to the same
// pipe, and writes of up to PIPE_BUF bytes are not torn apart.
std::string_view piece_of(std::string_view text, std::size_t bytes_max) {
  if (text.size() <= bytes_max) return text;
  const std::size_t line_end = text.rfind('\n', bytes_max - 1);
  return text.substr(0, line_end == std::string_view::npos ? bytes_max : line_end + 1);
}

}  // namespace

struct LogWriter::Impl {
  std::string file;
  Format format = Format::json;
  std::string error;
  int file_descriptor = -1;  // of the writer's thread once it runs; -1: the standard streams

  std::mutex mutex;
  std::condition_variable wake;
  std::array<Lines, 2> pending;  // guarded by mutex
  bool reopen_asked = false;     // guarded by mutex
  bool stopping = false;         // guarded by mutex
  std::chrono::steady_clock::time_point give_up = std::chrono::steady_clock::time_point::max();

  std::atomic<std::uint64_t> dropped{0};
  std::uint64_t dropped_reported = 0;  // of the writer's thread
  std::thread thread;

  void take(Stream stream, Lines& lines);
  void run();
  void reopen_file();
  // How many lines were lost.
  std::uint64_t write_out(Stream stream, Lines& lines);
  bool wait_writable(int descriptor);
  void report_dropped();
  void complain(std::string_view message, std::string_view key, std::string_view value);
  [[nodiscard]] int descriptor_of(Stream stream) const {
    if (file_descriptor >= 0) return file_descriptor;
    return stream == records ? STDOUT_FILENO : STDERR_FILENO;
  }
};

// Called by any thread with a Log. The lock is held for one copy, never for a write.
void LogWriter::Impl::take(Stream stream, Lines& lines) {
  if (lines.count == 0) return;
  {
    const std::lock_guard lock(mutex);
    Lines& waiting = pending[stream];
    if (waiting.text.size() + lines.text.size() > pending_bytes_max) {
      dropped.fetch_add(lines.count, std::memory_order_relaxed);
    } else {
      waiting.text.append(lines.text.view());
      waiting.count += lines.count;
    }
  }
  lines.clear();
  wake.notify_one();
}

void LogWriter::Impl::run() {
  std::array<Lines, 2> writing;
  bool last = false;
  while (!last) {
    bool reopen_now = false;
    {
      std::unique_lock lock(mutex);
      wake.wait(lock, [this] {
        return stopping || reopen_asked || pending[records].count + pending[application].count > 0;
      });
      std::swap(writing, pending);
      reopen_now = std::exchange(reopen_asked, false);
      last = stopping;
    }
    if (reopen_now) reopen_file();
    const std::uint64_t lost_records = write_out(records, writing[records]);
    const std::uint64_t lost_lines = write_out(application, writing[application]);
    dropped.fetch_add(lost_records + lost_lines, std::memory_order_relaxed);
    report_dropped();
  }
}

void LogWriter::Impl::reopen_file() {
  if (file.empty()) return;
  const int opened = open_for_append(file);
  if (opened < 0) {
    // The old file is better than none.
    complain("the log file could not be opened again", "error", std::strerror(errno));
    return;
  }
  if (file_descriptor >= 0) ::close(file_descriptor);
  file_descriptor = opened;
}

// Waits until the reader takes more; false when the process ends and has waited long enough.
bool LogWriter::Impl::wait_writable(int descriptor) {
  while (true) {
    pollfd entry{descriptor, POLLOUT, 0};
    const int ready = ::poll(&entry, 1, 100);
    if (ready > 0 || (ready < 0 && errno != EINTR)) return true;
    const std::lock_guard lock(mutex);
    if (std::chrono::steady_clock::now() >= give_up) return false;
  }
}

std::uint64_t LogWriter::Impl::write_out(Stream stream, Lines& lines) {
  const int descriptor = descriptor_of(stream);
  const bool jams = can_jam(descriptor);
  std::string_view rest = lines.text.view();
  while (!rest.empty()) {
    if (jams && !wait_writable(descriptor)) break;
    const std::string_view piece = piece_of(rest, jams ? PIPE_BUF : rest.size());
    const ssize_t written = ::write(descriptor, piece.data(), piece.size());
    if (written >= 0) {
      rest.remove_prefix(static_cast<std::size_t>(written));
    } else if (errno != EINTR && errno != EAGAIN) {
      break;  // disk full, reader gone: these lines are lost, the next may fare better
    }
  }
  const auto lost = static_cast<std::uint64_t>(std::count(rest.begin(), rest.end(), '\n'));
  lines.clear();
  if (lines.text.room() > kept_bytes_max) lines.text.release();
  return lost;
}

void LogWriter::Impl::report_dropped() {
  const std::uint64_t now = dropped.load(std::memory_order_relaxed);
  if (now == dropped_reported) return;
  const std::string count = std::to_string(now - dropped_reported);
  dropped_reported = now;
  complain("log lines were dropped because they could not be written in time", "count", count);
}

// The writer's own line. It is not counted when it is lost too: a report about a lost report would
// never end.
void LogWriter::Impl::complain(std::string_view message, std::string_view key,
                               std::string_view value) {
  LogClock clock;
  Lines lines;
  LogLine line(lines.text, format);
  line.begin(clock.text(std::chrono::system_clock::now()), "log");
  line.word("level", level_name(Level::warning));
  line.sentence("message", message);
  line.field(key, value);
  line.end();
  (void)write_out(application, lines);
}

LogWriter::LogWriter(LogOptions options) : impl_(std::make_shared<Impl>()) {
  impl_->file = std::move(options.file);
  impl_->format = options.format;
  if (!impl_->file.empty()) {
    impl_->file_descriptor = open_for_append(impl_->file);
    if (impl_->file_descriptor < 0) {
      impl_->error = "the log file " + impl_->file + " cannot be opened: " + std::strerror(errno);
    }
  }
  // Signals are for the control thread; and a blocked SIGPIPE leaves write() with EPIPE.
  sigset_t all{};
  sigset_t before{};
  ::sigfillset(&all);
  ::pthread_sigmask(SIG_SETMASK, &all, &before);
  impl_->thread = std::thread([impl = impl_.get()] { impl->run(); });
  ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
}

LogWriter::~LogWriter() {
  {
    const std::lock_guard lock(impl_->mutex);
    impl_->stopping = true;
    impl_->give_up = std::chrono::steady_clock::now() + farewell;
  }
  impl_->wake.notify_one();
  impl_->thread.join();
  if (impl_->file_descriptor >= 0) ::close(impl_->file_descriptor);
}

const std::string& LogWriter::error() const { return impl_->error; }

void LogWriter::reopen() {
  {
    const std::lock_guard lock(impl_->mutex);
    impl_->reopen_asked = true;
  }
  impl_->wake.notify_one();
}

std::uint64_t LogWriter::dropped() const { return impl_->dropped.load(std::memory_order_relaxed); }

struct Log::Impl {
  std::shared_ptr<LogWriter::Impl> writer;
  LogOptions options;
  LogClock clock;
  std::array<Lines, 2> lines;
  std::uint32_t sample_credit = 0;

  Impl(std::shared_ptr<LogWriter::Impl> to, LogOptions with)
      : writer(std::move(to)), options(std::move(with)) {
    static_cast<void>(lines[records].text.reserve(buffer_bytes));
  }

  // A file takes all lines in their order.
  [[nodiscard]] Lines& lines_of(Stream stream) {
    return writer->file.empty() ? lines[stream] : lines[records];
  }

  [[nodiscard]] Format access_line_format() const {
    if (options.access_format == AccessFormat::as_format) return options.format;
    return options.access_format == AccessFormat::text ? Format::text : Format::json;
  }

  // Exactly `access_sample` of the lines of requests that went well, evenly spread.
  [[nodiscard]] bool is_sampled(const AccessRecord& record) {
    if (options.access_sample >= 1'000'000) return true;
    if (record.status == 0 || record.status >= 400 || !record.reason.empty()) return true;
    sample_credit += options.access_sample;
    if (sample_credit < 1'000'000) return false;
    sample_credit -= 1'000'000;
    return true;
  }

  [[nodiscard]] LogLine begin(Stream stream, std::chrono::system_clock::time_point time,
                              std::string_view type) {
    return begin(stream, time, type, options.format);
  }
  [[nodiscard]] LogLine begin(Stream stream, std::chrono::system_clock::time_point time,
                              std::string_view type, Format format) {
    LogLine line(lines_of(stream).text, format);
    line.begin(clock.text(time), type);
    return line;
  }

  void end(Stream stream, LogLine& line) {
    line.end();
    ended(stream);
  }

  void ended(Stream stream) {
    Lines& filled = lines_of(stream);
    ++filled.count;
    // Application lines are few and wanted at once; the others wait for the tick.
    if (stream == application || filled.text.size() > buffer_bytes - line_bytes_max) {
      writer->take(&filled == &lines[records] ? records : application, filled);
    }
  }
};

Log::Log(LogWriter& writer, LogOptions options)
    : impl_(std::make_unique<Impl>(writer.impl_, std::move(options))) {}

Log::~Log() { flush(); }

void Log::access(const AccessRecord& record) {
  if (!impl_->options.access) return;
  if (!impl_->is_sampled(record)) return;
  switch (impl_->options.access_format) {
    case AccessFormat::clf:
    case AccessFormat::combined: {
      http::Buffer& out = impl_->lines_of(records).text;
      append_common_line(record, impl_->options.access_format == AccessFormat::combined, out);
      out.push_back('\n');
      impl_->ended(records);
      return;
    }
    case AccessFormat::json:
    case AccessFormat::text:
    case AccessFormat::as_format:
      break;
  }
  LogLine line = impl_->begin(records, record.started, "access", impl_->access_line_format());
  add_access_fields(line, record);
  impl_->end(records, line);
}

void Log::audit(const AuditEvent& event) {
  count_event(event);
  LogLine line = impl_->begin(records, std::chrono::system_clock::now(), "audit");
  line.word("event", event.event);
  line.word("outcome", event.outcome);
  line.field("reason", event.reason);
  line.field("user", event.user);
  line.field("session_id", event.session_id);
  line.field("client", event.client);
  line.field("request_id", event.request_id);
  line.field("trace_id", event.trace_id);
  line.field("user_agent", event.user_agent);
  impl_->end(records, line);
}

void Log::write(Level level, std::string_view message, std::initializer_list<LogField> fields) {
  if (level < impl_->options.level) return;
  LogLine line = impl_->begin(application, std::chrono::system_clock::now(), "log");
  line.word("level", level_name(level));
  line.sentence("message", message);
  for (const LogField& field : fields) line.field(field.key, field.value);
  impl_->end(application, line);
}

bool Log::logs_access() const { return impl_->options.access; }
bool Log::writes_referer() const {
  return impl_->options.access_format == AccessFormat::combined;
}

void Log::set_options(LogOptions options) { impl_->options = std::move(options); }

void Log::flush() {
  impl_->writer->take(records, impl_->lines[records]);
  impl_->writer->take(application, impl_->lines[application]);
}

}  // namespace proxy
