#include "console/sftp_tree.h"

#include <algorithm>
#include <map>

#include "console/audit_stream.h"
#include "console/dispatcher.h"
#include "console/history.h"
#include "console/segments.h"
#include "console/sftp_open_file.h"

namespace oob::console {

using auth::Action;
using base::fail;
using base::Fault;
using base::Result;
using base::str;

struct SftpTree::Shelf {
  const char* name;
  Action action;
};

namespace {

base::Error no_such_file() { return fail(Fault::missing, "no such file"); }

// As transcripts have it: one part of a path for any name of a device.
std::string part_of(const std::string& name) { return transcript_folder("", name).substr(1); }

// What a path has below "/snapshots/DEVICE": the name of a file or a folder, as a snapshot has it.
std::string name_of(const SftpFiles::Path& path) {
  std::string name;
  for (std::size_t i = 2; i < path.size(); ++i) name += (i > 2 ? "/" : "") + path[i];
  return name;
}

}  // namespace

SftpTree::SftpTree(Core& core, const Visitor& visitor)
    : core_(core), visitor_(visitor), recordings_(std::make_shared<SftpRecordings>(recordings_of(core))) {}

const std::vector<SftpTree::Shelf>& SftpTree::shelves() {
  static const std::vector<Shelf> all = {
      {"recordings", Action::audit}, {"snapshots", Action::snapshot}, {"transcripts", Action::watch}};
  return all;
}

const SftpTree::Shelf* SftpTree::shelf_of(const Path& path) {
  for (const Shelf& shelf : shelves())
    if (!path.empty() && path[0] == shelf.name) return &shelf;
  return nullptr;
}

bool SftpTree::may(Action action, const std::string& device) const {
  return static_cast<bool>(core_.policy->decide(visitor_.who, action, device));
}

std::vector<std::string> SftpTree::devices(const Shelf& shelf) const {
  std::vector<std::string> found;
  auto add = [&](const std::string& name) {
    if (may(shelf.action, name)) found.push_back(name);
  };
  if (shelf.action == Action::snapshot) {
    if (!core_.history) return found;
    for (const auto& [name, latest] : core_.history->latest())
      if (!latest.revision.empty()) add(name);
  } else {
    for (const auto& [name, device] : core_.inventory.all()) add(name);
  }
  return found;
}

std::string SftpTree::device_of(const Shelf& shelf, const std::string& part) const {
  for (const std::string& name : devices(shelf))
    if (part_of(name) == part) return name;
  return "";
}

// --- what there is
// ------------------------------------------------------------------------------------------------

void SftpTree::look(const Path& path, Done<SftpAttributes> done) {
  if (path.empty()) return done(SftpAttributes{.folder = true});
  const Shelf* shelf = shelf_of(path);
  if (shelf && path.size() > 2 && shelf->action != Action::audit) {
    std::string device = device_of(*shelf, path[1]);
    if (device.empty()) return done(no_such_file());
    if (shelf->action == Action::snapshot) return look_at_snapshot(device, path, std::move(done));
    if (path.size() > 3) return done(no_such_file());
    return look_at_segment(device, path[2], std::move(done));
  }
  if (shelf && shelf->action == Action::audit && path.size() > 4)
    return find_recording(path, [this, done = std::move(done)](Result<SftpRecordings::Found> found) {
      if (!found) return done(found.error());
      if (!may(Action::audit, found->device)) return done(no_such_file());
      done(found->about);
    });
  // Any other is in the list of what is above it.
  Path above(path.begin(), path.end() - 1);
  list(above, [name = path.back(), done = std::move(done)](Result<Entries> entries) {
    if (!entries) return done(entries.error());
    for (const SftpEntry& each : *entries)
      if (each.name == name) return done(each.about);
    done(no_such_file());
  });
}

void SftpTree::list(const Path& path, Done<Entries> done) {
  Entries entries;
  if (path.empty()) {
    for (const Shelf& shelf : shelves())
      if (core_.policy->decide(visitor_.who, shelf.action)) entries.push_back({shelf.name, {.folder = true}});
    return done(std::move(entries));
  }
  const Shelf* shelf = shelf_of(path);
  if (!shelf || !core_.policy->decide(visitor_.who, shelf->action)) return done(no_such_file());
  if (shelf->action == Action::audit) return list_recordings(path, std::move(done));
  if (path.size() == 1) {
    for (const std::string& name : devices(*shelf)) {
      SftpEntry entry{part_of(name), {.folder = true}};
      if (shelf->action == Action::snapshot) entry.about.modified = core_.history->latest().at(name).stored;
      entries.push_back(std::move(entry));
    }
    return done(std::move(entries));
  }
  std::string device = device_of(*shelf, path[1]);
  if (device.empty()) return done(no_such_file());
  if (shelf->action == Action::snapshot) return list_snapshot(device, path, std::move(done));
  // A file has nothing below it.
  if (path.size() > 2) return done(no_such_file());
  list_transcript(device, std::move(done));
}

void SftpTree::with_newest(const std::string& device, Done<std::shared_ptr<const Newest>> done) {
  auto latest = core_.history->latest().find(device);
  if (latest == core_.history->latest().end()) return done(no_such_file());
  if (newest_ && newest_->device == device && newest_->revision == latest->second.revision)
    return done(newest_);
  auto asked = std::make_shared<Newest>(Newest{device, latest->second.revision, latest->second.stored, {}});
  auto came = [this, asked, done = std::move(done)](Result<std::vector<History::File>> files) {
    if (!files) return done(files.error());
    asked->files = std::move(*files);
    // What proves them goes with them; its size is known once it was read.
    auto read = [this, asked, done](Result<std::string> meta) {
      if (!meta) return done(meta.error());
      asked->files.push_back({History::kMeta, "", meta->size()});
      newest_ = asked;
      done(newest_);
    };
    core_.history->file(asked->device, asked->revision, History::kMeta, life_.wrap(std::move(read)));
  };
  core_.history->files(device, asked->revision, life_.wrap(std::move(came)));
}

void SftpTree::look_at_snapshot(const std::string& device, const Path& path, Done<SftpAttributes> done) {
  with_newest(device, [name = name_of(path), done = std::move(done)](auto newest) {
    if (!newest) return done(newest.error());
    for (const History::File& each : (*newest)->files) {
      if (each.name == name) return done(SftpAttributes{.size = each.size, .modified = (*newest)->stored});
      if (each.name.starts_with(name + "/"))
        return done(SftpAttributes{.folder = true, .modified = (*newest)->stored});
    }
    done(no_such_file());
  });
}

void SftpTree::list_snapshot(const std::string& device, const Path& path, Done<Entries> done) {
  std::string folder = name_of(path);
  if (!folder.empty()) folder += "/";
  with_newest(device, [folder, done = std::move(done)](auto newest) {
    if (!newest) return done(newest.error());
    std::map<std::string, SftpAttributes> found;
    for (const History::File& each : (*newest)->files) {
      if (!each.name.starts_with(folder)) continue;
      std::string rest = each.name.substr(folder.size());
      std::size_t slash = rest.find('/');
      SftpAttributes about{.folder = slash != std::string::npos, .modified = (*newest)->stored};
      if (!about.folder) about.size = each.size;
      found.emplace(rest.substr(0, slash), about);
    }
    if (found.empty()) return done(no_such_file());
    Entries entries;
    for (auto& [name, about] : found) entries.push_back({name, about});
    done(std::move(entries));
  });
}

void SftpTree::look_at_segment(const std::string& device, const std::string& name,
                               Done<SftpAttributes> done) {
  core_.archive.flush();
  auto answer = std::make_shared<Result<SftpAttributes>>(SftpAttributes{});
  core_.blocking.run(
      [answer, name, folder = transcript_folder(core_.transcripts, device)] {
        *answer = transcript_file(folder, name);
      },
      life_.wrap([answer, done = std::move(done)] { done(std::move(*answer)); }));
}

void SftpTree::list_transcript(const std::string& device, Done<Entries> done) {
  core_.archive.flush();
  auto answer = std::make_shared<Result<Entries>>(Entries{});
  core_.blocking.run(
      [answer, folder = transcript_folder(core_.transcripts, device)] { *answer = transcript_files(folder); },
      life_.wrap([answer, done = std::move(done)] { done(std::move(*answer)); }));
}

void SftpTree::find_recording(const Path& path, Done<SftpRecordings::Found> done) {
  auto answer = std::make_shared<Result<SftpRecordings::Found>>(SftpRecordings::Found{});
  core_.blocking.run([answer, recordings = recordings_,
                      below = Path(path.begin() + 1, path.end())] { *answer = recordings->find(below); },
                     life_.wrap([answer, done = std::move(done)] { done(std::move(*answer)); }));
}

void SftpTree::list_recordings(const Path& path, Done<Entries> done) {
  if (path.size() > 4) return done(no_such_file());
  auto answer = std::make_shared<Result<std::vector<SftpRecordings::Entry>>>();
  auto came = [this, answer, top = path.size() == 1, done = std::move(done)] {
    if (!*answer) return done(answer->error());
    Entries entries;
    for (const SftpRecordings::Entry& each : **answer) {
      SftpEntry entry{each.name, {}};
      bool seen = false;
      for (const auto& [device, about] : each.devices) {
        if (!may(Action::audit, device)) continue;
        if (!seen || about.modified > entry.about.modified) entry.about = about;
        seen = true;
      }
      if (seen) entries.push_back(std::move(entry));
    }
    if (entries.empty() && !top) return done(no_such_file());
    done(std::move(entries));
  };
  core_.blocking.run([answer, recordings = recordings_,
                      below = Path(path.begin() + 1, path.end())] { *answer = recordings->list(below); },
                     life_.wrap(std::move(came)));
}

// --- what is opened
// -----------------------------------------------------------------------------------------------

void SftpTree::open(const Path& path, Done<std::shared_ptr<File>> done) {
  const Shelf* shelf = shelf_of(path);
  if (shelf && shelf->action == Action::audit && path.size() > 4)
    return open_recording(path, std::move(done));
  std::string device =
      shelf && shelf->action != Action::audit && path.size() > 2 ? device_of(*shelf, path[1]) : "";
  if (!device.empty()) {
    if (shelf->action == Action::snapshot) return open_snapshot(device, path, std::move(done));
    return open_segment(device, path, std::move(done));
  }
  if (shelf && shelf->action != Action::audit && path.size() > 1)
    for (const auto& [name, each] : core_.inventory.all())
      if (part_of(name) == path[1] && !may(shelf->action, name)) note_denied(shelf->action, name, path);
  look(path, [done = std::move(done)](Result<SftpAttributes> about) {
    done(about ? fail(Fault::failed, "it is a folder") : about.error());
  });
}

void SftpTree::open_recording(const Path& path, Done<std::shared_ptr<File>> done) {
  find_recording(path, [this, path, done = std::move(done)](Result<SftpRecordings::Found> found) {
    if (!found) return done(found.error());
    if (!may(Action::audit, found->device)) {
      note_denied(Action::audit, found->device, path);
      return done(no_such_file());
    }
    auto written = [this, found = *found, done = std::move(done)](Result<> well) {
      if (!well) return done(well.error());
      open_file(Action::audit, found.device, found.file, std::move(done));
    };
    write_down(Action::audit, found->device, path, std::move(written));
  });
}

void SftpTree::open_segment(const std::string& device, const Path& path, Done<std::shared_ptr<File>> done) {
  look(path, [this, device, path, done = std::move(done)](Result<SftpAttributes> about) {
    if (!about) return done(about.error());
    auto written = [this, device, name = path[2], done = std::move(done)](Result<> well) {
      if (!well) return done(well.error());
      open_file(Action::watch, device, str(transcript_folder(core_.transcripts, device), "/", name),
                std::move(done));
    };
    write_down(Action::watch, device, path, std::move(written));
  });
}

void SftpTree::write_down(Action action, const std::string& device, const Path& path,
                          std::function<void(Result<>)> then) {
  auth::Entry entry = event_of(visitor_, "file.read");
  entry.with("path", base::printable(sftp_path_text(path), 2000)).with("device", base::printable(device));
  core_.journal.commit(std::move(entry),
                       life_.wrap([this, action, device, then = std::move(then)](Result<> written) {
                         if (!written) return then(written.error());
                         if (!may(action, device)) return then(no_such_file());
                         then({});
                       }));
}

void SftpTree::note_denied(Action action, const std::string& device, const Path& path) {
  if (denied_++ >= kMostDenied) return;
  core_.journal.note(event_of(visitor_, "denied")
                         .with("action", std::string(auth::name_of(action)))
                         .with("device", base::printable(device))
                         .with("path", base::printable(sftp_path_text(path), 2000)));
}

void SftpTree::open_file(Action action, const std::string& device, std::string path,
                         Done<std::shared_ptr<File>> done) {
  auto opened = std::make_shared<Result<base::Fd>>(base::Fd());
  core_.blocking.run([opened, path] { *opened = open_to_read(path); },
                     life_.wrap([this, opened, action, device, done = std::move(done)] {
                       if (!*opened) return done(opened->error());
                       SftpRight right{core_, visitor_, action, device};
                       done(std::make_shared<FileOnDisk>(std::move(right), std::move(**opened)));
                     }));
}

void SftpTree::open_snapshot(const std::string& device, const Path& path, Done<std::shared_ptr<File>> done) {
  with_newest(device, [this, path, name = name_of(path), done = std::move(done)](auto newest) {
    if (!newest) return done(newest.error());
    const History::File* file = nullptr;
    for (const History::File& each : (*newest)->files) {
      if (each.name == name) file = &each;
      if (each.name.starts_with(name + "/")) return done(fail(Fault::failed, "it is a folder"));
    }
    if (!file) return done(no_such_file());
    // Before it is read: what comes afterwards is in memory already.
    if (*held_ + file->size > kMostHeld || *core_.history->lent + file->size > kMostHeldOfAll)
      return done(fail(Fault::busy, "too much is open: close something first"));
    auto lent = std::make_shared<const Lent>(core_.history->lent, held_, file->size);
    auto written = [this, newest = *newest, name, lent, done = std::move(done)](Result<> well) {
      if (!well) return done(well.error());
      auto came = [this, newest, lent, done](Result<std::string> bytes) {
        if (!bytes) return done(bytes.error());
        SftpRight right{core_, visitor_, Action::snapshot, newest->device};
        done(std::make_shared<FileInMemory>(std::move(right), std::move(*bytes), newest->stored, lent));
      };
      core_.history->file(newest->device, newest->revision, name, life_.wrap(std::move(came)));
    };
    write_down(Action::snapshot, (*newest)->device, path, std::move(written));
  });
}

}  // namespace oob::console
