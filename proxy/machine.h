// What the machine grants this process: processors, descriptors, memory, and when a file last
// changed. Start and control thread only.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

#include "config/config.h"

namespace proxy {

// How many workers `workers: 0` means here: the cgroup's CPU quota rounded up, at most 4.
[[nodiscard]] std::size_t default_workers();
// Its parts. A quota of 0 is none; `max` and -1 are none, as the kernel writes them.
[[nodiscard]] std::size_t processors_of_quota(const std::string& quota, const std::string& period);
[[nodiscard]] std::size_t workers_for(std::size_t quota, std::size_t processors);

// Raises the soft descriptor limit to the hard one and lowers limits.connections so that every
// client connection can have one to the application. A sentence when it had to; empty otherwise.
[[nodiscard]] std::string fit_to_descriptors(config::Config& config);

// Changes whenever the file's content may have: also when a symlink on its path is switched, as
// Kubernetes does with mounted volumes. All zero: not there.
struct FileStamp {
  std::uint64_t inode = 0;
  std::uint64_t size = 0;
  std::int64_t modified_ns = 0;
  bool operator==(const FileStamp&) const = default;
};
[[nodiscard]] FileStamp stamp_of(const std::string& path);

// How the process stands to limits.memory.
enum class MemoryState : std::uint8_t {
  enough,
  scarce,     // beyond it: idle clients go, new ones are refused
  exhausted,  // a quarter beyond it: every request is refused
};
// What this process holds of memory that no file stands behind.
[[nodiscard]] std::uint64_t anonymous_bytes();
// `limit` 0: there is none. A little below the limit what was scarce before still is, so that the
// state does not change with every request.
[[nodiscard]] MemoryState memory_state(MemoryState before, std::uint64_t bytes,
                                       std::uint64_t limit);

// What this process uses, as far as /proc tells.
struct ProcessUsage {
  double cpu_seconds = 0;
  double resident_bytes = 0;
  double descriptors = 0;
  double descriptors_max = 0;
};
[[nodiscard]] ProcessUsage process_usage();

}  // namespace proxy
