// See resp.h.
#include "proxy/redis/resp.h"

#include <hiredis/hiredis.h>

#include <algorithm>
#include <charconv>
#include <cstring>
#include <new>
#include <utility>

namespace proxy::redis {
namespace {

constexpr std::size_t piece_bytes = 16 * 1024;
// hiredis 0.14 gives up beyond seven arrays in each other; we need three.
constexpr std::size_t depth_max = 6;
constexpr std::int64_t items_max = 131'072;
// Status and error lines, and the numbers in front of everything else.
constexpr std::size_t line_bytes_max = 16 * 1024;

std::optional<std::int64_t> number(std::string_view text) {
  std::int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return value;
}

Reply convert(const redisReply& from) {
  Reply reply;
  switch (from.type) {
    case REDIS_REPLY_STATUS:
      reply.type = Reply::Type::status;
      break;
    case REDIS_REPLY_ERROR:
      reply.type = Reply::Type::error;
      break;
    case REDIS_REPLY_STRING:
      reply.type = Reply::Type::text;
      break;
    case REDIS_REPLY_INTEGER:
      reply.type = Reply::Type::integer;
      reply.integer = from.integer;
      return reply;
    case REDIS_REPLY_ARRAY:
      reply.type = Reply::Type::array;
      reply.items.reserve(from.elements);
      for (std::size_t i = 0; i < from.elements; ++i) {
        reply.items.push_back(convert(*from.element[i]));
      }
      return reply;
    default:
      return reply;
  }
  reply.text.assign(from.str, static_cast<std::size_t>(from.len));
  return reply;
}

}  // namespace

std::string_view Reply::error_code() const {
  return std::string_view(text).substr(0, text.find(' '));
}

void append_command(std::string& out, std::span<const std::string_view> arguments) {
  std::vector<const char*> texts;
  std::vector<std::size_t> sizes;
  texts.reserve(arguments.size());
  sizes.reserve(arguments.size());
  for (const std::string_view argument : arguments) {
    // hiredis copies from the pointer even where there is nothing to copy.
    texts.push_back(argument.data() != nullptr ? argument.data() : "");
    sizes.push_back(argument.size());
  }
  char* command = nullptr;
  const int size = ::redisFormatCommandArgv(&command, static_cast<int>(texts.size()), texts.data(),
                                            sizes.data());
  if (size < 0) throw std::bad_alloc();
  out.append(command, static_cast<std::size_t>(size));
  ::redisFreeCommand(command);
}

void ReplyScanner::reset() {
  size_ = 0;
  open_.clear();
}

bool ReplyScanner::open(std::int64_t count) {
  if (count > items_max || open_.size() >= depth_max) return false;
  if (count > 0) {
    open_.push_back(count);
  } else {
    close_value();
  }
  return true;
}

// A value has ended, and with the last one of an array the array.
void ReplyScanner::close_value() {
  while (!open_.empty() && --open_.back() == 0) open_.pop_back();
}

ReplyScanner::Outcome ReplyScanner::scan_value(std::string_view bytes) {
  const std::string_view rest = bytes.substr(size_);
  const std::size_t end = rest.substr(0, line_bytes_max).find("\r\n");
  if (end == std::string_view::npos) {
    return rest.size() >= line_bytes_max ? Outcome::broken : Outcome::incomplete;
  }
  const char kind = rest.front();
  const std::string_view line = rest.substr(1, end - 1);
  std::size_t length = end + 2;
  if (kind == '$' || kind == '*' || kind == ':') {
    const auto count = number(line);
    if (!count || (kind != ':' && *count < -1)) return Outcome::broken;
    if (kind == '$' && *count >= 0) {
      if (*count > static_cast<std::int64_t>(reply_bytes_max)) return Outcome::broken;
      length += static_cast<std::size_t>(*count) + 2;
      if (size_ + length > reply_bytes_max) return Outcome::broken;
      if (rest.size() < length) return Outcome::incomplete;
      if (rest.substr(length - 2, 2) != "\r\n") return Outcome::broken;
    }
    if (kind == '*') {
      size_ += length;
      return open(*count) ? Outcome::complete : Outcome::broken;
    }
  } else if (kind != '+' && kind != '-') {
    return Outcome::broken;
  }
  size_ += length;
  close_value();
  return size_ > reply_bytes_max ? Outcome::broken : Outcome::complete;
}

ReplyScanner::Outcome ReplyScanner::scan(std::string_view bytes) {
  do {
    if (size_ >= bytes.size()) return Outcome::incomplete;
    const Outcome outcome = scan_value(bytes);
    if (outcome != Outcome::complete) return outcome;
  } while (!open_.empty());
  return Outcome::complete;
}

void ReplyReader::FreeReader::operator()(redisReader* reader) const { ::redisReaderFree(reader); }

ReplyReader::ReplyReader() : reader_(::redisReaderCreate()) {
  if (!reader_) throw std::bad_alloc();
}

ReplyReader::~ReplyReader() = default;

void ReplyReader::reset() {
  begin_ = end_ = 0;
  broken_ = false;
  scanner_.reset();
  reader_.reset(::redisReaderCreate());
  if (!reader_) throw std::bad_alloc();
}

std::span<char> ReplyReader::room() {
  if (begin_ == end_) begin_ = end_ = 0;
  if (buffer_.size() - end_ < piece_bytes) {
    std::memmove(buffer_.data(), buffer_.data() + begin_, end_ - begin_);
    end_ -= begin_;
    begin_ = 0;
    if (buffer_.size() - end_ < piece_bytes) {
      buffer_.resize(std::max(2 * buffer_.size(), end_ + piece_bytes));
    }
  }
  return {buffer_.data() + end_, buffer_.size() - end_};
}

void ReplyReader::commit(std::size_t bytes) { end_ += bytes; }

std::optional<Reply> ReplyReader::parse(std::string_view bytes) {
  void* parsed = nullptr;
  const bool fed = ::redisReaderFeed(reader_.get(), bytes.data(), bytes.size()) == REDIS_OK;
  if (!fed || ::redisReaderGetReply(reader_.get(), &parsed) != REDIS_OK || parsed == nullptr) {
    return std::nullopt;
  }
  const auto free = [](redisReply* reply) { ::freeReplyObject(reply); };
  const std::unique_ptr<redisReply, decltype(free)> reply(static_cast<redisReply*>(parsed), free);
  return convert(*reply);
}

std::optional<Reply> ReplyReader::next() {
  if (broken_) return std::nullopt;
  const std::string_view bytes(buffer_.data() + begin_, end_ - begin_);
  switch (scanner_.scan(bytes)) {
    case ReplyScanner::Outcome::incomplete:
      // A buffer that a large reply has stretched is not kept.
      if (bytes.empty() && buffer_.size() > 4 * piece_bytes) {
        buffer_ = std::string();
        begin_ = end_ = 0;
      }
      return std::nullopt;
    case ReplyScanner::Outcome::broken:
      broken_ = true;
      return std::nullopt;
    case ReplyScanner::Outcome::complete:
      break;
  }
  std::optional<Reply> reply = parse(bytes.substr(0, scanner_.size()));
  broken_ = !reply;
  begin_ += scanner_.size();
  scanner_.reset();
  return reply;
}

}  // namespace proxy::redis
