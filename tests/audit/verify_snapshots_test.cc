// What is kept of configurations, against what the journal tells of them.
#include "audit/verify_snapshots.h"

#include "base/sha256.h"
#include "tests/audit/verify_trail.h"

namespace oob::audit {
namespace {

using base::str;
using testing::HasSubstr;
using testing::Not;

std::string revision(char digit) { return std::string(40, digit); }

class VerifySnapshots : public Verify {
 protected:
  using Files = std::map<std::string, std::string>;  // their bytes

  auth::Entry about(const char* ev, const std::string& device) {
    return auth::Entry(ev).with("user", "alice").with("device", device);
  }
  void pull(const std::string& device) { note(about("snapshot.pull", device)); }
  void tell(const char* ev, const std::string& device, char digit, const Files& files) {
    std::string list, lines;
    for (const auto& [name, bytes] : files) {
      std::string sum = base::hex(base::sha256(bytes));
      list += str(list.empty() ? "" : ", ", name, " ", sum, " ", bytes.size());
      lines += str(sum, "  ", name, "\n");
    }
    note(about(ev, device)
             .with("revision", revision(digit))
             .with("files", list)
             .with("sums", base::hex(base::sha256(lines))));
  }
  // As the daemon does both, with what it keeps.
  void store(const std::string& device, char digit, const Files& files) {
    pull(device);
    seal();
    tell("snapshot.stored", device, digit, files);
    keep(device, digit, files);
  }
  void keep(const std::string& device, char digit, const Files& files) {
    kept_.revisions.insert(kept_.revisions.begin(), {revision(digit), device});
    set(device, files);
  }
  void set(const std::string& device, const Files& files) {
    kept_.devices[device] = {};
    for (const auto& [name, bytes] : files) kept_.devices[device].sums[name] = base::hex(base::sha256(bytes));
  }
  VerifyReport look() {
    VerifyOptions options;
    options.state = folder_.path();
    options.snapshots = [this](const std::string&) -> base::Result<KeptSnapshots> {
      if (fault_) return *fault_;
      return kept_;
    };
    base::Result<VerifyReport> report = verify(options);
    EXPECT_TRUE(report) << report.error().what;
    return report ? *report : VerifyReport{};
  }
  void finds(Kind kind, const std::string& words) {
    VerifyReport report = look();
    ASSERT_EQ(report.faults, 1u) << report.text();
    EXPECT_EQ(report.findings[0].kind, kind) << report.text();
    EXPECT_THAT(report.text(), HasSubstr(words));
  }

  KeptSnapshots kept_;
  std::optional<base::Error> fault_;
};

TEST_F(VerifySnapshots, AreWholeWhereTheyAreWhatWasStoredLast) {
  store("edge1", '1', {{"a", "1"}, {"etc/b", "2"}});
  store("edge2", '2', {{"a", "1"}});
  store("edge1", '3', {{"a", "3"}});
  pull("edge1");
  tell("snapshot.unchanged", "edge1", '3', {{"a", "3"}});
  pull("edge3");
  note(about("snapshot.failed", "edge3").with("text", "it does not answer"));
  seal();
  VerifyReport report = look();
  EXPECT_TRUE(report.whole()) << report.text();
  EXPECT_THAT(report.text(), HasSubstr("snapshots of 2 devices, 3 revisions\n"));
  EXPECT_THAT(report.text(), Not(HasSubstr("note: ")));
  EXPECT_THAT(report.json(), HasSubstr(R"("snapshots":{"devices":2,"revisions":3})"));
}

TEST_F(VerifySnapshots, SayWhichFileWasForged) {
  store("edge1", '1', {{"a", "1"}, {"etc/b", "2"}});
  seal();
  set("edge1", {{"a", "1"}, {"etc/b", "forged"}});
  finds(Kind::altered, "ALTERED: snapshots.git/edge1 (record 3): etc/b is not what was stored as 11111111\n");
  set("edge1", {{"a", "1"}});
  finds(Kind::altered, "files are missing: it is not what was stored as 11111111");
  set("edge1", {{"a", "1"}, {"etc/b", "2"}, {"x", "3"}});
  finds(Kind::altered, "x is not what was stored");
}

TEST_F(VerifySnapshots, SayWhatWasSetBackAndWhatIsMissing) {
  store("edge1", '1', {{"a", "1"}});
  store("edge1", '2', {{"a", "2"}});
  seal();
  set("edge1", {{"a", "1"}});
  finds(Kind::altered, "was set back: it has what was stored as 11111111, and 22222222 was stored last");
  kept_.revisions.erase(kept_.revisions.begin());
  set("edge1", {{"a", "2"}});
  finds(Kind::missing, "a revision that was stored is not in it any more: 22222222 of edge1");
  kept_ = {};
  EXPECT_THAT(look().text(), HasSubstr("MISSING: snapshots.git/edge1 (record 5): the configuration"));
  fault_ = base::fail(base::Fault::missing, "none");
  finds(Kind::missing, "MISSING: snapshots.git: is missing, and configurations of 1 device were stored");
  fault_ = base::fail(base::Fault::failed, "snapshots.git: damaged");
  finds(Kind::altered, "damaged");
}

TEST_F(VerifySnapshots, KnowRevisionsAndDevicesThatNobodyStored) {
  store("edge1", '1', {{"a", "1"}});
  seal();
  keep("edge1", '2', {{"a", "forged"}});
  keep("edge1", '3', {{"a", "1"}});
  finds(Kind::altered, "2 revisions are none that were stored, the newest 33333333 of edge1");
  kept_.revisions.resize(1);
  kept_.revisions[0] = {revision('1'), "edge1"};
  set("edge\n9", {{"a", "1"}});
  finds(Kind::altered, "snapshots.git/edge\\n9: no record of the journal tells that it was stored");
}

TEST_F(VerifySnapshots, AreWholeAfterACrashBetweenTheCommitAndItsRecord) {
  store("edge1", '1', {{"a", "1"}});
  pull("edge1");
  seal();
  keep("edge1", '2', {{"a", "2"}});
  VerifyReport crashed = look();
  EXPECT_TRUE(crashed.whole()) << crashed.text();
  EXPECT_THAT(crashed.text(), HasSubstr("was pulled again, and no record tells yet what was stored"));
  note(auth::Entry("start"));
  pull("edge1");
  note(about("snapshot.failed", "edge1"));
  seal();
  EXPECT_TRUE(look().whole()) << "what failed later tells nothing of it";
  store("edge1", '3', {{"a", "3"}});
  seal();
  VerifyReport later = look();
  EXPECT_TRUE(later.whole()) << later.text();
  set("edge1", {{"a", "2"}});
  finds(Kind::altered, "a is not what was stored as 33333333");
}

TEST_F(VerifySnapshots, AreNotExcusedByWhatNoCheckpointHolds) {
  store("edge1", '1', {{"a", "1"}});
  seal();
  pull("edge1");
  keep("edge1", '2', {{"a", "forged"}});
  EXPECT_FALSE(look().whole()) << "anybody may have appended that pull";
  tell("snapshot.stored", "edge1", '2', {{"a", "forged"}});
  finds(Kind::unsealed, "is not what a checkpoint holds, and the record that tells of it has none");
}

TEST_F(VerifySnapshots, OfWhatTheJournalDoesNotGoBackToAreOnlyNamed) {
  store("edge1", '1', {{"a", "1"}});
  std::uint64_t first = tree_.size();
  std::string tree;
  for (const std::string& root : tree_.subtrees()) tree += str(tree.empty() ? "" : " ", base::hex(root));
  test::write_file(journal_, "");
  std::filesystem::remove(journal_);
  char name[40];
  std::snprintf(name, sizeof name, "journal/%012llu.jsonl", static_cast<unsigned long long>(first));
  journal_ = folder_ / name;
  note(auth::Entry("retention")
           .with("kind", "journal")
           .with("to", static_cast<std::int64_t>(first))
           .with("tree", tree)
           .with("vkey", key_.text()));
  seal();
  VerifyReport report = look();
  EXPECT_TRUE(report.whole()) << report.text();
  EXPECT_THAT(report.text(), HasSubstr("1 device is older in it than what is left of the journal"));
  pull("edge1");
  tell("snapshot.unchanged", "edge1", '1', {{"a", "1"}});
  seal();
  EXPECT_THAT(look().text(), Not(HasSubstr("older in it"))) << "a later look proves it again";
  set("edge1", {{"a", "forged"}});
  finds(Kind::altered, "a is not what was stored as 11111111");
}

}  // namespace
}  // namespace oob::audit
