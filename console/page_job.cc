#include "console/page_job.h"

#include "audit/html.h"
#include "audit/verify.h"
#include "base/whole_file.h"

namespace oob::console {

using base::printable;
using base::Result;
using base::str;

namespace {

constexpr std::size_t kPiece = 64 * 1024;

std::string verdict_of(const audit::VerifyReport& report) {
  std::string when = base::rfc3339(base::wall_now(), base::Precision::seconds);
  if (report.whole())
    return str(
        "The audit trail is whole: ", report.records, " records, ", report.recordings,
        " recordings, checked at ", when,
        " on the board itself. Whoever does not trust the board checks a copy: oobd verify DIR --key FILE "
        "--anchor FILE.");
  const audit::Finding& first = report.findings.front();
  return str("THE AUDIT TRAIL IS NOT WHOLE, checked at ", when, ": ", first.place, ": ", first.text,
             report.faults > 1 ? str(" (and ", report.faults - 1, " more)") : "");
}

// Checks the trail and makes the page at the first call, which takes as long as `verify` does.
class PageSource : public StreamJob::Source {
 public:
  PageSource(audit::Recording recording, std::string state, std::string checkpoint)
      : recording_(std::move(recording)), state_(std::move(state)), checkpoint_(std::move(checkpoint)) {}

  Result<bool> next(StreamJob::Piece& piece) override {
    if (page_.empty()) {
      Result<std::string> page = make();
      if (!page) return page.error();
      page_ = std::move(*page);
    }
    piece.parts.push_back({"", page_.substr(at_, kPiece), ""});
    at_ += kPiece;
    return at_ < page_.size();
  }

 private:
  Result<std::string> make() const {
    Result<std::string> cast =
        base::read_whole(str(state_, "/recordings/", recording_.path), audit::kMostPage);
    if (!cast) return base::wrap(recording_.header.id, cast.error());
    audit::VerifyOptions options;
    options.state = state_;
    options.daemon = true;
    Result<audit::VerifyReport> report = audit::verify(options);
    if (!report) return report.error();
    const audit::CastHeader& header = recording_.header;
    audit::PageFacts facts;
    facts.rows = {{"who", str(header.user, ", key ", header.key)},
                  {"from", header.source},
                  {"device", header.device},
                  {"when", base::rfc3339(header.started)},
                  {"what", header.command},
                  {"recording", str(header.id, recording_.live ? ", not ended yet" : "")},
                  {"journal", report->origin}};
    facts.whole = report->whole();
    facts.verdict = verdict_of(*report);
    facts.checkpoint = checkpoint_;
    return audit::html_page(header, *cast, facts);
  }

  audit::Recording recording_;
  std::string state_, checkpoint_, page_;
  std::size_t at_ = 0;
};

}  // namespace

Result<std::unique_ptr<Job>> PageJob::make(Core& core, Visitor& visitor, JobIo& io, Arguments a) {
  Result<> may = need_audit(core, visitor);
  if (!may) return may.error();
  return std::make_unique<PageJob>(core, visitor, io, std::move(a));
}

PageJob::PageJob(Core& core, Visitor& visitor, JobIo& io, Arguments arguments)
    : StreamJob(core, visitor, io), arguments_(std::move(arguments)) {}

void PageJob::start() {
  find(arguments_.words[0], [this](const audit::Recording& recording) { seal(recording); });
}

void PageJob::seal(const audit::Recording& recording) {
  core_.journal.note(reading_of(visitor_, "page", arguments_)
                         .with("recording", recording.header.id)
                         .with("device", printable(recording.header.device)));
  // A disk that takes no checkpoint now is no reason to show nothing: the newest there is stands on the page.
  core_.journal.seal(life_.wrap([this, recording](const Result<auth::Checkpoint>&) {
    if (over_) return;
    const auto& note = core_.journal.checkpoint();
    begin(std::make_shared<PageSource>(recording, core_.state, note ? note->text() : "none yet\n"), true);
  }));
}

}  // namespace oob::console
