// Arguments become a Command, or a sentence and exit code 2.
#include "proxy/cli.h"

#include <gtest/gtest.h>

namespace proxy {
namespace {

using Verb = Command::Verb;
using Arguments = std::vector<std::string>;

Command good(const Arguments& arguments) {
  auto parsed = parse_command(arguments);
  EXPECT_TRUE(parsed.command) << parsed.error;
  return parsed.command.value_or(Command{});
}

std::string usage_error(const Arguments& arguments) {
  const auto parsed = parse_command(arguments);
  EXPECT_FALSE(parsed.command);
  EXPECT_EQ(parsed.exit_code, exit_usage);
  EXPECT_EQ(parsed.output, "");
  return parsed.error.substr(0, parsed.error.find('\n'));
}

TEST(Cli, RunMayBeLeftOut) {
  for (const Arguments& arguments :
       {Arguments{"run", "--config", "a"}, Arguments{"run", "-c", "a"}, Arguments{"--config", "a"},
        Arguments{"-c", "a"}, Arguments{"--config=a"}, Arguments{"-c", "a", "run"}}) {
    const auto command = good(arguments);
    EXPECT_EQ(command.verb, Verb::run);
    EXPECT_EQ(command.config_file, "a");
  }
}

TEST(Cli, RunServesAUrlWithoutAFile) {
  const auto command = good({"run", "--upstream", "http://b", "--listen", "127.0.0.1:1"});
  EXPECT_EQ(command.upstream, "http://b");
  EXPECT_EQ(command.listen, "127.0.0.1:1");
  EXPECT_EQ(good({"--upstream", "http://b"}).verb, Verb::run);
}

TEST(Cli, ShortFormsStandForCommands) {
  EXPECT_EQ(good({"-t", "-c", "a"}).verb, Verb::check);
  EXPECT_EQ(good({"-c", "a", "-t"}).verb, Verb::check);
  EXPECT_EQ(good({"-T", "-c", "a"}).verb, Verb::config);
  EXPECT_EQ(good({"-V"}).verb, Verb::version);
  EXPECT_EQ(good({"--version"}).verb, Verb::version);
  EXPECT_EQ(good({"-t", "-c", "a"}).config_file, "a");
}

TEST(Cli, EveryCommandHasItsOptions) {
  EXPECT_EQ(good({"check", "--config", "a"}).verb, Verb::check);
  EXPECT_EQ(good({"config", "-c", "a"}).verb, Verb::config);
  EXPECT_TRUE(good({"config", "--schema"}).schema);
  EXPECT_TRUE(good({"config", "--reference"}).reference);
  EXPECT_EQ(good({"hash-password"}).verb, Verb::hash_password);
  EXPECT_EQ(good({"keygen"}).algorithm, "ES256");
  EXPECT_EQ(good({"keygen", "--algorithm", "EdDSA"}).algorithm, "EdDSA");
  EXPECT_EQ(good({"healthcheck"}).url, "http://127.0.0.1:9902/livez");
  EXPECT_EQ(good({"healthcheck", "--url", "http://x/"}).url, "http://x/");
  EXPECT_EQ(good({"version"}).verb, Verb::version);
  const auto policy = good({"policy", "-c", "a", "--method", "POST", "--path", "/p", "--host", "h",
                            "--user", "u", "--claims", "{}"});
  EXPECT_EQ(policy.verb, Verb::policy);
  EXPECT_EQ(policy.method, "POST");
  EXPECT_EQ(policy.path, "/p");
  EXPECT_EQ(policy.host, "h");
  EXPECT_EQ(policy.user, "u");
  EXPECT_EQ(policy.claims, "{}");
  EXPECT_EQ(good({"policy", "-c", "a", "--path", "/p"}).method, "GET");
}

TEST(Cli, WrongUsageIsToldApart) {
  EXPECT_EQ(usage_error({}),
            "gatehouse: needs --config FILE, or --upstream URL to serve without a file");
  EXPECT_EQ(usage_error({"run"}),
            "gatehouse: needs --config FILE, or --upstream URL to serve without a file");
  EXPECT_EQ(usage_error({"run", "--config", "a", "--upstream", "http://b"}),
            "gatehouse: --config and --upstream exclude each other");
  EXPECT_EQ(usage_error({"run", "-c", "a", "--listen", "127.0.0.1:1"}),
            "gatehouse: --listen goes with --upstream; with a file set listeners there");
  EXPECT_EQ(usage_error({"-t", "--upstream", "http://b"}),
            "gatehouse: --upstream goes with run only");
  EXPECT_EQ(usage_error({"check"}), "gatehouse: needs --config FILE");
  EXPECT_EQ(usage_error({"config"}), "gatehouse: needs --config FILE");
  EXPECT_EQ(usage_error({"-t"}), "gatehouse: needs --config FILE");
  EXPECT_EQ(usage_error({"policy", "-c", "a"}), "gatehouse: needs --path PATH, or --replay FILE");
  EXPECT_EQ(usage_error({"-t", "-T", "-c", "a"}),
            "gatehouse: only one of -t, -T and -V can be used");
  EXPECT_EQ(usage_error({"-t", "-c", "a", "run"}),
            "gatehouse: -t, -T and -V stand for a command and go with no other");
}

TEST(Cli, NothingIsTakenSilently) {
  for (const Arguments& arguments :
       {Arguments{"nonsense"}, Arguments{"--nonsense"}, Arguments{"check", "--config"},
        Arguments{"check", "-c", "a", "b"}, Arguments{"check", "-c", "a", "-c", "b"},
        Arguments{"-c", "a", "check", "-c", "b"}, Arguments{"check", "-c", ""},
        Arguments{"check", "--config="}, Arguments{"check", "--conf", "a"},
        Arguments{"chec", "-c", "a"}, Arguments{"check", "run", "-c", "a"},
        Arguments{"version", "-c", "a", "x"}, Arguments{"-c", "a", "--"  , "x"}}) {
    EXPECT_NE(usage_error(arguments), "");
  }
}

TEST(Cli, HelpHasExamplesAndEndsWell) {
  for (const char* name : {"run", "check", "config", "hash-password", "keygen", "policy",
                           "healthcheck", "version"}) {
    const auto parsed = parse_command({name, "--help"});
    EXPECT_FALSE(parsed.command);
    EXPECT_EQ(parsed.exit_code, exit_ok);
    EXPECT_EQ(parsed.error, "");
    EXPECT_NE(parsed.output.find("Examples:"), std::string::npos) << name;
    EXPECT_NE(parsed.output.find(std::string("gatehouse ") + name), std::string::npos) << name;
  }
  const auto parsed = parse_command({"--help"});
  EXPECT_EQ(parsed.exit_code, exit_ok);
  EXPECT_NE(parsed.output.find("hash-password"), std::string::npos);
}

TEST(Cli, SessionsNeedsToKnowWhereAndWhose) {
  EXPECT_EQ(good({"sessions", "list", "-c", "a", "--user", "u"}).verb, Verb::sessions_list);
  EXPECT_TRUE(good({"sessions", "list", "-c", "a", "--user", "u", "--json"}).json);
  const auto command = good({"sessions", "revoke", "--url", "http://a", "--session", "s",
                             "--token-file", "t"});
  EXPECT_EQ(command.verb, Verb::sessions_revoke);
  EXPECT_EQ(command.admin_url, "http://a");
  EXPECT_EQ(command.session, "s");
  EXPECT_EQ(command.token_file, "t");
  EXPECT_TRUE(good({"sessions", "revoke", "-c", "a", "--everybody"}).everybody);
  EXPECT_NE(usage_error({"sessions"}), "");
  EXPECT_NE(usage_error({"sessions", "list", "-c", "a"}).find("--user"), std::string::npos);
  EXPECT_NE(usage_error({"sessions", "list", "--user", "u"}).find("--url"), std::string::npos);
  EXPECT_NE(usage_error({"sessions", "list", "-c", "a", "--url", "http://a", "--user", "u"})
                .find("exclude"), std::string::npos);
  for (const Arguments& arguments :
       {Arguments{"sessions", "revoke", "-c", "a"},
        Arguments{"sessions", "revoke", "-c", "a", "--user", "u", "--everybody"},
        Arguments{"sessions", "revoke", "-c", "a", "--user", "u", "--session", "s"}}) {
    EXPECT_NE(usage_error(arguments).find("one of"), std::string::npos);
  }
}

}  // namespace
}  // namespace proxy
