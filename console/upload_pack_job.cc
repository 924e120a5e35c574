#include "console/upload_pack_job.h"

#include <algorithm>

#include "base/sha256.h"
#include "console/dispatcher.h"
#include "console/history.h"
#include "console/session.h"
#include "console/words.h"

namespace oob::console {

using auth::Action;
using base::fail;
using base::Fault;
using base::Result;
using base::str;
using Made = Result<std::unique_ptr<Job>>;

namespace {

constexpr const char* kName = "git-upload-pack";
constexpr std::size_t kMostMoved = 32 * 1024;

bool is_ours(std::string_view repository) {
  while (repository.starts_with('/')) repository.remove_prefix(1);
  while (repository.ends_with('/')) repository.remove_suffix(1);
  return repository == "snapshots" || repository == "snapshots.git";
}

}  // namespace

Made UploadPackJob::make(Core& core, Visitor& visitor, JobIo& io, const std::string& repository) {
  if (!is_ours(repository))
    return fail(Fault::missing,
                str("no such repository: ", base::printable(repository, 100), "; there is one, /snapshots"));
  Result<auth::Grant> grant = core.policy->decide(visitor.who, Action::snapshot);
  if (!grant) {
    core.journal.note(event_of(visitor, "denied").with("action", "snapshot"));
    return grant.error();
  }
  if (!core.history) return fail(Fault::missing, "no snapshots are kept here");
  std::string program = find_git();
  if (program.empty()) return fail(Fault::unavailable, "git is not installed on this board");
  auto clones = std::count_if(core.sessions.begin(), core.sessions.end(),
                              [](const auto& session) { return session->visitor().doing == kName; });
  if (static_cast<std::size_t>(clones) >= kMostAtOnce)
    return fail(Fault::busy, "others are fetching the history just now, try again later");
  visitor.doing = kName;
  return std::make_unique<UploadPackJob>(core, visitor, io, program);
}

UploadPackJob::UploadPackJob(Core& core, Visitor& visitor, JobIo& io, std::string program)
    : core_(core),
      visitor_(visitor),
      io_(io),
      program_(std::move(program)),
      patience_(core.loop),
      pack_(core.loop, core.blocking) {}

void UploadPackJob::start() {
  std::string names, lines;
  std::int64_t count = 0;
  for (const auto& [device, latest] : core_.history->latest()) {
    if (!core_.policy->decide(visitor_.who, Action::snapshot, device)) continue;
    devices_.insert(device);
    if (latest.revision.empty()) continue;  // nothing of it is given
    names += str(names.empty() ? "" : " ", base::printable(device));
    lines += device + "\n";
    ++count;
  }
  auth::Entry entry = event_of(visitor_, "clone");
  // A text is cut where it is too long for the journal; the sum stands for all of it.
  entry.with("count", count).with("devices", names).with("sums", base::hex(base::sha256(lines)));
  core_.journal.commit(std::move(entry), life_.wrap([this](const Result<>& written) {
    if (over_) return;
    if (!written) return stop(written.error());
    core_.history->view(devices_, life_.wrap([this](Result<History::View> repository) {
      if (over_) return;
      if (!repository) return stop(repository.error());
      kept_ = std::move(repository->kept);
      run(repository->path);
    }));
  }));
}

void UploadPackJob::run(const std::string& repository) {
  Result<> started =
      pack_.start(program_, repository,
                  {.output = [this] { pour(); },
                   .input = [this] { io_.want_input(); },
                   .ended = [this](int status, const std::string& said) { over(status, said); }});
  if (!started) return stop(fail(Fault::unavailable, started.error().what));
  running_ = true;
  moved();
  if (input_ended_) pack_.give_end();
  io_.want_input();
}

void UploadPackJob::moved() {
  patience_.after(kPatience, [this] {
    stop(fail(Fault::unavailable, str("nothing was moved for ", kPatience.count() / 1000, " seconds")));
  });
}

std::size_t UploadPackJob::typed(base::Bytes bytes) {
  if (over_) return bytes.size();
  if (!running_) return 0;
  std::size_t taken = pack_.give(bytes);
  if (taken > 0) moved();
  return taken;
}

void UploadPackJob::ended() {
  input_ended_ = true;
  if (running_) pack_.give_end();
}

void UploadPackJob::pour() {
  while (running_ && !over_) {
    std::size_t room = io_.room();
    if (room == 0) return;  // until room()
    std::string bytes = pack_.take(std::min(room, kMostMoved));
    if (bytes.empty()) return;
    io_.raw(bytes);
    moved();
  }
}

void UploadPackJob::over(int status, const std::string& said) {
  if (over_) return;
  base::split(said, '\n', [this](std::string_view line) {
    if (!line.empty()) io_.remark(str("git: ", base::printable(line)));
  });
  over_ = true;
  patience_.cancel();
  io_.finish(status < 0 ? static_cast<int>(Fault::internal) : status);
}

void UploadPackJob::recheck() {
  for (const std::string& device : devices_) {
    Result<> may = still_may(core_, visitor_, Action::snapshot, device);
    if (!may) return stop(may.error());
  }
}

void UploadPackJob::stop(const base::Error& error) {
  if (over_) return;
  over_ = true;
  patience_.cancel();
  io_.remark(str("oobd: ", error.what));
  io_.finish(static_cast<int>(error.fault));  // the Job goes, and git with it
}

std::optional<Made> foreign_program(Core& core, Visitor& visitor, JobIo& io, const std::string& line) {
  Result<std::vector<std::string>> words = split_words(line);
  if (!words || words->size() < 2) return std::nullopt;
  const std::string& name = words->front();
  if (name == kName) {
    if (words->size() > 2) return Made(fail(Fault::usage, str(kName, " takes one repository")));
    return UploadPackJob::make(core, visitor, io, words->back());
  }
  if (name == "git-receive-pack")
    return Made(fail(Fault::denied, "the history of configurations is read only: nothing is pushed"));
  if (name == "git-upload-archive")
    return Made(fail(Fault::usage, "no archives are made here: git clone ssh://…/snapshots"));
  if (name == "scp")
    return Made(fail(Fault::usage,
                     "the old scp protocol is not served: use scp of OpenSSH 9 or later, 'scp -s', "
                     "'pscp -sftp' or sftp"));
  if (name == "rsync") return Made(fail(Fault::usage, "rsync is not served: use sftp or scp"));
  return std::nullopt;
}

}  // namespace oob::console
