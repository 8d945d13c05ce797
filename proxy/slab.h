// Objects of one type close together in blocks of their own, which go back to the heap when their
// last object does. For what may wait for an hour in its thousands: strewn between short-lived
// things, every one of them would keep a page of the heap from the system.
// One thread at a time; outlives its objects. make() throws std::bad_alloc.
#pragma once

#include <boost/intrusive/list.hpp>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <new>
#include <utility>

#include "proxy/address_sanitizer.h"

namespace proxy {

template <class T>
class Slab {
 public:
  struct GiveBack {
    Slab* slab = nullptr;
    void operator()(T* object) const { slab->destroy(object); }
  };
  using Pointer = std::unique_ptr<T, GiveBack>;

  Slab() = default;
  Slab(const Slab&) = delete;
  Slab& operator=(const Slab&) = delete;
  ~Slab() { free_all(); }

  template <class... Arguments>
  [[nodiscard]] Pointer make(Arguments&&... arguments) {
    void* const place = take();
    try {
      return Pointer(::new (place) T(std::forward<Arguments>(arguments)...), GiveBack{this});
    } catch (...) {
      give_back(place);
      throw;
    }
  }

 private:
  struct Place {
    Place* next;
  };
  struct Block : boost::intrusive::list_base_hook<> {
    Place* free = nullptr;   // given back
    std::size_t taken = 0;   // from the front, ever
    std::size_t in_use = 0;
  };
  static constexpr std::size_t block_bytes = std::size_t{32} * 1024;  // also their alignment
  // Functions, since the type may be incomplete where a pointer to it is declared.
  static constexpr std::size_t first_at() {
    return (sizeof(Block) + alignof(T) - 1) / alignof(T) * alignof(T);
  }
  static constexpr std::size_t per_block() {
    static_assert(sizeof(T) >= sizeof(Place) && alignof(T) >= alignof(Place));
    static_assert(sizeof(T) <= block_bytes / 8);
    return (block_bytes - first_at()) / sizeof(T);
  }

  static Block* block_of(void* place) {
    const auto address = reinterpret_cast<std::uintptr_t>(place);
    return reinterpret_cast<Block*>(address & ~(std::uintptr_t{block_bytes} - 1));
  }
  static bool is_full(const Block& block) { return block.in_use == per_block(); }

  void* take() {
    if (address_sanitizer) return ::operator new(sizeof(T));
    if (with_room_.empty()) {
      void* const memory = std::aligned_alloc(block_bytes, block_bytes);
      if (memory == nullptr) throw std::bad_alloc();
      with_room_.push_front(*::new (memory) Block);
    }
    Block& block = with_room_.front();
    void* place = block.free;
    if (place != nullptr) {
      block.free = block.free->next;
    } else {
      place = reinterpret_cast<std::byte*>(&block) + first_at() + sizeof(T) * block.taken++;
    }
    ++block.in_use;
    if (is_full(block)) with_room_.pop_front();
    return place;
  }

  void give_back(void* place) {
    if (address_sanitizer) return ::operator delete(place);
    Block& block = *block_of(place);
    if (is_full(block)) with_room_.push_front(block);
    block.free = ::new (place) Place{block.free};
    // One empty block is kept, so that a connection that comes and goes costs nothing.
    const bool is_only = &with_room_.front() == &with_room_.back();
    if (--block.in_use == 0 && !is_only) {
      with_room_.erase(with_room_.iterator_to(block));
      std::free(&block);
    }
  }

  void destroy(T* object) {
    object->~T();
    give_back(object);
  }

  void free_all() {
    with_room_.clear_and_dispose([](Block* block) { std::free(block); });
  }

  boost::intrusive::list<Block, boost::intrusive::constant_time_size<false>> with_room_;
};

}  // namespace proxy
