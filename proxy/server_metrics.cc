// What the process tells about itself when /metrics is asked for; see metrics.h. Control thread.
#include "proxy/server.h"

namespace proxy {
namespace {

// The clock of `process_start_time_seconds` and of reload times: whole seconds since 1970.
double seconds(std::chrono::system_clock::time_point time) {
  return std::chrono::duration<double>(time.time_since_epoch()).count();
}

}  // namespace

void Server::note_reload(bool succeeded) {
  if (succeeded) loaded_at_ = std::chrono::system_clock::now();
  last_reload_succeeded_ = succeeded;
  count(Metric::config_reloads, succeeded ? "ok" : "refused");
}

void Server::collect(Scrape& scrape) const {
  scrape.set(Metric::build_info, 1, GATEHOUSE_VERSION, "GCC " __VERSION__);
  scrape.set(Metric::ready, process_.draining.load() ? 0 : 1);
  scrape.set(Metric::workers, static_cast<double>(workers_.size()));
  scrape.set(Metric::connections, process_.connections.load());
  scrape.set(Metric::requests_in_flight, 0);
  scrape.set(Metric::tunnels, 0);
  scrape.set(Metric::token_cache_entries, 0);
  scrape.set(Metric::sessions, static_cast<double>(store_->size()));
  scrape.set(Metric::hash_queue_length, static_cast<double>(hashing_->waiting()));
  scrape.set(Metric::log_lines_dropped, static_cast<double>(writer_->dropped()));
  scrape.set(Metric::config_last_reload_success, last_reload_succeeded_ ? 1 : 0);
  scrape.set(Metric::config_last_reload_time, seconds(loaded_at_));
  const ProcessUsage usage = process_usage();
  scrape.set(Metric::process_cpu, usage.cpu_seconds);
  scrape.set(Metric::process_memory, usage.resident_bytes);
  scrape.set(Metric::process_descriptors, usage.descriptors);
  scrape.set(Metric::process_descriptors_max, usage.descriptors_max);
  scrape.set(Metric::process_start_time, seconds(started_at_));
}

}  // namespace proxy
