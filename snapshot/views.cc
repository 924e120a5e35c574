#include "snapshot/views.h"

#include <git2/sys/mempack.h>
#include <git2/sys/odb_backend.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <system_error>
#include <vector>

#include "base/sha256.h"
#include "base/whole_file.h"
#include "snapshot/message.h"

namespace oob::snapshot {

namespace fs = std::filesystem;
using base::fail;
using base::Fault;
using base::Result;
using base::str;

namespace {

// "MAIN VIEW 2\n": a commit of main, and what was made of it. Of any other form, and the view is made anew.
constexpr const char* kUpTo = "/oobd-upto";
constexpr std::string_view kForm = " 2\n";
constexpr std::size_t kBatch = 16 << 20;  // bytes in memory before they are written as a pack

// Gathers new objects of a view and writes them as packs: some syncs in all, not some for each object.
class Gathering {
 public:
  Gathering(Repository& view, const Repository& main, const Step& step)
      : view_(view), main_(main), step_(step) {}
  Gathering(const Gathering&) = delete;
  Gathering& operator=(const Gathering&) = delete;

  Result<> begin() {
    if (git_mempack_new(&memory_) < 0) return view_.failure("pack");
    if (git_odb_add_backend(view_.odb(), memory_, 1000) < 0) {
      memory_->free(memory_);
      return view_.failure("pack");
    }
    return renew();
  }

  // The object, and all below it, that the view does not have yet.
  Result<> copy(const git_oid& id) {
    if (git_odb_exists(view_.odb(), &id)) return {};
    GitOdbObject object;
    if (git_odb_read(Out(object), main_.odb(), &id) < 0) return main_.failure(str("read ", hex_of(id)));
    if (git_odb_object_type(object.get()) == GIT_OBJECT_TREE) {
      Result<std::map<std::string, Repository::Entry>> entries = main_.entries(id);
      if (!entries) return entries.error();
      for (const auto& [name, entry] : *entries) {
        Result<> copied = copy(entry.id);
        if (!copied) return copied.error();
      }
    }
    git_oid written;
    if (git_odb_write(&written, view_.odb(), git_odb_object_data(object.get()),
                      git_odb_object_size(object.get()), git_odb_object_type(object.get())) < 0)
      return view_.failure("write");
    return made(id, git_odb_object_size(object.get()));
  }

  // Takes an object that was written to the view.
  Result<> made(const git_oid& id, std::size_t size) {
    if (git_packbuilder_insert(pack_.get(), &id, nullptr) < 0) return view_.failure("pack");
    bytes_ += size + 64;
    return {};
  }

  bool full() const { return bytes_ > kBatch; }

  Result<> write() {
    if (git_packbuilder_object_count(pack_.get()) == 0) return {};
    step_("view.pack");
    if (git_packbuilder_write(pack_.get(), nullptr, 0, nullptr, nullptr) < 0) return view_.failure("pack");
    git_mempack_reset(memory_);
    if (git_odb_refresh(view_.odb()) < 0) return view_.failure("pack");
    return renew();
  }

 private:
  Result<> renew() {
    bytes_ = 0;
    if (git_packbuilder_new(Out(pack_), view_.get()) < 0) return view_.failure("pack");
    git_packbuilder_set_threads(pack_.get(), 1);
    return {};
  }

  Repository& view_;
  const Repository& main_;
  const Step& step_;
  git_odb_backend* memory_ = nullptr;  // the view's
  GitPack pack_;
  std::size_t bytes_ = 0;
};

struct UpTo {
  git_oid main, view;
};

std::optional<UpTo> read_up_to(const std::string& path) {
  Result<std::string> text = base::read_whole(path, 256);
  constexpr std::size_t kHex = GIT_OID_HEXSZ;
  UpTo found;
  if (!text || text->size() != 2 * kHex + 1 + kForm.size() || (*text)[kHex] != ' ' ||
      !text->ends_with(kForm) || git_oid_fromstrn(&found.main, text->data(), kHex) < 0 ||
      git_oid_fromstrn(&found.view, text->data() + kHex + 1, kHex) < 0)
    return std::nullopt;
  return found;
}

}  // namespace

Result<> Views::update(Repository& view, const Repository& main, const Ledger& ledger,
                       const std::set<std::string>& devices, bool& strange) {
  std::string noted = view.path() + kUpTo;
  std::optional<UpTo> up_to = read_up_to(noted);
  const std::vector<Ledger::Entry>& entries = ledger.entries();
  if (entries.empty()) return {};
  const git_oid& last_change = entries.back().commit;
  if (up_to && git_oid_equal(&up_to->main, &last_change)) return {};
  std::size_t at = 0;
  std::optional<git_oid> tip, tree;
  if (up_to) {
    while (at < entries.size() && !git_oid_equal(&entries[at].commit, &up_to->main)) ++at;
    while (at < entries.size() && git_oid_equal(&entries[at].commit, &up_to->main)) ++at;
    if (at == entries.size()) {
      strange = true;
      return fail(Fault::failed, "it does not go on from where it was");
    }
    if (!git_oid_is_zero(&up_to->view)) {
      Result<Repository::Commit> last = view.commit(up_to->view);
      strange = !last;
      if (!last) return last.error();
      tip = up_to->view;
      tree = last->tree;
    }
  }
  Gathering gathering(view, main, step_);
  Result<> begun = gathering.begin();
  if (!begun) return begun.error();
  while (at < entries.size()) {
    git_oid id = entries[at].commit;
    std::map<std::string, std::optional<Repository::Entry>> changed;
    for (; at < entries.size() && git_oid_equal(&entries[at].commit, &id); ++at) {
      const Ledger::Entry& entry = entries[at];
      const std::string& device = ledger.device(entry.device);
      if (!devices.count(device)) continue;
      changed[device] = std::nullopt;
      if (entry.there) changed[device] = Repository::Entry{entry.subtree, true};
    }
    if (changed.empty()) continue;
    Result<Repository::Commit> commit = main.commit(id);
    if (!commit) return commit.error();
    Result<std::map<std::string, Repository::Entry>> root = main.entries(commit->tree);
    if (!root) return root.error();
    if (auto attributes = root->find(".gitattributes"); attributes != root->end())
      changed[attributes->first] = attributes->second;
    for (const auto& [name, entry] : changed) {
      if (!entry) continue;
      Result<> copied = gathering.copy(entry->id);
      if (!copied) return copied.error();
    }
    Result<git_oid> made = view.write_root(tree, changed);
    if (!made) return made.error();
    commit->tree = *made;
    commit->parent = tip;
    commit->message = message_in_view(std::move(commit->message), hex_of(id));
    Result<git_oid> written = view.write_commit(*commit);
    if (!written) return written.error();
    tip = *written;
    tree = *made;
    for (const git_oid* each : {&*made, &*written}) {
      Result<> packed = gathering.made(*each, commit->message.size());
      if (!packed) return packed.error();
    }
    if (!gathering.full()) continue;
    Result<> flushed = gathering.write();
    if (!flushed) return flushed.error();
  }
  Result<> flushed = gathering.write();
  if (!flushed) return flushed.error();
  if (tip) {
    Result<std::optional<git_oid>> from = view.tip(kMain);
    if (!from) return from.error();
    step_("view.ref");
    Result<> moved = view.move(kMain, *tip, *from);
    if (!moved) return moved.error();
  }
  step_("view.upto");
  std::string text =
      str(hex_of(last_change), " ", tip ? hex_of(*tip) : std::string(GIT_OID_HEXSZ, '0'), kForm);
  Result<> written = base::write_whole(noted, text, 0600);
  if (!written || count_packs(view) <= kPacksAtMost) return written;
  return pack(view, step_);
}

// A view takes no more than what it is made of.
Result<> Views::has_room(const Repository& main) const {
  Result<audit::DiskSpace> space = space_(folder_);
  if (!space) return space.error();
  std::uint64_t size = 0;
  std::error_code wrong;
  for (fs::recursive_directory_iterator each(main.path() + "/objects", wrong), end; !wrong && each != end;
       each.increment(wrong)) {
    std::error_code gone;
    std::uintmax_t bytes = each->is_regular_file(gone) ? each->file_size(gone) : 0;
    if (!gone) size += bytes;
  }
  std::uint64_t spare = (space->used + space->available) / 100 * kSpare;
  if (space->has_inodes && space->available >= size + spare) return {};
  return fail(Fault::unavailable,
              str(folder_, ": the disk is too full for another copy of the history (", space->available >> 20,
                  " MiB are free, ", (size + spare) >> 20, " MiB are needed)"));
}

bool Views::held(const std::string& path) const {
  auto found = held_.find(path);
  return found != held_.end() && !found->second.expired();
}

void Views::drop_oldest(const std::string& but) {
  std::error_code wrong;
  std::vector<std::pair<fs::file_time_type, std::string>> found;
  std::size_t count = 0;
  for (fs::directory_iterator each(folder_, wrong), end; !wrong && each != end; each.increment(wrong)) {
    std::string path = each->path();
    std::error_code ignored;
    if (!path.ends_with(".git")) {
      fs::remove_all(path, ignored);  // half made, or half gone, when it was killed
      continue;
    }
    ++count;
    if (path != but && !held(path)) found.emplace_back(fs::last_write_time(path, ignored), path);
  }
  std::sort(found.begin(), found.end());
  for (std::size_t i = 0; i < found.size() && count > kMost; ++i, --count) {
    std::string gone = found[i].second + ".gone";
    fs::rename(found[i].second, gone, wrong);
    step_("view.drop");
    fs::remove_all(gone, wrong);
    held_.erase(found[i].second);
  }
}

std::set<std::string> Views::made_from(const std::string& name) const {
  std::set<std::string> found;
  git_oid id;
  if (git_oid_fromstrn(&id, name.data(), name.size()) < 0) return found;
  std::error_code none;
  for (fs::directory_iterator each(folder_, none), end; !none && each != end; each.increment(none)) {
    if (each->path().extension() != ".git") continue;
    Result<Repository> view = Repository::look(each->path());
    GitCommit commit;
    if (!view || git_commit_lookup_prefix(Out(commit), view->get(), &id, name.size()) < 0) continue;
    std::string revision = read_message(git_commit_message(commit.get())).revision;
    if (!revision.empty()) found.insert(std::move(revision));
  }
  return found;
}

Result<console::History::View> Views::bring(const Repository& main, const Ledger& ledger,
                                            const std::set<std::string>& devices) {
  if (::mkdir(folder_.c_str(), 0700) < 0 && errno != EEXIST) return base::system_error(folder_);
  std::string names;
  for (const std::string& device : devices) names += device + "\n";
  std::string path = str(folder_, "/", base::hex(base::sha256(names)).substr(0, 32), ".git");
  std::error_code wrong;
  for (bool again : {true, false}) {
    if (!fs::exists(path, wrong)) {
      Result<> room = has_room(main);
      if (!room) return room.error();
    }
    step_("view.open");
    Result<Repository> view = Repository::open(path);
    // What the system refuses (memory, descriptors) is Fault::unavailable, and no fault of the view.
    bool strange = !view && view.error().fault == Fault::failed;
    Result<> updated = view ? update(*view, main, ledger, devices, strange) : Result<>(view.error());
    if (updated) break;
    if (!again || !strange) return base::wrap(path, updated.error());
    fs::remove_all(path, wrong);  // all that is in it is in main as well
  }
  // When it was asked for last.
  fs::last_write_time(path, fs::file_time_type::clock::now(), wrong);
  std::shared_ptr<const void> lease = held_[path].lock();
  if (!lease) lease = std::make_shared<char>();
  held_[path] = lease;
  drop_oldest(path);
  return console::History::View{path, lease};
}

}  // namespace oob::snapshot
