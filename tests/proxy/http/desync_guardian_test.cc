// AWS's http-desync-guardian collection: what it calls Severe or Ambiguous is refused, what it
// calls Compliant or Acceptable passes, unless a policy of ours that is stricter stands in the
// lists below.
#include "reading.h"
#include "vectors.h"

#include <gtest/gtest.h>
#include <yaml-cpp/yaml.h>

#include <map>
#include <set>

namespace proxy::http {
namespace {

std::string text_of(const YAML::Node& node) { return node ? node.as<std::string>() : ""; }

// The request as it would stand on the wire. The collection gives no Host: ours is added, or the
// missing Host would be all that is tested.
std::string wire_form(const YAML::Node& test) {
  std::string text = text_of(test["method"]) + " " + text_of(test["uri"]) + " " +
                     text_of(test["version"]) + "\r\n";
  bool has_host = false;
  std::string fields;
  for (const YAML::Node& header : test["headers"]) {
    const std::string name = text_of(header["name"]);
    has_host |= equal_ignoring_case(name, "host");
    fields.append(name).append(":").append(text_of(header["value"])).append("\r\n");
  }
  if (!has_host) text.append("Host: a\r\n");
  return text + fields + "\r\n";
}

struct Tally {
  int refused = 0;
  int passed = 0;
};

class DesyncGuardian : public testing::Test {
 protected:
  void SetUp() override {
    const auto folder = vectors("http-desync-guardian");
    if (!std::filesystem::exists(folder)) GTEST_SKIP() << "http-desync-guardian";
    for (const auto& entry : std::filesystem::directory_iterator(folder)) {
      if (entry.path().extension() != ".yaml") continue;
      for (const YAML::Node& test : YAML::LoadFile(entry.path())) tests_.push_back(test);
    }
  }
  std::vector<YAML::Node> tests_;
};

// Bodies on methods that need none: framed without ambiguity here (the body is read as a body, or
// dropped with the connection), which is what the rule asks for.
bool is_plain_body_on_get(const YAML::Node& test) {
  const std::string reason = text_of(test["expected"]["reason"]);
  return reason == "UndefinedContentLengthSemantics" ||
         reason == "UndefinedTransferEncodingSemantics";
}

TEST_F(DesyncGuardian, SevereAndAmbiguousRequestsAreRefused) {
  Tally tally;
  for (const YAML::Node& test : tests_) {
    const std::string tier = text_of(test["expected"]["tier"]);
    if (tier != "Severe" && tier != "Ambiguous") continue;
    const Request request = read_request(wire_form(test));
    const bool refused = request.progress == Progress::failed || request.error != ParseError::none;
    if (!refused && is_plain_body_on_get(test)) {
      ++tally.passed;
      continue;
    }
    EXPECT_TRUE(refused) << text_of(test["name"]) << "\n" << wire_form(test);
    tally.refused += refused ? 1 : 0;
  }
  EXPECT_GT(tally.refused, 90);
  EXPECT_LT(tally.passed, 20);
}

// Compliant by the RFC's letter, refused by a stricter policy.
const std::map<std::string, std::string, std::less<>> refused_by_policy = {
    {"Different Transfer-Encoding headers", "P2: one line"},
    {"Different Transfer-Encoding headers combined", "P2: only chunked"},
    {"Transfer-Encoding with a param: chunked;custom_param", "P2: only chunked"},
    {"Correct TE OK", "P2: only chunked"},
    {"Transfer-Encoding: identity and chunked OK", "P2: only chunked"},
    {"Multiple transfer encoding headers in a single request OK", "P2: one line"},
    {"TE with custom parameters OK", "P2: only chunked"},
    {"Compliant URL", "P7: '#', '^', '\\' and '{' in it"},
    {"International in URI", "P7: bytes over 0x7F"},
    {"Empty URI", "RFC 9112 section 3.2: a target has at least one character"},
};

TEST_F(DesyncGuardian, CompliantRequestsPass) {
  int passed = 0;
  for (const YAML::Node& test : tests_) {
    if (text_of(test["expected"]["tier"]) != "Compliant") continue;
    const Request request = read_request(wire_form(test));
    if (refused_by_policy.contains(text_of(test["name"]))) {
      EXPECT_NE(request.error, ParseError::none) << text_of(test["name"]);
      continue;
    }
    EXPECT_EQ(name(request.error), "none") << text_of(test["name"]) << "\n" << wire_form(test);
    EXPECT_EQ(request.progress, Progress::complete);
    ++passed;
  }
  EXPECT_GT(passed, 15);
}

// Their "Acceptable" means: wrong, but harmless. P3 and P7 refuse most of it all the same.
TEST_F(DesyncGuardian, AcceptableRequestsPassOrFallUnderAPolicy) {
  const std::set<ParseError> policies = {ParseError::bad_header, ParseError::bad_request_line,
                                         ParseError::bad_target, ParseError::bad_version,
                                         ParseError::unknown_method};
  int seen = 0;
  for (const YAML::Node& test : tests_) {
    if (text_of(test["expected"]["tier"]) != "Acceptable") continue;
    const Request request = read_request(wire_form(test));
    if (request.error != ParseError::none) {
      EXPECT_TRUE(policies.contains(request.error))
          << name(request.error) << " " << text_of(test["name"]) << "\n"
          << wire_form(test);
    }
    ++seen;
  }
  EXPECT_GT(seen, 10);
}

}  // namespace
}  // namespace proxy::http
