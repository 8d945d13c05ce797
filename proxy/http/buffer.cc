// Memory comes from the kernel and goes back there: after a thousand heads that grew at the same
// time, the heap would keep the holes between what they grew into (SECURITY L03).
#include "proxy/http/buffer.h"

#include <sys/mman.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdlib>
#include <cstring>
#include <new>
#include <utility>

#include "proxy/free_list.h"

namespace proxy::http {
namespace {

constexpr std::size_t blocks_max = 4'096;  // 64 MiB a thread
constexpr std::size_t blocks_kept = 16;
constexpr std::size_t bulk_max = 8;  // 1 MiB
// Whoever transfers much beside so many others does it in small blocks: a thousand clients that
// take nothing must not hold 128 KiB each.
constexpr int bulk_in_use_max = 64;

char* allocate(std::size_t bytes) {
  void* memory = address_sanitizer ? std::malloc(bytes)
                                   : ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE,
                                            MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (memory == nullptr || memory == MAP_FAILED) throw std::bad_alloc();
  return static_cast<char*>(memory);
}

void deallocate(void* memory, std::size_t bytes) {
  if (address_sanitizer) {
    std::free(memory);
  } else {
    ::munmap(memory, bytes);
  }
}

struct Blocks {
  FreeList<blocks_max, blocks_kept> small;
  FreeList<bulk_max, 1> bulk;

  void clear() {
    small.clear([](void* block) { deallocate(block, Buffer::block_bytes); });
    bulk.clear([](void* block) { deallocate(block, Buffer::bulk_bytes); });
  }
};
constinit thread_local ThreadLists<Blocks> blocks;
constinit thread_local bool is_bulk_allowed = true;
constinit thread_local int bulk_in_use = 0;

char* take(std::size_t bytes) {
  void* block = nullptr;
  if (bytes == Buffer::block_bytes) block = blocks.lists().small.take();
  if (bytes == Buffer::bulk_bytes) {
    block = blocks.lists().bulk.take();
    ++bulk_in_use;
  }
  return block != nullptr ? static_cast<char*>(block) : allocate(bytes);
}

void give_back(char* block, std::size_t bytes) {
  Blocks* const lists = blocks.open();
  bool taken = false;
  if (bytes == Buffer::bulk_bytes) --bulk_in_use;
  if (lists != nullptr && bytes == Buffer::block_bytes) taken = lists->small.give_back(block);
  if (lists != nullptr && bytes == Buffer::bulk_bytes) taken = lists->bulk.give_back(block);
  if (!taken) deallocate(block, bytes);
}

}  // namespace

Buffer::~Buffer() { release(); }

Buffer::Buffer(Buffer&& other) noexcept
    : data_(std::exchange(other.data_, nullptr)),
      size_(std::exchange(other.size_, 0)),
      capacity_(std::exchange(other.capacity_, 0)) {}

Buffer& Buffer::operator=(Buffer&& other) noexcept {
  if (this == &other) return *this;
  release();
  data_ = std::exchange(other.data_, nullptr);
  size_ = std::exchange(other.size_, 0);
  capacity_ = std::exchange(other.capacity_, 0);
  return *this;
}

bool Buffer::may_be_bulk() { return is_bulk_allowed && bulk_in_use < bulk_in_use_max; }

void Buffer::allow_bulk(bool allowed) { is_bulk_allowed = allowed; }

void Buffer::trim_free_lists() {
  blocks.lists().small.trim([](void* block) { deallocate(block, block_bytes); });
  blocks.lists().bulk.trim([](void* block) { deallocate(block, bulk_bytes); });
}

std::span<char> Buffer::reserve(std::size_t bytes) {
  if (room() >= bytes && data_ != nullptr) return {data_ + size_, room()};
  std::size_t capacity = std::max(capacity_, block_bytes);
  while (capacity - size_ < bytes) {
    if (capacity > static_cast<std::size_t>(-1) / 2) throw std::bad_alloc();
    capacity *= 2;
  }
  char* memory = take(capacity);
  if (size_ != 0) std::memcpy(memory, data_, size_);
  if (data_ != nullptr) give_back(data_, capacity_);
  data_ = memory;
  capacity_ = capacity;
  return {data_ + size_, room()};
}

void Buffer::append_growing(std::string_view bytes) {
  if (bytes.empty()) return;
  std::memcpy(reserve(bytes.size()).data(), bytes.data(), bytes.size());
  size_ += bytes.size();
}

void Buffer::append_number(std::uint64_t value) {
  std::array<char, 20> digits{};
  const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), value).ptr;
  append({digits.data(), static_cast<std::size_t>(end - digits.data())});
}

void Buffer::consume(std::size_t bytes) {
  bytes = std::min(bytes, size_);
  if (bytes == 0) return;
  size_ -= bytes;
  if (size_ != 0) std::memmove(data_, data_ + bytes, size_);
}

void Buffer::release() {
  if (data_ != nullptr) give_back(data_, capacity_);
  data_ = nullptr;
  size_ = 0;
  capacity_ = 0;
}

}  // namespace proxy::http
