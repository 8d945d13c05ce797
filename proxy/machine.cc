// Processors, descriptors, files; see machine.h.
#include "proxy/machine.h"

#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <thread>

namespace proxy {
namespace {

// Descriptors that are not client connections: listeners, logs, the store, one for luck each.
constexpr std::uint64_t descriptors_reserved = 64;
constexpr std::size_t workers_max = 4;

// The quota in whole processors, 0 when there is none. Version 2 of the cgroup interface first.
std::size_t cgroup_processors() {
  std::ifstream unified("/sys/fs/cgroup/cpu.max");
  std::string quota;
  std::string period;
  if (unified >> quota >> period) return processors_of_quota(quota, period);
  std::ifstream quota_file("/sys/fs/cgroup/cpu/cpu.cfs_quota_us");
  std::ifstream period_file("/sys/fs/cgroup/cpu/cpu.cfs_period_us");
  if (quota_file >> quota && period_file >> period) return processors_of_quota(quota, period);
  return 0;
}

}  // namespace

std::size_t processors_of_quota(const std::string& quota, const std::string& period) {
  const long long granted = std::atoll(quota.c_str());
  const long long of = std::atoll(period.c_str());
  if (granted <= 0 || of <= 0) return 0;  // `max` and `-1`, too
  return static_cast<std::size_t>((granted + of - 1) / of);
}

std::size_t workers_for(std::size_t quota, std::size_t processors) {
  processors = std::max<std::size_t>(processors, 1);
  return std::min({quota == 0 ? processors : quota, processors, workers_max});
}

std::size_t default_workers() {
  return workers_for(cgroup_processors(), std::thread::hardware_concurrency());
}

std::string fit_to_descriptors(config::Config& config) {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return "";
  if (limit.rlim_cur < limit.rlim_max) {
    limit.rlim_cur = limit.rlim_max;
    ::setrlimit(RLIMIT_NOFILE, &limit);
    ::getrlimit(RLIMIT_NOFILE, &limit);
  }
  const std::uint64_t half = limit.rlim_cur / 2;
  const std::uint64_t fits = half > descriptors_reserved ? half - descriptors_reserved : 16;
  if (config.limits.connections <= fits) return "";
  config.limits.connections = static_cast<std::uint32_t>(fits);
  return "limits.connections is lowered to " + std::to_string(fits) +
         ", because the process may open only " + std::to_string(limit.rlim_cur) +
         " files (ulimit -n) and each client needs two";
}

FileStamp stamp_of(const std::string& path) {
  struct stat status {};
  if (path.empty() || ::stat(path.c_str(), &status) != 0) return {};
  return {status.st_ino, static_cast<std::uint64_t>(status.st_size),
          status.st_mtim.tv_sec * 1'000'000'000LL + status.st_mtim.tv_nsec};
}

std::uint64_t anonymous_bytes() {
  std::ifstream pages_file("/proc/self/statm");
  std::uint64_t size = 0;
  std::uint64_t resident = 0;
  std::uint64_t shared = 0;
  if (!(pages_file >> size >> resident >> shared)) return 0;
  return (resident - std::min(resident, shared)) *
         static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
}

MemoryState memory_state(MemoryState before, std::uint64_t bytes, std::uint64_t limit) {
  if (limit == 0) return MemoryState::enough;
  const std::uint64_t slack = limit / 16;
  const auto from = [&](std::uint64_t bound, MemoryState state) {
    return bytes > (before >= state ? bound - slack : bound);
  };
  if (from(limit + limit / 4, MemoryState::exhausted)) return MemoryState::exhausted;
  return from(limit, MemoryState::scarce) ? MemoryState::scarce : MemoryState::enough;
}

ProcessUsage process_usage() {
  ProcessUsage result;
  rusage usage{};
  if (::getrusage(RUSAGE_SELF, &usage) == 0) {
    const auto seconds = [](const timeval& time) {
      return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6;
    };
    result.cpu_seconds = seconds(usage.ru_utime) + seconds(usage.ru_stime);
  }
  std::ifstream pages_file("/proc/self/statm");
  double size = 0;
  double resident = 0;
  if (pages_file >> size >> resident) {
    result.resident_bytes = resident * static_cast<double>(::sysconf(_SC_PAGESIZE));
  }
  std::error_code error;
  for (std::filesystem::directory_iterator entry("/proc/self/fd", error), end;
       !error && entry != end; entry.increment(error)) {
    ++result.descriptors;
  }
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) == 0) {
    result.descriptors_max = static_cast<double>(limit.rlim_cur);
  }
  return result;
}

}  // namespace proxy
