// The bytes of a snapshot, as if the seal had been right: reading never crashes, never takes more
// than the bound, and what was taken can be saved and read again.
#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>

#include "proxy/store/memory_store.h"
#include "require.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using proxy::store::MemoryStore;
  constexpr std::string_view head = "gatehouse memory store 1\n";
  constexpr auth::Time now{std::chrono::seconds{1'800'000'000}};
  const std::string bytes(fuzz::text(data, size));
  // Also behind the head, so that the fuzzer need not find that.
  for (const std::string& snapshot : {std::string(head) + bytes, bytes}) {
    MemoryStore store({.sessions_max = 4}, nullptr);
    const auto taken = store.load(snapshot, now);
    if (!taken) continue;
    fuzz::require(*taken <= 4 && store.size() <= 4);
    MemoryStore again({.sessions_max = 4}, nullptr);
    fuzz::require(again.load(store.save(now), now) && again.size() == store.size());
  }
  return 0;
}
