// Where WebSocket frames end (RFC 6455 section 5.2), so that a tunnel can be closed between two of
// them. Looks at lengths only. A value for each direction; no sockets.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace proxy::http {

class FrameFollower {
 public:
  void pass(std::string_view bytes);
  // As pass(), but stops behind the first frame that ends; how many bytes that were.
  [[nodiscard]] std::size_t pass_to_boundary(std::string_view bytes);
  [[nodiscard]] bool at_boundary() const { return head_size_ == 0 && payload_left_ == 0; }

 private:
  [[nodiscard]] std::size_t head_bytes() const;
  void begin_payload();

  std::array<std::uint8_t, 14> head_{};
  std::size_t head_size_ = 0;  // of the frame that has begun; 0 while its payload passes
  std::uint64_t payload_left_ = 0;
};

// The code of a server that goes away (RFC 6455 section 7.4.1).
inline constexpr std::uint16_t going_away = 1001;

// A Close frame with a code and no reason. `mask` is four bytes for what goes to the application,
// empty for what goes to the client.
[[nodiscard]] std::string close_frame(std::uint16_t code, std::string_view mask);

}  // namespace proxy::http
