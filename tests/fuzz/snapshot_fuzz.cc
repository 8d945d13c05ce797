// The bytes of a snapshot, as if the seal had been right: reading never crashes, never takes more
// than the bound, and what was taken can be saved and read again.
#include <chrono>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "proxy/store/memory_store.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using proxy::store::MemoryStore;
  constexpr std::string_view head = "gatehouse memory store 1\n";
  constexpr auth::Time now{std::chrono::seconds{1'800'000'000}};
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  // Without the head first, so that the fuzzer need not find it.
  for (const std::string& snapshot : {std::string(head) + std::string(bytes), std::string(bytes)}) {
    MemoryStore store({.sessions_max = 4}, nullptr);
    const auto taken = store.load(snapshot, now);
    if (!taken) continue;
    if (*taken > 4 || store.size() > 4) std::abort();
    MemoryStore again({.sessions_max = 4}, nullptr);
    if (!again.load(store.save(now), now) || again.size() != store.size()) std::abort();
  }
  return 0;
}
