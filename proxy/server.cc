// The process; see server.h.
#include "proxy/server.h"

#include <signal.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <boost/asio/co_spawn.hpp>
#include <cstdio>
#include <iostream>

#include "config/load.h"
#include "proxy/machine.h"
#include "proxy/net/keep_running.h"
#include "proxy/net/timer.h"
#include "proxy/net/until_memory.h"
#include "proxy/store/snapshot.h"

namespace proxy {
namespace {

using Clock = std::chrono::steady_clock;
constexpr std::chrono::milliseconds watch_interval{500};
constexpr std::chrono::milliseconds drain_check{20};
// How long what never ends by itself may take to end once it was told to.
constexpr std::chrono::milliseconds farewell_time{500};
// After the cut-off, how long the cut connections may take to end.
constexpr std::chrono::milliseconds cut_time{1'000};

constexpr std::initializer_list<int> our_signals{SIGTERM, SIGINT, SIGQUIT, SIGHUP, SIGUSR1};

void print_problems(const std::vector<config::Problem>& problems) {
  for (const config::Problem& problem : problems) {
    std::cerr << config::to_string(problem) << '\n';
  }
}

WebhookOptions webhook_options(const Runtime& runtime) {
  return {runtime.config.alerts.webhook.url, runtime.webhook_secret};
}

}  // namespace

Server::Server(ServerOptions options) : options_(std::move(options)) {}
Server::~Server() = default;

int Server::run() {
  if (!start()) return 1;
  start_workers();
  keep_running(&Server::watch_signals);
  keep_running(&Server::watch_users_file);
  keep_running(&Server::watch_files);
  keep_running(&Server::watch_certificates);
  keep_running(&Server::export_spans);
  keep_running(&Server::watch_memory);
  const auto tell = [this](const UpstreamWatch::Task& task) {
    for (const auto& worker : workers_) {
      worker->post([&state = worker->state(), task] { task(state); });
    }
  };
  watch_ = std::make_unique<UpstreamWatch>(control_->state(), tell);
  watch_->begin();
  const auto use = [this](const KeySetTexts& sets) {
    return install(compile(runtime_->config, runtime_.get(), options_.users, &sets),
                   "new keys of a trusted issuer");
  };
  key_sets_ = std::make_unique<KeySets>(control_->state(), use);
  key_sets_->follow(runtime_->config);
  net::keep_running(control_->state().executor, [this] { return key_sets_->run(); },
                    [this](std::exception_ptr failure) { report(failure); });
  control_->run();
  finish();
  return 0;
}

void Server::keep_running(net::Task<void> (Server::*loop)()) {
  net::keep_running(control_->state().executor, [this, loop] { return (this->*loop)(); },
                    [this](std::exception_ptr failure) { report(failure); });
}

void Server::report(std::exception_ptr failure) noexcept {
  try {
    std::rethrow_exception(std::move(failure));
  } catch (const std::exception& error) {
    net::until_memory([&] {
      log().write(Level::error, "a background task failed and begins anew",
                  {{"reason", error.what()}});
    });
  }
}

bool Server::start() {
  // A peer that hangs up must be an error of a write, not the end of the process; and no core dump
  // may carry keys (SECURITY J04, rule 11).
  ::signal(SIGPIPE, SIG_IGN);
  ::prctl(PR_SET_DUMPABLE, 0);
  net::Signals::hold_back(our_signals);
  const std::string shortage = fit_to_descriptors(options_.config);
  Compiled compiled = compile(options_.config, nullptr, options_.users);
  if (!compiled.runtime) {
    print_problems(compiled.problems);
    return false;
  }
  runtime_ = std::move(compiled.runtime);
  writer_ = std::make_unique<LogWriter>(runtime_->log);
  if (!writer_->error().empty()) {
    std::cerr << "gatehouse: " << writer_->error() << '\n';
    return false;
  }
  make_workers();
  exporter_ = std::make_unique<TraceExporter>(control_->state().executor, process_.spans);
  signals_ = std::make_unique<net::Signals>(control_->state().executor, our_signals);
  process_.metrics.collect([this](Scrape& scrape) { collect(scrape); });
  certificate_ends_ = certificate_ends(runtime_->config);
  report(compiled.warnings, Level::warning, "configuration");
  if (!shortage.empty()) log().write(Level::warning, shortage);
  if (!bind()) return false;
  load_sessions();
  return true;
}

void Server::make_workers() {
  const std::size_t count =
      runtime_->config.workers != 0 ? runtime_->config.workers : default_workers();
  process_.workers = static_cast<unsigned>(count);
  stores_ = std::make_unique<Stores>(
      *runtime_, count,
      [this](const store::Revocation& revocation) {
        for (const auto& worker : workers_) worker->publish(revocation);
      },
      [this](const store::Revocation& theft) {
        control_->post([this, theft] { webhook_->raise(theft); });
      });
  process_.store_health = stores_->health();
  hashing_ = std::make_unique<HashPool>(HashPoolOptions{});
  for (std::size_t i = 0; i < count; ++i) {
    workers_.push_back(
        std::make_unique<Worker>(stores_->of(i), *hashing_, *writer_, runtime_, process_));
    stores_->attach(i, workers_.back()->state().executor);
  }
  control_ = std::make_unique<Worker>(stores_->of(stores_->last()), *hashing_, *writer_, runtime_,
                                      process_);
  stores_->attach(stores_->last(), control_->state().executor);
  stores_->follow(control_->state().executor);
  webhook_ = std::make_unique<Webhook>(control_->state().executor, webhook_options(*runtime_));
}

bool Server::bind() {
  listeners_ = std::make_unique<Listeners>(workers_, *control_);
  std::vector<config::Problem> problems;
  auto plan = listeners_->prepare(runtime_->config, problems);
  for (const config::Problem& problem : problems) {
    std::cerr << "gatehouse: " << problem.key << ": " << problem.message << '\n';
  }
  if (!problems.empty()) return false;
  listeners_->commit(std::move(plan), false);
  if (options_.listening) options_.listening(listeners_->first_address());
  return true;
}

void Server::load_sessions() {
  const std::string& file = runtime_->config.memory.snapshot_file;
  if (file.empty() || stores_->memory() == nullptr) return;
  const auto read =
      store::read_snapshot(*stores_->memory(), file, runtime_->refresh_keys.snapshot_key(),
                           wall_clock());
  if (!read.error.empty()) {
    log().write(Level::warning, "the sessions of the last run could not be read",
                {{"reason", read.error}});
  } else {
    log().write(Level::info, "read the sessions of the last run",
                {{"sessions", std::to_string(read.sessions)}});
  }
  for (const store::Revocation& revocation : stores_->memory()->revocations(wall_clock())) {
    for (const auto& worker : workers_) worker->publish(revocation);
  }
}

void Server::start_workers() {
  for (const auto& worker : workers_) {
    threads_.emplace_back([&worker] { worker->run(); });
  }
}

void Server::finish() {
  for (const auto& worker : workers_) worker->stop();
  for (std::thread& thread : threads_) thread.join();
  stores_->detach();
  // Verifications that still wait resume on loops that no longer run; the pool goes first.
  hashing_.reset();
  const std::string& file = runtime_->config.memory.snapshot_file;
  if (!file.empty() && stores_->memory() != nullptr) {
    const std::string error =
        store::write_snapshot(*stores_->memory(), file, runtime_->refresh_keys.snapshot_key(),
                              wall_clock());
    if (!error.empty()) {
      log().write(Level::error, "the sessions could not be saved", {{"reason", error}});
    }
  }
  log().write(Level::info, "stopped");
  log().flush();
  listeners_.reset();
  workers_.clear();
  signals_.reset();
  control_.reset();
  writer_.reset();
}

net::Task<void> Server::watch_signals() {
  for (;;) {
    const int number = co_await signals_->next();
    if (number == 0) co_return;
    if (number == SIGHUP) {
      reload();
    } else if (number == SIGUSR1) {
      writer_->reopen();
    } else if (draining_) {
      // Asked twice: whoever asks knows why.
      std::_Exit(1);
    } else {
      draining_ = true;
      // What cannot be drained for lack of memory is cut: the end was asked for.
      boost::asio::co_spawn(control_->loop(), drain(), [this](std::exception_ptr failure) {
        if (failure) control_->stop();
      });
    }
  }
}

// Until there are none left.
net::Task<void> Server::wait_for_connections(std::chrono::milliseconds limit) {
  net::Timer timer(control_->state().executor);
  const auto give_up = Clock::now() + limit;
  while (process_.connections.load() != 0 && Clock::now() < give_up) {
    timer.expires_after(drain_check);
    co_await timer.async_wait(net::as_result);
  }
}

net::Task<void> Server::drain() {
  const config::Drain times = runtime_->config.drain;
  net::Timer timer(control_->state().executor);
  process_.draining = true;
  log().write(Level::info, "draining: not ready any more, still serving");
  log().flush();
  timer.expires_after(times.delay);
  co_await timer.async_wait(net::as_result);
  process_.closing = true;
  for (const auto& worker : workers_) worker->drain();
  const auto cut_at = Clock::now() + times.timeout;
  const auto is_busy = [this] {
    // What waits in a worker's accept queue is no connection yet.
    return process_.drains.load() != 0 || process_.connections.load() != 0 ||
           process_.prestops.load() != 0;
  };
  while (is_busy() && Clock::now() < cut_at) {
    timer.expires_after(drain_check);
    co_await timer.async_wait(net::as_result);
  }
  if (process_.connections.load() != 0) {
    for (const auto& worker : workers_) worker->end_streams();
    co_await wait_for_connections(farewell_time);
  }
  if (process_.connections.load() != 0) {
    log().write(Level::warning, "drain.timeout has passed: cutting what is left",
                {{"connections", std::to_string(process_.connections.load())}});
    for (const auto& worker : workers_) worker->close_all();
    co_await wait_for_connections(cut_time);
  }
  co_await export_last_spans();
  control_->stop();
}

void Server::report(const std::vector<config::Problem>& problems, Level level,
                    std::string_view what) {
  for (const config::Problem& problem : problems) {
    const std::string text = config::to_string(problem);
    log().write(level, what, {{"problem", text}});
  }
}

void Server::reload() { note_reload(load_again()); }

// All or nothing: a configuration with a problem changes nothing. True when it is in force now.
bool Server::load_again() {
  if (runtime_->config.file.empty()) {
    log().write(Level::warning, "nothing to reload: started without a configuration file");
    return false;
  }
  if (draining_) {
    log().write(Level::warning, "not reloaded: the end has begun");
    return false;
  }
  config::Loaded loaded = config::load_file(runtime_->config.file);
  if (!loaded.problems.empty()) {
    report(loaded.problems, Level::error, "reload refused, the old configuration stays");
    log().flush();
    return false;
  }
  const std::string shortage = fit_to_descriptors(loaded.config);
  if (!shortage.empty()) log().write(Level::warning, shortage);
  attempted_files_ = watched_files_of(loaded.config);
  for (const std::string& key : keep_fixed(runtime_->config, loaded.config)) {
    log().write(Level::warning, "changes at a restart only; the rest is in force", {{"key", key}});
  }
  report(loaded.warnings, Level::warning, "configuration");
  auto plan = listeners_->prepare(loaded.config, loaded.problems);
  if (!loaded.problems.empty()) {
    report(loaded.problems, Level::error, "reload refused, the old configuration stays");
    log().flush();
    return false;
  }
  if (!install(compile(loaded.config, runtime_.get(), options_.users),
               "reloaded the configuration")) {
    return false;
  }
  listeners_->commit(std::move(plan), true);
  key_sets_->follow(runtime_->config);
  return true;
}

bool Server::install(Compiled compiled, std::string_view what) {
  report(compiled.warnings, Level::warning, "configuration");
  if (!compiled.runtime) {
    report(compiled.problems, Level::error, "reload refused, the old configuration stays");
    log().flush();
    return false;
  }
  std::vector<std::string> ended = runtime_->users->ended_by(*compiled.runtime->users);
  runtime_ = std::move(compiled.runtime);
  certificate_ends_ = certificate_ends(runtime_->config);
  stores_->install(*runtime_);
  webhook_->set_options(webhook_options(*runtime_));
  for (const auto& worker : workers_) worker->install(runtime_);
  control_->install(runtime_);
  // Behind the installation, on the same thread.
  control_->post([this] { watch_->begin(); });
  const bool is_ending = !users_to_end_.empty();
  users_to_end_.insert(users_to_end_.end(), ended.begin(), ended.end());
  if (!is_ending && !users_to_end_.empty()) {
    boost::asio::co_spawn(control_->loop(), end_sessions_of_changed_users(),
                          [](std::exception_ptr) {});
  }
  log().write(Level::info, what);
  log().flush();
  return true;
}

// Gone, disabled, or with another password: what was logged in under the old record ends, as soon
// as the store takes it. A failure is told once, until something succeeds.
net::Task<void> Server::end_sessions_of_changed_users() {
  net::Timer pause(control_->state().executor);
  store::SessionStore& sessions = control_->state().store;
  bool has_failed = false;
  while (!users_to_end_.empty()) {
    const std::string username = users_to_end_.front();
    const auto ended =
        co_await sessions.revoke_user(username, store::RevokeReason::user_changed, wall_clock());
    if (ended || !has_failed) {
      AuditEvent event;
      event.event = "revoke";
      event.outcome = ended ? "ok" : "failed";
      event.reason = "user_changed";
      event.user = username;
      log().audit(event);
      log().flush();
    }
    has_failed = !ended;
    if (ended) {
      users_to_end_.pop_front();
      continue;
    }
    pause.expires_after(watch_interval);
    co_await pause.async_wait(net::as_result);
  }
}

net::Task<void> Server::watch_certificates() {
  net::Timer timer(control_->state().executor);
  for (;;) {
    timer.expires_after(watch_interval);
    co_await timer.async_wait(net::as_result);
    listeners_->look_at_files();
  }
}

// A file that is being written is not taken for one in which users are missing: it counts once it
// has stayed the same from one look to the next.
net::Task<void> Server::watch_users_file() {
  net::Timer timer(control_->state().executor);
  FileStamp known = stamp_of(runtime_->config.users.file);
  FileStamp seen = known;
  std::string file = runtime_->config.users.file;
  for (;;) {
    timer.expires_after(watch_interval);
    co_await timer.async_wait(net::as_result);
    if (runtime_->config.users.file != file) {
      file = runtime_->config.users.file;
      known = seen = stamp_of(file);
      continue;
    }
    const FileStamp now = stamp_of(file);
    const bool is_settled = now == std::exchange(seen, now);
    if (now == known || !is_settled) continue;
    known = now;
    if (runtime_->config.watch) continue;  // watch_files() sees it as well
    note_reload(install(compile(runtime_->config, runtime_.get(), options_.users),
                        "re-read the users file"));
  }
}

}  // namespace proxy
