/* Preloaded into the program under test: fails the n-th call of one kind, once. The test writes
 * kind and n into a file that both have mapped (GATEHOUSE_FAULTS), so that one process can be tried
 * with every n. Also shifts the wall clock, and only that, by a number of seconds from the same file.
 * Any thread; the counters are atomic. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

enum kind { none, allocation, receiving, sending, accepting, connecting, opening, watching, syncing };

struct control {
  int32_t kind;
  int32_t countdown; /* fails when it reaches 0 */
  int32_t fired;
  int32_t unused;
  int64_t clock_seconds; /* added to the wall clock */
};

static struct control *control;

extern void *__libc_malloc(size_t);
extern void *__libc_calloc(size_t, size_t);
extern void *__libc_realloc(void *, size_t);
extern void *__libc_memalign(size_t, size_t);

__attribute__((constructor)) static void map_control(void) {
  const char *path = getenv("GATEHOUSE_FAULTS");
  int descriptor = path == NULL ? -1 : open(path, O_RDWR | O_CLOEXEC);
  if (descriptor < 0) return;
  void *mapped = mmap(NULL, sizeof *control, PROT_READ | PROT_WRITE, MAP_SHARED, descriptor, 0);
  close(descriptor);
  if (mapped != MAP_FAILED) control = mapped;
}

static int fails(enum kind kind, int error) {
  if (control == NULL || __atomic_load_n(&control->kind, __ATOMIC_RELAXED) != (int32_t)kind) {
    return 0;
  }
  if (__atomic_sub_fetch(&control->countdown, 1, __ATOMIC_RELAXED) != 0) return 0;
  __atomic_store_n(&control->fired, 1, __ATOMIC_RELAXED);
  errno = error;
  return 1;
}

/* --- memory */

void *malloc(size_t size) { return fails(allocation, ENOMEM) ? NULL : __libc_malloc(size); }

void *calloc(size_t count, size_t size) {
  return fails(allocation, ENOMEM) ? NULL : __libc_calloc(count, size);
}

void *realloc(void *old, size_t size) {
  return fails(allocation, ENOMEM) ? NULL : __libc_realloc(old, size);
}

void *aligned_alloc(size_t alignment, size_t size) {
  return fails(allocation, ENOMEM) ? NULL : __libc_memalign(alignment, size);
}

int posix_memalign(void **out, size_t alignment, size_t size) {
  void *memory = fails(allocation, ENOMEM) ? NULL : __libc_memalign(alignment, size);
  if (memory == NULL) return ENOMEM;
  *out = memory;
  return 0;
}

/* --- system calls */

#define NEXT(name)                                               \
  static __typeof__(&name) next;                                 \
  if (next == NULL) next = (__typeof__(&name))dlsym(RTLD_NEXT, #name)

ssize_t recv(int fd, void *to, size_t size, int flags) {
  NEXT(recv);
  return fails(receiving, ECONNRESET) ? -1 : next(fd, to, size, flags);
}

ssize_t recvmsg(int fd, struct msghdr *message, int flags) {
  NEXT(recvmsg);
  return fails(receiving, ECONNRESET) ? -1 : next(fd, message, flags);
}

ssize_t readv(int fd, const struct iovec *parts, int count) {
  NEXT(readv);
  return fails(receiving, ECONNRESET) ? -1 : next(fd, parts, count);
}

ssize_t send(int fd, const void *from, size_t size, int flags) {
  NEXT(send);
  return fails(sending, EPIPE) ? -1 : next(fd, from, size, flags);
}

ssize_t sendmsg(int fd, const struct msghdr *message, int flags) {
  NEXT(sendmsg);
  return fails(sending, EPIPE) ? -1 : next(fd, message, flags);
}

ssize_t writev(int fd, const struct iovec *parts, int count) {
  NEXT(writev);
  return fails(sending, EPIPE) ? -1 : next(fd, parts, count);
}

int accept4(int fd, struct sockaddr *address, socklen_t *size, int flags) {
  NEXT(accept4);
  return fails(accepting, EMFILE) ? -1 : next(fd, address, size, flags);
}

int connect(int fd, const struct sockaddr *address, socklen_t size) {
  NEXT(connect);
  return fails(connecting, ENETUNREACH) ? -1 : next(fd, address, size);
}

int socket(int domain, int type, int protocol) {
  NEXT(socket);
  return fails(opening, EMFILE) ? -1 : next(domain, type, protocol);
}

int epoll_ctl(int epoll, int operation, int fd, struct epoll_event *event) {
  NEXT(epoll_ctl);
  /* Only what takes memory can fail for want of it. */
  const int adds = operation == EPOLL_CTL_ADD;
  return adds && fails(watching, ENOMEM) ? -1 : next(epoll, operation, fd, event);
}

int fsync(int fd) {
  NEXT(fsync);
  return fails(syncing, EIO) ? -1 : next(fd);
}

/* --- the wall clock; timeouts use the monotonic one */

static int64_t clock_shift(void) {
  return control == NULL ? 0 : __atomic_load_n(&control->clock_seconds, __ATOMIC_RELAXED);
}

int clock_gettime(clockid_t clock, struct timespec *now) {
  NEXT(clock_gettime);
  int result = next(clock, now);
  if (result == 0 && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE)) {
    now->tv_sec += clock_shift();
  }
  return result;
}

int gettimeofday(struct timeval *restrict now, void *restrict zone) {
  NEXT(gettimeofday);
  int result = next(now, zone);
  if (result == 0) now->tv_sec += clock_shift();
  return result;
}

time_t time(time_t *out) {
  struct timespec now;
  clock_gettime(CLOCK_REALTIME, &now);
  if (out != NULL) *out = now.tv_sec;
  return now.tv_sec;
}
