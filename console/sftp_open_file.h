#pragma once

#include <memory>
#include <string>
#include <vector>

#include "base/fd.h"
#include "console/core.h"
#include "console/sftp_server.h"

namespace oob::console {

// By what right a file is read, asked again for each piece of it. Core and Visitor outlive it.
struct SftpRight {
  Core& core;
  const Visitor& visitor;
  auth::Action action;
  std::string device;
  base::Result<> may() const;
};

// A file that is open on the disk; others may append to it. Once it is removed it is not read any more.
class FileOnDisk : public SftpFiles::File {
 public:
  FileOnDisk(SftpRight right, base::Fd file);
  base::Result<> may() const override { return right_.may(); }
  void about(SftpFiles::Done<SftpAttributes> done) override;
  void read(std::uint64_t offset, std::uint32_t most, SftpFiles::Done<std::string> done) override;

 private:
  SftpRight right_;
  std::shared_ptr<const base::Fd> file_;  // a thread may read when this has gone
};

// Bytes that are held in memory, told to those who count them while it lives.
class Lent {
 public:
  Lent(std::shared_ptr<std::uint64_t> of_all, std::shared_ptr<std::uint64_t> of_visit, std::uint64_t bytes);
  ~Lent();
  Lent(const Lent&) = delete;
  Lent& operator=(const Lent&) = delete;

 private:
  std::shared_ptr<std::uint64_t> of_all_, of_visit_;
  std::uint64_t bytes_;
};

// A file whose bytes are here.
class FileInMemory : public SftpFiles::File {
 public:
  FileInMemory(SftpRight right, std::string bytes, base::Micros modified, std::shared_ptr<const Lent> lent);
  base::Result<> may() const override { return right_.may(); }
  void about(SftpFiles::Done<SftpAttributes> done) override;
  void read(std::uint64_t offset, std::uint32_t most, SftpFiles::Done<std::string> done) override;

 private:
  SftpRight right_;
  std::string bytes_;
  base::Micros modified_;
  std::shared_ptr<const Lent> lent_;
};

// A plain file and no symlink. Fault::missing: it is not there. Blocks.
base::Result<base::Fd> open_to_read(const std::string& path);
// The segments of a transcript and their time indexes; none where there is no folder. Blocks.
base::Result<std::vector<SftpEntry>> transcript_files(const std::string& folder);
// One of them, without looking at the others. Fault::missing. Blocks.
base::Result<SftpAttributes> transcript_file(const std::string& folder, const std::string& name);

}  // namespace oob::console
