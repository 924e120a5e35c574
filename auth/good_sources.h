#pragma once

#include <functional>
#include <list>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/disk.h"
#include "base/life.h"
#include "base/loop.h"
#include "base/result.h"
#include "base/time.h"

namespace oob::auth {

// Where each key was last used from with success. No source is needed to log in: whoever comes from one of
// these is only never locked out by what others do there. Kept in a file (docs/formats.md, "Good sources"),
// which is written behind: a crash loses a second of it.
class GoodSources {
 public:
  static constexpr std::size_t kMost = 1024;  // keys; the one that was used longest ago goes
  // Of one user: a job that comes with a new certificate each minute pushes nobody else out.
  static constexpr std::size_t kMostOfUser = 8;
  static constexpr base::milliseconds kWrite{1000};

  GoodSources(base::Loop& loop, base::Blocking& blocking, std::string path);
  ~GoodSources();
  GoodSources(const GoodSources&) = delete;
  GoodSources& operator=(const GoodSources&) = delete;

  // Reads the file. A missing one is empty; what is damaged is passed over, and told by an Error, as a file
  // that can't be read is: all else was taken. Blocks; for start-up.
  base::Result<> load();
  // A login succeeded. `source` is base::source_of() of the peer.
  void note(const std::string& user, const std::string& fingerprint, const std::string& source,
            base::Micros now);
  // Forgets the keys of users that are no longer known: for a reload.
  void keep_users(const std::function<bool(const std::string& user)>& known);
  // Whether a key of the user was last used from there.
  bool is_good(const std::string& user, const std::string& source) const;
  // The newest first, each once.
  std::vector<std::string> sources() const;
  // Writes now what was not written yet. Blocks; for a clean stop.
  void flush();

  // The file, for tests and the fuzzer. parse() returns how many lines were damaged, and takes the others.
  std::string text() const;
  std::size_t parse(std::string_view text);

 private:
  struct Good {
    std::string user, fingerprint, source;
    base::Micros at = 0;
  };
  void put(Good good);
  void write_soon();
  void write();

  const std::string path_;
  base::Blocking& blocking_;
  base::Timer timer_;
  std::list<Good> goods_;  // the newest first
  bool changed_ = false;   // since it was written
  bool writing_ = false;
  std::string trouble_;  // said once
  base::Life life_;
};

}  // namespace oob::auth
