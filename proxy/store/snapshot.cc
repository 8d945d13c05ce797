// See snapshot.h. The file is one sealed piece: AES-GCM tells a damaged or foreign file from ours,
// and its name and version are part of what is authenticated.
#include "proxy/store/snapshot.h"

#include "auth/bytes.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <cstdio>
#include <optional>
#include <system_error>
#include <utility>

namespace proxy::store {
namespace {

constexpr std::string_view associated = "gatehouse snapshot file 1";
constexpr std::size_t key_bytes = 32;
constexpr std::size_t file_bytes_max = std::size_t{1} << 30;

// Closes what it was given. -1 is nothing.
class Descriptor {
 public:
  explicit Descriptor(int fd) : fd_(fd) {}
  ~Descriptor() {
    if (fd_ >= 0) ::close(fd_);
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  [[nodiscard]] int get() const { return fd_; }
  [[nodiscard]] bool is_open() const { return fd_ >= 0; }

 private:
  int fd_;
};

std::string problem(std::string_view what, const std::string& file) {
  const std::error_code cause(errno, std::generic_category());
  return "the snapshot " + file + " could not be " + std::string(what) + ": " + cause.message();
}

bool write_all(int fd, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t written = ::write(fd, bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) return false;
    bytes.remove_prefix(static_cast<std::size_t>(written));
  }
  return true;
}

bool read_all(int fd, std::string& bytes) {
  std::size_t have = 0;
  while (have < bytes.size()) {
    const ssize_t count = ::read(fd, bytes.data() + have, bytes.size() - have);
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) return false;
    have += static_cast<std::size_t>(count);
  }
  return true;
}

// A rename is only lasting when the directory was written, too.
void sync_directory(const std::string& file) {
  const std::size_t slash = file.rfind('/');
  const std::string directory = slash == std::string::npos ? "." : file.substr(0, slash + 1);
  const Descriptor fd(::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (fd.is_open()) ::fsync(fd.get());
}

std::string write_new(const std::string& file, std::string_view bytes) {
  const Descriptor fd(
      ::open(file.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600));
  if (!fd.is_open()) return problem("created", file);
  if (!write_all(fd.get(), bytes) || ::fsync(fd.get()) != 0) return problem("written", file);
  return {};
}

// The file's bytes. Empty with an empty error: there is no file.
struct FileBytes {
  std::optional<std::string> bytes;
  std::string error;
};

FileBytes read_whole(const std::string& file) {
  const Descriptor fd(::open(file.c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC));
  if (!fd.is_open()) {
    return {std::nullopt, errno == ENOENT ? std::string{} : problem("opened", file)};
  }
  struct stat status {};
  if (::fstat(fd.get(), &status) != 0) return {std::nullopt, problem("read", file)};
  if (!S_ISREG(status.st_mode)) {
    return {std::nullopt, "the snapshot " + file + " is not a regular file"};
  }
  if (static_cast<std::uint64_t>(status.st_size) > file_bytes_max) {
    return {std::nullopt, "the snapshot " + file + " is over 1 GiB"};
  }
  std::string bytes(static_cast<std::size_t>(status.st_size), '\0');
  if (!read_all(fd.get(), bytes)) return {std::nullopt, problem("read", file)};
  return {std::move(bytes), {}};
}

}  // namespace

std::string write_snapshot(const MemoryStore& store, const std::string& file,
                           std::string_view key, auth::Time now) {
  if (key.size() != key_bytes) return "there is no key to seal the snapshot " + file + " with";
  const auth::Result<std::string> sealed = auth::seal(key, store.save(now), associated);
  if (!sealed) {
    return "the snapshot " + file + " could not be sealed: " + std::string(name(sealed.error()));
  }
  if (sealed->size() > file_bytes_max) return "the snapshot " + file + " would be over 1 GiB";

  const std::string temporary = file + ".new";
  ::unlink(temporary.c_str());  // what a crash left behind
  std::string error = write_new(temporary, *sealed);
  if (error.empty() && std::rename(temporary.c_str(), file.c_str()) != 0) {
    error = problem("renamed", temporary);
  }
  if (!error.empty()) {
    ::unlink(temporary.c_str());
    return error;
  }
  sync_directory(file);
  return {};
}

SnapshotRead read_snapshot(MemoryStore& store, const std::string& file, std::string_view key,
                           auth::Time now) {
  const FileBytes read = read_whole(file);
  if (!read.bytes && read.error.empty()) return {};
  // Gone before it is used: a file that stays would bring ended sessions back after a crash.
  const bool is_gone = ::unlink(file.c_str()) == 0;
  if (!read.bytes) return {0, read.error};
  if (!is_gone) return {0, problem("removed, so it was not used", file)};
  sync_directory(file);
  const auth::Result<std::string> plain = auth::open_sealed(key, *read.bytes, associated);
  const std::optional<std::size_t> taken =
      plain ? store.load(*plain, now) : std::optional<std::size_t>{};
  if (!taken) {
    return {0, "the snapshot " + file +
                   " was not used: it is damaged, or from another key or version"};
  }
  return {*taken, {}};
}

}  // namespace proxy::store
