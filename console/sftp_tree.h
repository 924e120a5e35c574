#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/fd.h"
#include "base/life.h"
#include "console/core.h"
#include "console/history.h"
#include "console/sftp_recordings.h"
#include "console/sftp_server.h"

namespace oob::console {

// What a visitor finds by SFTP (docs/formats.md, "Files by SFTP"), which is no folder of the disk:
//
//  /snapshots/DEVICE/FILE            the newest configuration, where they may `snapshot`; FILE may have
//                                    folders, and meta.json is beside them
//  /transcripts/DEVICE/SEGMENT       the files of a transcript, where they may `watch`
//  /recordings/YYYY/MM/DD/ID.cast    recordings, where they may `audit`
//
// What they may not see is not there. A device with a slash in its name has it as %2F. Each file that is
// opened is committed to the journal first. Both outlive it.
class SftpTree : public SftpFiles {
 public:
  // Bytes of open snapshots, which are held in memory: of one visit, and of all.
  static constexpr std::uint64_t kMostHeld = 64 << 20, kMostHeldOfAll = 256 << 20;
  static constexpr unsigned kMostDenied = 10;  // that are written down, of one visit

  SftpTree(Core& core, const Visitor& visitor);

  void look(const Path& path, Done<SftpAttributes> done) override;
  void list(const Path& path, Done<std::vector<SftpEntry>> done) override;
  void open(const Path& path, Done<std::shared_ptr<File>> done) override;

 private:
  struct Shelf;
  using Entries = std::vector<SftpEntry>;

  static const std::vector<Shelf>& shelves();
  static const Shelf* shelf_of(const Path& path);
  bool may(auth::Action action, const std::string& device) const;
  // The name of the device that a part of a path stands for, empty where the visitor may not `action` it.
  std::string device_of(const Shelf& shelf, const std::string& part) const;
  std::vector<std::string> devices(const Shelf& shelf) const;
  // The files of a device's newest revision, with meta.json.
  struct Newest {
    std::string device, revision;
    base::Micros stored = 0;
    std::vector<History::File> files;
  };
  void with_newest(const std::string& device, Done<std::shared_ptr<const Newest>> done);
  void look_at_snapshot(const std::string& device, const Path& path, Done<SftpAttributes> done);
  void list_snapshot(const std::string& device, const Path& path, Done<Entries> done);
  void list_transcript(const std::string& device, Done<Entries> done);
  void look_at_segment(const std::string& device, const std::string& name, Done<SftpAttributes> done);
  void find_recording(const Path& path, Done<SftpRecordings::Found> done);
  void list_recordings(const Path& path, Done<Entries> done);
  void open_recording(const Path& path, Done<std::shared_ptr<File>> done);
  void open_snapshot(const std::string& device, const Path& path, Done<std::shared_ptr<File>> done);
  void open_segment(const std::string& device, const Path& path, Done<std::shared_ptr<File>> done);
  void open_file(auth::Action action, const std::string& device, std::string path,
                 Done<std::shared_ptr<File>> done);
  // `then` once it is on the disk that this file is fetched, and if the right is still there.
  void write_down(auth::Action action, const std::string& device, const Path& path,
                  std::function<void(base::Result<>)> then);
  void note_denied(auth::Action action, const std::string& device, const Path& path);

  Core& core_;
  const Visitor& visitor_;
  std::shared_ptr<SftpRecordings> recordings_;  // one request at a time: its thread's meanwhile
  std::shared_ptr<const Newest> newest_;        // that was asked for last
  std::shared_ptr<std::uint64_t> held_ = std::make_shared<std::uint64_t>(0);
  unsigned denied_ = 0;
  base::Life life_;
};

}  // namespace oob::console
