// Where WebSocket frames end, however their bytes are cut.
#include "proxy/http/frames.h"

#include <gtest/gtest.h>

#include <vector>

namespace proxy::http {
namespace {

std::string frame(std::size_t length, bool is_masked) {
  std::string bytes{'\x82'};
  const int mask = is_masked ? 0x80 : 0;
  if (length < 126) {
    bytes += static_cast<char>(mask | static_cast<int>(length));
  } else if (length < 65'536) {
    bytes += static_cast<char>(mask | 126);
    bytes += static_cast<char>(length >> 8);
    bytes += static_cast<char>(length);
  } else {
    bytes += static_cast<char>(mask | 127);
    for (int shift = 56; shift >= 0; shift -= 8) bytes += static_cast<char>(length >> shift);
  }
  return bytes.append(is_masked ? 4 : 0, 'm').append(length, '\x88');
}

TEST(FrameFollower, FindsTheEndOfEachFrameHoweverItIsCut) {
  for (const bool is_masked : {false, true}) {
    std::string all;
    std::vector<std::size_t> ends;
    for (const std::size_t length : {0, 1, 125, 126, 127, 65'535, 65'536, 70'000, 0}) {
      all += frame(length, is_masked);
      ends.push_back(all.size());
    }
    for (const std::size_t piece : {1, 2, 3, 7, 1'000, 100'000}) {
      FrameFollower follower;
      std::vector<std::size_t> found;
      std::size_t at = 0;
      while (at < all.size()) {
        const std::string_view rest = std::string_view(all).substr(at, piece);
        at += follower.pass_to_boundary(rest);
        if (follower.at_boundary()) found.push_back(at);
      }
      EXPECT_EQ(found, ends) << piece;
    }
  }
}

TEST(FrameFollower, IsInsideBetweenHeadAndLastByte) {
  FrameFollower follower;
  EXPECT_TRUE(follower.at_boundary());
  follower.pass("\x81");
  EXPECT_FALSE(follower.at_boundary());
  follower.pass(std::string_view("\x02h", 2));
  EXPECT_FALSE(follower.at_boundary());
  follower.pass("i");
  EXPECT_TRUE(follower.at_boundary());
}

TEST(CloseFrame, CarriesItsCodeMaskedOrNot) {
  EXPECT_EQ(close_frame(1008, ""), std::string("\x88\x02\x03\xF0", 4));
  EXPECT_EQ(close_frame(1008, "\x01\x02\x03\x04"),
            std::string("\x88\x82\x01\x02\x03\x04\x02\xF2", 8));
  FrameFollower follower;
  follower.pass(close_frame(1008, "abcd"));
  EXPECT_TRUE(follower.at_boundary());
}

}  // namespace
}  // namespace proxy::http
