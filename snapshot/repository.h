#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"
#include "base/time.h"
#include "snapshot/git.h"

namespace oob::snapshot {

constexpr const char* kMain = "refs/heads/main";

// One bare git repository of ours, with its one writer. Everything blocks, and runs on one thread. Errors are
// Fault::failed and name the path.
class Repository {
 public:
  // Opens what is there; makes it where there is nothing. What a killed writer has left is removed. Anything
  // else in its place is left alone: Fault::failed, with what to do. Fault::unavailable: the system refuses.
  static base::Result<Repository> open(const std::string& path);
  // Opens it for somebody who changes nothing; it is there.
  static base::Result<Repository> look(const std::string& path);
  // Only makes it, as `path`, which must not exist; nothing is there after a failure.
  static base::Result<Repository> make(const std::string& path);

  const std::string& path() const { return path_; }
  git_repository* get() const { return repository_.get(); }
  git_odb* odb() const { return odb_.get(); }

  // nullopt: there is no such reference.
  base::Result<std::optional<git_oid>> tip(const std::string& reference) const;
  // REQUIRES: `from` is where it is now (nothing: it is new); so the last step of all that is stored.
  base::Result<> move(const std::string& reference, const git_oid& to, const std::optional<git_oid>& from);
  base::Result<> remove(const std::string& reference);
  struct Reference {
    std::string name;
    git_oid to;
  };
  base::Result<std::vector<Reference>> references(const std::string& glob) const;  // sorted by name

  base::Result<git_oid> write_blob(base::Bytes bytes);
  // Blobs by their paths; folders are made of the slashes. REQUIRES: no path is a folder of another.
  base::Result<git_oid> write_folder(const std::map<std::string, git_oid>& blobs);
  // The tree `base` (nothing: an empty one), with these entries put in, or taken out where there is none.
  struct Entry {
    git_oid id;
    bool folder = false;
  };
  base::Result<git_oid> write_root(const std::optional<git_oid>& base,
                                   const std::map<std::string, std::optional<Entry>>& entries);
  struct Commit {
    git_oid tree;
    std::optional<git_oid> parent;
    std::string user, mail, message;
    base::Micros at = 0;  // cut to seconds
  };
  base::Result<git_oid> write_commit(const Commit& commit);

  base::Result<Commit> commit(const git_oid& id) const;
  base::Result<std::string> blob(const git_oid& id) const;
  base::Result<std::map<std::string, Entry>> entries(const git_oid& tree) const;
  // All blobs below a tree, by their paths.
  base::Result<std::map<std::string, git_oid>> blobs(const git_oid& tree) const;

  base::Error failure(std::string_view doing) const;

 private:
  Repository(std::string path, GitRepository repository, GitOdb odb)
      : path_(std::move(path)), repository_(std::move(repository)), odb_(std::move(odb)) {}
  base::Result<> gather(const git_oid& tree, const std::string& prefix, unsigned depth,
                        std::map<std::string, git_oid>& to) const;

  std::string path_;
  GitRepository repository_;
  GitOdb odb_;
};

}  // namespace oob::snapshot
