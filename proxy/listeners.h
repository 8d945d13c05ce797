// Everything the process listens on, across reloads: which sockets exist, what their connections
// are made with, and the certificate files behind that. A reload is prepared as a whole (addresses
// bound, certificates read) and then takes effect or is dropped; a socket that stays is never
// closed, one that goes is emptied first.
// Control thread; the workers are told by posted values once they run.
#pragma once

#include <chrono>
#include <memory>
#include <string>
#include <vector>

#include "config/config.h"
#include "proxy/listener.h"
#include "proxy/machine.h"
#include "proxy/net/listen.h"
#include "proxy/worker.h"

namespace proxy {

class Listeners {
 public:
  // `workers` serve the clients, `control` the health and admin listeners. All outlive this object.
  Listeners(const std::vector<std::unique_ptr<Worker>>& workers, Worker& control)
      : workers_(workers), control_(control) {}
  ~Listeners();
  Listeners(const Listeners&) = delete;
  Listeners& operator=(const Listeners&) = delete;

  class Plan;
  struct PlanDeleter {
    void operator()(Plan* plan) const;
  };
  using PlanPtr = std::unique_ptr<Plan, PlanDeleter>;
  // What `config` asks for. Changes nothing that is in use; whatever cannot be had is a problem.
  [[nodiscard]] PlanPtr prepare(const config::Config& config,
                                std::vector<config::Problem>& problems);
  // `running`: the workers' loops run already.
  void commit(PlanPtr plan, bool running);
  // Of the first client listener, as bound, with its port.
  [[nodiscard]] const std::string& first_address() const { return entries_.front().bound; }

  // Once a second: reads certificates whose files have changed, and renews the keys of tickets. A
  // file that cannot be used is logged and the old certificates stay.
  void look_at_files();

 private:
  struct Entry {
    ListenerId id = 0;
    Role role = Role::main;
    std::string key;            // "listeners[0].address"
    std::size_t index = 0;      // in `listeners`
    config::Listener config;
    std::string bound;          // as bound, with its port
    ListenerSetupPtr setup;
    std::shared_ptr<const net::TicketKeys> tickets;
    std::chrono::steady_clock::time_point tickets_made{};
    std::vector<FileStamp> stamps;
    std::string complaint;      // the last one that was logged
  };
  [[nodiscard]] static std::vector<Entry> entries_of(const config::Config& config);
  [[nodiscard]] bool find_kept(Entry& entry, std::vector<bool>& kept) const;
  [[nodiscard]] bool open(Entry& entry, Plan& plan, std::vector<config::Problem>& problems);
  [[nodiscard]] bool make_setup(Entry& entry, int family, config::Problem& problem);
  void tell(const Entry& entry);
  void retire(const Entry& entry);
  void refresh(Entry& entry);
  template <class Call>
  void each_worker(Role role, Call call);
  [[nodiscard]] Log& log() { return control_.state().log; }

  const std::vector<std::unique_ptr<Worker>>& workers_;
  Worker& control_;
  std::vector<Entry> entries_;
  ListenerId next_id_ = 1;
};

}  // namespace proxy
