// Redis' protocol (RESP2) as values: commands to bytes, bytes to replies. hiredis reads and
// formats; what a reply may announce is bounded before hiredis sees a byte of it, since its
// reader allocates whatever it is told (SECURITY K02). No sockets; one thread for each reader.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

struct redisReader;

namespace proxy::redis {

// The length of one reply with everything in it.
inline constexpr std::size_t reply_bytes_max = 1024 * 1024;

struct Reply {
  enum class Type : std::uint8_t { nil, status, error, integer, text, array };
  Type type = Type::nil;
  std::int64_t integer = 0;
  std::string text;  // of status, error and text
  std::vector<Reply> items;

  [[nodiscard]] bool is_error() const { return type == Type::error; }
  [[nodiscard]] bool is_nil() const { return type == Type::nil; }
  // Of an error: "MOVED", "READONLY", "NOSCRIPT", ...
  [[nodiscard]] std::string_view error_code() const;
};

// Appends one command. Each argument is a counted string: none can become a second command (K03).
void append_command(std::string& out, std::span<const std::string_view> arguments);

// Finds where replies end, without believing any length.
class ReplyScanner {
 public:
  enum class Outcome : std::uint8_t { complete, incomplete, broken };
  // `bytes` begins with a reply; what was scanned before is not looked at again. After `complete`,
  // size() tells how long the reply is, and the next one is scanned from its first byte.
  [[nodiscard]] Outcome scan(std::string_view bytes);
  [[nodiscard]] std::size_t size() const { return size_; }
  void reset();

 private:
  [[nodiscard]] Outcome scan_value(std::string_view bytes);
  [[nodiscard]] bool open(std::int64_t count);
  void close_value();

  std::size_t size_ = 0;
  std::vector<std::int64_t> open_;  // how many items each array around still lacks
};

class ReplyReader {
 public:
  ReplyReader();
  ~ReplyReader();
  ReplyReader(const ReplyReader&) = delete;
  ReplyReader& operator=(const ReplyReader&) = delete;

  // Where the next bytes from the socket go, and how many came.
  [[nodiscard]] std::span<char> room();
  void commit(std::size_t bytes);
  // The next complete reply. After broken() nothing more can be believed.
  [[nodiscard]] std::optional<Reply> next();
  [[nodiscard]] bool broken() const { return broken_; }
  void reset();

 private:
  struct FreeReader {
    void operator()(redisReader* reader) const;
  };
  [[nodiscard]] std::optional<Reply> parse(std::string_view bytes);

  std::string buffer_;
  std::size_t begin_ = 0;
  std::size_t end_ = 0;
  bool broken_ = false;
  ReplyScanner scanner_;
  std::unique_ptr<redisReader, FreeReader> reader_;
};

}  // namespace proxy::redis
