// For LD_PRELOAD: the wall clock of a process is off by what a file says, whatever it says just now. The
// clocks by which timers run stay the machine's (libfaketime moves timerfd_settime(2) as well, and Asio's
// then never fire).

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#include <atomic>
#include <cstdint>
#include <cstdlib>

namespace {

using Offset = std::atomic<std::int64_t>;  // seconds

const Offset* map_offset() {
  const char* file = ::getenv("WRONG_CLOCK");
  int fd = file ? ::open(file, O_RDONLY | O_CLOEXEC) : -1;
  if (fd < 0) return nullptr;
  void* at = ::mmap(nullptr, sizeof(Offset), PROT_READ, MAP_SHARED, fd, 0);
  ::close(fd);
  return at == MAP_FAILED ? nullptr : static_cast<const Offset*>(at);
}

const Offset* const kOffset = map_offset();  // before main(), so a sandbox that is entered later sees no file

}  // namespace

extern "C" int clock_gettime(clockid_t clock, timespec* time) noexcept {
  int status = static_cast<int>(::syscall(SYS_clock_gettime, clock, time));
  if (status == 0 && kOffset && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE))
    time->tv_sec += *kOffset;
  return status;
}

extern "C" int gettimeofday(timeval* time, void*) noexcept {
  timespec now{};
  int status = clock_gettime(CLOCK_REALTIME, &now);
  *time = {now.tv_sec, now.tv_nsec / 1000};
  return status;
}

extern "C" time_t time(time_t* result) noexcept {
  timespec now{};
  clock_gettime(CLOCK_REALTIME, &now);
  if (result) *result = now.tv_sec;
  return now.tv_sec;
}
