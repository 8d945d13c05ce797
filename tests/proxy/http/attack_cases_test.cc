// The collection of raw attack requests, in process: whole, cut at every place, and byte by byte.
// What is to be refused is refused by parser, guard, path or chunk decoder, or stands in a list
// below with the layer that refuses it.
#include "proxy/http/cookie.h"
#include "proxy/http/path.h"
#include "reading.h"
#include "vectors.h"

#include <boost/json.hpp>
#include <gtest/gtest.h>

#include <fstream>
#include <map>

namespace proxy::http {
namespace {

struct AttackCase {
  std::string id;
  std::string row;
  std::string outcome;
  std::string raw;
  std::vector<int> statuses;
};

void replace_all(std::string& text, std::string_view from, std::string_view to) {
  for (std::size_t at = 0; (at = text.find(from, at)) != std::string::npos; at += to.size()) {
    text.replace(at, from.size(), to);
  }
}

// `raw` holds bytes as Latin-1 code points.
std::string latin1_bytes(std::string_view utf8) {
  std::string bytes;
  for (std::size_t i = 0; i < utf8.size(); ++i) {
    const auto byte = static_cast<unsigned char>(utf8[i]);
    if (byte < 0x80) {
      bytes.push_back(utf8[i]);
    } else {
      const auto next = static_cast<unsigned char>(utf8[++i]);
      bytes.push_back(static_cast<char>((byte & 0x03) << 6 | (next & 0x3f)));
    }
  }
  return bytes;
}

std::vector<AttackCase> load() {
  std::vector<AttackCase> cases;
  std::ifstream file(vectors("attack-cases") / "raw_requests.jsonl");
  for (std::string line; std::getline(file, line);) {
    const boost::json::object object = boost::json::parse(line).as_object();
    AttackCase test;
    test.id = object.at("id").as_string().c_str();
    test.row = object.at("case").as_string().c_str();
    test.outcome = object.at("outcome").as_string().c_str();
    test.raw = latin1_bytes(object.at("raw").as_string());
    for (const auto& status : object.at("status").as_array()) {
      test.statuses.push_back(static_cast<int>(status.as_int64()));
    }
    replace_all(test.raw, "{AT}", "eyJhbGciOiJFUzI1NiJ9.e30.c2ln");
    replace_all(test.raw, "{AT_NOGROUPS}", "eyJhbGciOiJFUzI1NiJ9.e30.c2ln");
    replace_all(test.raw, "{RT}", "gh1.AAAAAAAAAAAAAAAA");
    replace_all(test.raw, "{CN}", "__Host-rt");
    cases.push_back(std::move(test));
  }
  return cases;
}

struct Verdict {
  std::vector<std::string> events;
  ParseError error = ParseError::none;
  [[nodiscard]] bool failed() const { return error != ParseError::none; }
};

Verdict read_in_pieces(std::string_view raw, std::size_t cut, std::size_t piece) {
  Conversation conversation;
  conversation.feed(raw.substr(0, cut));
  for (raw.remove_prefix(cut); !raw.empty(); raw.remove_prefix(std::min(piece, raw.size()))) {
    conversation.feed(raw.substr(0, piece));
  }
  return {conversation.events(), conversation.error()};
}

// To be refused, but not for anything that is wrong with the head.
const std::map<std::string, std::string, std::less<>> refused_later = {
    {"E03-017", "exchange: CONNECT is 405 and close"},
    {"D28-001", "exchange: CONNECT is 405 and close"},
    {"E06-001", "exchange: TRACE is 405"},
};

class AttackCases : public testing::Test {
 protected:
  void SetUp() override {
    cases_ = load();
    if (cases_.empty()) GTEST_SKIP() << "attack-cases";
  }
  std::vector<AttackCase> cases_;
};

TEST_F(AttackCases, AreAllThere) { EXPECT_EQ(cases_.size(), 406U); }

TEST_F(AttackCases, RejectsAreRefused) {
  int refused = 0;
  for (const AttackCase& test : cases_) {
    if (test.outcome != "reject") continue;
    const Verdict verdict = read_in_pieces(test.raw, test.raw.size(), 1);
    if (refused_later.contains(test.id)) {
      EXPECT_FALSE(verdict.failed()) << test.id << " need not be in the list";
      continue;
    }
    ASSERT_TRUE(verdict.failed()) << test.id << "\n" << test.raw;
    // At most the head before a bad body was understood, and never a second request.
    EXPECT_LE(verdict.events.size(), 2U) << test.id;
    const int status = status_of(verdict.error);
    EXPECT_NE(std::find(test.statuses.begin(), test.statuses.end(), status), test.statuses.end())
        << test.id << " " << name(verdict.error);
    ++refused;
  }
  EXPECT_GT(refused, 200);
}

TEST_F(AttackCases, GoodRequestsPass) {
  for (const AttackCase& test : cases_) {
    if (test.outcome != "proxy") continue;
    const Verdict verdict = read_in_pieces(test.raw, test.raw.size(), 1);
    EXPECT_FALSE(verdict.failed()) << test.id << " " << name(verdict.error);
  }
}

TEST_F(AttackCases, VerdictIsTheSameForEveryCut) {
  for (const AttackCase& test : cases_) {
    const std::vector<std::string> whole = read_in_pieces(test.raw, test.raw.size(), 1).events;
    EXPECT_EQ(read_in_pieces(test.raw, 0, 1).events, whole) << test.id << " byte by byte";
    // Long ones are long because of a run of one character.
    const std::size_t stride = test.raw.size() > 2048 ? test.raw.size() / 64 : 1;
    for (std::size_t cut = 1; cut < test.raw.size(); cut += stride) {
      ASSERT_EQ(read_in_pieces(test.raw, cut, test.raw.size()).events, whole)
          << test.id << " cut at " << cut;
    }
  }
}

// Without a token nothing of these may be forwarded. Under /public/, where no token is asked for,
// only the path's form can stop them.
TEST_F(AttackCases, TricksWithPathsNeverLookPublic) {
  int paths = 0;
  for (const AttackCase& test : cases_) {
    if (test.outcome != "unauth" || !test.row.starts_with('B')) continue;
    const Request request = read_request(test.raw);
    if (request.error != ParseError::none) continue;
    const bool is_public = request.head.path.starts_with("/public/");
    EXPECT_FALSE(is_public && form_of(request.head.path) == PathForm::canonical) << test.raw;
    ++paths;
  }
  EXPECT_GT(paths, 20);
}

// H09, H10: none of these holds exactly one cookie of ours, but for the quoted one, whose value
// keeps its quotes and is therefore no token.
TEST_F(AttackCases, TricksWithCookiesNeverYieldOurs) {
  int cookies = 0;
  for (const AttackCase& test : cases_) {
    if (test.row != "H09" && test.row != "H10") continue;
    const Request request = read_request(test.raw);
    if (request.error != ParseError::none) continue;
    int count = 0;
    std::string value;
    for (const Field& field : request.head.fields) {
      if (field.id != HeaderId::cookie) continue;
      const CookieLookup found = find_cookie(field.value, "__Host-rt");
      count += found.count;
      value = found.value;
    }
    EXPECT_FALSE(count == 1 && value == "gh1.AAAAAAAAAAAAAAAA") << test.id << " " << test.raw;
    ++cookies;
  }
  EXPECT_GE(cookies, 10);
}

}  // namespace
}  // namespace proxy::http
