#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace oob {

// Every word of the configuration, so that the reader, its hints and the test of docs/configuration.md look
// at one list.
// `words` are texts that may come twice.
enum class Wants { text, integer, truth, texts, words, integers, size, table };

struct Key {
  std::string_view name;
  Wants wants;
  bool needed;
};

// A table of the configuration: "server", or "user.NAME" for each of [user.alice], [user.bob].
struct Section {
  std::string_view name;
  std::span<const Key> keys;
};

extern const Section kTop;  // the tables at the top: server, limits, audit, …
extern const Section kServer;
extern const Section kLimits;
extern const Section kAudit;
extern const Section kSyslog;
extern const Section kSnapshot;
extern const Section kUser;
extern const Section kRole;
extern const Section kBmc;
extern const Section kDevice;
extern const Section kLine;
extern const Section kPower;
extern const Section kLogin;
extern const Section kSsh;
extern const Section kUplink;
extern const Section kCallHome;
extern const Section kWatch;
extern const Section kNotify;
extern const Section kDrill;
extern const std::span<const Section* const> kSections;  // all of them

extern const std::span<const std::string_view> kLineKinds;   // of which a line has exactly one
extern const std::span<const std::string_view> kPrivileges;  // that a BMC's session may have

// Words that no device may be called, because `ssh oob WORD` means something else.
const std::vector<std::string>& reserved_words();

}  // namespace oob
