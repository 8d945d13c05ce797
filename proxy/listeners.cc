// See listeners.h.
#include "proxy/listeners.h"

#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>

#include "proxy/listener_tls.h"

namespace proxy {
namespace {

using Clock = std::chrono::steady_clock;
constexpr std::chrono::hours tickets_life{1};

std::string_view role_name(Role role) {
  switch (role) {
    case Role::health:
      return "health";
    case Role::admin:
      return "admin";
    case Role::main:
      break;
  }
  return "listener";
}

std::vector<FileStamp> stamps_of(const config::Listener& listener) {
  std::vector<FileStamp> stamps;
  if (!listener.tls) return stamps;
  for (const std::string& file : tls_files(*listener.tls)) stamps.push_back(stamp_of(file));
  return stamps;
}

void remove_socket_file(const std::string& address) {
  const auto endpoint = net::parse_endpoint(address);
  if (endpoint && !endpoint->unix_path.empty()) ::unlink(endpoint->unix_path.c_str());
}

}  // namespace

// The sockets of new listeners are its own until they are given to the workers.
class Listeners::Plan {
 public:
  ~Plan() {
    for (auto& [id, listening] : opened) {
      const bool is_unused = !listening.descriptors.empty();
      net::close_all(listening);
      if (is_unused) remove_socket_file(listening.address);
    }
  }
  std::vector<Entry> entries;
  std::vector<std::pair<ListenerId, net::Listening>> opened;
};

void Listeners::PlanDeleter::operator()(Plan* plan) const { delete plan; }

Listeners::~Listeners() {
  for (const Entry& entry : entries_) remove_socket_file(entry.config.address);
}

std::vector<Listeners::Entry> Listeners::entries_of(const config::Config& config) {
  std::vector<Entry> entries;
  for (std::size_t i = 0; i < config.listeners.size(); ++i) {
    Entry& entry = entries.emplace_back();
    entry.key = "listeners[" + std::to_string(i) + "].address";
    entry.index = i;
    entry.config = config.listeners[i];
  }
  const auto add = [&entries](Role role, const std::string& address, config::Location at,
                              const char* key) {
    if (address.empty()) return;
    Entry& entry = entries.emplace_back();
    entry.role = role;
    entry.key = key;
    entry.config.address = address;
    entry.config.at = at;
  };
  add(Role::health, config.health.address, config.health.at, "health.address");
  add(Role::admin, config.admin.address, config.admin.at, "admin.address");
  return entries;
}

// A listener of the same role and address goes on: with its socket, and with its tickets' keys.
bool Listeners::find_kept(Entry& entry, std::vector<bool>& kept) const {
  for (std::size_t i = 0; i < entries_.size(); ++i) {
    const Entry& old = entries_[i];
    if (kept[i] || old.role != entry.role || old.config.address != entry.config.address) continue;
    kept[i] = true;
    entry.id = old.id;
    entry.bound = old.bound;
    entry.setup = old.setup;
    entry.tickets = old.tickets;
    entry.tickets_made = old.tickets_made;
    return true;
  }
  return false;
}

bool Listeners::make_setup(Entry& entry, int family, config::Problem& problem) {
  auto setup = std::make_shared<ListenerSetup>();
  setup->role = entry.role;
  setup->family = family;
  setup->port = family == AF_UNIX ? "0" : entry.bound.substr(entry.bound.rfind(':') + 1);
  setup->proxy_protocol = entry.config.proxy_protocol;
  if (entry.config.tls) {
    if (!entry.tickets) {
      entry.tickets = net::make_ticket_keys();
      entry.tickets_made = Clock::now();
    }
    // Before they are read: a change in between is seen later, not missed.
    entry.stamps = stamps_of(entry.config);
    setup->tls = load_tls(entry.config, entry.index, entry.tickets, problem);
    if (!setup->tls) return false;
    for (const std::string& warning : setup->tls->warnings()) {
      log().write(Level::warning, warning, {{"address", entry.bound}});
    }
  }
  entry.setup = std::move(setup);
  return true;
}

bool Listeners::open(Entry& entry, Plan& plan, std::vector<config::Problem>& problems) {
  const auto endpoint = net::parse_endpoint(entry.config.address);
  const std::size_t count = entry.role == Role::main ? workers_.size() : 1;
  net::Listening listening;
  if (endpoint) {
    listening = net::listen_on(*endpoint, count);
  } else {
    listening.error = "`" + entry.config.address + "` is not of the form HOST:PORT or unix:/PATH";
  }
  if (!listening.error.empty()) {
    problems.push_back({"", entry.config.at, entry.key, listening.error});
    return false;
  }
  entry.id = next_id_++;
  entry.bound = listening.address;
  config::Problem problem;
  const bool made = make_setup(entry, listening.family, problem);
  plan.opened.emplace_back(entry.id, std::move(listening));
  if (!made) problems.push_back(std::move(problem));
  return made;
}

Listeners::PlanPtr Listeners::prepare(const config::Config& config,
                                      std::vector<config::Problem>& problems) {
  PlanPtr plan(new Plan());
  std::vector<bool> kept(entries_.size());
  for (Entry& entry : entries_of(config)) {
    if (find_kept(entry, kept)) {
      config::Problem problem;
      const int family = entry.setup->family;
      if (!make_setup(entry, family, problem)) problems.push_back(std::move(problem));
    } else if (!open(entry, *plan, problems)) {
      continue;
    }
    plan->entries.push_back(std::move(entry));
  }
  for (config::Problem& problem : problems) {
    if (problem.file.empty()) problem.file = config.file;
  }
  return plan;
}

template <class Call>
void Listeners::each_worker(Role role, Call call) {
  if (role != Role::main) {
    call(control_, std::size_t{0});
    return;
  }
  for (std::size_t i = 0; i < workers_.size(); ++i) call(*workers_[i], i);
}

void Listeners::tell(const Entry& entry) {
  each_worker(entry.role, [&entry](Worker& worker, std::size_t) {
    worker.change_listener(entry.id, entry.setup);
  });
}

void Listeners::retire(const Entry& entry) {
  each_worker(entry.role,
              [&entry](Worker& worker, std::size_t) { worker.close_listener(entry.id); });
  remove_socket_file(entry.config.address);
  log().write(Level::info, "no longer listening",
              {{"address", entry.bound}, {"role", role_name(entry.role)}});
}

void Listeners::commit(PlanPtr plan, bool running) {
  const auto stays = [&plan](const Entry& old) {
    return std::any_of(plan->entries.begin(), plan->entries.end(),
                       [&old](const Entry& entry) { return entry.id == old.id; });
  };
  for (const Entry& old : entries_) {
    if (!stays(old)) retire(old);
  }
  entries_ = std::move(plan->entries);
  for (const Entry& entry : entries_) {
    const auto opened = std::find_if(plan->opened.begin(), plan->opened.end(),
                                     [&entry](const auto& one) { return one.first == entry.id; });
    if (opened == plan->opened.end()) {
      tell(entry);
      continue;
    }
    each_worker(entry.role, [&](Worker& worker, std::size_t i) {
      worker.listen(entry.id, opened->second.descriptors[i], entry.setup, running);
    });
    opened->second.descriptors.clear();
    log().write(Level::info, "listening",
                {{"address", entry.bound}, {"role", role_name(entry.role)}});
  }
  log().flush();
}

void Listeners::refresh(Entry& entry) {
  const auto stamps = stamps_of(entry.config);
  const bool is_changed = stamps != entry.stamps;
  const bool is_old = entry.config.tls->ticket_key_files.empty() &&
                      Clock::now() - entry.tickets_made >= tickets_life;
  if (!is_changed && !is_old && entry.complaint.empty()) return;
  if (is_old) {
    if (auto next = net::rotate(*entry.tickets)) entry.tickets = std::move(next);
    entry.tickets_made = Clock::now();
  }
  config::Problem problem;
  const int family = entry.setup->family;
  if (make_setup(entry, family, problem)) {
    entry.complaint.clear();
    tell(entry);
    if (!is_changed) return;
    log().write(Level::info, "re-read the certificates", {{"address", entry.bound}});
  } else if (entry.complaint != problem.message) {
    // A certificate and its key are two files: between them they may not fit, for a moment.
    entry.complaint = problem.message;
    log().write(Level::error, "the new certificates cannot be used, the old ones stay",
                {{"address", entry.bound}, {"problem", problem.key + ": " + problem.message}});
  }
  log().flush();
}

void Listeners::look_at_files() {
  for (Entry& entry : entries_) {
    if (entry.config.tls) refresh(entry);
  }
}

}  // namespace proxy
