// The commands that serve nobody, through their streams.
#include "proxy/cli_commands.h"

#include <filesystem>
#include <fstream>
#include <sstream>

#include <gtest/gtest.h>
#include <unistd.h>

#include "auth/keys.h"
#include "auth/password.h"

namespace proxy {
namespace {

struct Run {
  int code = 0;
  std::string out;
  std::string err;
};

template <typename Perform>
Run run(Perform perform, const std::string& input = "") {
  std::istringstream in(input);
  std::ostringstream out;
  std::ostringstream err;
  Streams streams{in, out, err, false};
  const int code = perform(streams);
  return {code, out.str(), err.str()};
}

class ConfigFile : public testing::Test {
 protected:
  ConfigFile() {
    path_ = std::filesystem::path(testing::TempDir()) /
            ("gatehouse_commands_test." + std::to_string(::getpid()));
  }
  ~ConfigFile() override { std::filesystem::remove(path_); }

  Command with(const std::string& text) {
    std::ofstream(path_) << text;
    Command command;
    command.config_file = path_.string();
    return command;
  }

  const std::string good_ =
      "listeners: [{address: '127.0.0.1:8080'}]\n"
      "upstreams: {app: {endpoints: [http://127.0.0.1:3000]}}\n"
      "users: {file: users.yaml}\n";
  std::filesystem::path path_;
};

TEST_F(ConfigFile, CheckPrintsProblemsAndFails) {
  const auto command = with(good_ + "workers: x\nzzz: 1\n");
  bool inspected = false;
  const auto result = run([&](Streams& streams) {
    return check(command, [&](const config::Config&) { inspected = true; return Findings{}; },
                 streams);
  });
  EXPECT_EQ(result.code, exit_failed);
  EXPECT_NE(result.out.find(path_.string() + ":4:10: workers: "), std::string::npos);
  EXPECT_NE(result.out.find(path_.string() + ":5:1: zzz: "), std::string::npos);
  EXPECT_FALSE(inspected) << "a configuration with problems is never compiled";
}

TEST_F(ConfigFile, CheckAlsoFailsForWhatTheFilesHaveWrong) {
  const auto command = with(good_);
  const Inspect inspect = [](const config::Config& config) {
    return Findings{{{config.file, {3, 9}, "users.file", "cannot be read"}}, {}};
  };
  const auto result = run([&](Streams& streams) { return check(command, inspect, streams); });
  EXPECT_EQ(result.code, exit_failed);
  EXPECT_EQ(result.out, path_.string() + ":3:9: users.file: cannot be read\n");
}

TEST_F(ConfigFile, CheckOfAGoodFileSaysSoAndWarnsApart) {
  const auto command = with(good_);
  const auto result = run([&](Streams& streams) {
    return check(command, [](const config::Config&) { return Findings{}; }, streams);
  });
  EXPECT_EQ(result.code, exit_ok);
  EXPECT_EQ(result.out, path_.string() + ": ok\n");
  EXPECT_NE(result.err.find("tokens: warning: "), std::string::npos);
}

TEST_F(ConfigFile, ConfigPrintsTheEffectiveOne) {
  const auto command = with(good_);
  const auto result = run([&](Streams& streams) { return print_config(command, streams); });
  EXPECT_EQ(result.code, exit_ok);
  EXPECT_NE(result.out.find("connect_timeout: 5s"), std::string::npos);
  const auto bad = with("zzz: 1\n");
  const auto refused = run([&](Streams& streams) { return print_config(bad, streams); });
  EXPECT_EQ(refused.code, exit_failed);
  EXPECT_EQ(refused.out, "");
  EXPECT_NE(refused.err.find("zzz"), std::string::npos);
}

TEST(PrintConfig, PrintsSchemaAndReferenceWithoutAFile) {
  Command command;
  command.schema = true;
  EXPECT_EQ(run([&](Streams& s) { return print_config(command, s); }).out.front(), '{');
  command.schema = false;
  command.reference = true;
  EXPECT_EQ(run([&](Streams& s) { return print_config(command, s); }).out.rfind("# Conf", 0), 0U);
}

TEST(HashPassword, MakesAHashOfTheLineAsItIs) {
  const auto result = run(hash_password, " pass word \n");
  ASSERT_EQ(result.code, exit_ok);
  const auto hash = result.out.substr(0, result.out.size() - 1);
  EXPECT_TRUE(auth::verify_password(hash, " pass word "));
  EXPECT_FALSE(auth::verify_password(hash, "pass word"));
  EXPECT_EQ(run(hash_password, "no newline").code, exit_ok);
}

TEST(HashPassword, RefusesWhatCouldNotLogIn) {
  EXPECT_EQ(run(hash_password, "").code, exit_failed);
  EXPECT_EQ(run(hash_password, "\n").code, exit_failed);
  EXPECT_EQ(run(hash_password, "one\ntwo\n").code, exit_failed);
  EXPECT_EQ(run(hash_password, std::string("a\0b\n", 4)).code, exit_failed);
  EXPECT_EQ(run(hash_password, std::string(1'025, 'a') + "\n").code, exit_failed);
  EXPECT_EQ(run(hash_password, std::string(100'000, 'a')).code, exit_failed);
  EXPECT_EQ(run(hash_password, std::string(1'024, 'a') + "\n").code, exit_ok);
}

TEST(Keygen, MakesKeysThatLoad) {
  Command command;
  command.algorithm = "ES256";
  const auto result = run([&](Streams& streams) { return keygen(command, streams); });
  ASSERT_EQ(result.code, exit_ok);
  const auto made = auth::Key::from_pem("a", auth::Algorithm::es256, result.out);
  EXPECT_TRUE(std::holds_alternative<auth::Key>(made));
  EXPECT_EQ(result.out.back(), '\n');
}

TEST(Keygen, MakesSecretsReadyForASecretFile) {
  Command command;
  command.algorithm = "HS256";
  const auto result = run([&](Streams& streams) { return keygen(command, streams); });
  EXPECT_EQ(result.out.rfind("base64:", 0), 0U);
  EXPECT_EQ(result.out.size(), std::string("base64:").size() + 44 + 1);
}

TEST(Keygen, RefusesUnknownAlgorithms) {
  Command command;
  command.algorithm = "none";
  const auto result = run([&](Streams& streams) { return keygen(command, streams); });
  EXPECT_EQ(result.code, exit_usage);
  EXPECT_EQ(result.out, "");
}

TEST(Healthcheck, FailsWhereNobodyListensAndForWrongUrls) {
  Command command;
  command.url = "http://127.0.0.1:1/livez";
  EXPECT_EQ(run([&](Streams& streams) { return healthcheck(command, streams); }).code, exit_failed);
  command.url = "https://127.0.0.1/livez";
  EXPECT_EQ(run([&](Streams& streams) { return healthcheck(command, streams); }).code, exit_usage);
}

TEST(Version, NamesProgramCompilerAndLibraries) {
  const auto result = run(print_version);
  EXPECT_EQ(result.out.rfind("gatehouse 0.", 0), 0U);
  for (const char* name : {"Boost 1.", "OpenSSL 3.", "yaml-cpp 0.", "CLI11 2."}) {
    EXPECT_NE(result.out.find(name), std::string::npos) << name;
  }
}

}  // namespace
}  // namespace proxy
