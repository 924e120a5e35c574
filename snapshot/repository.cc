#include "snapshot/repository.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <string_view>
#include <system_error>

#include "base/fd.h"

namespace oob::snapshot {

namespace fs = std::filesystem;
using base::fail;
using base::Fault;
using base::Result;
using base::str;

namespace {

constexpr const char* kFormatKey = "oobd.format";
constexpr unsigned kMostDepth = 64;

base::Error strange(const std::string& path, std::string_view why) {
  return fail(Fault::failed, str(path, ": not a history of snapshots (", why,
                                 "): restore it, or move it away and a new one is begun"));
}

// What libgit2 found: the repository is not sound, or the system gave no memory, descriptor or permission.
base::Error unsound(const std::string& path) {
  const git_error* last = git_error_last();
  base::Error found = git_failure("git");
  if (last && (last->klass == GIT_ERROR_OS || last->klass == GIT_ERROR_NOMEMORY))
    return fail(Fault::unavailable, str(path, ": ", found.what));
  return strange(path, found.what);
}

// What writers leave that were killed: locks and temporary files. There is one writer, and it is us.
void sweep(const std::string& path) {
  auto left = [](const std::string& name) {
    return name.ends_with(".lock") || name.starts_with("tmp_object_") || name.starts_with("pack_git2_") ||
           name.starts_with("tmp_");
  };
  std::error_code wrong;
  for (auto each = fs::recursive_directory_iterator(path, wrong);
       !wrong && each != fs::recursive_directory_iterator(); each.increment(wrong)) {
    if (!each->is_regular_file(wrong) || !left(each->path().filename())) continue;
    fs::remove(each->path(), wrong);
    wrong.clear();
  }
}

void sync_folder(const std::string& path) {
  base::Fd folder(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (folder) ::fsync(folder.get());
}

}  // namespace

base::Error Repository::failure(std::string_view doing) const { return git_failure(str(path_, ": ", doing)); }

Result<Repository> Repository::make(const std::string& path) {
  std::string fresh = path + ".new";
  std::error_code wrong;
  fs::remove_all(fresh, wrong);  // left by a crash
  if (::mkdir(fresh.c_str(), 0700) < 0) return base::system_error(fresh);
  git_repository_init_options options{};
  git_repository_init_options_init(&options, GIT_REPOSITORY_INIT_OPTIONS_VERSION);
  options.flags = GIT_REPOSITORY_INIT_BARE | GIT_REPOSITORY_INIT_NO_REINIT;
  options.initial_head = "main";
  GitRepository made;
  GitConfig config;
  int code = git_repository_init_ext(Out(made), fresh.c_str(), &options);
  if (code >= 0) code = git_repository_config(Out(config), made.get());
  if (code >= 0) code = git_config_set_int32(config.get(), kFormatKey, 1);
  // Its one writer packs it: another git's gc would drop what it does not know to be in quarantine.
  if (code >= 0) code = git_config_set_int32(config.get(), "gc.auto", 0);
  if (code < 0) {
    base::Error error = git_failure(str("make ", path));
    fs::remove_all(fresh, wrong);
    return error;
  }
  config.reset();
  made.reset();
  ::chmod(fresh.c_str(), 0700);
  for (const char* part : {"", "/objects", "/refs", "/refs/heads"}) sync_folder(fresh + part);
  if (::rename(fresh.c_str(), path.c_str()) < 0) {
    base::Error error = base::system_error(str("make ", path));
    fs::remove_all(fresh, wrong);
    return error;
  }
  sync_folder(fs::path(path).parent_path());
  return open(path);
}

Result<Repository> Repository::open(const std::string& path) {
  struct stat found {};
  if (::lstat(path.c_str(), &found) < 0) {
    if (errno == ENOENT) return make(path);
    return base::system_error(path);
  }
  Result<Repository> opened = look(path);
  if (opened) sweep(path);
  return opened;
}

Result<Repository> Repository::look(const std::string& path) {
  struct stat found {};
  if (::lstat(path.c_str(), &found) < 0) return base::system_error(path);
  if (!S_ISDIR(found.st_mode)) return strange(path, "not a folder");
  GitRepository repository;
  constexpr unsigned kFlags = GIT_REPOSITORY_OPEN_NO_SEARCH | GIT_REPOSITORY_OPEN_BARE;
  if (git_repository_open_ext(Out(repository), path.c_str(), kFlags, nullptr) < 0) return unsound(path);
  GitConfig config;
  std::int32_t format = 0;
  int code = git_repository_config(Out(config), repository.get());
  if (code >= 0) code = git_config_get_int32(&format, config.get(), kFormatKey);
  if (code < 0 || format != 1) return strange(path, str("its config has no ", kFormatKey, " = 1"));
  GitReference head;
  code = git_reference_lookup(Out(head), repository.get(), "HEAD");
  const char* branch = code < 0 ? nullptr : git_reference_symbolic_target(head.get());
  if (!branch || std::string_view(branch) != kMain) return strange(path, "its HEAD is not main");
  GitOdb odb;
  if (git_repository_odb(Out(odb), repository.get()) < 0) return unsound(path);
  return Repository(path, std::move(repository), std::move(odb));
}

Result<std::optional<git_oid>> Repository::tip(const std::string& reference) const {
  git_oid id;
  int code = git_reference_name_to_id(&id, repository_.get(), reference.c_str());
  if (code == GIT_ENOTFOUND) return std::optional<git_oid>();
  if (code < 0) return failure(str("read ", reference));
  return std::optional<git_oid>(id);
}

Result<> Repository::move(const std::string& reference, const git_oid& to,
                          const std::optional<git_oid>& from) {
  GitReference made;
  int code = from ? git_reference_create_matching(Out(made), repository_.get(), reference.c_str(), &to, 1,
                                                  &*from, nullptr)
                  : git_reference_create(Out(made), repository_.get(), reference.c_str(), &to, 0, nullptr);
  if (code < 0) return failure(str("move ", reference));
  return {};
}

Result<> Repository::remove(const std::string& reference) {
  int code = git_reference_remove(repository_.get(), reference.c_str());
  if (code < 0 && code != GIT_ENOTFOUND) return failure(str("remove ", reference));
  return {};
}

Result<std::vector<Repository::Reference>> Repository::references(const std::string& glob) const {
  GitReferences each;
  if (git_reference_iterator_glob_new(Out(each), repository_.get(), glob.c_str()) < 0)
    return failure("list references");
  std::vector<Reference> found;
  while (true) {
    GitReference reference;
    int code = git_reference_next(Out(reference), each.get());
    if (code == GIT_ITEROVER) break;
    if (code < 0) return failure("list references");
    if (const git_oid* to = git_reference_target(reference.get()))
      found.push_back({git_reference_name(reference.get()), *to});
  }
  std::sort(found.begin(), found.end(), [](auto& a, auto& b) { return a.name < b.name; });
  return found;
}

Result<git_oid> Repository::write_blob(base::Bytes bytes) {
  git_oid id;
  if (git_blob_create_from_buffer(&id, repository_.get(), bytes.data(), bytes.size()) < 0)
    return failure("write a file");
  return id;
}

Result<git_oid> Repository::write_folder(const std::map<std::string, git_oid>& blobs) {
  GitBuilder builder;
  if (git_treebuilder_new(Out(builder), repository_.get(), nullptr) < 0) return failure("write a folder");
  for (auto at = blobs.begin(); at != blobs.end();) {
    const std::string& path = at->first;
    std::size_t slash = path.find('/');
    if (slash == std::string::npos) {
      if (git_treebuilder_insert(nullptr, builder.get(), path.c_str(), &at->second, GIT_FILEMODE_BLOB) < 0)
        return failure(str("write ", path));
      ++at;
      continue;
    }
    // All of one folder are neighbours.
    std::string folder = path.substr(0, slash + 1);
    std::map<std::string, git_oid> inner;
    for (; at != blobs.end() && at->first.starts_with(folder); ++at)
      inner.emplace(at->first.substr(folder.size()), at->second);
    Result<git_oid> written = write_folder(inner);
    if (!written) return written.error();
    folder.pop_back();
    if (git_treebuilder_insert(nullptr, builder.get(), folder.c_str(), &*written, GIT_FILEMODE_TREE) < 0)
      return failure(str("write ", folder));
  }
  git_oid id;
  if (git_treebuilder_write(&id, builder.get()) < 0) return failure("write a folder");
  return id;
}

Result<git_oid> Repository::write_root(const std::optional<git_oid>& base,
                                       const std::map<std::string, std::optional<Entry>>& entries) {
  GitTree old;
  if (base && git_tree_lookup(Out(old), repository_.get(), &*base) < 0) return failure("read a folder");
  GitBuilder builder;
  if (git_treebuilder_new(Out(builder), repository_.get(), old.get()) < 0) return failure("write a folder");
  for (const auto& [name, entry] : entries) {
    int code = 0;
    if (entry) {
      git_filemode_t mode = entry->folder ? GIT_FILEMODE_TREE : GIT_FILEMODE_BLOB;
      code = git_treebuilder_insert(nullptr, builder.get(), name.c_str(), &entry->id, mode);
    } else if (git_treebuilder_get(builder.get(), name.c_str())) {
      code = git_treebuilder_remove(builder.get(), name.c_str());
    }
    if (code < 0) return failure(str("write ", name));
  }
  git_oid id;
  if (git_treebuilder_write(&id, builder.get()) < 0) return failure("write a folder");
  return id;
}

Result<git_oid> Repository::write_commit(const Commit& commit) {
  GitSignature person;
  git_time_t seconds = commit.at / 1'000'000;
  if (git_signature_new(Out(person), commit.user.c_str(), commit.mail.c_str(), seconds, 0) < 0)
    return failure("write a commit");
  GitTree tree;
  if (git_tree_lookup(Out(tree), repository_.get(), &commit.tree) < 0) return failure("write a commit");
  GitCommit parent;
  if (commit.parent && git_commit_lookup(Out(parent), repository_.get(), &*commit.parent) < 0)
    return failure("write a commit");
  const git_commit* parents[] = {parent.get()};
  git_oid id;
  if (git_commit_create(&id, repository_.get(), nullptr, person.get(), person.get(), nullptr,
                        commit.message.c_str(), tree.get(), parent ? 1 : 0, parents) < 0)
    return failure("write a commit");
  return id;
}

Result<Repository::Commit> Repository::commit(const git_oid& id) const {
  GitCommit found;
  if (git_commit_lookup(Out(found), repository_.get(), &id) < 0) return failure(str("read ", hex_of(id)));
  Commit commit;
  commit.tree = *git_commit_tree_id(found.get());
  if (git_commit_parentcount(found.get()) > 0) commit.parent = *git_commit_parent_id(found.get(), 0);
  const git_signature* author = git_commit_author(found.get());
  commit.user = author->name;
  commit.mail = author->email;
  commit.message = git_commit_message(found.get());
  commit.at = static_cast<base::Micros>(git_commit_time(found.get())) * 1'000'000;
  return commit;
}

Result<std::string> Repository::blob(const git_oid& id) const {
  GitBlob found;
  if (git_blob_lookup(Out(found), repository_.get(), &id) < 0) return failure(str("read ", hex_of(id)));
  return std::string(static_cast<const char*>(git_blob_rawcontent(found.get())),
                     static_cast<std::size_t>(git_blob_rawsize(found.get())));
}

Result<std::map<std::string, Repository::Entry>> Repository::entries(const git_oid& tree) const {
  GitTree found;
  if (git_tree_lookup(Out(found), repository_.get(), &tree) < 0) return failure(str("read ", hex_of(tree)));
  std::map<std::string, Entry> entries;
  for (std::size_t i = 0; i < git_tree_entrycount(found.get()); ++i) {
    const git_tree_entry* entry = git_tree_entry_byindex(found.get(), i);
    entries[git_tree_entry_name(entry)] = {*git_tree_entry_id(entry),
                                           git_tree_entry_type(entry) == GIT_OBJECT_TREE};
  }
  return entries;
}

Result<> Repository::gather(const git_oid& tree, const std::string& prefix, unsigned depth,
                            std::map<std::string, git_oid>& to) const {
  if (depth > kMostDepth) return fail(Fault::failed, str(path_, ": ", prefix, ": too many folders"));
  Result<std::map<std::string, Entry>> found = entries(tree);
  if (!found) return found.error();
  for (const auto& [name, entry] : *found) {
    if (!entry.folder) {
      to[prefix + name] = entry.id;
      continue;
    }
    Result<> inner = gather(entry.id, str(prefix, name, "/"), depth + 1, to);
    if (!inner) return inner.error();
  }
  return {};
}

Result<std::map<std::string, git_oid>> Repository::blobs(const git_oid& tree) const {
  std::map<std::string, git_oid> found;
  Result<> gathered = gather(tree, "", 0, found);
  if (!gathered) return gathered.error();
  return found;
}

}  // namespace oob::snapshot
