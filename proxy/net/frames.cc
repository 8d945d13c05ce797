// Frames of coroutines; see frames.h.
#include "proxy/net/frames.h"

#include <array>
#include <new>

#include "proxy/free_list.h"

namespace proxy::net {
namespace {

// Larger frames come from the heap each time; docs/coroutines.md says why there are none.
constexpr std::size_t size_step = 64;
constexpr std::size_t sizes = 32;
constexpr std::size_t frames_max = 8'192;  // of each size
constexpr std::size_t frames_kept = 16;

struct Frames {
  std::array<FreeList<frames_max, frames_kept>, sizes> of_size;

  void clear() {
    for (auto& list : of_size) list.clear([](void* frame) { ::operator delete(frame); });
  }
};
constinit thread_local ThreadLists<Frames> frames;

constexpr std::size_t index_of(std::size_t bytes) { return (bytes - 1) / size_step; }

}  // namespace

void* take_frame(std::size_t bytes) {
  const std::size_t index = index_of(bytes);
  if (index >= sizes) return ::operator new(bytes);
  void* const frame = frames.lists().of_size[index].take();
  return frame != nullptr ? frame : ::operator new((index + 1) * size_step);
}

void give_back_frame(void* frame, std::size_t bytes) noexcept {
  const std::size_t index = index_of(bytes);
  Frames* const lists = index < sizes ? frames.open() : nullptr;
  if (lists == nullptr || !lists->of_size[index].give_back(frame)) ::operator delete(frame);
}

void trim_frames() {
  for (auto& list : frames.lists().of_size) {
    list.trim([](void* frame) { ::operator delete(frame); });
  }
}

}  // namespace proxy::net
