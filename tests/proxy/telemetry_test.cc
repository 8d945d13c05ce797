// Log lines as their readers see them: escaping, the three streams, a reader that does not read,
// and a file that is moved away. Files live in a directory of their own for each test.
#include "proxy/telemetry.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <boost/json.hpp>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

#include "proxy/log_line.h"

namespace proxy {
namespace {

using std::chrono::microseconds;
using std::chrono::milliseconds;
using std::chrono::sys_days;
using std::chrono::sys_time;
using namespace std::chrono_literals;

class LogFile : public ::testing::Test {
 protected:
  LogFile() {
    std::string name = (std::filesystem::temp_directory_path() / "gatehouse-log-XXXXXX").string();
    directory_ = ::mkdtemp(name.data());
    file_ = directory_ / "gatehouse.log";
  }
  ~LogFile() override { std::filesystem::remove_all(directory_); }

  [[nodiscard]] LogOptions options(Format format = Format::json) const {
    LogOptions result;
    result.format = format;
    result.file = file_.string();
    return result;
  }

  static std::vector<std::string> lines_of(const std::filesystem::path& file) {
    std::ifstream in(file);
    std::vector<std::string> lines;
    for (std::string line; std::getline(in, line);) lines.push_back(line);
    return lines;
  }

  std::filesystem::path directory_;
  std::filesystem::path file_;
};

AccessRecord example_record() {
  AccessRecord record;
  record.started = sys_days{std::chrono::year{2026} / 8 / 26} + 10h + 5s + 7ms;
  record.duration = 12'345us;
  record.upstream_duration = 9'001us;
  record.request_id = "0f3a";
  record.client = "192.0.2.7";
  record.method = "GET";
  record.host = "app.example.com";
  record.path = "/orders";
  record.status = 200;
  record.bytes_out = 512;
  record.user = "alice";
  return record;
}

std::string escaped(std::string_view text, std::size_t bytes_max = 1000) {
  http::Buffer out;
  log_detail::append_escaped(out, text, bytes_max);
  return std::string(out.view());
}

TEST(LogLine, ControlBytesAndQuotesAreEscaped) {
  EXPECT_EQ(escaped("a\nb\r\tc"), "a\\u000ab\\u000d\\u0009c");
  EXPECT_EQ(escaped("\x1b[31m\x7f"), "\\u001b[31m\\u007f");
  EXPECT_EQ(escaped(std::string_view("\0", 1)), "\\u0000");
  EXPECT_EQ(escaped("say \"hi\" \\ now"), "say \\\"hi\\\" \\\\ now");
}

TEST(LogLine, LineSeparatorsAndHiddenMarksAreEscaped) {
  EXPECT_EQ(escaped("a\xe2\x80\xa8" "b\xe2\x80\xa9"), "a\\u2028b\\u2029");
  EXPECT_EQ(escaped("\xc2\x85"), "\\u0085");          // NEL ends a line for some readers
  EXPECT_EQ(escaped("\xe2\x80\xae" "cod"), "\\u202ecod");  // turns the rest of the line around
  EXPECT_EQ(escaped("\xef\xbb\xbf"), "\\ufeff");
}

TEST(LogLine, ValidUtf8StaysAndInvalidBytesAreReplaced) {
  const std::string_view valid = "J\xc3\xbcrgen \xe6\x97\xa5 \xf0\x9f\x94\x91";
  EXPECT_EQ(escaped(valid), valid);
  EXPECT_EQ(escaped("a\xff" "b"), "a\\ufffdb");
  EXPECT_EQ(escaped("\xc0\xaf"), "\\ufffd\\ufffd");              // overlong '/'
  EXPECT_EQ(escaped("\xed\xa0\x80"), "\\ufffd\\ufffd\\ufffd");   // a surrogate
  EXPECT_EQ(escaped("\xf4\x90\x80\x80"), "\\ufffd\\ufffd\\ufffd\\ufffd");
  EXPECT_EQ(escaped("\xe2\x80"), "\\ufffd\\ufffd");              // cut short
}

TEST(LogLine, LongValuesAreCutBetweenCharacters) {
  EXPECT_EQ(escaped("abcdef", 6), "abcdef");
  EXPECT_EQ(escaped("abcdefg", 6), "abcdef...");
  EXPECT_EQ(escaped("abcde\xc3\xbc", 6), "abcde...");
}

TEST(LogClock, WritesRfc3339WithMilliseconds) {
  LogClock clock;
  const auto time = sys_days{std::chrono::year{2026} / 2 / 3} + 4h + 5min + 6s;
  EXPECT_EQ(clock.text(time + 7ms), "2026-02-03T04:05:06.007Z");
  EXPECT_EQ(clock.text(time + 999ms), "2026-02-03T04:05:06.999Z");
  EXPECT_EQ(clock.text(time + 1s), "2026-02-03T04:05:07.000Z");
  EXPECT_EQ(clock.text(time - 24h), "2026-02-02T04:05:06.000Z");
}

TEST_F(LogFile, AccessLinesInTheFormatsOfWebServers) {
  {
    LogOptions with = options();
    with.access_format = AccessFormat::clf;
    LogWriter writer(with);
    Log log(writer, with);
    AccessRecord record = example_record();
    record.trace_id = "4bf92f35";
    log.access(record);
    with.access_format = AccessFormat::combined;
    log.set_options(with);
    record.user = "a b\"";
    record.status = 0;
    record.http_1_0 = true;
    record.user_agent = "x\" 200\n";
    record.trace_id = {};
    log.access(record);
  }
  const auto lines = lines_of(file_);
  ASSERT_EQ(lines.size(), 2U);
  EXPECT_EQ(lines[0], "192.0.2.7 - alice [26/Aug/2026:10:00:05 +0000] \"GET /orders HTTP/1.1\" 200 "
                      "512 0f3a 4bf92f35");
  EXPECT_EQ(lines[1], "192.0.2.7 - a\\u0020b\\\" [26/Aug/2026:10:00:05 +0000] \"GET /orders "
                      "HTTP/1.0\" 499 512 \"-\" \"x\\\" 200\\u000a\" 0f3a -");
}

TEST_F(LogFile, ASampleOfTheAccessLinesAndAllOfThoseThatFailed) {
  {
    LogOptions with = options();
    with.access_sample = 100'000;
    LogWriter writer(with);
    Log log(writer, with);
    AccessRecord record = example_record();
    for (int i = 0; i < 100; ++i) log.access(record);
    record.status = 403;
    for (int i = 0; i < 5; ++i) log.access(record);
    record.status = 0;
    log.access(record);
  }
  EXPECT_EQ(lines_of(file_).size(), 10U + 5U + 1U);
}

TEST_F(LogFile, AccessLineIsOneJsonObject) {
  {
    LogWriter writer(options());
    ASSERT_EQ(writer.error(), "");
    Log log(writer, options());
    AccessRecord record = example_record();
    record.user_agent = "evil\"}\n{\"type\":\"audit\"";
    log.access(record);
  }
  const auto lines = lines_of(file_);
  ASSERT_EQ(lines.size(), 1U);
  const auto line = boost::json::parse(lines[0]).as_object();
  EXPECT_EQ(line.at("time"), "2026-08-26T10:00:05.007Z");
  EXPECT_EQ(line.at("type"), "access");
  EXPECT_EQ(line.at("status").to_number<int>(), 200);
  EXPECT_EQ(line.at("method"), "GET");
  EXPECT_EQ(line.at("host"), "app.example.com");
  EXPECT_EQ(line.at("path"), "/orders");
  EXPECT_DOUBLE_EQ(line.at("duration_ms").as_double(), 12.345);
  EXPECT_DOUBLE_EQ(line.at("upstream_ms").as_double(), 9.001);
  EXPECT_EQ(line.at("bytes_out").to_number<int>(), 512);
  EXPECT_EQ(line.at("user"), "alice");
  EXPECT_EQ(line.at("user_agent"), "evil\"}\n{\"type\":\"audit\"");
  EXPECT_FALSE(line.contains("session_id"));
}

TEST_F(LogFile, TextLinesAreCompactAndQuoteWhatNeedsIt) {
  {
    LogWriter writer(options(Format::text));
    Log log(writer, options(Format::text));
    AccessRecord record = example_record();
    record.user = "al ice\n";
    log.access(record);
    log.write(Level::warning, "the store cannot be reached", {{"store", "redis:6379"}});
    log.flush();
  }
  const auto lines = lines_of(file_);
  ASSERT_EQ(lines.size(), 2U);
  EXPECT_EQ(lines[0],
            "2026-08-26T10:00:05.007Z access 200 GET app.example.com /orders duration_ms=12.345 "
            "upstream_ms=9.001 bytes_in=0 bytes_out=512 client=192.0.2.7 user=\"al ice\\u000a\" "
            "request_id=0f3a");
  EXPECT_EQ(lines[1].substr(24), " log warning the store cannot be reached store=redis:6379");
}

TEST_F(LogFile, AuditLineNamesEventAndOutcome) {
  {
    LogWriter writer(options());
    Log log(writer, options());
    AuditEvent event;
    event.event = "refresh";
    event.outcome = "reuse";
    event.session_id = "AAAAAAAAAAAAAAAAAAAAAA";
    event.client = "192.0.2.7";
    log.audit(event);
  }
  const auto lines = lines_of(file_);
  ASSERT_EQ(lines.size(), 1U);
  const auto line = boost::json::parse(lines[0]).as_object();
  EXPECT_EQ(line.at("type"), "audit");
  EXPECT_EQ(line.at("event"), "refresh");
  EXPECT_EQ(line.at("outcome"), "reuse");
  EXPECT_EQ(line.at("session_id"), "AAAAAAAAAAAAAAAAAAAAAA");
  EXPECT_FALSE(line.contains("user"));
}

TEST_F(LogFile, LinesBelowTheLevelAndUnwantedAccessLinesAreLeftOut) {
  {
    LogOptions quiet = options();
    quiet.level = Level::warning;
    quiet.access = false;
    LogWriter writer(quiet);
    Log log(writer, quiet);
    EXPECT_FALSE(log.logs_access());
    log.access(example_record());
    log.write(Level::info, "not wanted");
    log.write(Level::error, "wanted");
    quiet.level = Level::info;
    quiet.access = true;
    log.set_options(quiet);
    log.write(Level::info, "wanted now");
    log.access(example_record());
  }
  const auto lines = lines_of(file_);
  ASSERT_EQ(lines.size(), 3U);
  EXPECT_EQ(boost::json::parse(lines[0]).as_object().at("message"), "wanted");
  EXPECT_EQ(boost::json::parse(lines[1]).as_object().at("message"), "wanted now");
  EXPECT_EQ(boost::json::parse(lines[2]).as_object().at("type"), "access");
}

TEST_F(LogFile, AnUnreadablePlaceIsReported) {
  LogOptions bad = options();
  bad.file = (directory_ / "missing" / "gatehouse.log").string();
  const LogWriter writer(bad);
  EXPECT_NE(writer.error().find(bad.file), std::string::npos);
}

TEST_F(LogFile, ReopenWritesToANewFileUnderTheOldName) {
  const std::filesystem::path moved = directory_ / "gatehouse.log.1";
  {
    LogWriter writer(options());
    {
      Log log(writer, options());
      log.write(Level::info, "before");
    }
  }
  {
    LogWriter writer(options());
    Log log(writer, options());
    std::filesystem::rename(file_, moved);
    writer.reopen();
    log.write(Level::info, "after");
  }
  const auto old_lines = lines_of(moved);
  const auto new_lines = lines_of(file_);
  ASSERT_EQ(old_lines.size(), 1U);
  ASSERT_EQ(new_lines.size(), 1U);
  EXPECT_EQ(boost::json::parse(old_lines[0]).as_object().at("message"), "before");
  EXPECT_EQ(boost::json::parse(new_lines[0]).as_object().at("message"), "after");
}

// A named pipe whose reader does nothing: what fits waits, the rest is dropped and counted, and the
// logging thread is never held up.
TEST_F(LogFile, AReaderThatDoesNotReadBlocksNobody) {
  ASSERT_EQ(::mkfifo(file_.c_str(), 0600), 0);
  const int reader = ::open(file_.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC);
  ASSERT_GE(reader, 0);
  constexpr std::uint64_t lines = 100'000;
  std::uint64_t dropped = 0;
  {
    LogWriter writer(options());
    ASSERT_EQ(writer.error(), "");
    Log log(writer, options());
    const std::string path = "/" + std::string(200, 'x');
    AccessRecord record = example_record();
    record.path = path;
    for (std::uint64_t i = 0; i < lines; ++i) log.access(record);
    log.flush();
    dropped = writer.dropped();
    ::close(reader);  // lets the writer end at once
  }
  // 100,000 lines of over 400 bytes against 4 MiB that may wait, as much in the writer's hands, and
  // the pipe itself.
  EXPECT_GT(dropped, lines / 2);
  EXPECT_LT(dropped, lines);
}

TEST_F(LogFile, ASlowReaderGetsWholeLines) {
  ASSERT_EQ(::mkfifo(file_.c_str(), 0600), 0);
  const int reader = ::open(file_.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC);
  ASSERT_GE(reader, 0);
  ASSERT_EQ(::fcntl(reader, F_SETFL, 0), 0);  // opened at once, read blocking
  constexpr std::size_t lines = 5'000;
  std::string received;
  {
    LogWriter writer(options());
    Log log(writer, options());
    for (std::size_t i = 0; i < lines; ++i) log.access(example_record());
    log.flush();
    std::size_t seen = 0;
    std::array<char, 1000> piece{};
    while (seen < lines) {
      const ssize_t size = ::read(reader, piece.data(), piece.size());
      ASSERT_GT(size, 0);
      received.append(piece.data(), static_cast<std::size_t>(size));
      seen += static_cast<std::size_t>(std::count(piece.begin(), piece.begin() + size, '\n'));
    }
    EXPECT_EQ(writer.dropped(), 0U);
  }
  ::close(reader);
  std::istringstream in(received);
  std::string first;
  std::getline(in, first);
  EXPECT_NO_THROW((void)boost::json::parse(first));
  for (std::string line; std::getline(in, line);) ASSERT_EQ(line, first);
}

TEST_F(LogFile, DroppedLinesAreReportedOnceTheReaderIsBack) {
  ASSERT_EQ(::mkfifo(file_.c_str(), 0600), 0);
  const int reader = ::open(file_.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC);
  ASSERT_GE(reader, 0);
  ASSERT_EQ(::fcntl(reader, F_SETFL, 0), 0);
  std::string received;
  {
    LogWriter writer(options());
    Log log(writer, options());
    const std::string path = "/" + std::string(1000, 'x');
    AccessRecord record = example_record();
    record.path = path;
    while (writer.dropped() == 0) log.access(record);
    std::array<char, 65536> piece{};
    while (received.find("\"type\":\"log\"") == std::string::npos) {
      const ssize_t size = ::read(reader, piece.data(), piece.size());
      ASSERT_GT(size, 0);
      received.append(piece.data(), static_cast<std::size_t>(size));
    }
    ::close(reader);
  }
  EXPECT_NE(received.find("log lines were dropped"), std::string::npos);
}

}  // namespace
}  // namespace proxy
