// The keys of store: where sessions are kept.
#include "config/table_sections.h"

namespace config {

namespace {

Section<MemoryStore> memory_keys() {
  using T = MemoryStore;
  return {
      key("sessions_max", &T::sessions_max, "How many sessions are kept; then logins get 503.")
          .range(1, 100'000'000)
          .raising("About 256 bytes each."),
      file("snapshot_file", &T::snapshot_file,
           "Sessions are saved here at the end and taken up at the start; needs configured keys.")
          .output(),
  };
}

}  // namespace

Section<Config> store_keys() {
  using T = Config;
  return {
      later<T>("kind", "Where sessions are kept: `memory`; `redis` is to come.", "memory"),
      section("memory", &T::memory, memory_keys(), "Sessions in this process."),
      later<T>("redis", "Sessions shared by several replicas."),
      later<T>("on_outage", "What holds while the store does not answer."),
  };
}

}  // namespace config
