// See access_line.h.
#include "proxy/access_line.h"

namespace proxy {
namespace {

constexpr std::size_t common_value_bytes_max = 256;

// [28/Nov/2026:07:50:00 +0000]
void append_common_time(std::chrono::system_clock::time_point time, http::Buffer& out) {
  using namespace std::chrono;
  constexpr std::array<std::string_view, 12> months{"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                                    "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
  const auto day = floor<days>(time);
  const year_month_day date{day};
  const auto in_day = floor<seconds>(time - day).count();
  const auto two = [&out](std::int64_t value) {
    out.push_back(static_cast<char>('0' + value / 10 % 10));
    out.push_back(static_cast<char>('0' + value % 10));
  };
  out.push_back('[');
  two(unsigned{date.day()});
  out.push_back('/');
  out.append(months[(unsigned{date.month()} + 11) % 12]);
  out.push_back('/');
  two(int{date.year()} / 100);
  two(int{date.year()});
  for (const std::int64_t part : {in_day / 3600, in_day / 60 % 60, in_day % 60}) {
    out.push_back(':');
    two(part);
  }
  out.append(" +0000]");
}

// A word that a blank would split. Escaped as in the other formats, blanks too.
void append_word(std::string_view text, http::Buffer& out) {
  if (text.empty()) {
    out.push_back('-');
    return;
  }
  for (std::size_t blank = text.find(' '); blank != std::string_view::npos;
       blank = text.find(' ')) {
    log_detail::append_escaped(out, text.substr(0, blank), common_value_bytes_max);
    out.append("\\u0020");
    text.remove_prefix(blank + 1);
  }
  log_detail::append_escaped(out, text, common_value_bytes_max);
}

// Where the browser came from, without what may be a secret: user, query and fragment.
std::string_view plain_referer(std::string_view referer) {
  referer = referer.substr(0, referer.find_first_of("?#"));
  const std::size_t scheme = referer.find("://");
  const std::size_t start = scheme == std::string_view::npos ? 0 : scheme + 3;
  const std::string_view host = referer.substr(start, referer.find('/', start) - start);
  return host.find('@') == std::string_view::npos ? referer : std::string_view{};
}

void append_quoted(std::string_view text, std::size_t bytes_max, http::Buffer& out) {
  out.push_back('"');
  log_detail::append_escaped(out, text.empty() ? "-" : text, bytes_max);
  out.push_back('"');
}

}  // namespace

void add_access_fields(LogLine& line, const AccessRecord& record) {
  line.status("status", record.status);
  line.word("method", record.method);
  line.word("host", record.host);
  line.word("path", record.path, log_path_bytes_max);
  line.milliseconds("duration_ms", record.duration);
  if (record.upstream_duration.count() >= 0) {
    line.milliseconds("upstream_ms", record.upstream_duration);
  }
  line.number("bytes_in", record.bytes_in);
  line.number("bytes_out", record.bytes_out);
  line.field("client", record.client);
  line.field("user", record.user);
  line.field("session_id", record.session_id);
  line.field("route", record.route);
  line.field("upstream", record.upstream);
  line.field("reason", record.reason);
  line.field("request_id", record.request_id);
  line.field("trace_id", record.trace_id);
  line.field("user_agent", record.user_agent);
}

void append_common_line(const AccessRecord& record, bool combined, http::Buffer& out) {
  append_word(record.client, out);
  out.append(" - ");
  append_word(record.user, out);
  out.push_back(' ');
  append_common_time(record.started, out);
  out.append(" \"");
  log_detail::append_escaped(out, record.method, common_value_bytes_max);
  out.push_back(' ');
  log_detail::append_escaped(out, record.path, log_path_bytes_max);
  out.append(record.http_1_0 ? " HTTP/1.0\" " : " HTTP/1.1\" ");
  // 499, as nginx has it, where the client left before an answer.
  out.append(std::to_string(record.status == 0 ? 499 : record.status));
  out.push_back(' ');
  out.append(std::to_string(record.bytes_out));
  if (combined) {
    out.push_back(' ');
    append_quoted(plain_referer(record.referer), log_path_bytes_max, out);
    out.push_back(' ');
    append_quoted(record.user_agent, common_value_bytes_max, out);
  }
  out.push_back(' ');
  append_word(record.request_id, out);
  out.push_back(' ');
  append_word(record.trace_id, out);
}

}  // namespace proxy
