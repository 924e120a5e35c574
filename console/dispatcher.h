#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "auth/policy.h"
#include "base/result.h"
#include "console/core.h"
#include "console/job.h"

namespace oob::console {

// What a command was called with, after its row's grammar was applied.
struct Arguments {
  std::vector<std::string> words;              // without the command and the options
  std::map<std::string, std::string> options;  // "--since" -> "10m"; a switch -> ""
  std::string rest;                            // free text after the device, exactly as typed
  Device* device = nullptr;                    // of rows that act on one device
  std::optional<auth::Grant> grant;            // for the row's action on it
  bool has(const std::string& option) const { return options.count(option) != 0; }
};

struct CommandOption {
  const char* name;   // "--since"
  const char* value;  // "T"; null: a switch
};

// One command: a row of the table from which parsing, permission, help and completion come.
struct CommandRow {
  const char* name;
  const char* synopsis;                // "log D [--since T] …"
  const char* help;                    // one line
  std::optional<auth::Action> action;  // what the policy is asked; none: everybody may
  bool on_device;                      // the first word names a device
  bool free_text;                      // what follows the device is text, exactly as typed
  unsigned least, most;                // words, the device among them
  std::vector<CommandOption> options;
  base::Result<std::unique_ptr<Job>> (*make)(Core&, Visitor&, JobIo&, Arguments);
};
const std::vector<CommandRow>& command_rows();

// The one place that parses, decides and writes the refusal down. Returns the Job to start; or an Error whose
// fault is the exit status and whose text is for the person. `stdin_taken`: the command comes from stdin
// itself, so it can't read it.
base::Result<std::unique_ptr<Job>> dispatch(Core& core, Visitor& visitor, JobIo& io, std::string_view line,
                                            bool stdin_taken = false);

// Whole words that the last word of `before` may become, of commands, devices one may see, and options.
std::vector<std::string> complete(Core& core, const Visitor& visitor, std::string_view before);

// `help`, and `help WORD`; empty when there is no such command.
std::string help_text(std::string_view word);

// Whether what was allowed when a job began still is; if not, in words for the person whose right has ended.
base::Result<> still_may(const Core& core, const Visitor& visitor, auth::Action action,
                         const std::string& device);

// Asks the policy and notes a refusal in the journal. Fault::journal: it is allowed, and would act where the
// disk is so full that nothing that acts is to be done (audit.on_audit_failure); `oobd ctl` may all the same.
base::Result<auth::Grant> decide(Core& core, const Visitor& visitor, auth::Action action,
                                 const std::string& device);

}  // namespace oob::console
