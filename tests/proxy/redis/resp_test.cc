// Bytes from a server that is broken or hostile: nothing that a reply announces is believed
// (SECURITY K02).
#include "proxy/redis/resp.h"

#include <gtest/gtest.h>

#include <algorithm>

namespace proxy::redis {
namespace {

void feed(ReplyReader& reader, std::string_view bytes) {
  while (!bytes.empty()) {
    const std::span<char> room = reader.room();
    const std::size_t size = std::min(room.size(), bytes.size());
    std::copy_n(bytes.begin(), size, room.begin());
    reader.commit(size);
    bytes.remove_prefix(size);
  }
}

TEST(ReplyReader, ReadsRepliesHoweverTheyAreCut) {
  const std::string all = "*3\r\n:5\r\n$3\r\na\r\n\r\n*1\r\n$-1\r\n+OK\r\n-ERR no\r\n*0\r\n";
  for (const std::size_t piece : {1, 2, 5, 100}) {
    ReplyReader reader;
    std::vector<Reply> replies;
    for (std::size_t at = 0; at < all.size(); at += piece) {
      feed(reader, std::string_view(all).substr(at, piece));
      while (auto reply = reader.next()) replies.push_back(std::move(*reply));
    }
    ASSERT_EQ(replies.size(), 4U) << piece;
    EXPECT_EQ(replies[0].items.at(0).integer, 5);
    EXPECT_EQ(replies[0].items.at(1).text, "a\r\n");
    EXPECT_TRUE(replies[0].items.at(2).items.at(0).is_nil());
    EXPECT_EQ(replies[1].text, "OK");
    EXPECT_EQ(replies[2].error_code(), "ERR");
    EXPECT_FALSE(reader.broken());
  }
}

TEST(ReplyReader, BelievesNoAnnouncement) {
  std::string deep;
  for (int i = 0; i < 10'000; ++i) deep += "*1\r\n";
  const std::vector<std::string> hostile{
      "*1073741824\r\n", "*9999999\r\n", "$-2\r\n", "*-2\r\n", "$99999999999\r\n", "$2000000\r\n",
      "$99999999999999999999\r\n", ":1a\r\n", "$3\r\nabcde\r\n", "\r\n", "HTTP/1.1 400 Bad\r\n\r\n",
      "%1\r\n+a\r\n+b\r\n", std::string(20'000, '+'), std::string("\x00\x01\x02\r\n", 5), deep};
  for (const std::string& bytes : hostile) {
    ReplyReader reader;
    feed(reader, bytes);
    EXPECT_FALSE(reader.next()) << bytes.substr(0, 40);
    EXPECT_TRUE(reader.broken()) << bytes.substr(0, 40);
  }
}

TEST(AppendCommand, CountsEveryArgument) {
  std::string out;
  const std::vector<std::string_view> words{"SET", "a\r\nDEL *", ""};
  append_command(out, words);
  EXPECT_EQ(out, "*3\r\n$3\r\nSET\r\n$8\r\na\r\nDEL *\r\n$0\r\n\r\n");
}

}  // namespace
}  // namespace proxy::redis
