#pragma once

#include <sys/types.h>

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "base/disk.h"
#include "base/fd.h"
#include "base/life.h"
#include "base/loop.h"
#include "base/result.h"

namespace oob::console {

// Where git is looked for.
const std::vector<const char*>& git_programs();
// The first of them that is there, or empty.
std::string find_git();

// `git upload-pack` (gitprotocol-pack(5)) as a child, for one bare repository: reads it and changes nothing.
// It has an empty environment, none of our descriptors, a process group of its own, little of the
// processor and of memory, and of the file system this repository alone (landlock(7), where the kernel has
// it); no configuration but that of the repository and ours counts. Its end is its group's.
class UploadPack {
 public:
  static constexpr std::size_t kMostSaid = 4096;  // of its stderr

  struct Hooks {
    std::function<void()> output;                                    // take() may find something
    std::function<void()> input;                                     // give() may have room
    std::function<void(int status, const std::string& said)> ended;  // last: as a shell has it; stderr
  };

  // Both outlive it.
  UploadPack(base::Loop& loop, base::Blocking& blocking);
  ~UploadPack();
  UploadPack(const UploadPack&) = delete;
  UploadPack& operator=(const UploadPack&) = delete;

  base::Result<> start(const std::string& program, const std::string& repository, Hooks hooks);
  // Takes bytes for its stdin and says how many; where that is not all, Hooks::input follows.
  std::size_t give(base::Bytes bytes);
  void give_end();
  // Up to `most` bytes of its stdout. None: Hooks::output follows, when there is more or never.
  std::string take(std::size_t most);

 private:
  void listen();
  void hear_said();
  void at_end();
  void reap(bool tell);

  base::Loop& loop_;
  base::Blocking& blocking_;
  Hooks hooks_;
  pid_t pid_ = -1;
  base::Fd in_, out_, err_;
  std::unique_ptr<base::Watch> in_watch_, out_watch_, err_watch_;
  std::string said_;
  std::shared_ptr<bool> reaped_ = std::make_shared<bool>(false);
  bool reaping_ = false;
  base::Life life_;
};

}  // namespace oob::console
