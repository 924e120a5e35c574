#pragma once

#include <gmock/gmock.h>

#include <filesystem>

#include "audit/verify.h"
#include "auth/journal.h"
#include "auth/journal_line.h"
#include "auth/merkle.h"
#include "tests/support/support.h"

namespace oob::audit {

// A state folder whose records a test writes, each at a time of its own, under one key.
class Verify : public testing::Test {
 protected:
  using Kind = Finding::Kind;

  Verify() {
    std::filesystem::create_directories(folder_ / "journal");
    note(auth::Entry("journal.begin").with("format", 1).with("origin", origin_).with("vkey", key_.text()));
    note(auth::Entry("start"));
  }

  void note(const auth::Entry& entry) {
    mono_ += 600'000;
    std::string line = auth::journal_line(entry, {1'795'000'000'000'000 + mono_, mono_}, tree_.size(), boot_);
    test::write_file(journal_, test::read_file(journal_) + line);
    tree_.add(base::Bytes(line).substr(0, line.size() - 1));
  }
  void seal() {
    auto note = signer_.sign({origin_, tree_.size(), tree_.root()});
    ASSERT_TRUE(note);
    test::write_file(checkpoints_, test::read_file(checkpoints_) + note->text());
  }
  // The next records are of the same life under another key, as key.rotate has it.
  void rotate() {
    auth::NoteSigner next = *auth::NoteSigner::make();
    note(auth::Entry("key.rotate").with("next", auth::NoteKey::of(origin_, next.public_key()).text()));
    seal();
    signer_ = std::move(next);
  }
  // Some 1.5 KiB: enough to flip every bit of.
  void fill() {
    note(auth::Entry("session.open").with("session", 1).with("user", "alice"));
    note(auth::Entry("note").with("text", "\"\\ \xc3\xa9 \xf0\x9f\x98\x80\n"));
    seal();
    note(auth::Entry("session.close").with("session", 1).with("status", 0));
    note(auth::Entry("stop"));
    seal();
  }
  VerifyReport judge(const std::string& anchors = "", std::vector<auth::NoteKey> keys = {}) {
    VerifyOptions options;
    options.state = folder_.path();
    options.anchor_text = anchors;
    options.keys = std::move(keys);
    base::Result<VerifyReport> report = verify(options);
    EXPECT_TRUE(report) << report.error().what;
    return report ? *report : VerifyReport{};
  }
  void expect(Kind kind, const std::string& words) {
    VerifyReport report = judge();
    ASSERT_FALSE(report.findings.empty()) << words;
    EXPECT_EQ(report.findings[0].kind, kind) << report.text();
    EXPECT_THAT(report.text(), testing::HasSubstr(words));
  }

  test::TempDir folder_;
  std::string journal_ = folder_ / "journal/000000000000.jsonl",
              checkpoints_ = folder_ / "journal/checkpoints";
  std::string origin_ = "board1/oobd/0a0b0c0d/1", boot_ = "8e0e3e2c-51d5-4b0a-8d5c-1f6f34a3a1cd";
  auth::NoteSigner signer_ = *auth::NoteSigner::make();
  auth::NoteKey key_ = auth::NoteKey::of(origin_, signer_.public_key());
  auth::MerkleTree tree_;
  std::int64_t mono_ = 0;
};

}  // namespace oob::audit
