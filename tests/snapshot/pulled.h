#pragma once

#include <sys/wait.h>

#include <cstdio>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/sha256.h"
#include "snapshot/depot.h"
#include "tests/support/support.h"

namespace oob::test {

using Files = std::vector<std::pair<std::string, std::string>>;

inline console::History::Snapshot pulled(const std::string& device, const Files& files,
                                         const std::string& user = "alice") {
  console::History::Snapshot snapshot;
  snapshot.device = device;
  snapshot.pulled.method = "posix-block";
  snapshot.pulled.device_version = "2.7.2-RELEASE";
  for (const auto& [name, bytes] : files)
    snapshot.pulled.files.push_back({name, bytes, base::hex(base::sha256(bytes)), recipe::Grade::device, ""});
  snapshot.recipe = "pfsense 3";
  snapshot.user = user;
  snapshot.recording = "20261123T070000Z-1";
  snapshot.checkpoint = "18231 qINS1GRFhWHwdkUeqLEoP4yEMkTBBzxBkGwGQlVlVcs=";
  snapshot.began = 1'795'417'200'000'000;
  snapshot.ended = 1'795'417'212'345'000;
  return snapshot;
}

// What the stock git says of a repository; its status is not 0: "FAILED ".
inline std::string git(const std::string& repository, const std::string& words) {
  std::string command = "GIT_CONFIG_NOSYSTEM=1 HOME=/nonexistent git -c safe.directory='*' -C '" +
                        repository + "' " + words + " 2>&1";
  FILE* pipe = ::popen(command.c_str(), "r");
  std::string out;
  char piece[65536];
  for (std::size_t got; (got = std::fread(piece, 1, sizeof piece, pipe)) > 0;) out.append(piece, got);
  return ::pclose(pipe) == 0 ? out : "FAILED " + out;
}

inline recipe::Book book_of(recipe::Recipe recipe) {
  recipe.name = "pfsense";
  return recipe::Book({{"pfsense", std::make_shared<const recipe::Recipe>(std::move(recipe))}});
}

}  // namespace oob::test
