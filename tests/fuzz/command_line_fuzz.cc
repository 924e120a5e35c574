// A command line as anybody who is let in may send it: words and free text are taken apart within bounds,
// what a refusal says is fit for a terminal, and what the words are does not depend on how many were asked
// for.
#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <utility>

#include "auth/journal.h"
#include "base/disk.h"
#include "console/core.h"
#include "console/dispatcher.h"
#include "console/screenful.h"
#include "console/session.h"
#include "console/words.h"

namespace {

using oob::base::Bytes;
using oob::base::Fault;

void demand(bool holds) {
  if (!holds) std::abort();
}

// No controls but the new lines of help, and well-formed UTF-8.
void check_text(Bytes text) {
  while (!text.empty()) {
    oob::console::Glyph glyph = oob::console::first_glyph(text);
    demand(glyph.valid && (text[0] == '\n' || static_cast<unsigned char>(text[0]) >= 0x20));
    demand(text[0] != 0x7f && !(text[0] == '\xc2' && static_cast<unsigned char>(text[1]) < 0xa0));
    text.remove_prefix(glyph.size);
  }
}

void check_words(Bytes line) {
  auto words = oob::console::split_words(line);
  if (!words) {
    demand(words.error().fault == Fault::usage);
    check_text(words.error().what);
    return;
  }
  std::string quoted;
  std::size_t bytes = 0;
  for (const std::string& word : *words) {
    bytes += word.size();
    quoted += oob::base::str(quoted.empty() ? "" : " ", oob::console::quote_word(word));
  }
  demand(bytes <= line.size());
  if (quoted.size() <= oob::console::kMostCommandLine) demand(*oob::console::split_words(quoted) == *words);
  for (std::size_t most = 0; most <= words->size() && most < 8; ++most) {
    auto first = oob::console::split_words(line, most);
    demand(first && first->size() == most && std::equal(first->begin(), first->end(), words->begin()));
    Bytes rest = oob::console::rest_after(line, static_cast<unsigned>(most));
    demand(line.ends_with(rest));
    // What follows so many words has the others in it.
    demand(most == words->size() || oob::console::split_words(rest)->size() == words->size() - most);
  }
  demand(oob::console::rest_after(line, static_cast<unsigned>(words->size() + 1)).empty());
}

// The grammar of options and the words of refusals: a core without devices, so that those of devices end
// where the device is looked for.
struct Io : oob::console::JobIo {
  void print(std::string_view) override {}
  void remark(std::string_view text) override { check_text(text); }
  void raw(Bytes) override {}
  void raw_err(Bytes) override {}
  std::size_t room() const override { return 65536; }
  void want_input() override {}
  void finish(int) override {}
  const oob::console::Terminal& terminal() const override { return terminal_; }
  oob::console::Terminal terminal_;
};

struct Parts {
  // The journal's files have no names any more once they are open.
  static std::unique_ptr<oob::auth::Journal> open_journal(oob::base::Loop& loop, oob::base::Disk& disk) {
    char directory[] = "/tmp/command_line_fuzz.XXXXXX";
    demand(mkdtemp(directory) != nullptr);
    auto journal = oob::auth::Journal::open(loop, disk, directory);
    std::filesystem::remove_all(directory);
    demand(journal.has_value());
    return std::move(*journal);
  }
  static std::unique_ptr<oob::auth::Policy> all_to_root() {
    oob::auth::Role all{{"*"}, {std::begin(oob::auth::kActions), std::end(oob::auth::kActions)}};
    return std::make_unique<oob::auth::Policy>(
        std::map<std::string, std::vector<std::string>>{{"root", {"all"}}},
        std::map<std::string, oob::auth::Role>{{"all", all}});
  }

  oob::base::Loop loop;
  oob::base::Disk disk{loop};
  oob::base::Blocking blocking{loop};
  std::unique_ptr<oob::auth::Journal> journal = open_journal(loop, disk);
  oob::console::Archive archive{loop, disk, "/nonexistent"};
  oob::console::Inventory inventory;
  oob::console::Core core{.loop = loop,
                          .blocking = blocking,
                          .archive = archive,
                          .journal = *journal,
                          .inventory = inventory,
                          .policy = all_to_root(),
                          .sessions = {},
                          .transcripts = "/nonexistent",
                          .state = "/nonexistent",
                          .escape = "\005c",
                          .version = "oobd",
                          .reload = [] { return oob::base::Result<std::string>(std::string()); }};
};

void check_command(Bytes line) {
  static Parts parts;
  static Io io;
  oob::console::Visitor visitor;
  visitor.who = {"root", "SHA256:test", "192.0.2.9"};
  auto job = oob::console::dispatch(parts.core, visitor, io, line, line.size() % 2 == 0);
  if (!job) {
    Fault fault = job.error().fault;
    demand(fault == Fault::usage || fault == Fault::missing || fault == Fault::unavailable);
    demand(job.error().what.size() < 4096);
    check_text(job.error().what);
  }
  Bytes last = line.substr(std::min(line.size(), line.rfind(' ') + 1));
  for (const std::string& word : oob::console::complete(parts.core, visitor, line))
    demand(word.starts_with(last));
  check_text(oob::console::help_text(line));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  Bytes line(reinterpret_cast<const char*>(data), size);
  check_words(line);
  check_command(line);
  return 0;
}
