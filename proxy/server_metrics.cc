// What the process tells about itself when /metrics is asked for; see metrics.h. Control thread.
#include "proxy/server.h"

#include <algorithm>

#include "auth/pem_facts.h"
#include "config/load.h"
#include "config/secret.h"
#include "proxy/health.h"

namespace proxy {
namespace {

// The clock of `process_start_time_seconds` and of reload times: whole seconds since 1970.
double seconds(std::chrono::system_clock::time_point time) {
  return std::chrono::duration<double>(time.time_since_epoch()).count();
}

constexpr std::size_t pem_bytes_max = 1024 * 1024;

}  // namespace

std::vector<CertificateEnd> certificate_ends(const config::Config& config) {
  std::vector<CertificateEnd> ends;
  for (const std::string& file : config::files_of(config)) {
    const config::SecretText text = config::read_file(file, pem_bytes_max);
    if (!text.error.empty()) continue;
    const auth::PemFacts facts = auth::facts_of_pem(text.bytes);
    if (facts.certificates.empty()) continue;
    const auto first = std::min_element(
        facts.certificates.begin(), facts.certificates.end(),
        [](const auto& a, const auto& b) { return a.not_after < b.not_after; });
    ends.push_back({file, first->not_after});
  }
  return ends;
}

void Server::note_reload(bool succeeded) {
  if (succeeded) loaded_at_ = std::chrono::system_clock::now();
  last_reload_succeeded_ = succeeded;
  count(Metric::config_reloads, succeeded ? "ok" : "refused");
}

void Server::collect(Scrape& scrape) const {
  scrape.set(Metric::build_info, 1, GATEHOUSE_VERSION, "GCC " __VERSION__);
  scrape.set(Metric::ready, readiness(process_, runtime_->config.on_outage).is_ready ? 1 : 0);
  scrape.set(Metric::workers, static_cast<double>(workers_.size()));
  scrape.set(Metric::connections, process_.connections.load());
  scrape.set(Metric::requests_in_flight, 0);
  scrape.set(Metric::tunnels, 0);
  scrape.set(Metric::token_cache_entries, 0);
  stores_->collect(scrape);
  if (key_sets_) key_sets_->collect(scrape);
  scrape.set(Metric::hash_queue_length, static_cast<double>(hashing_->waiting()));
  scrape.set(Metric::log_lines_dropped, static_cast<double>(writer_->dropped()));
  scrape.set(Metric::config_last_reload_success, last_reload_succeeded_ ? 1 : 0);
  scrape.set(Metric::config_last_reload_time, seconds(loaded_at_));
  for (const CertificateEnd& end : certificate_ends_) {
    scrape.set(Metric::tls_cert_not_after, seconds(end.not_after), end.file);
  }
  for (const auto& upstream : control_->state().local->upstreams) {
    if (!upstream->config().health_check) continue;
    for (const TargetRef& target : upstream->targets()) {
      scrape.set(Metric::upstream_endpoint_healthy, target->healthy ? 1 : 0,
                 upstream->config().name, target->name);
    }
  }
  const ProcessUsage usage = process_usage();
  scrape.set(Metric::process_cpu, usage.cpu_seconds);
  scrape.set(Metric::process_memory, usage.resident_bytes);
  scrape.set(Metric::process_descriptors, usage.descriptors);
  scrape.set(Metric::process_descriptors_max, usage.descriptors_max);
  scrape.set(Metric::process_start_time, seconds(started_at_));
}

}  // namespace proxy
