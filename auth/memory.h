// Running out of memory is never a verdict: a check that failed while OpenSSL lacked memory says
// nothing about the signature. OpenSSL does not tell the two apart everywhere, so its refused
// allocations are counted, for each thread. A watch belongs to one thread and lives
// on the stack of one check.
#pragma once

#include <cstdint>

namespace auth {

class MemoryWatch {
 public:
  MemoryWatch();
  // Throws std::bad_alloc when OpenSSL was refused memory in this thread since.
  void require() const;

 private:
  std::uint64_t failures_before_;
};

}  // namespace auth
