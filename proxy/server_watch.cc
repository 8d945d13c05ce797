// Reloading when files change, and what a reload cannot change. Control thread.
#include <algorithm>
#include <filesystem>

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

}  // namespace

// A refused configuration may need nothing but another of its files to be mended.
std::vector<std::string> Server::files_to_watch() const {
  std::vector<std::string> files = config::files_of(runtime_->config);
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

std::vector<std::string> keep_fixed(const config::Config& now, config::Config& next) {
  std::vector<std::string> keys;
  const auto keep = [&keys](const auto& old, auto& value, const char* key) {
    if (old == value) return;
    keys.emplace_back(key);
    value = old;
  };
  keep(now.workers, next.workers, "workers");
  keep(now.log.file, next.log.file, "log.file");
  return keys;
}

}  // namespace proxy
