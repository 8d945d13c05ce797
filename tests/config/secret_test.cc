// Secrets and files as bytes.
#include "config/secret.h"

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include <sys/stat.h>
#include <unistd.h>

#include <gtest/gtest.h>

namespace config {
namespace {

class SecretFile : public testing::Test {
 protected:
  // Cases run at the same time in processes of their own: each has a file of its own.
  SecretFile()
      : path_(std::filesystem::path(testing::TempDir()) /
              ("gatehouse_secret_test." + std::to_string(::getpid()))) {}
  ~SecretFile() override { std::filesystem::remove(path_); }

  SecretText read_back(const std::string& content) {
    std::ofstream(path_, std::ios::binary) << content;
    Secret secret;
    secret.file = path_.string();
    return read_secret(secret);
  }

  std::filesystem::path path_;
};

TEST_F(SecretFile, LosesOneFinalNewline) {
  EXPECT_EQ(read_back("secret").bytes, "secret");
  EXPECT_EQ(read_back("secret\n").bytes, "secret");
  EXPECT_EQ(read_back("secret\r\n").bytes, "secret");
  EXPECT_EQ(read_back("secret\n\n").bytes, "secret\n");
  EXPECT_EQ(read_back(" secret \n").bytes, " secret ");
}

TEST_F(SecretFile, DecodesBase64) {
  EXPECT_EQ(read_back("base64:c2VjcmV0\n").bytes, "secret");
  EXPECT_EQ(read_back("base64:AP8=\n").bytes, std::string("\0\xFF", 2));
}

TEST_F(SecretFile, RefusesWhatIsNotCanonicalBase64) {
  for (const char* text : {"base64:c2Vj*mV0", "base64:c2VjcmV", "base64:AP9=", "base64:A===",
                           "base64:c2Vj\ncmV0", "base64:c2Vj cmV0", "base64:c2V-_mV0"}) {
    const auto result = read_back(text);
    EXPECT_NE(result.error, "") << text;
    EXPECT_EQ(result.bytes, "");
    EXPECT_EQ(result.error.find("c2V"), std::string::npos) << "shows the secret";
  }
}

TEST_F(SecretFile, RefusesAnEmptyOne) {
  EXPECT_NE(read_back("").error.find("is empty"), std::string::npos);
  EXPECT_NE(read_back("\n").error.find("is empty"), std::string::npos);
  EXPECT_NE(read_back("base64:").error.find("is empty"), std::string::npos);
}

TEST_F(SecretFile, RefusesAnEndlessOne) {
  EXPECT_NE(read_back(std::string(65 * 1024, 'x')).error.find("larger"), std::string::npos);
}

TEST(Secret, InPlaceIsTakenAsItStands) {
  Secret secret;
  secret.value = "in place\n";
  EXPECT_EQ(read_secret(secret).bytes, "in place\n");
  secret.value = "base64:c2VjcmV0";
  EXPECT_EQ(read_secret(secret).bytes, "secret");
}

TEST_F(SecretFile, NeverWaitsForAFifo) {
  ASSERT_EQ(mkfifo(path_.c_str(), 0600), 0);
  EXPECT_NE(read_file(path_.string(), 10).error.find("not a regular file"), std::string::npos);
}

TEST(ReadFile, NamesTheFileItCannotRead) {
  EXPECT_EQ(read_file("/nonexistent/key", 10).error,
            "cannot read /nonexistent/key: No such file or directory");
  EXPECT_NE(read_file("/", 10).error.find("not a regular file"), std::string::npos);
  EXPECT_NE(read_file("/dev/zero", 10).error.find("not a regular file"), std::string::npos);
}

}  // namespace
}  // namespace config
