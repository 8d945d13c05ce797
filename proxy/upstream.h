// One application behind us, as one worker knows it: the addresses it is reached at, which of them
// is next, the connections that wait for the next request, and who waits for a connection. A
// connection comes back only when the exchange on it was provably complete (SECURITY P13); it is
// kept for idle_connection_timeout, which stays below the application's own: we close first.
// Names are looked up and endpoints asked for their health elsewhere (upstream_watch.h), once for
// the process; what was found is told to each worker's copy. One thread; must outlive its leases.
#pragma once

#include <boost/intrusive/list.hpp>
#include <boost/smart_ptr/intrusive_ptr.hpp>
#include <boost/smart_ptr/intrusive_ref_counter.hpp>
#include <boost/system/error_code.hpp>
#include <chrono>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "config/config.h"
#include "proxy/net/stream.h"
#include "proxy/net/timer.h"
#include "proxy/net/tls.h"

namespace proxy {

// One address of an upstream. Leases and exchanges may keep it beyond its upstream's use of it.
struct Target : boost::intrusive_ref_counter<Target, boost::thread_unsafe_counter> {
  struct Idle {
    std::unique_ptr<net::Stream> stream;
    std::int64_t since;  // the wheel's tick
  };
  net::Endpoint address;     // numeric, or a unix path
  std::string name;          // "http://10.0.0.7:3000", for logs
  std::string authority;     // the configured host and port, for Host
  std::size_t endpoint = 0;  // index into the configured ones
  bool is_https = false;
  std::string tls_name;      // whom its certificate has to be for, by default
  std::vector<Idle> idle;    // oldest first
  std::uint32_t active = 0;  // requests under way
  std::uint32_t failures = 0;       // in a row
  std::uint32_t successes = 0;      // in a row, since it was left out
  std::uint32_t ejections = 0;      // in a row
  std::int64_t ejected_until = -1;  // the wheel's tick
  bool healthy = true;              // as the health check says
  bool is_gone = false;             // the name has other addresses now
};
using TargetRef = boost::intrusive_ptr<Target>;

class Upstream;

// A connection to a target and a place among the upstream's connections, for one request at a time.
class Lease {
 public:
  Lease() = default;
  Lease(Lease&& other) noexcept;
  Lease& operator=(Lease&& other) noexcept;
  ~Lease() { close(); }

  [[nodiscard]] net::Stream* stream() const { return stream_.get(); }
  [[nodiscard]] const TargetRef& target() const { return target_; }
  // Between two requests of a client that has it for itself it counts as a connection only.
  void begin_request();
  void end_request();
  // Closes the connection and gives up the place; nothing happens to one that is empty.
  void close();

 private:
  friend class Upstream;
  Upstream* upstream_ = nullptr;
  TargetRef target_;
  std::unique_ptr<net::Stream> stream_;  // null while there is no connection yet
  bool is_active_ = false;
};

// Which targets an exchange has tried in vain. Takes memory only where one failed.
class Tried {
 public:
  void add(const TargetRef& target);
  [[nodiscard]] bool has(const Target* target) const;
  [[nodiscard]] bool empty() const { return targets_.empty(); }
  void clear() { targets_.clear(); }

 private:
  std::vector<TargetRef> targets_;
};

class Upstream {
 public:
  // `workers` share the bounds of the process.
  Upstream(const config::Upstream& config, const net::Executor& executor, net::Wheel& wheel,
           unsigned workers, std::shared_ptr<const net::TlsClient> tls = nullptr);
  ~Upstream();
  Upstream(const Upstream&) = delete;
  Upstream& operator=(const Upstream&) = delete;

  enum class Step : std::uint8_t {
    ready,        // the lease has a connection that waited for a request
    connect,      // the lease has a place: connect() is next
    wait,         // no place, or the name is still being looked up: wait_for_turn() is next
    exhausted,    // every target was tried
    unhealthy,    // no target is well
    unresolved,   // the name has no address
    overloaded,   // too many wait, or waited for too long
  };
  // The next target that was not tried and, unless `fresh`, a connection to it that waits.
  [[nodiscard]] Step take(Lease& lease, const Tried& tried, bool fresh);
  // What a request that waits for its turn goes by, and until when.
  struct Turn {
    const Tried& tried;
    bool fresh = false;
    net::Stream& client;  // nobody waits for one that has left
    std::chrono::steady_clock::time_point give_up;
  };
  // After `wait`, in order. Never `wait`.
  [[nodiscard]] net::Task<Step> wait_for_turn(Lease& lease, const Turn& turn);
  // After `connect`. The lease gives up its place where it fails; timed_out after `timeout`.
  [[nodiscard]] net::Task<boost::system::error_code> connect(Lease& lease,
                                                             std::chrono::milliseconds timeout);
  // Keeps the connection for the next request.
  void give_back(Lease lease);
  // Closes what has been idle for too long; called at each tick.
  void close_idle();

  // Whether a target that is well has not been tried.
  [[nodiscard]] bool has_other(const Tried& tried) const;

  // What a request came to. True: the target has just been left out for a while.
  void succeeded(Target& target);
  [[nodiscard]] bool failed(Target& target);

  // Whether one more of the requests under way may be a retry; end_retry() when it is over.
  [[nodiscard]] bool begin_retry();
  void end_retry() { --retries_; }

  // From the watch: the addresses of a configured name (none: it could not be looked up), and what
  // the health check says of an address by its name.
  void set_addresses(std::size_t endpoint, const std::vector<std::string>& addresses);
  void set_health(std::string_view target, bool healthy);

  // What the same upstream of an older configuration had learned: the addresses of names, and which
  // endpoints are not well or left out. Before the first request, so that none meets a moment in
  // which everything counts as well again.
  void learn_from(const Upstream& older);

  // What Host says: the configured one, the client's, or the endpoint's own.
  [[nodiscard]] std::string_view host_for(std::string_view asked, const Target& target) const;
  [[nodiscard]] const std::shared_ptr<const net::TlsClient>& tls() const { return tls_; }
  [[nodiscard]] const config::Upstream& config() const { return config_; }
  [[nodiscard]] const std::vector<TargetRef>& targets() const { return targets_; }
  [[nodiscard]] std::size_t idle_count() const { return idle_count_; }
  [[nodiscard]] std::size_t connection_count() const { return connections_; }
  [[nodiscard]] std::size_t pending_count() const { return pending_count_; }

 private:
  friend class Lease;
  struct Pending : boost::intrusive::list_base_hook<
                       boost::intrusive::link_mode<boost::intrusive::auto_unlink>> {
    Pending(Upstream& owner, const net::Executor& executor);
    ~Pending();
    Upstream& upstream;
    net::Timer timer;
  };
  [[nodiscard]] Step take_place(Lease& lease, const Tried& tried, bool fresh);
  [[nodiscard]] Target* choose(const Tried& tried);
  [[nodiscard]] bool is_usable(const Target& target) const;
  [[nodiscard]] std::size_t usable_count() const;
  [[nodiscard]] std::unique_ptr<net::Stream> take_idle(Target& target);
  [[nodiscard]] bool is_too_old(const Target::Idle& idle) const;
  [[nodiscard]] bool close_oldest_idle();
  void drop_idle(Target& target, std::size_t count);
  void wake_next();
  void add_target(std::size_t endpoint, const std::string& address);

  const config::Upstream config_;
  std::shared_ptr<const net::TlsClient> tls_;  // null without https endpoints
  const net::Executor executor_;
  net::Wheel& wheel_;
  const std::size_t connections_max_;  // of this worker; 0: no bound
  const std::size_t pending_max_;
  std::vector<net::Endpoint> endpoints_;  // as configured
  std::size_t unanswered_ = 0;            // names that were never looked up
  std::vector<bool> answered_;
  std::vector<TargetRef> targets_;
  std::size_t next_ = 0;
  std::size_t connections_ = 0;  // used, idle and being made
  std::size_t idle_count_ = 0;
  std::uint32_t requests_ = 0;  // under way
  std::uint32_t retries_ = 0;   // of them
  std::size_t pending_count_ = 0;
  boost::intrusive::list<Pending, boost::intrusive::constant_time_size<false>> pending_;
};

// "http://127.0.0.1:3000" or "unix:/run/app.sock" as an address; nullopt for anything else.
[[nodiscard]] std::optional<net::Endpoint> upstream_endpoint(std::string_view url);
// Whether it names a host that has to be looked up.
[[nodiscard]] bool is_host_name(const net::Endpoint& endpoint);

}  // namespace proxy
