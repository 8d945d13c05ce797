// See frames.h.
#include "proxy/http/frames.h"

#include <algorithm>

namespace proxy::http {

// Two bytes, then the longer forms of the length, then the mask.
std::size_t FrameFollower::head_bytes() const {
  if (head_size_ < 2) return 2;
  const std::uint8_t length = head_[1] & 0x7F;
  std::size_t bytes = 2;
  if (length == 126) bytes += 2;
  if (length == 127) bytes += 8;
  return (head_[1] & 0x80) != 0 ? bytes + 4 : bytes;
}

void FrameFollower::begin_payload() {
  const std::uint8_t length = head_[1] & 0x7F;
  payload_left_ = length;
  if (length >= 126) {
    payload_left_ = 0;
    const std::size_t end = length == 126 ? 4 : 10;
    for (std::size_t i = 2; i < end; ++i) payload_left_ = payload_left_ << 8 | head_[i];
  }
  head_size_ = 0;
}

std::size_t FrameFollower::pass_to_boundary(std::string_view bytes) {
  std::size_t passed = 0;
  while (passed < bytes.size()) {
    if (payload_left_ > 0) {
      const auto step = static_cast<std::size_t>(
          std::min<std::uint64_t>(payload_left_, bytes.size() - passed));
      payload_left_ -= step;
      passed += step;
    } else {
      head_[head_size_++] = static_cast<std::uint8_t>(bytes[passed++]);
      if (head_size_ == head_bytes()) begin_payload();
    }
    if (at_boundary()) break;
  }
  return passed;
}

void FrameFollower::pass(std::string_view bytes) {
  while (!bytes.empty()) bytes.remove_prefix(pass_to_boundary(bytes));
}

std::string close_frame(std::uint16_t code, std::string_view mask) {
  std::string payload{static_cast<char>(code >> 8), static_cast<char>(code & 0xFF)};
  for (std::size_t i = 0; i < payload.size() && !mask.empty(); ++i) {
    payload[i] = static_cast<char>(payload[i] ^ mask[i]);
  }
  std::string frame{'\x88', static_cast<char>((mask.empty() ? 0 : 0x80) | 2)};
  return frame.append(mask).append(payload);
}

}  // namespace proxy::http
