#include "console/sftp_server.h"

#include <algorithm>

#include "base/wire.h"

namespace oob::console {

using base::Bytes;
using base::Error;
using base::fail;
using base::Fault;
using base::Result;

namespace {

constexpr std::uint32_t kRead = 1;  // SSH_FXF_READ
constexpr const char* kReadOnly = "everything here is read only";

std::string handle_text(std::uint32_t number) { return base::wire::Writer().u32(number).take(); }

SftpStatus status_of(const Error& error) {
  if (error.fault == Fault::missing) return SftpStatus::no_such_file;
  return error.fault == Fault::denied ? SftpStatus::permission_denied : SftpStatus::failure;
}

}  // namespace

SftpServer::SftpServer(SftpFiles& files, std::function<void(std::string)> answer)
    : files_(files), answer_(std::move(answer)) {}

Result<std::size_t> SftpServer::feed(Bytes bytes) {
  if (busy_) return 0;
  Result<std::size_t> taken = packets_.feed(bytes);
  if (!taken) return taken.error();
  if (!packets_.whole()) return taken;
  std::string packet = packets_.take();
  Result<SftpRequest> request = parse_sftp_request(packet);
  if (!request) return request.error();
  if ((request->kind == SftpKind::init) == begun_)
    return fail(Fault::failed, begun_ ? "a second beginning" : "a request before the beginning");
  busy_ = true;
  packet = {};
  take(*request);
  return taken;
}

void SftpServer::take(const SftpRequest& request) {
  if (!request.sound) return say(request.id, SftpStatus::bad_message, "the request is cut short");
  switch (request.kind) {
    case SftpKind::init:  // whatever version is asked for: the client takes the lower one
      begun_ = true;
      return answer(sftp_version());
    case SftpKind::open:
      return open(request);
    case SftpKind::close:
      if (!handle(request)) return;
      handles_.erase(base::wire::Reader(request.text).u32());
      return say(request.id, SftpStatus::ok, "closed");
    case SftpKind::read:
      return read(request);
    case SftpKind::opendir:
      return open_folder(request);
    case SftpKind::readdir:
      return read_folder(request);
    case SftpKind::lstat:
    case SftpKind::stat:
      return look(request);
    case SftpKind::fstat:
      return look_at_handle(request);
    case SftpKind::realpath: {
      Result<SftpFiles::Path> path = sftp_path(request.text);
      if (!path) return refuse(request.id, path.error());
      return answer(sftp_name(request.id, sftp_path_text(*path)));
    }
    case SftpKind::readlink:
      return say(request.id, SftpStatus::no_such_file, "no such link");
    case SftpKind::write:
    case SftpKind::setstat:
    case SftpKind::fsetstat:
    case SftpKind::remove:
    case SftpKind::mkdir:
    case SftpKind::rmdir:
    case SftpKind::rename:
    case SftpKind::symlink:
      return say(request.id, SftpStatus::permission_denied, kReadOnly);
    case SftpKind::extended:
      if (request.text == "limits@openssh.com") return answer(sftp_limits(request.id, kMostHandles));
      return say(request.id, SftpStatus::op_unsupported, "no such extension");
    default:
      return say(request.id, SftpStatus::op_unsupported, "no such request");
  }
}

// --- handles
// ------------------------------------------------------------------------------------------------------

SftpServer::Handle* SftpServer::handle(const SftpRequest& request) {
  auto found =
      request.text.size() == 4 ? handles_.find(base::wire::Reader(request.text).u32()) : handles_.end();
  if (found != handles_.end()) return &found->second;
  say(request.id, SftpStatus::failure, "no such handle");
  return nullptr;
}

std::uint32_t SftpServer::add(Handle handle) {
  while (handles_.count(next_handle_)) ++next_handle_;  // after four thousand million of them
  handles_[next_handle_] = std::move(handle);
  return next_handle_++;
}

void SftpServer::open(const SftpRequest& request) {
  if (request.number != kRead) return say(request.id, SftpStatus::permission_denied, kReadOnly);
  Result<SftpFiles::Path> path = sftp_path(request.text);
  if (!path) return refuse(request.id, path.error());
  if (handles_.size() >= kMostHandles) return say(request.id, SftpStatus::failure, "too many open files");
  files_.open(*path, life_.wrap([this, id = request.id](Result<std::shared_ptr<SftpFiles::File>> file) {
    if (!file) return refuse(id, file.error());
    Handle handle;
    handle.file = std::move(*file);
    answer(sftp_handle(id, handle_text(add(std::move(handle)))));
  }));
}

void SftpServer::open_folder(const SftpRequest& request) {
  Result<SftpFiles::Path> path = sftp_path(request.text);
  if (!path) return refuse(request.id, path.error());
  if (handles_.size() >= kMostHandles) return say(request.id, SftpStatus::failure, "too many open files");
  files_.list(*path, life_.wrap([this, id = request.id](Result<std::vector<SftpEntry>> entries) {
    if (!entries) return refuse(id, entries.error());
    Handle handle;
    handle.folder = true;
    handle.entries = std::move(*entries);
    answer(sftp_handle(id, handle_text(add(std::move(handle)))));
  }));
}

void SftpServer::look(const SftpRequest& request) {
  Result<SftpFiles::Path> path = sftp_path(request.text);
  if (!path) return refuse(request.id, path.error());
  files_.look(*path, life_.wrap([this, id = request.id](Result<SftpAttributes> about) {
    if (!about) return refuse(id, about.error());
    answer(sftp_attributes(id, *about));
  }));
}

void SftpServer::look_at_handle(const SftpRequest& request) {
  Handle* open = handle(request);
  if (!open) return;
  if (open->folder) return answer(sftp_attributes(request.id, {.folder = true}));
  if (!open->file) return say(request.id, SftpStatus::permission_denied, open->ended);
  auto file = open->file;
  file->about(life_.wrap([this, id = request.id, file](Result<SftpAttributes> about) {
    Result<> may = file->may();
    if (!may) return refuse(id, may.error());
    if (!about) return refuse(id, about.error());
    answer(sftp_attributes(id, *about));
  }));
}

void SftpServer::read(const SftpRequest& request) {
  Handle* open = handle(request);
  if (!open) return;
  if (open->folder) return say(request.id, SftpStatus::failure, "it is a folder");
  if (!open->file) return say(request.id, SftpStatus::permission_denied, open->ended);
  auto file = open->file;
  // The right may end while the disk is slow.
  file->read(request.offset, std::min(request.number, kMostSftpRead),
             life_.wrap([this, id = request.id, file](Result<std::string> bytes) {
               Result<> may = file->may();
               if (!may) return refuse(id, may.error());
               if (!bytes) return refuse(id, bytes.error());
               if (bytes->empty()) return say(id, SftpStatus::eof, "the end of the file");
               answer(sftp_data(id, *bytes));
             }));
}

void SftpServer::read_folder(const SftpRequest& request) {
  Handle* open = handle(request);
  if (!open) return;
  if (!open->folder) return say(request.id, SftpStatus::failure, "it is no folder");
  if (open->next >= open->entries.size()) return say(request.id, SftpStatus::eof, "the end of the folder");
  answer(sftp_names(request.id, open->entries, open->next));
}

void SftpServer::recheck() {
  for (auto& [number, handle] : handles_) {
    if (!handle.file) continue;
    Result<> may = handle.file->may();
    if (may) continue;
    handle.ended = may.error().what;
    handle.file.reset();
  }
}

// --- answers
// ------------------------------------------------------------------------------------------------------

void SftpServer::answer(std::string packet) {
  busy_ = false;
  answer_(std::move(packet));
}

void SftpServer::say(std::uint32_t id, SftpStatus status, std::string_view words) {
  answer(sftp_status(id, status, words));
}

void SftpServer::refuse(std::uint32_t id, const Error& error) {
  say(id, status_of(error), base::printable(error.what));
}

}  // namespace oob::console
