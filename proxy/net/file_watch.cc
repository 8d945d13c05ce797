// See file_watch.h.
#include "proxy/net/file_watch.h"

#include <sys/inotify.h>
#include <unistd.h>

#include <array>
#include <cerrno>

#include "proxy/net/timer.h"

namespace proxy::net {

FileWatch::FileWatch(const Executor& executor, const std::vector<std::string>& directories)
    : watched_(Poller::of(executor)) {
  descriptor_ = ::inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
  if (descriptor_ < 0) return;
  works_ = true;
  constexpr std::uint32_t events =
      IN_CLOSE_WRITE | IN_MOVED_TO | IN_MOVED_FROM | IN_CREATE | IN_DELETE | IN_ATTRIB;
  for (const std::string& directory : directories) {
    const int added = ::inotify_add_watch(descriptor_, directory.c_str(), events | IN_ONLYDIR);
    if (added < 0 && errno == ENOSPC) works_ = false;
  }
  try {
    watched_.watch(descriptor_);
  } catch (...) {
    ::close(descriptor_);
    throw;
  }
}

FileWatch::~FileWatch() {
  watched_.unwatch();
  if (descriptor_ >= 0) ::close(descriptor_);
}

Task<void> FileWatch::next() {
  if (!watched_.readable) co_await watched_.reader.async_wait(as_result);
  watched_.readable = false;
  // A whole storm of events is one piece of news.
  alignas(inotify_event) static thread_local std::array<char, 4'096> events;
  while (::read(descriptor_, events.data(), events.size()) > 0) {
  }
}

}  // namespace proxy::net
