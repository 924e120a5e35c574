#include "console/dispatcher.h"

#include <algorithm>

#include "console/words.h"

namespace oob::console {

using base::Error;
using base::fail;
using base::Fault;
using base::printable;
using base::Result;
using base::str;

namespace {

const CommandRow* row_named(std::string_view name) {
  for (const CommandRow& row : command_rows())
    if (row.name == name) return &row;
  return nullptr;
}

Error unknown_command(std::string_view word) {
  std::vector<std::string_view> known;
  for (const CommandRow& row : command_rows()) known.push_back(row.name);
  std::string_view near = base::nearest(word, known);
  std::string text = str("no such command: ", printable(word, 60));
  if (!near.empty()) text += str("; did you mean '", near, "'?");
  return fail(Fault::usage, text + " ('help' lists them)");
}

Error usage(const CommandRow& row, std::string_view what) {
  return fail(Fault::usage,
              str(row.name, ": ", what, what.ends_with('?') ? " Usage: " : "; usage: ", row.synopsis));
}

const CommandOption* option_named(const CommandRow& row, std::string_view name) {
  for (const CommandOption& option : row.options)
    if (option.name == name) return &option;
  return nullptr;
}

// `--name value`, `--name=value`, switches; `--` ends them. What is no option is a word.
Result<> take_options(const CommandRow& row, std::vector<std::string> words, Arguments& arguments) {
  bool options_over = false;
  for (std::size_t i = 0; i < words.size(); ++i) {
    const std::string& word = words[i];
    if (options_over || word.size() < 2 || word[0] != '-') {
      arguments.words.push_back(word);
      continue;
    }
    if (word == "--") {
      options_over = true;
      continue;
    }
    std::size_t equals = word.find('=');
    std::string name = word.substr(0, equals);
    const CommandOption* option = option_named(row, name);
    if (!option) {
      std::vector<std::string_view> known;
      for (const CommandOption& o : row.options) known.push_back(o.name);
      std::string_view near = base::nearest(name, known);
      std::string hint = near.empty() ? "" : str("; did you mean ", near, "?");
      return usage(row, str("no such option: ", printable(name, 60), hint));
    }
    std::string value;
    if (equals != std::string::npos) {
      if (!option->value) return usage(row, str(name, " takes no value"));
      value = word.substr(equals + 1);
    } else if (option->value) {
      if (i + 1 == words.size()) return usage(row, str(name, " needs a value"));
      value = words[++i];
    }
    arguments.options[name] = value;
  }
  return {};
}

// Text exactly as typed, after the device; options may stand before it, and a switch as the very last word.
Result<> take_text(const CommandRow& row, std::string_view line, Arguments& arguments) {
  Result<std::vector<std::string>> head = split_words(line, 2);
  if (!head) return head.error();
  bool names_one = head->size() > 1 && !(*head)[1].starts_with('-');
  if (row.least == 0 && !names_one) {
    arguments.rest = rest_after(line, 1);
    return {};
  }
  if (head->size() < 2) return usage(row, "which device?");
  if ((*head)[1].starts_with('-'))
    return usage(row, "which device? It comes first, before all options and '--'");
  arguments.words = {(*head)[1]};
  unsigned taken = 2;
  std::string_view rest = rest_after(line, taken);
  while (true) {
    std::string_view word = rest.substr(0, rest.find(' '));
    if (word == "--") {
      rest = rest_after(line, ++taken);
      break;
    }
    std::string name(word.substr(0, word.find('=')));
    const CommandOption* option = option_named(row, name);
    if (!option || (!option->value && word != name)) {
      // Where options have values, what looks like one is none of the text.
      bool strict =
          std::any_of(row.options.begin(), row.options.end(), [](auto& each) { return each.value; });
      if (strict && word.starts_with("--")) return usage(row, str("no such option: ", printable(name, 60)));
      break;
    }
    rest = rest_after(line, ++taken);
    std::string& value = arguments.options[name] = "";
    if (!option->value) continue;
    if (word != name) {
      value = word.substr(name.size() + 1);
      continue;
    }
    value = rest.substr(0, rest.find(' '));
    if (value.empty()) return usage(row, str(name, " needs a value"));
    rest = rest_after(line, ++taken);
  }
  std::size_t last = rest.rfind(' ');
  const CommandOption* at_end =
      last == std::string_view::npos ? nullptr : option_named(row, rest.substr(last + 1));
  if (at_end && !at_end->value) {
    arguments.options[std::string(rest.substr(last + 1))] = "";
    rest = rest.substr(0, last);
  }
  arguments.rest = rest;
  if (row.least > 1 && arguments.rest.empty()) {
    std::string_view synopsis = row.synopsis;
    std::size_t at = synopsis.find("-- ");
    return usage(row, at == std::string_view::npos ? "TEXT is missing"
                                                   : str("'", synopsis.substr(at), "' is missing"));
  }
  return {};
}

Result<> take_arguments(const CommandRow& row, std::string_view line, std::vector<std::string> words,
                        Arguments& arguments) {
  if (row.free_text) return take_text(row, line, arguments);
  words.erase(words.begin());
  Result<> taken = take_options(row, std::move(words), arguments);
  if (!taken) return taken;
  if (arguments.words.size() < row.least)
    return usage(row, row.on_device && arguments.words.empty() ? "which device?" : "something is missing");
  if (arguments.words.size() > row.most)
    return usage(row, str("'", printable(arguments.words[row.most], 60), "' is too much"));
  return {};
}

// What reaches a device or what is behind it; the rest goes on where nothing can be written down.
bool acts(auth::Action action) {
  using auth::Action;
  return action == Action::write || action == Action::power || action == Action::snapshot ||
         action == Action::forward;
}

}  // namespace

auth::Entry event_of(const Visitor& visitor, std::string ev) {
  auth::Entry entry(std::move(ev));
  entry.with("user", visitor.who.user).with("key", visitor.who.key).with("source", visitor.who.source);
  entry.with("session", static_cast<std::int64_t>(visitor.session));
  return entry;
}

Result<> still_may(const Core& core, const Visitor& visitor, auth::Action action, const std::string& device) {
  if (core.policy->decide(visitor.who, action, device)) return {};
  return fail(Fault::denied, str("you may no longer ", auth::name_of(action), " ", base::printable(device),
                                 ": the right has run out or was taken away"));
}

Result<auth::Grant> decide(Core& core, const Visitor& visitor, auth::Action action,
                           const std::string& device) {
  Result<auth::Grant> grant = core.policy->decide(visitor.who, action, device);
  if (!grant && grant.error().fault == Fault::denied)
    core.journal.note(event_of(visitor, "denied")
                          .with("action", std::string(auth::name_of(action)))
                          .with("device", printable(device)));
  if (grant && acts(action) && !core.disk.refusal.empty() && visitor.connection != 0)
    return fail(Fault::journal, core.disk.refusal);
  return grant;
}

Result<std::unique_ptr<Job>> dispatch(Core& core, Visitor& visitor, JobIo& io, std::string_view line,
                                      bool stdin_taken) {
  Result<std::vector<std::string>> first = split_words(line, 1);
  if (!first) return first.error();
  if (first->empty()) return fail(Fault::usage, "an empty command");
  const std::string& name = first->front();
  const CommandRow* row = row_named(name);
  Arguments arguments;
  if (!row) {
    // A device's name alone opens its console: `ssh -t oob edge1`.
    Result<std::vector<std::string>> words = split_words(line);
    if (!words) return words.error();
    bool seen = core.inventory.find(name) && core.policy->may_see(visitor.who, name);
    if (words->size() != 1 || !seen) return unknown_command(name);
    row = row_named("attach");
    arguments.words = *words;
  } else {
    Result<std::vector<std::string>> words =
        row->free_text ? Result<std::vector<std::string>>(*first) : split_words(line);
    if (!words) return words.error();
    Result<> taken = take_arguments(*row, line, std::move(*words), arguments);
    if (!taken) return taken.error();
  }
  if (row->on_device) {
    arguments.device = core.inventory.find(arguments.words[0]);
    if (!arguments.device) return auth::Policy::no_such_device(arguments.words[0]);
    Result<auth::Grant> grant = decide(core, visitor, *row->action, arguments.device->name);
    if (!grant) return grant.error();
    arguments.grant = std::move(*grant);
  }
  if (stdin_taken && row->free_text && arguments.rest == "-")
    return usage(*row, "'-' can't be used here, the commands themselves come from stdin");
  // Before it is made: `who` shows its own caller.
  std::string doing = std::exchange(visitor.doing, row->name);
  std::string device = std::exchange(visitor.device, arguments.device ? arguments.device->name : "");
  Result<std::unique_ptr<Job>> job = row->make(core, visitor, io, std::move(arguments));
  if (!job) {
    visitor.doing = std::move(doing);
    visitor.device = std::move(device);
  }
  return job;
}

std::vector<std::string> complete(Core& core, const Visitor& visitor, std::string_view before) {
  std::size_t from = before.rfind(' ');
  std::string_view word = from == std::string_view::npos ? before : before.substr(from + 1);
  std::string_view head = before.substr(0, before.find(' '));
  std::vector<std::string> all;
  const CommandRow* row = from == std::string_view::npos ? nullptr : row_named(head);
  bool first = from == std::string_view::npos;
  if (first)
    for (const CommandRow& command : command_rows()) all.emplace_back(command.name);
  if (row && head == "help" && before.find(' ') == from)
    for (const CommandRow& command : command_rows()) all.emplace_back(command.name);
  bool second = row && before.find(' ') == from;
  bool wants_device =
      first || (second && (row->on_device || row->most > 0) && head != "help" && head != "kick");
  if (wants_device)
    for (const auto& [name, device] : core.inventory.all())
      if (core.policy->may_see(visitor.who, name)) all.push_back(name);
  if (row && word.substr(0, 1) == "-")
    for (const CommandOption& option : row->options) all.emplace_back(option.name);
  std::vector<std::string> fitting;
  for (std::string& candidate : all)
    if (candidate.compare(0, word.size(), word) == 0) fitting.push_back(std::move(candidate));
  std::sort(fitting.begin(), fitting.end());
  fitting.erase(std::unique(fitting.begin(), fitting.end()), fitting.end());
  return fitting;
}

std::string help_text(std::string_view word) {
  std::string text;
  if (word.empty()) {
    for (const CommandRow& row : command_rows()) {
      if (std::string_view(row.synopsis).size() > 34) {
        text += str("  ", row.synopsis, "\n", std::string(38, ' '), row.help, "\n");
      } else {
        text += str("  ", row.synopsis, std::string(36 - std::string_view(row.synopsis).size(), ' '),
                    row.help, "\n");
      }
    }
    return text +
           "A device's name alone opens its console. Times: RFC 3339 or 10m, 2h, 3d. 'help WORD' tells "
           "more.\n";
  }
  const CommandRow* row = row_named(word);
  if (!row) return "";
  text = str(row->synopsis, "\n  ", row->help, "\n");
  if (row->action)
    text += str("  needs '", auth::name_of(*row->action), "'", row->on_device ? " on the device" : "", "\n");
  return text;
}

}  // namespace oob::console
