// The process: binds, starts a worker a core, and is the control thread itself, with signals,
// reload, the watch over the users file, the health and admin listeners, and the drain.
// One instance, on the main thread.
#pragma once

#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "auth/users.h"
#include "config/config.h"
#include "proxy/hash_pool.h"
#include "proxy/key_sets.h"
#include "proxy/listeners.h"
#include "proxy/machine.h"
#include "proxy/metrics.h"
#include "proxy/net/signals.h"
#include "proxy/runtime.h"
#include "proxy/stores.h"
#include "proxy/telemetry.h"
#include "proxy/trace_export.h"
#include "proxy/upstream_watch.h"
#include "proxy/webhook.h"
#include "proxy/worker.h"

namespace proxy {

// When the certificate that ends first in a file ends.
struct CertificateEnd {
  std::string file;
  auth::Time not_after{};
};
// Of all files that the configuration names. Reads them.
[[nodiscard]] std::vector<CertificateEnd> certificate_ends(const config::Config& config);

struct ServerOptions {
  config::Config config;
  std::shared_ptr<const auth::Users> users;  // instead of a users file; null: the file's
  // Told once where the first listener listens, before anything is accepted. May be empty.
  std::function<void(const std::string& address)> listening;
};

class Server {
 public:
  explicit Server(ServerOptions options);
  ~Server();
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  // Serves until a signal ends it. The exit code; problems at start are printed to standard error.
  [[nodiscard]] int run();

 private:
  bool start();
  bool bind();
  void make_workers();
  void load_sessions();
  void start_workers();
  void finish();

  void keep_running(net::Task<void> (Server::*loop)());
  net::Task<void> watch_signals();
  net::Task<void> watch_users_file();
  net::Task<void> watch_certificates();
  net::Task<void> watch_files();
  net::Task<void> export_spans();
  net::Task<void> watch_memory();
  net::Task<void> export_last_spans();
  [[nodiscard]] std::vector<std::string> files_to_watch() const;
  net::Task<void> drain();
  net::Task<void> wait_for_connections(std::chrono::milliseconds limit);
  net::Task<void> end_sessions_of_changed_users();
  void reload();
  bool load_again();
  // True when it is in force now.
  bool install(Compiled compiled, std::string_view what);
  void note_reload(bool succeeded);
  void collect(Scrape& scrape) const;
  void report(const std::vector<config::Problem>& problems, Level level, std::string_view what);
  void report(std::exception_ptr failure) noexcept;
  [[nodiscard]] Log& log() { return control_->state().log; }

  ServerOptions options_;
  std::shared_ptr<const Runtime> runtime_;
  ProcessState process_;
  std::unique_ptr<LogWriter> writer_;
  std::unique_ptr<Stores> stores_;
  std::unique_ptr<HashPool> hashing_;
  std::vector<std::unique_ptr<Worker>> workers_;
  std::unique_ptr<UpstreamWatch> watch_;  // outlives its coroutines on the control loop
  std::unique_ptr<KeySets> key_sets_;     // as well
  std::unique_ptr<Worker> control_;
  std::unique_ptr<Listeners> listeners_;
  std::unique_ptr<TraceExporter> exporter_;
  std::unique_ptr<Webhook> webhook_;
  std::deque<std::string> users_to_end_;  // whose sessions the store has yet to end
  std::unique_ptr<net::Signals> signals_;
  std::vector<std::thread> threads_;
  bool draining_ = false;
  const std::chrono::system_clock::time_point started_at_ = std::chrono::system_clock::now();
  std::chrono::system_clock::time_point loaded_at_ = started_at_;
  bool last_reload_succeeded_ = true;
  std::vector<CertificateEnd> certificate_ends_;  // of the configuration in force
  std::vector<std::string> attempted_files_;  // of the configuration that was last tried
};

// The configuration, every file that it names, and the templates of its pages.
[[nodiscard]] std::vector<std::string> watched_files_of(const config::Config& config);

// What a reload cannot change stays as it is; the names of the keys that would have changed.
// Listeners are the server's own matter.
[[nodiscard]] std::vector<std::string> keep_fixed(const config::Config& now, config::Config& next);

}  // namespace proxy
