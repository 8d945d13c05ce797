// What `gatehouse sessions list` prints.
#include "proxy/sessions_command.h"

#include <gtest/gtest.h>

namespace proxy {
namespace {

TEST(SessionTable, LinesColumnsUp) {
  EXPECT_EQ(session_table(R"({"user":"a","sessions":[{"id":"one","createdAt":"2026-01-01T00:00:00Z",
      "lastSeenAt":"l","expiresAt":"e","userAgent":"curl/8","addressPrefix":"192.0.2.0/24",
      "current":false}]})"),
            "SESSION  CREATED               LAST SEEN  EXPIRES  FROM          BROWSER\n"
            "one      2026-01-01T00:00:00Z  l          e        192.0.2.0/24  curl/8\n");
}

TEST(SessionTable, ShowsNothingThatATerminalObeys) {
  const std::string table = session_table(
      "{\"sessions\":[{\"id\":\"x\",\"userAgent\":\"\\u001b[2Ja\\r\\nb\\u009b\"}]}");
  EXPECT_NE(table.find("?[2Ja??b"), std::string::npos) << table;
  EXPECT_EQ(table.find('\x1b'), std::string::npos);
}

TEST(SessionTable, IsEmptyWhereTheAnswerIsNoList) {
  for (const char* text : {"", "[]", "{}", "{\"sessions\":1}", "<html>"}) {
    EXPECT_EQ(session_table(text), "") << text;
  }
}

}  // namespace
}  // namespace proxy
