// See signals.h.
#include "proxy/net/signals.h"

#include <sys/signalfd.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>

#include "proxy/net/timer.h"

namespace proxy::net {
namespace {

sigset_t set_of(std::initializer_list<int> numbers) {
  sigset_t set;
  sigemptyset(&set);
  for (const int number : numbers) sigaddset(&set, number);
  return set;
}

}  // namespace

void Signals::hold_back(std::initializer_list<int> numbers) {
  const sigset_t set = set_of(numbers);
  ::pthread_sigmask(SIG_BLOCK, &set, nullptr);
}

Signals::Signals(const Executor& executor, std::initializer_list<int> numbers)
    : watched_(Poller::of(executor)) {
  const sigset_t set = set_of(numbers);
  descriptor_ = ::signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
  if (descriptor_ < 0) throw std::system_error(errno, std::generic_category(), "signalfd");
  try {
    watched_.watch(descriptor_);
  } catch (...) {
    ::close(descriptor_);
    throw;
  }
}

Signals::~Signals() {
  watched_.unwatch();
  ::close(descriptor_);
}

Task<int> Signals::next() {
  for (;;) {
    signalfd_siginfo info{};
    if (::read(descriptor_, &info, sizeof info) == static_cast<ssize_t>(sizeof info)) {
      co_return static_cast<int>(info.ssi_signo);
    }
    const auto [error] = co_await watched_.reader.async_wait(as_result);
    if (error) co_return 0;
  }
}

}  // namespace proxy::net
