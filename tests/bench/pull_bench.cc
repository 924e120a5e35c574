// One configuration over a console at 115200 baud, in real time: by pull_posix() as shipped, by `cat`, and
// the way of RANCID and Netmiko (paging off, read to the prompt, line ends made \n). Prints one JSON object.
//   bench_pull WAY BYTES MESSAGES DAMAGE SEED
#include <cstdio>
#include <cstdlib>
#include <string>

#include "tests/recipe/real_shell.h"
#include "tests/recipe/shell_pull.h"

using namespace oob::recipe;
using namespace std::chrono_literals;
using oob::base::Bytes;

namespace {

std::string with_plain_lines(Bytes text) {
  std::string to;
  for (char c : text)
    if (c != '\r') to += c;
  return to;
}

// The shipped recipe for pfSense, with its commands, of a configuration that lies elsewhere.
Recipe pfsense_recipe(const std::string& path) {
  constexpr Bytes kPath = "/cf/conf/config.xml";
  std::string text(shipped_recipes().at("pfsense"));
  std::size_t at = text.find(kPath);
  if (at != std::string::npos) text.replace(at, kPath.size(), path);
  RecipeOutcome outcome = read_recipe(text);
  if (at != std::string::npos && outcome.recipe) return *outcome.recipe;
  std::fprintf(stderr, "the shipped recipe for pfSense can't be used\n");
  std::exit(70);
}

// What was said between the echo of a command and the next prompt.
std::string expect(RealShell& shell, const std::string& line) {
  Talk& talk = shell.talk();
  talk.drop_all();
  talk.type(line + "\r");
  std::string said;
  auto prompted = [&] { return talk.heard().ends_with("device# "); };
  if (!shell.carry(prompted, 120s)) return said;
  said = talk.heard();
  said.erase(0, std::min(said.find('\n'), said.size() - 1) + 1);
  said.resize(said.size() - std::min<std::size_t>(said.size(), 8));
  return said;
}

}  // namespace

int main(int count, char** given) {
  if (count != 6) return 64;
  std::string way = given[1];
  std::string config = like_pfsense(std::strtoul(given[2], nullptr, 10));
  DeviceTools tools("dash");
  tools.write("config.xml", config);
  RealShell shell(tools,
                  {std::atof(given[3]), std::atof(given[4]), static_cast<unsigned>(std::atoi(given[5]))}, 1);
  shell.carry([&] { return shell.talk().heard().ends_with("device# "); }, 20s);
  shell.throttle();
  auto began = oob::base::Clock::now();
  std::uint64_t before = shell.passed();
  std::string path = tools.home() + "/config.xml", got;
  unsigned retries = 0;
  if (way == "posix-block") {
    ShellPull pull(shell, pfsense_recipe(path));
    pull.screen = shell.talk().heard();
    if (pull.carry(300s) && pull.result()) {
      for (const PulledFile& file : pull.result()->files)
        if (file.name == "config.xml") got = file.bytes;
      retries = pull.result()->retries;
    }
  } else if (way == "cat") {
    got = expect(shell, "cat " + path);
  } else {
    expect(shell, "stty rows 0 columns 0; PAGER=cat");
    got = with_plain_lines(expect(shell, "cat " + path));
  }
  double seconds = std::chrono::duration<double>(oob::base::Clock::now() - began).count();
  const char* what = got == config ? "exact" : got.empty() ? "nothing" : "wrong";
  std::printf("{\"seconds\": %.2f, \"wire\": %llu, \"retries\": %u, \"exact\": %d, \"what\": \"%s\"}\n",
              seconds, static_cast<unsigned long long>(shell.passed() - before), retries, got == config,
              what);
}
