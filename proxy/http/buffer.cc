// The free lists are chains through the blocks themselves, per thread, so that they need no
// memory of their own and no lock. A block may be given back by another thread than took it. Memory
// comes from the kernel and goes back there: after a thousand heads that grew at the same time, the
// heap would keep the holes between what they grew into (SECURITY L03).
#include "proxy/http/buffer.h"

#include <pthread.h>
#include <sys/mman.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdlib>
#include <cstring>
#include <new>
#include <utility>

#include "proxy/http/address_sanitizer.h"

namespace proxy::http {
namespace {

constexpr std::size_t free_blocks_max = address_sanitizer ? 0 : 4'096;  // 64 MiB a thread
constexpr std::size_t free_blocks_kept = 16;
constexpr std::size_t free_bulk_max = address_sanitizer ? 0 : 8;      // 1 MiB

struct Block {
  Block* next;
};

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

struct FreeBlocks {
  std::size_t bytes;  // of each
  std::size_t max;
  std::size_t kept;  // however long they are not needed
  Block* first;
  std::size_t count;
  std::size_t unused;  // the fewest there were since the last trim
};
// Freed when its thread ends. A Buffer that dies later than the thread's lists (a static, say)
// finds them closed and frees its block itself.
struct FreeLists {
  FreeBlocks small;
  FreeBlocks bulk;
  bool noted;  // that they are to be freed
  bool closed;
};
constinit thread_local FreeLists free_lists{
    {Buffer::block_bytes, free_blocks_max, free_blocks_kept, nullptr, 0, 0},
    {Buffer::bulk_bytes, free_bulk_max, 1, nullptr, 0, 0},
    false,
    false};

void deallocate_some(FreeBlocks& blocks, std::size_t count) {
  for (; count > 0; --count, --blocks.count) {
    Block* const block = blocks.first;
    blocks.first = block->next;
    deallocate(block, blocks.bytes);
  }
  blocks.unused = blocks.count;
}

void close_lists(void* of_thread) {
  auto& lists = *static_cast<FreeLists*>(of_thread);
  for (FreeBlocks* blocks : {&lists.small, &lists.bulk}) deallocate_some(*blocks, blocks->count);
  lists.noted = lists.closed = true;
}

// Null for sizes that have no list.
FreeBlocks* list_of(std::size_t bytes) {
  if (bytes == Buffer::block_bytes) return &free_lists.small;
  return bytes == Buffer::bulk_bytes ? &free_lists.bulk : nullptr;
}

// A key of pthreads and no destructor of C++: without memory to note one of those, glibc ends the
// process. Without this there is no free list.
bool note_list() {
  static pthread_key_t key;
  static const bool has_key = ::pthread_key_create(&key, close_lists) == 0;
  return has_key && ::pthread_setspecific(key, &free_lists) == 0;
}

char* take(std::size_t bytes) {
  FreeBlocks* const list = list_of(bytes);
  if (list == nullptr || list->first == nullptr) return allocate(bytes);
  Block* const block = list->first;
  list->first = block->next;
  list->unused = std::min(list->unused, --list->count);
  return static_cast<char*>(static_cast<void*>(block));
}

void give_back(char* memory, std::size_t bytes) {
  FreeBlocks* const list = list_of(bytes);
  const bool fits = list != nullptr && !free_lists.closed && list->count < list->max;
  if (!fits || !(free_lists.noted || (free_lists.noted = note_list()))) {
    deallocate(memory, bytes);
    return;
  }
  list->first = new (memory) Block{list->first};
  ++list->count;
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

void Buffer::trim_free_lists() {
  for (FreeBlocks* blocks : {&free_lists.small, &free_lists.bulk}) {
    const std::size_t spare = blocks->count > blocks->kept ? blocks->count - blocks->kept : 0;
    deallocate_some(*blocks, std::min(blocks->unused, spare));
  }
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
