// See memory.h. OpenSSL takes an allocator only before its first allocation, hence the initialiser:
// nothing in this program or its libraries uses OpenSSL before main().
#include "auth/memory.h"

#include <openssl/crypto.h>

#include <cstdlib>
#include <new>

namespace auth {
namespace {

thread_local std::uint64_t failures = 0;

void* noted(void* memory) {
  if (memory == nullptr) ++failures;
  return memory;
}

// Nothing for a size of 0, and a free for a change to it: that is how OpenSSL's own behave.
void* allocate(std::size_t size, const char*, int) {
  return size == 0 ? nullptr : noted(std::malloc(size));
}

void release(void* memory, const char*, int) { std::free(memory); }

void* reallocate(void* memory, std::size_t size, const char* file, int line) {
  if (memory == nullptr) return allocate(size, file, line);
  if (size != 0) return noted(std::realloc(memory, size));
  release(memory, file, line);
  return nullptr;
}

const bool is_watching = CRYPTO_set_mem_functions(allocate, reallocate, release) == 1;

}  // namespace

MemoryWatch::MemoryWatch() : failures_before_(failures) {}

void MemoryWatch::require() const {
  if (is_watching && failures != failures_before_) throw std::bad_alloc();
}

}  // namespace auth
