// See password.h. A hash is taken apart here before any library sees it: libargon2 and libcrypt
// obey whatever cost the string asks for (13 s and 4 GiB for one argon2 line), so a string that was
// not checked is never run.
#include "auth/password.h"

#include "auth/bytes.h"

#include <argon2.h>
#include <crypt.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <cstdint>
#include <cstring>
#include <memory>
#include <new>
#include <optional>
#include <utility>
#include <vector>

namespace auth {
namespace {

enum class Scheme { argon2id, bcrypt, scrypt, yescrypt };

// What a hash costs and where its parts are. `error` is set when it must not be run.
struct Parsed {
  Scheme scheme = Scheme::argon2id;
  std::uint64_t memory_bytes = 0;
  std::uint64_t passes = 1;      // argon2id: t; scrypt: p; bcrypt: the exponent
  std::size_t parameters = 0;    // length of the part in front of the salt
  std::size_t digest_at = 0;     // where the digest starts
  std::string error{};
};

constexpr std::uint64_t mebibyte = 1024 * 1024;
constexpr std::uint64_t memory_bytes_max = 256 * mebibyte;
constexpr std::string_view crypt_alphabet =
    "./0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
constexpr std::size_t crypt_digest_chars = 43;
constexpr std::size_t bcrypt_password_max = 72;
constexpr std::size_t crypt_password_max = CRYPT_MAX_PASSPHRASE_SIZE - 1;

Parsed refused(std::string why) {
  Parsed parsed;
  parsed.error = std::move(why);
  return parsed;
}

bool is_crypt_text(std::string_view text) {
  return text.find_first_not_of(crypt_alphabet) == std::string_view::npos;
}

// The value of one character of libcrypt's alphabet; the caller knows that it is one.
std::uint64_t crypt_value(char c) { return crypt_alphabet.find(c); }

std::optional<std::uint64_t> decimal(std::string_view text) {
  if (text.empty() || text.size() > 10 || (text.size() > 1 && text.front() == '0')) {
    return std::nullopt;
  }
  std::uint64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return number;
}

std::vector<std::string_view> split(std::string_view text, char separator) {
  std::vector<std::string_view> parts;
  while (true) {
    const std::size_t at = text.find(separator);
    parts.push_back(text.substr(0, at));
    if (at == std::string_view::npos) return parts;
    text.remove_prefix(at + 1);
  }
}

// argon2 writes base64 without padding.
std::size_t base64_bytes(std::string_view text) {
  if (text.find('=') != std::string_view::npos) return 0;
  std::string padded(text);
  padded.append((4 - text.size() % 4) % 4, '=');
  const std::optional<std::string> bytes = base64_decode(padded);
  return bytes ? bytes->size() : 0;
}

// "m=19456,t=2,p=1", in this order and nothing else.
bool read_costs(std::string_view text, std::array<std::uint64_t, 3>& costs) {
  const std::vector<std::string_view> parts = split(text, ',');
  if (parts.size() != costs.size()) return false;
  constexpr std::array<std::string_view, 3> names{"m=", "t=", "p="};
  for (std::size_t i = 0; i < costs.size(); ++i) {
    if (!parts[i].starts_with(names[i])) return false;
    const std::optional<std::uint64_t> cost = decimal(parts[i].substr(2));
    if (!cost) return false;
    costs[i] = *cost;
  }
  return true;
}

// $argon2id$v=19$m=19456,t=2,p=1$salt$digest
Parsed parse_argon2id(std::string_view hash) {
  const std::vector<std::string_view> parts = split(hash, '$');
  std::array<std::uint64_t, 3> costs{};
  if (parts.size() != 6 || !read_costs(parts[3], costs)) {
    return refused("the argon2id hash is malformed");
  }
  if (parts[2] != "v=19") return refused("the argon2id hash has another version than 19");
  const auto [kibibytes, passes, lanes] = costs;
  if (kibibytes > memory_bytes_max / 1024) {
    return refused("the argon2id hash asks for more than 256 MiB");
  }
  if (passes < 1 || passes > 10) return refused("the argon2id hash needs t of 1 to 10");
  if (lanes < 1 || lanes > 4) return refused("the argon2id hash needs p of 1 to 4");
  if (kibibytes < 8 * lanes) return refused("the argon2id hash asks for less than 8 KiB a lane");
  const std::size_t salt = base64_bytes(parts[4]);
  const std::size_t digest = base64_bytes(parts[5]);
  if (salt < 8 || salt > 64) return refused("the argon2id hash needs a salt of 8 to 64 bytes");
  if (digest < 16 || digest > 64) {
    return refused("the argon2id hash needs a digest of 16 to 64 bytes");
  }
  Parsed parsed{.scheme = Scheme::argon2id, .memory_bytes = kibibytes * 1024, .passes = passes};
  parsed.digest_at = hash.size() - parts[5].size();
  parsed.parameters = parsed.digest_at - 1 - parts[4].size();
  return parsed;
}

// $2b$10$, 22 characters of salt, 31 of digest
Parsed parse_bcrypt(std::string_view hash) {
  constexpr std::size_t salt_at = 7;
  constexpr std::size_t digest_at = salt_at + 22;
  constexpr std::size_t length = digest_at + 31;
  if (hash.size() != length || hash[6] != '$' || !is_crypt_text(hash.substr(salt_at))) {
    return refused("the bcrypt hash is malformed");
  }
  const std::string_view cost_text = hash.substr(4, 2);
  const std::optional<std::uint64_t> cost =
      decimal(cost_text.front() == '0' ? cost_text.substr(1) : cost_text);
  if (!cost || *cost < 4 || *cost > 15) return refused("the bcrypt hash needs a cost of 4 to 15");
  // The last character of the salt has two bits; libcrypt writes the other four as zero (these are
  // the four such characters of bcrypt's own alphabet), so any other hash could never match.
  if (std::string_view(".Oeu").find(hash[digest_at - 1]) == std::string_view::npos) {
    return refused("the bcrypt hash is malformed");
  }
  Parsed parsed{.scheme = Scheme::bcrypt, .memory_bytes = 4096, .passes = *cost};
  parsed.parameters = salt_at;
  parsed.digest_at = digest_at;
  return parsed;
}

// Salt, `$` and digest of scrypt and yescrypt, which share it.
std::string check_crypt_tail(std::string_view tail, std::string_view scheme) {
  const std::vector<std::string_view> parts = split(tail, '$');
  const bool good = parts.size() == 2 && parts[0].size() <= 86 && is_crypt_text(parts[0]) &&
                    parts[1].size() == crypt_digest_chars && is_crypt_text(parts[1]);
  if (good && !parts[0].empty()) return {};
  return "the " + std::string(scheme) + " hash is malformed";
}

// Five characters, six bits each, the lowest first.
std::uint64_t crypt_number(std::string_view text) {
  std::uint64_t number = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    number |= crypt_value(text[i]) << (6 * i);
  }
  return number;
}

// $7$, one character of log2 N, five of r, five of p, salt, $, digest
Parsed parse_scrypt(std::string_view hash) {
  constexpr std::size_t parameters = 3 + 1 + 5 + 5;
  if (hash.size() < parameters || !is_crypt_text(hash.substr(3, parameters - 3))) {
    return refused("the scrypt hash is malformed");
  }
  const std::uint64_t log2_n = crypt_value(hash[3]);
  const std::uint64_t r = crypt_number(hash.substr(4, 5));
  const std::uint64_t p = crypt_number(hash.substr(9, 5));
  if (log2_n < 1 || r < 1 || p < 1) return refused("the scrypt hash is malformed");
  if (p > 16) return refused("the scrypt hash asks for more than 16 passes");
  if (log2_n > 21 || (r << log2_n) > memory_bytes_max / 128) {
    return refused("the scrypt hash asks for more than 256 MiB");
  }
  Parsed parsed{.scheme = Scheme::scrypt, .memory_bytes = (r << log2_n) * 128, .passes = p};
  if (parsed.memory_bytes * p > 4 * memory_bytes_max) {
    return refused("the scrypt hash asks for too many passes over its memory");
  }
  parsed.error = check_crypt_tail(hash.substr(parameters), "scrypt");
  parsed.parameters = parameters;
  parsed.digest_at = hash.size() - crypt_digest_chars;
  return parsed;
}

// $y$j, one character of log2 N - 1, one of r - 1, $, salt, $, digest: the form that crypt_gensalt
// and passwd write. Optional parameters, which can only raise the cost, are refused.
Parsed parse_yescrypt(std::string_view hash) {
  constexpr std::size_t parameters = 7;
  constexpr std::uint64_t one_character_max = 47;
  if (hash.size() < parameters || hash[3] != 'j' || hash[6] != '$' ||
      !is_crypt_text(hash.substr(4, 2))) {
    return refused("the yescrypt hash is malformed or has parameters other than N and r");
  }
  const std::uint64_t log2_n = crypt_value(hash[4]) + 1;
  const std::uint64_t r = crypt_value(hash[5]) + 1;
  if (r > one_character_max + 1) return refused("the yescrypt hash is malformed");
  if (log2_n > 21 || (r << log2_n) > memory_bytes_max / 128) {
    return refused("the yescrypt hash asks for more than 256 MiB");
  }
  Parsed parsed{.scheme = Scheme::yescrypt, .memory_bytes = (r << log2_n) * 128};
  parsed.error = check_crypt_tail(hash.substr(parameters), "yescrypt");
  parsed.parameters = parameters;
  parsed.digest_at = hash.size() - crypt_digest_chars;
  return parsed;
}

Parsed parse(std::string_view hash) {
  if (hash.empty()) return refused("the password hash is empty");
  if (hash.size() > 256) return refused("the password hash is over 256 bytes long");
  if (hash.starts_with("$argon2id$")) return parse_argon2id(hash);
  for (const std::string_view prefix : {"$2a$", "$2b$", "$2y$"}) {
    if (hash.starts_with(prefix)) return parse_bcrypt(hash);
  }
  if (hash.starts_with("$7$")) return parse_scrypt(hash);
  if (hash.starts_with("$y$")) return parse_yescrypt(hash);
  return refused("the password hash is neither argon2id, bcrypt, scrypt nor yescrypt");
}

bool verify_crypt(std::string_view hash, std::string_view password) {
  std::string setting(hash);
  std::string phrase(password);
  // 32 KiB, too much for a stack frame; zeroed, as libcrypt wants it.
  const auto data = std::make_unique<crypt_data>();
  errno = 0;
  const char* made = crypt_r(phrase.c_str(), setting.c_str(), data.get());
  // Of a failure libcrypt makes a text that fits no hash; its memory is no matter of the password.
  const bool has_failed = made == nullptr || made[0] == '*';
  const bool lacks_memory = has_failed && errno == ENOMEM;
  const bool fits = !has_failed && equal_constant_time(made, hash);
  cleanse(phrase);
  explicit_bzero(data.get(), sizeof(crypt_data));
  if (lacks_memory) throw std::bad_alloc();
  return fits;
}

bool verify_argon2id(std::string_view hash, std::string_view password) {
  const std::string text(hash);
  const int outcome = argon2id_verify(text.c_str(), password.data(), password.size());
  // Neither yes nor no.
  if (outcome == ARGON2_MEMORY_ALLOCATION_ERROR || outcome == ARGON2_THREAD_FAIL) {
    throw std::bad_alloc();
  }
  return outcome == ARGON2_OK;
}

}  // namespace

std::string check_hash(std::string_view hash) { return parse(hash).error; }

std::string hash_warning(std::string_view hash) {
  const Parsed parsed = parse(hash);
  if (!parsed.error.empty()) return {};
  const std::uint64_t work = parsed.memory_bytes * parsed.passes;
  // OWASP's lists of equal strength: 7 MiB with five passes, bcrypt 10, 16 MiB with p = 5.
  switch (parsed.scheme) {
    case Scheme::argon2id:
      if (parsed.memory_bytes >= 7 * mebibyte && work >= 35 * mebibyte) return {};
      return "this argon2id hash is weaker than m=19456,t=2,p=1";
    case Scheme::bcrypt:
      return parsed.passes >= 10 ? std::string{} : "this bcrypt hash has a cost below 10";
    case Scheme::scrypt:
      if (work >= 80 * mebibyte) return {};
      return "this scrypt hash is weaker than N=2^17, r=8, p=1";
    case Scheme::yescrypt:
      if (work >= 16 * mebibyte) return {};
      return "this yescrypt hash is weaker than N=4096, r=32";
  }
  return {};
}

std::string_view hash_parameters(std::string_view hash) {
  const Parsed parsed = parse(hash);
  if (!parsed.error.empty()) return {};
  return hash.substr(0, parsed.parameters);
}

std::string decoy_like(std::string_view hash) {
  const Parsed parsed = parse(hash);
  if (!parsed.error.empty()) return decoy_hash();
  std::string decoy(hash);
  // The password of a digest that was written down instead of computed is known to nobody.
  std::fill(decoy.begin() + static_cast<std::ptrdiff_t>(parsed.digest_at), decoy.end(), 'A');
  return decoy;
}

bool verify_password(std::string_view hash, std::string_view password) {
  if (password.size() > password_bytes_max) return false;
  // libcrypt ends a password at a NUL: "right\0junk" would fit the hash of "right".
  if (password.find('\0') != std::string_view::npos) return false;
  const Parsed parsed = parse(hash);
  if (!parsed.error.empty()) return false;
  if (parsed.scheme == Scheme::argon2id) return verify_argon2id(hash, password);
  // bcrypt silently cuts at 72 bytes, so that the first 72 of them plus anything would fit. A
  // longer password is refused, after the same work as any other wrong one.
  const std::size_t longest =
      parsed.scheme == Scheme::bcrypt ? bcrypt_password_max : crypt_password_max;
  const bool fits = verify_crypt(hash, password.substr(0, longest));
  return fits && password.size() <= longest;
}

Result<std::string> hash_password(std::string_view password) {
  if (password.empty() || password.size() > password_bytes_max ||
      password.find('\0') != std::string_view::npos) {
    return Error::malformed;
  }
  constexpr std::uint32_t passes = 2;
  constexpr std::uint32_t kibibytes = 19'456;
  constexpr std::uint32_t lanes = 1;
  constexpr std::size_t digest_bytes = 32;
  const Result<std::string> salt = random_bytes(16);
  if (!salt) return salt.error();
  std::string text(argon2_encodedlen(passes, kibibytes, lanes,
                                     static_cast<std::uint32_t>(salt->size()), digest_bytes,
                                     Argon2_id),
                   '\0');
  const int status =
      argon2id_hash_encoded(passes, kibibytes, lanes, password.data(), password.size(),
                            salt->data(), salt->size(), digest_bytes, text.data(), text.size());
  if (status != ARGON2_OK) return Error::overloaded;  // no memory for it
  text.resize(text.find('\0'));
  return text;
}

const std::string& decoy_hash() {
  static const std::string decoy =
      "$argon2id$v=19$m=19456,t=2,p=1$Z2F0ZWhvdXNlIGRlY295IQ$" + std::string(43, 'A');
  return decoy;
}

}  // namespace auth
