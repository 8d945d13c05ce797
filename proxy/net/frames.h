// Memory of coroutine frames: free lists of the thread, one for each size. Asio's own cache is a
// row of slots that is searched from its beginning for each frame, and with more frames than slots
// every one is searched in vain.
#pragma once

#include <cstddef>

namespace proxy::net {

// Throws std::bad_alloc.
[[nodiscard]] void* take_frame(std::size_t bytes);
// `bytes` as it was asked for; by any thread.
void give_back_frame(void* frame, std::size_t bytes) noexcept;
// Frees what this thread did not need since the last call.
void trim_frames();

}  // namespace proxy::net
