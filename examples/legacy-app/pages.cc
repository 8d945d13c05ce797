// Builds the pages by hand: an old application has no template engine, and escaping is all that
// matters here.
#include "examples/legacy-app/pages.h"

#include <algorithm>
#include <cctype>
#include <cstdio>

namespace legacy {
namespace {

std::string escape_html(std::string_view text) {
  std::string out;
  for (const char c : text) {
    switch (c) {
      case '&': out += "&amp;"; break;
      case '<': out += "&lt;"; break;
      case '>': out += "&gt;"; break;
      case '"': out += "&quot;"; break;
      default: out += c;
    }
  }
  return out;
}

// Bytes over 0x7F are taken as Latin-1, so that any body gives valid JSON.
std::string quote_json(std::string_view text) {
  std::string out = "\"";
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (byte < 0x20 || byte > 0x7E) {
      char escaped[8];
      std::snprintf(escaped, sizeof escaped, "\\u%04x", static_cast<unsigned>(byte));
      out += escaped;
    } else {
      out += c;
    }
  }
  return out + '"';
}

std::string page(std::string_view title, const std::string& content) {
  std::string out =
      "<!doctype html>\n<html lang=\"en\">\n<head><meta charset=\"utf-8\">"
      "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">"
      "<link rel=\"stylesheet\" href=\"/assets/style.css\">\n<title>";
  out.append(title).append("</title></head>\n<body>\n<header><b>Order Desk</b> <small>since 2009"
                           "</small><nav><a href=\"/\">Home</a> <a href=\"/api/orders\">Orders</a> "
                           "<a href=\"/events\">Events</a> <a href=\"/admin\">Admin</a></nav>"
                           "</header>\n<main>\n<h1>");
  out.append(title).append("</h1>\n").append(content).append("</main>\n</body>\n</html>\n");
  return out;
}

std::string header_table(const Received& received) {
  std::string rows;
  for (const auto& [name, value] : received.headers) {
    const bool is_identity = name.size() > 12 && name.compare(0, 12, "X-Forwarded-") == 0;
    rows += is_identity ? "<tr class=\"added\"><th>" : "<tr><th>";
    rows += escape_html(name) + "</th><td>" + escape_html(value) + "</td></tr>\n";
  }
  return "<table>\n" + rows + "</table>\n";
}

std::string greeting(const Received& received) {
  const std::string user = header(received, "X-Forwarded-User");
  if (user.empty()) {
    return "<p class=\"who\">Nobody told me who you are.</p>\n";
  }
  return "<p class=\"who\">The proxy in front says you are <b>" + escape_html(user) + "</b>.</p>\n";
}

}  // namespace

std::string header(const Received& received, std::string_view name) {
  const auto same = [](char a, char b) {
    return std::tolower(static_cast<unsigned char>(a)) ==
           std::tolower(static_cast<unsigned char>(b));
  };
  for (const auto& [have, value] : received.headers) {
    if (std::equal(have.begin(), have.end(), name.begin(), name.end(), same)) {
      return value;
    }
  }
  return "";
}

std::string home_page(const Received& received) {
  return page("Welcome", greeting(received) +
                             "<p>This application has no login of its own. It received <code>" +
                             escape_html(received.method + " " + received.target) +
                             "</code> with these headers:</p>\n" + header_table(received));
}

std::string admin_page(const Received& received) {
  const std::string groups = header(received, "X-Forwarded-Groups");
  return page("Administration",
              greeting(received) + "<p>Groups: <code>" +
                  (groups.empty() ? "none" : escape_html(groups)) +
                  "</code></p>\n<p>Whoever reaches this page may delete every order.</p>\n");
}

std::string style_sheet() {
  return "body{margin:0;font:16px/1.5 system-ui,sans-serif;color:#1c2733;background:#f4f6f8}\n"
         "header{display:flex;gap:1rem;align-items:baseline;padding:.8rem 2rem;background:#1c2733;"
         "color:#fff}\nheader small{color:#9fb0c0}\nnav{margin-left:auto}\n"
         "nav a{color:#cfe3f7;margin-left:1rem;text-decoration:none}\n"
         "main{max-width:52rem;margin:2rem auto;padding:1rem 2rem 2rem;background:#fff;"
         "border-radius:6px;box-shadow:0 1px 4px #0002}\n.who{font-size:1.2rem}\n"
         "table{border-collapse:collapse;width:100%}\n"
         "th,td{text-align:left;padding:.25rem .6rem;border-bottom:1px solid #e3e8ee;"
         "vertical-align:top;word-break:break-all}\nth{white-space:nowrap;font-weight:600}\n"
         ".added{background:#e8f5ec}\ncode{background:#eef2f6;padding:0 .3em}\n";
}

std::string orders() {
  return R"({"orders":[{"id":1041,"item":"gate hinge","quantity":2,"open":true},)"
         R"({"id":1042,"item":"padlock","quantity":12,"open":false},)"
         R"({"id":1043,"item":"lantern","quantity":1,"open":true}]})"
         "\n";
}

std::string echo(const Received& received) {
  std::string out = "{\"method\":" + quote_json(received.method) +
                    ",\"target\":" + quote_json(received.target) + ",\"headers\":[";
  for (const auto& [name, value] : received.headers) {
    if (out.back() != '[') {
      out += ',';
    }
    out += "[" + quote_json(name) + "," + quote_json(value) + "]";
  }
  return out + "],\"body\":" + quote_json(received.body) + "}\n";
}

}  // namespace legacy
