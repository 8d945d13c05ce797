// What a broken or hostile Redis may send, in pieces of any size: the same replies, the same end,
// nothing read that was not sent; and a command that is written is read as what it was.
#include "proxy/redis/resp.h"
#include "tests/fuzz/require.h"

#include <algorithm>
#include <string>
#include <vector>

using namespace proxy::redis;

namespace {

// Of everything in it, so that no byte of a reply lies outside of what was sent.
std::size_t size_of(const Reply& reply) {
  std::size_t size = reply.text.size();
  for (const Reply& item : reply.items) size += 1 + size_of(item);
  return size;
}

void print(const Reply& reply, std::string& out) {
  out += std::to_string(static_cast<int>(reply.type)) + ":" + std::to_string(reply.integer) + ":" +
         reply.text + "[";
  for (const Reply& item : reply.items) print(item, out);
  out += "]";
}

struct Result {
  std::string printed;
  std::size_t count = 0;
  std::size_t bytes = 0;
  bool broken = false;
  bool operator==(const Result&) const = default;
};

Result read(std::string_view input, std::size_t piece) {
  ReplyReader reader;
  Result result;
  while (!input.empty() && !reader.broken()) {
    const std::span<char> room = reader.room();
    fuzz::require(!room.empty());
    const std::size_t size = std::min({room.size(), input.size(), piece});
    std::copy_n(input.begin(), size, room.begin());
    reader.commit(size);
    input.remove_prefix(size);
    while (const std::optional<Reply> reply = reader.next()) {
      ++result.count;
      result.bytes += size_of(*reply);
      print(*reply, result.printed);
    }
  }
  result.broken = reader.broken();
  return result;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::string_view input = fuzz::text(data + 1, size - 1);
  const Result whole = read(input, input.size() + 1);
  fuzz::require(whole.bytes <= input.size());
  const Result pieces = read(input, 1 + data[0] % 32);
  // A break is noticed at the latest when everything is there, and replies before it are replies.
  fuzz::require(pieces == whole);

  std::string command;
  const std::vector<std::string_view> arguments{"SET", input, ""};
  append_command(command, arguments);
  Result written = read(command, command.size());
  fuzz::require(written.count == 1 && !written.broken);
  Reply expected;
  expected.type = Reply::Type::array;
  for (const std::string_view argument : arguments) {
    expected.items.emplace_back().type = Reply::Type::text;
    expected.items.back().text = argument;
  }
  std::string printed;
  print(expected, printed);
  fuzz::require(written.printed == printed);
  return 0;
}
