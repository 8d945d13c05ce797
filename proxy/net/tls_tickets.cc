// Ticket keys; see tls_tickets.h.
#include "proxy/net/tls_tickets.h"

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/rand.h>

#include <algorithm>
#include <fstream>
#include <iterator>

namespace proxy::net {
namespace {

constexpr std::size_t keys_kept = 3;
// nginx's layout: a name, then MAC and cipher keys of either size.
constexpr std::size_t small_file = 48;
constexpr std::size_t large_file = 80;

const EVP_CIPHER* cipher_of(const TicketKeys::Key& key) {
  return key.bits == 256 ? ::EVP_aes_256_cbc() : ::EVP_aes_128_cbc();
}

bool set_mac(EVP_MAC_CTX* mac, const TicketKeys::Key& key) {
  auto copy = key.mac;
  std::string digest = "SHA256";
  const std::size_t size = key.bits == 256 ? copy.size() : copy.size() / 2;
  const std::array<OSSL_PARAM, 3> parameters{
      ::OSSL_PARAM_construct_octet_string(OSSL_MAC_PARAM_KEY, copy.data(), size),
      ::OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest.data(), 0),
      ::OSSL_PARAM_construct_end()};
  const bool done = ::EVP_MAC_CTX_set_params(mac, parameters.data()) == 1;
  ::OPENSSL_cleanse(copy.data(), copy.size());
  return done;
}

bool make_key(TicketKeys::Key& key) {
  return ::RAND_bytes(key.name.data(), static_cast<int>(key.name.size())) == 1 &&
         ::RAND_bytes(key.mac.data(), static_cast<int>(key.mac.size())) == 1 &&
         ::RAND_bytes(key.cipher.data(), static_cast<int>(key.cipher.size())) == 1;
}

bool read_key(const std::string& file, TicketKeys::Key& key) {
  std::ifstream in(file, std::ios::binary);
  std::array<char, large_file + 1> bytes{};
  in.read(bytes.data(), bytes.size());
  const auto size = static_cast<std::size_t>(in.gcount());
  if (size != small_file && size != large_file) return false;
  const std::size_t half = (size - key.name.size()) / 2;
  const auto take = [&bytes](std::size_t from, std::size_t count, unsigned char* to) {
    std::copy_n(reinterpret_cast<const unsigned char*>(bytes.data()) + from, count, to);
  };
  take(0, key.name.size(), key.name.data());
  take(key.name.size(), half, key.mac.data());
  take(key.name.size() + half, half, key.cipher.data());
  key.bits = half * 8;
  ::OPENSSL_cleanse(bytes.data(), bytes.size());
  return true;
}

}  // namespace

TicketKeys::Key::~Key() {
  ::OPENSSL_cleanse(mac.data(), mac.size());
  ::OPENSSL_cleanse(cipher.data(), cipher.size());
}

int TicketKeys::seal(unsigned char* name, unsigned char* iv, EVP_CIPHER_CTX* cipher,
                     EVP_MAC_CTX* mac) const {
  const Key& key = keys_.front();
  if (::RAND_bytes(iv, ::EVP_CIPHER_get_iv_length(cipher_of(key))) != 1) return -1;
  std::copy(key.name.begin(), key.name.end(), name);
  const bool done = ::EVP_EncryptInit_ex(cipher, cipher_of(key), nullptr, key.cipher.data(), iv) &&
                    set_mac(mac, key);
  return done ? 1 : -1;
}

int TicketKeys::open(const unsigned char* name, const unsigned char* iv, EVP_CIPHER_CTX* cipher,
                     EVP_MAC_CTX* mac) const {
  const auto found = std::find_if(keys_.begin(), keys_.end(), [name](const Key& key) {
    return std::equal(key.name.begin(), key.name.end(), name);
  });
  if (found == keys_.end()) return 0;
  const bool done =
      ::EVP_DecryptInit_ex(cipher, cipher_of(*found), nullptr, found->cipher.data(), iv) &&
      set_mac(mac, *found);
  if (!done) return -1;
  return found == keys_.begin() ? 1 : 2;
}

std::shared_ptr<const TicketKeys> make_ticket_keys() {
  std::vector<TicketKeys::Key> keys(1);
  if (!make_key(keys.front())) return nullptr;
  return std::make_shared<const TicketKeys>(std::move(keys));
}

std::shared_ptr<const TicketKeys> rotate(const TicketKeys& older) {
  std::vector<TicketKeys::Key> keys(1);
  if (!make_key(keys.front())) return nullptr;
  keys.insert(keys.end(), older.keys().begin(), older.keys().end());
  if (keys.size() > keys_kept) keys.resize(keys_kept);
  return std::make_shared<const TicketKeys>(std::move(keys));
}

std::shared_ptr<const TicketKeys> read_ticket_keys(const std::vector<std::string>& files,
                                                   TlsProblem& problem) {
  std::vector<TicketKeys::Key> keys(files.size());
  for (std::size_t i = 0; i < files.size(); ++i) {
    if (!read_key(files[i], keys[i])) {
      problem = {"ticket_key_files", files[i] + ": needs 48 or 80 random bytes"};
      return nullptr;
    }
  }
  return std::make_shared<const TicketKeys>(std::move(keys));
}

}  // namespace proxy::net
