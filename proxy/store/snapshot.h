// The memory store across a planned restart: written at drain, sealed with a key derived from the
// refresh key, read and unlinked at start, so that a restart logs nobody out and a crash cannot
// bring ended sessions back. Start-up and shutdown only; blocking file I/O.
#pragma once

#include <string>
#include <string_view>

#include "proxy/store/memory_store.h"

namespace proxy::store {

// Each returns a sentence that says what went wrong, empty when it worked. Writing goes through a
// temporary file with mode 0600 and a rename. A missing file at start is no error; one that cannot
// be opened or does not fit the key is reported, unlinked and ignored.
[[nodiscard]] std::string write_snapshot(const MemoryStore& store, const std::string& file,
                                         std::string_view key, auth::Time now);
struct SnapshotRead {
  std::size_t sessions = 0;
  std::string error;
};
[[nodiscard]] SnapshotRead read_snapshot(MemoryStore& store, const std::string& file,
                                         std::string_view key, auth::Time now);

}  // namespace proxy::store
