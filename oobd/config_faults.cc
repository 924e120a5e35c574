#include "oobd/config_faults.h"

#include <algorithm>
#include <set>

#include "oobd/config_values.h"

namespace oob {
namespace {

std::string_view kind_of(const Node& node) {
  switch (node.kind) {
    case Node::Kind::table:
      return "a table";
    case Node::Kind::array:
      return "a list";
    case Node::Kind::text:
      return "a text";
    case Node::Kind::integer:
      return "a whole number";
    case Node::Kind::real:
      return "a number with a fraction";
    case Node::Kind::truth:
      return "true or false";
    case Node::Kind::time:
      return "a date or time";
  }
  return "";
}

std::string_view wanted(Wants wants) {
  switch (wants) {
    case Wants::text:
      return "a text in quotes";
    case Wants::integer:
      return "a whole number";
    case Wants::truth:
      return "true or false";
    case Wants::texts:
    case Wants::words:
      return "a list of texts, [\"…\"]";
    case Wants::integers:
      return "a list of whole numbers";
    case Wants::size:
      return "a whole number or a text like \"64k\"";
    case Wants::table:
      return "a table";
  }
  return "";
}

bool fits(Wants wants, const Node& node) {
  switch (wants) {
    case Wants::text:
      return node.kind == Node::Kind::text;
    case Wants::integer:
      return node.kind == Node::Kind::integer;
    case Wants::truth:
      return node.kind == Node::Kind::truth;
    case Wants::texts:
    case Wants::words:
    case Wants::integers:
      return node.kind == Node::Kind::array;
    case Wants::size:
      return node.kind == Node::Kind::integer || node.kind == Node::Kind::text;
    case Wants::table:
      return node.kind == Node::Kind::table;
  }
  return false;
}

// The table a key belongs to, for somebody who wrote it in another.
std::string_view home_of(std::string_view key) {
  std::string_view home;
  for (const Section* section : kSections) {
    for (const Key& known : section->keys) {
      if (known.name != key || section == &kTop) continue;
      if (!home.empty()) return "";  // more than one
      home = section->name;
    }
  }
  return home;
}

}  // namespace

void ConfigFaults::add(Place at, std::string message) {
  faults_.push_back({at, {file_, at.line, at.column, std::move(message)}});
}

void ConfigFaults::add(Place at, ConfigFault fault) { faults_.push_back({at, std::move(fault)}); }

void ConfigFaults::check_table(const Node& table, Place place, const Section& section,
                               const std::string& name) {
  std::vector<std::string_view> known;
  for (const Key& key : section.keys) known.push_back(key.name);
  for (const Member& member : table.members) {
    auto key = std::find_if(section.keys.begin(), section.keys.end(),
                            [&](const Key& candidate) { return candidate.name == member.key; });
    if (key != section.keys.end()) {
      check_value(*key, member);
      continue;
    }
    std::string_view home = home_of(member.key);
    add(member.place,
        base::str("unknown key ", in_quotes(member.key),
                  home.empty() ? hint(member.key, known) : base::str(": it belongs in [", home, "]")));
  }
  for (const Key& key : section.keys) {
    if (key.needed && !table.member(key.name)) add(place, base::str(name, " has no '", key.name, "'"));
  }
}

void ConfigFaults::check_value(const Key& key, const Member& member) {
  const Node& value = member.value;
  if (!fits(key.wants, value)) {
    add(value.place, base::str("'", key.name, "' must be ", wanted(key.wants), ", not ", kind_of(value)));
    return;
  }
  if (value.kind == Node::Kind::text) check_text(key.name, value);
  if (key.wants == Wants::integers) {
    for (const Node& item : value.items)
      if (item.kind != Node::Kind::integer)
        add(item.place, base::str("'", key.name, "' must hold whole numbers, not ", kind_of(item)));
  }
  if (key.wants != Wants::texts && key.wants != Wants::words) return;
  if (value.items.empty()) add(value.place, base::str("'", key.name, "' is an empty list"));
  std::set<std::string_view> seen;
  for (const Node& item : value.items) {
    if (item.kind != Node::Kind::text) {
      add(item.place, base::str("'", key.name, "' must hold texts in quotes, not ", kind_of(item)));
      continue;
    }
    check_text(key.name, item);
    if (!seen.insert(item.text).second && key.wants == Wants::texts) {
      add(item.place, base::str("'", key.name, "' has ", in_quotes(item.text), " twice"));
    }
  }
}

void ConfigFaults::check_text(std::string_view key, const Node& value) {
  if (value.text.empty()) add(value.place, base::str("'", key, "' is empty"));
  if (key == "escape") return;  // may be written with its control character
  for (unsigned char c : value.text) {
    if (c < 0x20 || c == 0x7f) {
      add(value.place, base::str("'", key, "' has a control character: ", in_quotes(value.text)));
      return;
    }
  }
}

std::vector<ConfigFault> ConfigFaults::take() {
  std::stable_sort(faults_.begin(), faults_.end(),
                   [](const Placed& a, const Placed& b) { return a.at < b.at; });
  std::vector<ConfigFault> faults;
  for (Placed& placed : faults_) faults.push_back(std::move(placed.fault));
  return faults;
}

}  // namespace oob
