#include "oobd/child.h"

#include <sys/wait.h>
#include <unistd.h>

namespace oob {

SpawnTerms::SpawnTerms(short more_flags) {
  posix_spawn_file_actions_init(&descriptors_);
  posix_spawnattr_init(&attributes_);
  sigset_t none, standard;
  sigemptyset(&none);
  sigfillset(&standard);
  posix_spawnattr_setsigmask(&attributes_, &none);
  posix_spawnattr_setsigdefault(&attributes_, &standard);
  posix_spawnattr_setflags(&attributes_,
                           static_cast<short>(POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | more_flags));
}

SpawnTerms::~SpawnTerms() {
  posix_spawn_file_actions_destroy(&descriptors_);
  posix_spawnattr_destroy(&attributes_);
}

void wait_for_end(pid_t child, base::milliseconds patience, pid_t whom) {
  constexpr base::milliseconds kStep{10};
  for (base::milliseconds waited{0}; waited < patience; waited += kStep) {
    if (::waitpid(child, nullptr, WNOHANG) == child) return;
    ::usleep(static_cast<useconds_t>(kStep.count() * 1000));
  }
  ::kill(whom, SIGKILL);
  ::waitpid(child, nullptr, 0);
}

}  // namespace oob
