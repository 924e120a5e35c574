#include "snapshot/gates.h"

#include <algorithm>
#include <set>

#include "base/sha256.h"
#include "snapshot/meta.h"
#include "snapshot/well_formed.h"

namespace oob::snapshot {

using base::fail;
using base::Fault;
using base::Result;
using base::str;
using console::History;

namespace {

constexpr std::size_t kMostPath = 1024, kMostPart = 255, kMostParts = 32;
constexpr std::size_t kMostTold = 3;

bool equal_ignoring_case(std::string_view text, std::string_view lower) {
  return std::equal(text.begin(), text.end(), lower.begin(), lower.end(),
                    [](char a, char b) { return (a >= 'A' && a <= 'Z' ? a + 32 : a) == b; });
}

const char* name_fault(const std::string& name) {
  if (name.empty()) return "it has no name";
  if (name.size() > kMostPath) return "its name is too long";
  if (base::printable(name, 4 * kMostPath) != name) return "its name has bytes that no name should have";
  if (equal_ignoring_case(name, kMetaFile)) return "the name is taken by what is told of the files";
  const char* fault = nullptr;
  std::size_t parts = 0;
  base::split(name, '/', [&](std::string_view part) {
    ++parts;
    if (part.empty()) fault = "its name has an empty part";
    if (part.size() > kMostPart) fault = "a part of its name is too long";
    if (part == "." || part == "..") fault = "its name leads elsewhere";
    // .gitattributes would make a checkout rewrite its neighbours.
    for (std::string_view git : {".git", ".gitattributes", ".gitmodules", "git~1"})
      if (equal_ignoring_case(part, git)) fault = "its name means something to git";
  });
  if (parts > kMostParts) return "it lies too deep";
  return fault;
}

bool check_device(const std::string& name) {
  auto right = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
  };
  return !name.empty() && name.size() <= kMostPart && right(name[0]) &&
         name.find("..") == std::string::npos && std::all_of(name.begin(), name.end(), [&](char c) {
           return right(c) || c == '.' || c == '-' || c == '_';
         });
}

Objection proof(std::string why) { return {Objection::Kind::proof, std::move(why)}; }

// Whether a file under this name comes and goes with the device, as the recipe or the configuration says.
bool may_go(const History::Snapshot& snapshot, const recipe::Recipe* recipe, const std::string& name) {
  const std::vector<std::string>& absent = snapshot.pulled.absent;
  if (std::find(absent.begin(), absent.end(), name) != absent.end()) return true;
  auto names_it = [&](const std::string& pattern) {  // which begins with a slash
    return pattern.size() > 1 && base::glob_match(std::string_view(pattern).substr(1), name);
  };
  if (std::any_of(snapshot.fetch.begin(), snapshot.fetch.end(), names_it)) return true;
  if (!recipe) return false;
  return std::any_of(recipe->fetches.begin(), recipe->fetches.end(), [&](const recipe::Fetch& fetch) {
    return fetch.kind == recipe::Fetch::Kind::files && names_it(fetch.source);
  });
}

Objection unproved(const History::Snapshot& snapshot) {
  const std::string& device = snapshot.device;
  for (const recipe::PulledFile& file : snapshot.pulled.files) {
    if (base::hex(base::sha256(file.bytes)) != file.sha256)
      return proof(str(file.name,
                       " is not what the device has: its SHA-256 differs; pull it again: snapshot ", device));
    Result<> whole;
    if (file.parse == "xml")
      whole = well_formed_xml(file.bytes);
    else if (file.parse == "json")
      whole = well_formed_json(file.bytes);
    else if (!file.parse.empty())
      return proof(str(file.name, " should parse as ", base::printable(file.parse),
                       ", which nobody here can; mend the recipe"));
    if (!whole)
      return proof(str(file.name, " is no whole ", file.parse == "xml" ? "XML" : "JSON", " (",
                       whole.error().what, "); see to it on the device, and pull it again: snapshot ",
                       device));
    if (file.cut)
      return proof(str(file.name,
                       " does not end as the recipe says: it is cut on the device itself, or another file; "
                       "see to it on the device, and pull it again: snapshot ",
                       device));
  }
  return {};
}

}  // namespace

Result<> check_names(const History::Snapshot& snapshot) {
  if (!check_device(snapshot.device))
    return fail(Fault::failed, str(base::printable(snapshot.device), ": no name of a device"));
  const auto& files = snapshot.pulled.files;
  if (files.empty()) return fail(Fault::failed, str(snapshot.device, ": nothing was pulled"));
  if (files.size() > kMostFiles)
    return fail(Fault::failed, str(snapshot.device, ": ", files.size(), " files, and ", kMostFiles,
                                   " are kept; let the recipe name fewer"));
  std::set<std::string> names, folders;
  for (const recipe::PulledFile& file : files) {
    auto wrong = [&](std::string_view why) {
      return fail(Fault::failed,
                  str(snapshot.device, ": ", base::printable(file.name), " can't be kept: ", why));
    };
    if (const char* fault = name_fault(file.name)) return wrong(fault);
    if (!names.insert(file.name).second) return wrong("there are two of it");
    for (std::size_t at = file.name.find('/'); at != std::string::npos; at = file.name.find('/', at + 1))
      folders.insert(file.name.substr(0, at));
  }
  for (const std::string& folder : folders)
    if (names.count(folder))
      return fail(Fault::failed, str(snapshot.device, ": ", folder, " is a file and a folder as well"));
  return {};
}

Objection objection(const History::Snapshot& snapshot, const recipe::Recipe* recipe, const Sizes& before) {
  if (Objection found = unproved(snapshot); found.kind != Objection::Kind::none) {
    if (snapshot.accept)
      found.why += "; --accept does not change that: it is for a whole configuration that has shrunk";
    return found;
  }
  std::vector<std::string> losses;
  Sizes now;
  std::uint64_t sum = 0, sum_before = 0;
  for (const recipe::PulledFile& file : snapshot.pulled.files) {
    now[file.name] = file.bytes.size();
    sum += file.bytes.size();
  }
  for (const auto& [name, size] : before) {
    sum_before += size;
    auto found = now.find(name);
    if (found == now.end()) {
      if (!may_go(snapshot, recipe, name)) losses.push_back(str(name, " is gone"));
    } else if (size > 0 && found->second == 0) {
      losses.push_back(str(name, " is empty and had ", size, " bytes"));
    } else if (size > kSmall && found->second < size - size / 2) {
      losses.push_back(str(name, " has ", found->second, " bytes and had ", size));
    }
  }
  if (losses.empty() && sum_before > kSmall && sum < sum_before - sum_before / 2)
    losses.push_back(str("all files together have ", sum, " bytes and had ", sum_before));
  if (losses.empty()) return {};
  std::string why;
  for (std::size_t i = 0; i < losses.size() && i < kMostTold; ++i) why += (i ? ", " : "") + losses[i];
  if (losses.size() > kMostTold) why += str(", and ", losses.size() - kMostTold, " more");
  return {Objection::Kind::loss, str(why, "; if that is right: snapshot ", snapshot.device, " --accept")};
}

}  // namespace oob::snapshot
