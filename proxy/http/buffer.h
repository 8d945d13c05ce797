// A growable byte buffer whose first 16 KiB come from a free list of the thread, so that a request
// costs no allocation and an idle connection holds no buffer; the larger blocks that bulk transfers
// use have a short list of their own. Movable, one owner. Bytes stay where they are until reserve()
// grows the buffer or consume() moves the rest to the front.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string_view>

namespace proxy::http {

class Buffer {
 public:
  static constexpr std::size_t block_bytes = 16 * 1024;
  static constexpr std::size_t bulk_bytes = 128 * 1024;

  Buffer() = default;
  ~Buffer();
  Buffer(Buffer&& other) noexcept;
  Buffer& operator=(Buffer&& other) noexcept;

  [[nodiscard]] const char* data() const { return data_; }
  [[nodiscard]] std::size_t size() const { return size_; }
  [[nodiscard]] bool empty() const { return size_ == 0; }
  [[nodiscard]] std::string_view view() const { return {data_, size_}; }

  // Free room behind the content, at least `bytes` of it (grows by doubling, may move the content).
  [[nodiscard]] std::span<char> reserve(std::size_t bytes);
  // Room that is there without growing; empty when the buffer holds no storage.
  [[nodiscard]] std::size_t room() const { return capacity_ - size_; }
  void commit(std::size_t bytes) { size_ += bytes; }
  void append(std::string_view bytes) {
    if (bytes.size() > room() || bytes.empty()) return append_growing(bytes);
    std::memcpy(data_ + size_, bytes.data(), bytes.size());
    size_ += bytes.size();
  }
  void push_back(char byte) {
    if (room() == 0) static_cast<void>(reserve(1));
    data_[size_++] = byte;
  }
  // `name: value` and its line end.
  void append_field(std::string_view name, std::string_view value) {
    const std::size_t bytes = name.size() + value.size() + 4;
    char* at = room() >= bytes ? data_ + size_ : reserve(bytes).data();
    std::memcpy(at, name.data(), name.size());
    at += name.size();
    std::memcpy(at, ": ", 2);
    at += 2;
    if (!value.empty()) std::memcpy(at, value.data(), value.size());
    std::memcpy(at + value.size(), "\r\n", 2);
    size_ += bytes;
  }
  void append_number(std::uint64_t value);
  // Drops the first `bytes` and moves the rest to the front.
  void consume(std::size_t bytes);
  void clear() { size_ = 0; }
  // Gives the storage back to the thread's free lists.
  void release();
  // Whether this thread may use one more bulk block: not while many are in use or memory is short.
  [[nodiscard]] static bool may_be_bulk();
  static void allow_bulk(bool allowed);
  // Of the thread's free lists: what was not needed since the last call, but for a few blocks, goes
  // back to the system.
  static void trim_free_lists();
  // Empty, and holds no more than a block.
  void clear_bulk() {
    if (capacity_ > block_bytes) release();
    size_ = 0;
  }

 private:
  void append_growing(std::string_view bytes);

  char* data_ = nullptr;
  std::size_t size_ = 0;
  std::size_t capacity_ = 0;
};

}  // namespace proxy::http
