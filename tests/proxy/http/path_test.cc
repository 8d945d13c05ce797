// Paths: one spelling, or none (SECURITY section B).
#include "proxy/http/path.h"

#include "reading.h"
#include "vectors.h"

#include <gtest/gtest.h>

#include <fstream>

namespace proxy::http {
namespace {

TEST(Path, TakesOrdinaryPathsAsTheyAre) {
  for (const std::string_view path : {"/",
                                      "/a",
                                      "/a/",
                                      "/a/b.txt",
                                      "/.well-known/jwks.json",
                                      "/.gatehouse/session",
                                      "/a..b",
                                      "/..a",
                                      "/a/.hidden",
                                      "/a...",
                                      "/~user/@me/a+b,c=d(e)!$&'*",
                                      "/a:b",
                                      "/a[1]",
                                      "/with%20blank",
                                      "/%C3%A9t%c3%a9",
                                      "/%E4%BD%A0%E5%A5%BD",
                                      "/%F0%9F%98%80",
                                      "/a%22b%3C%3E",
                                      "/x%5By%5D",
                                      "/wiki/a%E2%80%A6",
                                      "/a%EF%BC%8Fb"}) {
    EXPECT_EQ(form_of(path), PathForm::canonical) << path;
  }
}

TEST(Path, CallsOtherShapesLegacy) {
  for (const std::string_view path :
       {"//", "//a", "/a//b", "/a///", "/a;v=1", "/a;v=1/b", "/;/a", "/;../a",
        "/a;", "/a;x=../b", "/a%2Fb",
        "/a%2fb", "/%2F", "/a.b;c", "/gr%FC%DFe", "/caf%E9", "/caf%E9/x"}) {
    EXPECT_EQ(form_of(path), PathForm::legacy) << path;
  }
}

// B03, B04, B06, B08: every trick of the lists, in both modes.
TEST(Path, RefusesWhatHasTwoReadings) {
  for (const std::string_view path :
       {"", "a", "*", "?", "/..", "/.", "/a/..", "/a/../b", "/./a", "/a/.", "/a/...", "/a/..;/b",
        "/a/..;x=1", "/.;/a", "/a/..%2fb", "/a%2f..%2fb", "/a%2f..", "/..%2F", "/a/%2e%2e/b",
        "/%2E%2e", "/a/.%2e", "/a%2eb", "/%61", "/%7Ea", "/a%2Db", "/a%5F", "/%30", "/a%00b",
        "/a%0d%0ab", "/a%09", "/a%1f", "/a%7f", "/a%5cb", "/a%5Cb", "/a\\b", "/a%25b", "/a%252e",
        "/a%23b", "/a%3Bb", "/a%3bb", "/a%3Fb", "/a%", "/a%1", "/a%zz", "/%%36%36", "/a%2", "/a b",
        "/a\tb", "/a\x7f", "/a\x80", "/\xc3\xa9", "/a\"b", "/a<b", "/a>b", "/a^b", "/a`b", "/a{b}",
        "/a|b", "/a#b", "/a?b", "/a;%2f..", "/a;b%2fc",
        // Overlong and malformed UTF-8.
        "/%c0%ae%c0%ae/a", "/%c0%afa", "/%e0%80%ae", "/%e0%80%af", "/%f0%80%80%af",
        "/%f8%80%80%80%af", "/%fc%80%80%80%80%af", "/%c1%9c", "/%ed%a0%80", "/%f4%90%80%80", "/%80",
        "/%e2%80", "/a%bf",
        // Dots and slashes of other alphabets.
        "/%ef%bc%8e%ef%bc%8e/a", "/%E2%80%A5/a", "/%e2%80%a4%e2%80%a4", "/a%ef%bc%8f..%ef%bc%8fb",
        "/a%e2%88%95.%e2%88%95b", "/.%ef%bc%8e/a"}) {
    EXPECT_EQ(form_of(path), PathForm::refused) << path;
  }
  EXPECT_EQ(form_of(std::string_view("/a\0b", 4)), PathForm::refused);
}

TEST(Path, ReducesToWhatALenientBackendServes) {
  struct Row {
    std::string_view path, reduced;
  };
  const Row rows[] = {{"/a", "/a"},
                      {"//a", "/a"},
                      {"/a//b///", "/a/b/"},
                      {"/a;v=1/b;w", "/a/b"},
                      {"/;/admin", "/admin"},
                      {"/;x/admin", "/admin"},
                      {"/a%2Fb", "/a/b"},
                      {"/a%2f%2Fb", "/a/b"},
                      {"/a/%2fb", "/a/b"},
                      {"/a%20b", "/a%20b"},
                      {"/", "/"},
                      {"/;", "/"}};
  for (const Row& row : rows) EXPECT_EQ(reduce(row.path), row.reduced) << row.path;
}

// The reduced form is what rules are matched against a second time: it must not be lenient again.
TEST(Path, ReducedFormIsCanonical) {
  const std::string_view pieces[] = {"/", ";", "%2F", "a", ".", "..", "%20", ";x=", "%2f", "b.c"};
  for (int seed = 0; seed < 20000; ++seed) {
    std::string path = "/";
    for (int rest = seed; rest != 0; rest /= 10) path.append(pieces[rest % 10]);
    if (form_of(path) == PathForm::refused) continue;
    EXPECT_EQ(form_of(reduce(path)), PathForm::canonical) << path;
    if (form_of(path) == PathForm::canonical) {
      EXPECT_EQ(reduce(path), path);
    }
  }
}

// What a public rule for /public/ would let through: nothing that any decoder could take for a way
// out. A line may stay canonical only where it holds no trick at all.
TEST(Path, TraversalListsNeverPassAPublicRule) {
  const auto folder = vectors("path-and-redirect-lists") / "Directory Traversal" / "Intruder";
  if (!std::filesystem::exists(folder)) GTEST_SKIP() << "path-and-redirect-lists";
  int lines = 0;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    std::ifstream file(entry.path());
    for (std::string line; std::getline(file, line); ++lines) {
      if (line.ends_with('\r')) line.pop_back();
      const std::string target = "/public/" + line;
      const Request request = read_request("GET " + target + " HTTP/1.1\r\nHost: a\r\n\r\n");
      if (request.progress != Progress::complete || request.error != ParseError::none) continue;
      if (form_of(request.head.path) != PathForm::canonical) continue;
      const std::string_view path = request.head.path;
      EXPECT_EQ(path.find('%'), path.npos) << line;
      EXPECT_EQ(path.find(".."), path.npos) << line;
      EXPECT_EQ(path.find("//"), path.npos) << line;
      EXPECT_EQ(path.find('\\'), path.npos) << line;
    }
  }
  EXPECT_GT(lines, 1000);
}

}  // namespace
}  // namespace proxy::http
