// The keys of session tickets (RFC 5077; TLS 1.3 seals its own the same way); for the files of
// net/tls* only. Immutable; any thread.
#pragma once

#include <openssl/ssl.h>

#include <array>
#include <memory>
#include <string>
#include <vector>

#include "proxy/net/tls.h"

namespace proxy::net {

class TicketKeys {
 public:
  struct Key {
    Key() = default;
    Key(const Key&) = default;
    Key& operator=(const Key&) = default;
    ~Key();
    std::array<unsigned char, 16> name{};
    std::array<unsigned char, 32> mac{};
    std::array<unsigned char, 32> cipher{};
    std::size_t bits = 256;  // of `cipher`; AES-128 in files of 48 bytes
  };
  explicit TicketKeys(std::vector<Key> keys) : keys_(std::move(keys)) {}

  // What OpenSSL's callback asks for: 1, 2 (opened, but a new ticket is due), 0 or -1.
  [[nodiscard]] int seal(unsigned char* name, unsigned char* iv, EVP_CIPHER_CTX* cipher,
                         EVP_MAC_CTX* mac) const;
  [[nodiscard]] int open(const unsigned char* name, const unsigned char* iv, EVP_CIPHER_CTX* cipher,
                         EVP_MAC_CTX* mac) const;
  [[nodiscard]] const std::vector<Key>& keys() const { return keys_; }

 private:
  std::vector<Key> keys_;  // the first one seals
};

// Null and a problem when a file does not hold a key.
[[nodiscard]] std::shared_ptr<const TicketKeys> read_ticket_keys(
    const std::vector<std::string>& files, TlsProblem& problem);

}  // namespace proxy::net
