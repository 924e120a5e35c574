#include "console/page_job.h"

#include "audit/html.h"
#include "base/whole_file.h"
#include "console/verify_job.h"

namespace oob::console {

using base::printable;
using base::Result;
using base::str;

namespace {

constexpr std::size_t kPageAtOnce = 64 * 1024;

std::string verdict_of(const audit::VerifyReport& report) {
  std::string when = base::rfc3339(base::wall_now(), base::Precision::seconds);
  if (report.whole())
    return str(
        "The audit trail is whole: ", report.records, " records, ", report.recordings,
        " recordings, checked at ", when,
        " on the board itself. Whoever does not trust the board checks a copy: oobd verify DIR --key FILE "
        "--anchor FILE.");
  std::string text = str("THE AUDIT TRAIL IS NOT WHOLE, checked at ", when, ": ");
  if (report.findings.empty()) return str(text, report.faults, " faults");
  const audit::Finding& first = report.findings.front();
  return str(text, first.place, ": ", first.text,
             report.faults > 1 ? str(" (and ", report.faults - 1, " more)") : "");
}

// Makes the page at the first call.
class PageSource : public StreamJob::Source {
 public:
  PageSource(audit::Recording recording, std::string path, audit::PageFacts facts)
      : recording_(std::move(recording)), path_(std::move(path)), facts_(std::move(facts)) {}

  Result<bool> next(StreamJob::Piece& piece) override {
    if (page_.empty()) {
      Result<std::string> cast = base::read_whole(path_, audit::kMostPage);
      if (!cast) return base::wrap(recording_.header.id, cast.error());
      Result<std::string> page = audit::html_page(recording_.header, *cast, facts_);
      if (!page) return page.error();
      page_ = std::move(*page);
    }
    piece.parts.push_back({"", page_.substr(at_, kPageAtOnce), ""});
    at_ += kPageAtOnce;
    return at_ < page_.size();
  }

 private:
  audit::Recording recording_;
  std::string path_;
  audit::PageFacts facts_;
  std::string page_;
  std::size_t at_ = 0;
};

}  // namespace

Result<std::unique_ptr<Job>> PageJob::make(Core& core, Visitor& visitor, JobIo& io, Arguments a) {
  Result<> may = need_audit(core, visitor);
  if (!may) return may.error();
  return std::make_unique<PageJob>(core, visitor, io, std::move(a));
}

PageJob::PageJob(Core& core, Visitor& visitor, JobIo& io, Arguments arguments)
    : StreamJob(core, visitor, io), arguments_(std::move(arguments)), telling_(core.loop) {}

void PageJob::start() {
  find(arguments_.words[0], [this](const audit::Recording& recording) { seal(recording); });
}

void PageJob::seal(const audit::Recording& recording) {
  if (recording.bytes > audit::kMostPage)
    return stop(base::fail(
        base::Fault::usage,
        str("export: ", recording.header.id, " has ", recording.bytes >> 20, " MiB, a page holds ",
            audit::kMostPage >> 20, "; without --html it is for 'asciinema play' or 'oobd replay'")));
  core_.journal.note(reading_of(visitor_, "page", arguments_)
                         .with("recording", recording.header.id)
                         .with("device", printable(recording.header.device)));
  // A disk that takes no checkpoint now is no reason to show nothing: the newest there is stands on the page.
  core_.journal.seal(life_.wrap([this, recording](const Result<auth::Checkpoint>&) {
    if (!over_) check(recording);
  }));
}

void PageJob::check(const audit::Recording& recording) {
  waiting_ = core_.verifications->ask(core_, [this, recording](const Result<audit::VerifyReport>& report) {
    telling_.cancel();
    if (over_) return;
    if (!report) return stop(report.error());
    show(recording, report_for(core_, visitor_, *report));
  });
  tell();
}

// The page goes to a file, so what is told goes to people who wait.
void PageJob::tell() {
  telling_.after(VerifyJob::kTellEvery, [this] {
    if (over_ || !waiting_) return;
    io_.remark(str("oobd: verify: ", waiting_->phase(), " ", waiting_->percent(), "%"));
    tell();
  });
}

void PageJob::show(const audit::Recording& recording, const audit::VerifyReport& report) {
  const audit::CastHeader& header = recording.header;
  const auto& note = core_.journal.checkpoint();
  audit::PageFacts facts;
  facts.rows = {{"who", str(header.user, ", key ", header.key)},
                {"from", header.source},
                {"device", header.device},
                {"when", base::rfc3339(header.started)},
                {"what", header.command},
                {"recording", str(header.id, recording.live ? ", not ended yet" : "")},
                {"journal", report.origin}};
  for (const audit::Finding& finding : report.findings)
    if (finding.kind == audit::Finding::Kind::redacted && finding.place.find(header.id) != std::string::npos)
      facts.rows.push_back({"REDACTED", finding.text});
  facts.whole = report.whole();
  facts.verdict = verdict_of(report);
  facts.checkpoint = note ? note->text() : "none yet\n";
  begin(std::make_shared<PageSource>(recording, str(recordings_of(core_), "/", recording.path), facts), true);
}

void PageJob::finish(int status) {
  waiting_.reset();
  telling_.cancel();
  StreamJob::finish(status);
}

}  // namespace oob::console
