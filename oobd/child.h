#pragma once

#include <signal.h>
#include <spawn.h>
#include <sys/types.h>

#include "base/loop.h"

namespace oob {

// With what posix_spawn() starts a child of ours: what is done to its descriptors, no signal blocked and all
// as the system has them.
class SpawnTerms {
 public:
  explicit SpawnTerms(short more_flags);  // POSIX_SPAWN_SETSID and the like
  ~SpawnTerms();
  SpawnTerms(const SpawnTerms&) = delete;
  SpawnTerms& operator=(const SpawnTerms&) = delete;

  posix_spawn_file_actions_t* descriptors() { return &descriptors_; }
  posix_spawnattr_t* attributes() { return &attributes_; }

 private:
  posix_spawn_file_actions_t descriptors_;
  posix_spawnattr_t attributes_;
};

// Waits for a child that has been told to end; when that takes longer than `patience`, kills `whom`, the
// child or its group (-child). Blocks: for destructors, when the loop has ended and nobody else is kept
// waiting.
void wait_for_end(pid_t child, base::milliseconds patience, pid_t whom);

}  // namespace oob
