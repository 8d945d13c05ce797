// How often this binary has called operator new, to prove that something allocates nothing.
#pragma once

#include <cstddef>

[[nodiscard]] std::size_t allocations();

// Whether a sanitizer stands in for the allocator: then memory can neither be counted nor refused.
constexpr bool is_instrumented() {
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
  return true;
#else
  return false;
#endif
}
