// Free blocks of one size, chained through the blocks themselves, so that the list needs no memory
// of its own. Lists are of one thread (thread_local) and need no lock; a block may be given back by
// another thread than took it. What a burst has left in them can be trimmed.
#pragma once

#include <pthread.h>

#include <algorithm>
#include <cstddef>
#include <new>

#include "proxy/address_sanitizer.h"

namespace proxy {

// Holds at most `Max` blocks; `Kept` of them however long they are not needed. With
// AddressSanitizer none, so that it sees a use behind the end.
template <std::size_t Max, std::size_t Kept>
class FreeList {
 public:
  // Null: there is none.
  [[nodiscard]] void* take() {
    Block* const block = first_;
    if (block == nullptr) return nullptr;
    first_ = block->next;
    unused_ = std::min(unused_, --count_);
    return block;
  }
  // False: there is no room for it, and it stays the caller's.
  [[nodiscard]] bool give_back(void* block) {
    if (count_ >= (address_sanitizer ? 0 : Max)) return false;
    first_ = ::new (block) Block{first_};
    ++count_;
    return true;
  }
  // What was not needed since the last call.
  template <class Dispose>
  void trim(Dispose dispose) {
    const std::size_t spare = count_ > Kept ? count_ - Kept : 0;
    drop(std::min(unused_, spare), dispose);
  }
  template <class Dispose>
  void clear(Dispose dispose) {
    drop(count_, dispose);
  }

 private:
  struct Block {
    Block* next;
  };
  template <class Dispose>
  void drop(std::size_t count, Dispose dispose) {
    for (; count > 0; --count, --count_) {
      Block* const block = first_;
      first_ = block->next;
      dispose(block);
    }
    unused_ = count_;
  }

  Block* first_ = nullptr;
  std::size_t count_ = 0;
  std::size_t unused_ = 0;  // the fewest there were since the last trim
};

// The lists of a thread. `Lists` has clear(), which is called when the thread ends; what is given
// back later than that (by a static, say) finds them closed.
template <class Lists>
class ThreadLists {
 public:
  // Null: nothing can be kept for later.
  [[nodiscard]] Lists* open() {
    if (is_noted_) return is_closed_ ? nullptr : &lists_;
    is_noted_ = note();
    return is_noted_ ? &lists_ : nullptr;
  }
  [[nodiscard]] Lists& lists() { return lists_; }

 private:
  // A key of pthreads and no destructor of C++: without memory to note one of those, glibc ends the
  // process. Without the key there is no free list.
  bool note() {
    static pthread_key_t key;
    static const bool has_key = ::pthread_key_create(&key, close) == 0;
    return has_key && ::pthread_setspecific(key, this) == 0;
  }
  static void close(void* self) {
    auto& ours = *static_cast<ThreadLists*>(self);
    ours.lists_.clear();
    ours.is_noted_ = ours.is_closed_ = true;
  }

  Lists lists_;
  bool is_noted_ = false;  // that they have to be cleared
  bool is_closed_ = false;
};

}  // namespace proxy
