// Tells when something happens in a few directories (inotify(7)): a file written, moved in, or
// taken away. Directories instead of files, because editors, `mv` and Kubernetes (whose mounted
// volumes switch the symlink `..data`) put another file in the old one's place.
// One thread; must outlive its wait.
#pragma once

#include <string>
#include <vector>

#include "proxy/net/poller.h"
#include "proxy/net/task.h"

namespace proxy::net {

class FileWatch {
 public:
  // Directories that are not there are left out.
  FileWatch(const Executor& executor, const std::vector<std::string>& directories);
  ~FileWatch();
  FileWatch(const FileWatch&) = delete;
  FileWatch& operator=(const FileWatch&) = delete;

  // False: the kernel grants no (more) watches, and next() would wait for ever.
  [[nodiscard]] bool works() const { return works_; }
  // Waits for something to happen; the events themselves say too little to be passed on.
  [[nodiscard]] Task<void> next();

 private:
  Watched watched_;
  int descriptor_ = -1;
  bool works_ = false;
};

}  // namespace proxy::net
