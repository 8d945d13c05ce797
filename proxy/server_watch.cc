// What the control thread does in the background: reloading when files change, sending spans, and
// looking at the memory.
// Also: what a reload cannot change.
#include <malloc.h>

#include <algorithm>
#include <filesystem>
#include <optional>

#include "config/load.h"
#include "proxy/net/file_watch.h"
#include "proxy/net/timer.h"
#include "proxy/server.h"

namespace proxy {
namespace {

// `watch` may be switched on by SIGHUP, and inotify may be out of reach.
constexpr std::chrono::milliseconds poll_interval{1'000};
// Whoever changes files rarely changes only one: an update of several is taken as a whole.
constexpr std::chrono::milliseconds settle_time{200};

using Clock = std::chrono::steady_clock;
constexpr std::chrono::milliseconds memory_interval{100};
constexpr std::chrono::milliseconds trim_interval{1'000};
// Memory is said to be there again when it has been for this long.
constexpr std::chrono::milliseconds calm_interval{3'000};
// Without any limit of memory.
constexpr std::chrono::milliseconds tidy_interval{2'500};

constexpr std::chrono::milliseconds export_interval{1'000};
// A collector that is away is asked less often; meanwhile spans wait, and the newest are dropped.
constexpr std::chrono::milliseconds export_pause{5'000};
// Spans of the last requests reach the queue with their worker's next tick.
constexpr std::chrono::milliseconds last_spans_wait{250};

std::vector<FileStamp> stamps_of(const std::vector<std::string>& files) {
  std::vector<FileStamp> stamps;
  for (const std::string& file : files) stamps.push_back(stamp_of(file));
  return stamps;
}

// Where a change of one of the files shows: the directory of its name, and the one that it leads
// to through symlinks.
std::vector<std::string> directories_of(const std::vector<std::string>& files) {
  std::vector<std::string> directories;
  for (const std::string& file : files) {
    std::error_code error;
    const std::filesystem::path name = std::filesystem::absolute(file, error);
    directories.push_back(name.parent_path().string());
    const std::filesystem::path real = std::filesystem::canonical(file, error);
    if (!error) directories.push_back(real.parent_path().string());
  }
  std::sort(directories.begin(), directories.end());
  directories.erase(std::unique(directories.begin(), directories.end()), directories.end());
  return directories;
}

// What a burst of clients has left behind in the heap goes back to the system when it is worth it:
// when much was freed since the last time, or more is held than anybody uses.
class Heap {
 public:
  void give_back_freed() {
    const struct mallinfo2 heap = ::mallinfo2();
    const std::uint64_t used = heap.uordblks + heap.hblkhd;
    const std::uint64_t held = anonymous_bytes();
    most_used_ = std::max(most_used_, used);
    const bool was_freed = most_used_ - used >= worth_returning;
    const bool is_held = held >= left_ + worth_returning && held >= used + 4 * worth_returning;
    if (!was_freed && !is_held) return;
    ::malloc_trim(0);
    most_used_ = used;
    left_ = anonymous_bytes();
  }

 private:
  static constexpr std::uint64_t worth_returning = 1024 * 1024;
  std::uint64_t most_used_ = 0;  // since the last time
  std::uint64_t left_ = 0;       // held after it
};

}  // namespace

std::vector<std::string> watched_files_of(const config::Config& config) {
  std::vector<std::string> files = config::files_of(config);
  for (std::string& file : template_files(config.browser)) files.push_back(std::move(file));
  return files;
}

// A refused configuration may need nothing but another of its files to be mended.
std::vector<std::string> Server::files_to_watch() const {
  std::vector<std::string> files = watched_files_of(runtime_->config);
  files.insert(files.end(), attempted_files_.begin(), attempted_files_.end());
  std::sort(files.begin(), files.end());
  files.erase(std::unique(files.begin(), files.end()), files.end());
  return files;
}

// The watch is made anew each time, since a reload may name other files, and before looking at
// them, so that no change falls between the two.
net::Task<void> Server::watch_files() {
  net::Timer timer(control_->state().executor);
  std::vector<std::string> files = files_to_watch();
  std::vector<FileStamp> known = stamps_of(files);
  bool warned = false;
  for (;;) {
    if (!runtime_->config.watch) {
      timer.expires_after(poll_interval);
      co_await timer.async_wait(net::as_result);
      files = files_to_watch();
      known = stamps_of(files);
      continue;
    }
    net::FileWatch watch(control_->state().executor, directories_of(files));
    if (!watch.works() && !warned) {
      warned = true;
      log().write(Level::warning, "watch: no inotify watches are left, looking every second");
    }
    if (stamps_of(files) == known) {
      if (watch.works()) {
        co_await watch.next();
        timer.expires_after(settle_time);
      } else {
        timer.expires_after(poll_interval);
      }
      co_await timer.async_wait(net::as_result);
      if (stamps_of(files) == known) continue;
    }
    known = stamps_of(files);
    reload();
    const std::vector<std::string> now = files_to_watch();
    if (now == files) continue;
    files = now;
    known = stamps_of(files);
  }
}

net::Task<void> Server::export_spans() {
  net::Timer timer(control_->state().executor, export_interval);
  bool reported = false;
  for (;;) {
    co_await timer.async_wait(net::as_result);
    const bool sent = co_await exporter_->send_waiting(runtime_->config.tracing.otlp_url);
    if (!sent && !reported) {
      log().write(Level::warning, "the collector did not take spans; they are lost",
                  {{"otlp_url", runtime_->config.tracing.otlp_url}});
    }
    reported = !sent;
    timer.expires_after(sent ? export_interval : export_pause);
  }
}

net::Task<void> Server::export_last_spans() {
  if (!runtime_->trace.is_on) co_return;
  net::Timer timer(control_->state().executor, last_spans_wait);
  co_await timer.async_wait(net::as_result);
  (void)co_await exporter_->send_waiting(runtime_->config.tracing.otlp_url);
}

// Memory is counted where it is certain, by the kernel, so that no request pays for it.
net::Task<void> Server::watch_memory() {
  net::Timer timer(control_->state().executor);
  auto trimmed = Clock::now();
  std::optional<Clock::time_point> short_at;
  bool was_short = false;
  Heap heap;
  for (;;) {
    timer.expires_after(memory_interval);
    co_await timer.async_wait(net::as_result);
    if (Clock::now() - trimmed >= tidy_interval) {
      trimmed = Clock::now();
      heap.give_back_freed();
    }
    const std::uint64_t limit = runtime_->config.limits.memory;
    const MemoryState before = process_.memory.load();
    if (limit == 0 && before == MemoryState::enough && !was_short) continue;
    MemoryState state = memory_state(before, anonymous_bytes(), limit);
    // What was freed goes back to the system only when it is asked to.
    if (state != MemoryState::enough && Clock::now() - trimmed >= trim_interval) {
      trimmed = Clock::now();
      ::malloc_trim(0);
      state = memory_state(before, anonymous_bytes(), limit);
    }
    process_.memory.store(state);
    if (state != MemoryState::enough) process_.room_asked.fetch_add(1);
    // In a flood it comes and goes several times a second.
    if (state != MemoryState::enough) short_at = Clock::now();
    const bool is_short = short_at && Clock::now() - *short_at < calm_interval;
    if (is_short == was_short) continue;
    was_short = is_short;
    log().write(is_short ? Level::warning : Level::info,
                is_short ? "limits.memory is reached: clients that are idle or stalled go, new "
                           "ones are refused"
                         : "there is memory again");
    log().flush();
  }
}

std::vector<std::string> keep_fixed(const config::Config& now, config::Config& next) {
  std::vector<std::string> keys;
  const auto keep = [&keys](const auto& old, auto& value, const char* key) {
    if (old == value) return;
    keys.emplace_back(key);
    value = old;
  };
  keep(now.workers, next.workers, "workers");
  keep(now.log.file, next.log.file, "log.file");
  // What stands beside them fits the new value, and not the one that stays.
  if (now.store_kind != next.store_kind || now.redis.mode != next.redis.mode) {
    keep(now.store_kind, next.store_kind, "store.kind");
    keep(now.redis.mode, next.redis.mode, "store.redis.mode");
    next.redis = now.redis;
    next.memory = now.memory;
  }
  keep(now.redis.key_prefix, next.redis.key_prefix, "store.redis.key_prefix");
  return keys;
}

}  // namespace proxy
