#pragma once

#include <memory>
#include <string>

#include "console/audit_stream.h"

namespace oob::console {

// `sessions`: what was recorded, of the devices that the visitor may audit; the newest last. Read from the
// recordings themselves.
class SessionsJob : public AuditJob {
 public:
  static base::Result<std::unique_ptr<Job>> make(Core& core, Visitor& visitor, JobIo& io, Arguments a);
  SessionsJob(Core& core, Visitor& visitor, JobIo& io, Arguments arguments, base::Micros since);
  void start() override;

 private:
  void show(const std::vector<audit::Recording>& all, std::size_t damaged);

  Arguments arguments_;
  base::Micros since_;
};

// `export ID`: a recording exactly as it is on the disk, or (--raw) the device's bytes, or (--text) what a
// person has read. `text ID [--at T]` is the last, or the screen at one time.
class ExportJob : public StreamJob {
 public:
  enum class Form { cast, raw, text, screen };
  static base::Result<std::unique_ptr<Job>> make_export(Core& core, Visitor& visitor, JobIo& io, Arguments a);
  static base::Result<std::unique_ptr<Job>> make_text(Core& core, Visitor& visitor, JobIo& io, Arguments a);
  ExportJob(Core& core, Visitor& visitor, JobIo& io, Arguments arguments, Form form, base::Micros at);
  void start() override;

 private:
  Arguments arguments_;
  Form form_;
  base::Micros at_;
};

// `hold ID WHY…`, `unhold ID`: whether retention may remove a recording. Written down, then done. To give
// evidence free takes `admin` on the device, as to change it does; to keep it, `audit` is enough.
class HoldJob : public AuditJob {
 public:
  static base::Result<std::unique_ptr<Job>> make_hold(Core& core, Visitor& visitor, JobIo& io, Arguments a);
  static base::Result<std::unique_ptr<Job>> make_unhold(Core& core, Visitor& visitor, JobIo& io, Arguments a);
  HoldJob(Core& core, Visitor& visitor, JobIo& io, std::string id, std::optional<std::string> why);
  void start() override;

 private:
  void mark(const audit::Recording& recording);

  std::string id_;
  std::optional<std::string> why_;  // none: unhold
};

}  // namespace oob::console
