// What the exchanges of one worker share: its loop, its copy of the runtime with everything that
// dies with it, its log, its revocations, and the process-wide store and hashing pool.
// One thread, except where a member says otherwise.
#pragma once

#include <array>
#include <atomic>
#include <boost/intrusive/list.hpp>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "proxy/exchange_state.h"
#include "proxy/hash_pool.h"
#include "proxy/local_runtime.h"
#include "proxy/machine.h"
#include "proxy/metrics.h"
#include "proxy/net/deadline.h"
#include "proxy/net/task.h"
#include "proxy/renewals.h"
#include "proxy/store/redis_shared.h"
#include "proxy/store/revocations.h"
#include "proxy/store/session_store.h"
#include "proxy/telemetry.h"
#include "proxy/trace.h"

namespace proxy {

[[nodiscard]] std::uint64_t rate_seed();

// The life of the process, read by every thread.
struct ProcessState {
  std::atomic<bool> draining{false};          // readiness says no
  const store::StoreHealth* store_health = nullptr;  // set before threads run; null: in memory
  std::atomic<bool> closing{false};           // answers carry Connection: close
  std::atomic<bool> keys_missing{false};      // a trusted issuer's keys were never fetched
  std::atomic<bool> follows_keys{false};      // there are keys to fetch
  std::atomic<bool> keys_wanted{false};       // a token named a key that nobody knows
  std::atomic<std::uint32_t> connections{0};  // client connections of all workers
  std::atomic<std::uint32_t> prestops{0};     // hooks that wait for their answer
  std::atomic<std::uint32_t> drains{0};       // workers that have not begun theirs yet
  std::atomic<std::uint32_t> room_asked{0};   // counts up: each worker ends its longest idle ones
  std::atomic<MemoryState> memory{MemoryState::enough};
  MetricsBook metrics;

  [[nodiscard]] bool is_store_down() const {
    return store_health != nullptr && !store_health->is_up();
  }
  SpanQueue spans;
  RateTable rates{rate_seed()};               // of routes; outlives reloads
  unsigned workers = 1;                       // who share bounds; fixed before the first one runs
};

// A tunnel or event stream, which must end when its session does, and is told when we go away.
struct SessionStream : boost::intrusive::list_base_hook<> {
  std::string session_id;  // empty: of nobody's session
  std::string username;
  auth::Time issued_at{};
  net::Stream* client = nullptr;
  net::Stream* upstream = nullptr;
  // It ends itself once it is woken up: what is being written goes out to its end first.
  bool ends_itself = false;
  bool revoked = false;
  bool going_away = false;
  auth::Time check_at{};  // when its session may be over; the first time at once
};

struct WorkerState {
  WorkerState(const net::Executor& loop, net::Wheel& deadlines, store::SessionStore& sessions,
              HashPool& hashes, Log& lines, ProcessState& shared);
  ~WorkerState();

  const net::Executor executor;
  net::Wheel& wheel;
  store::SessionStore& store;
  HashPool& hashing;
  Log& log;
  ProcessState& process;
  LocalRuntimeRef local;  // the newest; exchanges keep their own
  store::Revocations revocations;
  Renewals renewals;
  boost::intrusive::list<SessionStream> session_streams;
  bool warned_about_forwarding = false;
  bool warned_about_questions = false;
  std::int64_t handshake_told = INT64_MIN / 2;  // the tick of the last line about a failed one
  std::uint32_t handshakes_untold = 0;          // that failed since then
  std::uint32_t requests = 0;  // under way
  int others = 0;              // connections to other listeners than the main ones
  int surplus = 0;             // clients that are being told to come back
  TraceSource traces;
  std::vector<Span> spans;  // of the requests since the last tick

  // Exchanges are made once and used again: their buffers and parsers are what a request needs.
  [[nodiscard]] std::unique_ptr<Exchange> take_exchange();
  void give_back(std::unique_ptr<Exchange> exchange);
  // Frees what was kept and not needed since the last call.
  void trim();
  // Whether its parsers hold the limits of the newest configuration.
  [[nodiscard]] bool is_current(const Exchange& exchange) const {
    return exchange.limits_version == limits_version_;
  }
  // A new runtime for the requests that begin from now on.
  void install(LocalRuntimeRef next);

  // 24 hex digits: unguessable for other processes, counted up within this one.
  void next_request_id(std::array<char, 24>& id);
  // "Date: ...\r\n", made once a second (RFC 9110 section 6.6.1).
  [[nodiscard]] std::string_view date_line(auth::Time now);

  // A client proved to hold its generation; told to the store at the next tick.
  void note_proof(const auth::Principal& principal);
  void flush_proofs(auth::Time now);

  // An error line, where nothing may throw: what cannot be logged for lack of memory is not.
  void report(const char* what) noexcept;

  // Refuses the session's tokens from now on and ends its open streams.
  void apply(const store::Revocation& revocation);
  // At the end of the process: tunnels get a Close frame, event streams their last chunk.
  void end_streams();
  // What apply() does, from any thread. Whatever is decided from then on knows of it: whoever was
  // told that a session is over may ask the next worker at once. Throws where there is no memory.
  void tell(const store::Revocation& revocation);
  // On the worker's own thread, before anything is decided about a session.
  void catch_up() {
    if (has_news_.load(std::memory_order_acquire)) [[unlikely]] take_in_news();
  }

 private:
  void take_in_news();
  struct Proof {
    auth::FamilyId family;
    std::uint64_t generation;
  };
  std::vector<std::unique_ptr<Exchange>> exchanges_;
  std::size_t exchanges_unused_ = 0;  // the fewest there were since the last trim
  std::uint64_t limits_version_ = 0;
  std::vector<Proof> proofs_;
  std::array<char, 16> id_prefix_{};
  std::uint32_t id_counter_ = 0;
  std::atomic<bool> has_news_{false};
  std::mutex news_mutex_;
  std::vector<store::Revocation> news_;  // guarded by it
  std::string date_line_;
  std::int64_t date_second_ = 0;
};

[[nodiscard]] inline auth::Time wall_clock() {
  return std::chrono::time_point_cast<auth::milliseconds>(std::chrono::system_clock::now());
}

}  // namespace proxy
