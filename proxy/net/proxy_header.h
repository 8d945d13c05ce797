// The PROXY protocol header, versions 1 and 2, by which a load balancer tells whom it speaks for
// (https://www.haproxy.org/download/2.9/doc/proxy-protocol.txt). A value that is fed with bytes and
// never takes one behind the header, since TLS may begin there. Pure; any thread.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

#include "proxy/net/address.h"

namespace proxy::net {

class ProxyHeader {
 public:
  enum class State : std::uint8_t { need_more, complete, failed };
  struct Source {
    Address address;
    std::uint16_t port = 0;
  };

  // How many bytes may be read now; at least one while more are needed.
  [[nodiscard]] std::size_t wants() const;
  // At most wants() bytes.
  [[nodiscard]] State feed(std::string_view bytes);
  // The client; none where the balancer speaks for itself (health checks) or does not know.
  [[nodiscard]] const std::optional<Source>& source() const { return source_; }

 private:
  [[nodiscard]] std::string_view text() const { return {bytes_.data(), size_}; }
  [[nodiscard]] bool is_v2() const;
  [[nodiscard]] State check_v1();
  [[nodiscard]] State check_v2();
  [[nodiscard]] State take_v2_address();

  // A line of version 1 has at most 107 bytes; of version 2 no more is looked at.
  std::array<char, 107> bytes_{};
  std::size_t size_ = 0;
  std::size_t skipped_ = 0;  // bytes of version 2 behind what is kept
  std::optional<Source> source_;
};

}  // namespace proxy::net
