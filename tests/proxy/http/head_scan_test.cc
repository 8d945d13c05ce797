// The automaton alone, without the guard behind it: it has to hold by itself.
#include "proxy/http/head_scan.h"

#include <gtest/gtest.h>

#include <string>

namespace proxy::http {
namespace {

constexpr HeadLimits limits;

Progress scan(std::string_view text, HeadScan::Kind kind = HeadScan::Kind::request) {
  HeadScan scanner(kind, limits);
  return scanner.scan(text);
}

std::string with_line(std::string_view line) {
  return "GET / HTTP/1.1\r\nHost: a\r\n" + std::string(line) + "\r\n\r\n";
}

TEST(HeadScan, FindsTheEndAndTheParts) {
  const std::string text = "\r\nGET /a%20b HTTP/1.0\r\nHost: a\r\nX:\r\n\r\nbody";
  HeadScan scanner(HeadScan::Kind::request, limits);
  EXPECT_EQ(scanner.scan(text), Progress::complete);
  EXPECT_EQ(scanner.end(), text.size() - 4);
  EXPECT_EQ(scanner.method(), Method::get);
  EXPECT_EQ(scanner.method_text().of(text), "GET");
  EXPECT_EQ(scanner.start_text().of(text), "/a%20b");
  EXPECT_EQ(scanner.version_minor(), 0);
  ASSERT_EQ(scanner.fields().size(), 2U);
  EXPECT_EQ(scanner.fields()[0].name.of(text), "Host");
  EXPECT_EQ(scanner.fields()[0].value.of(text), " a");
  EXPECT_EQ(scanner.fields()[1].name.of(text), "X");
  EXPECT_EQ(scanner.fields()[1].value.of(text), "");
}

// Nothing of the head before may be left in the next.
TEST(HeadScan, NotesThePartsAnewAfterResetAndForEveryCut) {
  const std::string before = "HTTP/1.0 599 x\r\nA: b\r\nC: d\r\n\r\n";
  const std::string text = "HTTP/1.1 204\r\nDate: e \r\n\r\n";
  for (std::size_t cut = 0; cut < text.size(); ++cut) {
    HeadScan scanner(HeadScan::Kind::response, limits);
    ASSERT_EQ(scanner.scan(before), Progress::complete);
    scanner.reset();
    ASSERT_EQ(scanner.scan(std::string_view(text).substr(0, cut)), Progress::need_more);
    ASSERT_EQ(scanner.scan(text), Progress::complete);
    EXPECT_EQ(scanner.status(), 204);
    EXPECT_EQ(scanner.version_minor(), 1);
    EXPECT_EQ(scanner.start_text().of(text), "");
    ASSERT_EQ(scanner.fields().size(), 1U);
    EXPECT_EQ(scanner.fields()[0].name.of(text), "Date");
    EXPECT_EQ(scanner.fields()[0].value.of(text), " e ");
  }
}

// Lines that are there as a whole are read another way than those that come in pieces: every byte
// in every place must get the same verdict, and leave the same parts, on both ways.
TEST(HeadScan, ReadsWholeLinesAsItReadsSingleBytes) {
  const std::string base = with_line("Long-Enough: 0123456789abcdef0123456789abcdef\t~\xe9");
  const std::size_t first = base.find("Long");
  for (std::size_t place = first; place < base.size(); ++place) {
    for (int byte = 0; byte < 256; ++byte) {
      std::string text = base;
      text[place] = static_cast<char>(byte);
      HeadScan whole(HeadScan::Kind::request, limits);
      const Progress at_once = whole.scan(text);
      HeadScan single(HeadScan::Kind::request, limits);
      Progress bytewise = Progress::need_more;
      for (std::size_t size = 1; size <= text.size() && bytewise == Progress::need_more; ++size) {
        bytewise = single.scan(std::string_view(text).substr(0, size));
      }
      ASSERT_EQ(at_once, bytewise) << place << ' ' << byte;
      ASSERT_EQ(whole.error(), single.error()) << place << ' ' << byte;
      if (at_once != Progress::complete) continue;
      ASSERT_EQ(whole.end(), single.end());
      ASSERT_EQ(whole.fields().size(), single.fields().size());
      for (std::size_t i = 0; i < whole.fields().size(); ++i) {
        ASSERT_EQ(whole.fields()[i].name.of(text), single.fields()[i].name.of(text));
        ASSERT_EQ(whole.fields()[i].value.of(text), single.fields()[i].value.of(text));
      }
    }
  }
}

TEST(HeadScan, WaitsForTheLastByte) {
  const std::string text = with_line("X: y");
  for (std::size_t size = 0; size < text.size(); ++size) {
    EXPECT_EQ(scan(std::string_view(text).substr(0, size)), Progress::need_more) << size;
  }
  EXPECT_EQ(scan(text), Progress::complete);
}

TEST(HeadScan, LooksAtEachByteOnce) {
  std::string text = with_line("X: y");
  HeadScan scanner(HeadScan::Kind::request, limits);
  EXPECT_EQ(scanner.scan(std::string_view(text).substr(0, 20)), Progress::need_more);
  for (std::size_t i = 0; i < 20; ++i) text[i] = '\0';
  EXPECT_EQ(scanner.scan(text), Progress::complete);
}

TEST(HeadScan, JudgesEveryByteInEveryPlaceOfAValue) {
  for (int byte = 0; byte < 256; ++byte) {
    const bool allowed = byte == '\t' || (byte >= 0x20 && byte != 0x7f);
    for (std::size_t at = 0; at < 20; ++at) {
      std::string value(20, 'v');
      value[at] = static_cast<char>(byte);
      const Progress progress = scan(with_line("X: " + value));
      EXPECT_EQ(progress == Progress::complete, allowed) << byte << " at " << at;
    }
  }
}

TEST(HeadScan, JudgesEveryByteInANameAndATarget) {
  const std::string_view in_names = "!#$%&'*+-.^_`|~";
  const std::string_view in_targets = "-._~:/?[]@!$&'()*+,;=";
  for (int byte = 0; byte < 256; ++byte) {
    const char c = static_cast<char>(byte);
    const bool alnum = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
    const bool name = alnum || (byte != 0 && in_names.find(c) != in_names.npos);
    const bool target = alnum || (byte != 0 && in_targets.find(c) != in_targets.npos);
    // A colon ends the name, which is as good as a name.
    EXPECT_EQ(scan(with_line("X" + std::string(1, c) + "Y: z")) == Progress::complete,
              name || c == ':')
        << byte;
    EXPECT_EQ(scan("GET /a" + std::string(1, c) + "b HTTP/1.1\r\n") == Progress::need_more, target)
        << byte;
  }
}

TEST(HeadScan, RefusesFoldsEmptyNamesAndBareLineEnds) {
  for (const std::string_view line :
       {" y", "\ty", ": y", "X : y", "X", "X: y\r\n z", "X: y\nZ: z", "X: y\rZ: z", "\rX: y",
        "X:\r\n y", "\n"}) {
    EXPECT_EQ(scan(with_line(line)), Progress::failed) << line;
  }
}

TEST(HeadScan, ReadsStatusLines) {
  const auto answer = [](std::string_view line) {
    return scan(std::string(line) + "\r\n\r\n", HeadScan::Kind::response);
  };
  EXPECT_EQ(answer("HTTP/1.1 200 OK"), Progress::complete);
  EXPECT_EQ(answer("HTTP/1.0 200"), Progress::complete);
  for (const std::string_view line : {"HTTP/1.1 200OK", "HTTP/1.1  200 OK", "HTTP/1.1 20 OK",
                                      "HTTP/1.1200 OK", "HTTP/1.1 200\tOK", "HTTP/1.1 200 \x7f"}) {
    EXPECT_EQ(answer(line), Progress::failed) << line;
  }
}

}  // namespace
}  // namespace proxy::http
