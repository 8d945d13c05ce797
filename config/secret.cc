// See secret.h. Errors name the file and never quote its content.
#include "config/secret.h"

#include <array>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <memory>
#include <optional>
#include <string_view>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace config {
namespace {

constexpr std::size_t secret_bytes_max = 64 * 1024;

struct FileCloser {
  void operator()(std::FILE* file) const { std::fclose(file); }
};

SecretText failure(const std::string& path, const std::string& why) {
  return {"", "cannot read " + path + ": " + why};
}

int base64_value(char c) {
  if (c >= 'A' && c <= 'Z') { return c - 'A'; }
  if (c >= 'a' && c <= 'z') { return c - 'a' + 26; }
  if (c >= '0' && c <= '9') { return c - '0' + 52; }
  if (c == '+') { return 62; }
  return c == '/' ? 63 : -1;
}

// RFC 4648 section 4, padded, canonical: a secret must have one spelling.
std::optional<std::string> decode_base64(std::string_view text) {
  if (text.size() % 4 != 0) { return std::nullopt; }
  std::size_t padding = 0;
  while (padding < 2 && !text.empty() && text.back() == '=') {
    text.remove_suffix(1);
    ++padding;
  }
  std::string bytes;
  std::uint32_t buffer = 0;
  int bits = 0;
  for (const char c : text) {
    const int value = base64_value(c);
    if (value < 0) { return std::nullopt; }
    buffer = (buffer << 6 | static_cast<std::uint32_t>(value)) & 0xFFFFFF;
    bits += 6;
    if (bits >= 8) {
      bits -= 8;
      bytes += static_cast<char>(buffer >> bits & 0xFF);
    }
  }
  // Bits left over must be zero, or several texts would stand for the same bytes.
  if ((buffer & ((1U << bits) - 1)) != 0) { return std::nullopt; }
  return bytes;
}

}  // namespace

SecretText read_file(const std::string& path, std::size_t bytes_max) {
  // Opening a FIFO would wait for its other end.
  const int descriptor = open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (descriptor < 0) { return failure(path, std::strerror(errno)); }
  const std::unique_ptr<std::FILE, FileCloser> file(fdopen(descriptor, "rb"));
  if (!file) {
    close(descriptor);
    return failure(path, "out of memory");
  }
  // A directory opens, and a FIFO or a device might never end: only regular files are read.
  struct stat about {};
  if (fstat(fileno(file.get()), &about) != 0) { return failure(path, std::strerror(errno)); }
  if (!S_ISREG(about.st_mode)) { return failure(path, "it is not a regular file"); }
  SecretText result;
  std::array<char, 16 * 1024> chunk{};
  while (true) {
    const auto count = std::fread(chunk.data(), 1, chunk.size(), file.get());
    result.bytes.append(chunk.data(), count);
    if (result.bytes.size() > bytes_max) {
      return failure(path, "it is larger than " + std::to_string(bytes_max) + " bytes");
    }
    if (count < chunk.size()) { break; }
  }
  if (std::ferror(file.get()) != 0) { return failure(path, std::strerror(errno)); }
  return result;
}

SecretText read_secret(const Secret& secret) {
  SecretText result;
  if (secret.file.empty()) {
    result.bytes = secret.value;
  } else {
    result = read_file(secret.file, secret_bytes_max);
    if (!result.error.empty()) { return result; }
    // Editors end a file with a newline; an editor of another system with CR LF.
    if (!result.bytes.empty() && result.bytes.back() == '\n') {
      result.bytes.pop_back();
      if (!result.bytes.empty() && result.bytes.back() == '\r') { result.bytes.pop_back(); }
    }
  }
  constexpr std::string_view base64_mark = "base64:";
  if (result.bytes.rfind(base64_mark, 0) == 0) {
    auto decoded = decode_base64(std::string_view(result.bytes).substr(base64_mark.size()));
    if (!decoded) {
      const auto where = secret.file.empty() ? std::string("the secret") : secret.file;
      return {"", where + " begins with base64: but is not base64"};
    }
    result.bytes = std::move(*decoded);
  }
  if (result.bytes.empty()) {
    return {"", (secret.file.empty() ? std::string("the secret") : secret.file) + " is empty"};
  }
  return result;
}

}  // namespace config
