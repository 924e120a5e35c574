#include "oobd/recipe_command.h"

#include <boost/json.hpp>
#include <cstdio>
#include <filesystem>
#include <utility>

#include "auth/public_key.h"
#include "base/bytes.h"
#include "base/whole_file.h"
#include "oobd/config.h"
#include "recipe/book.h"
#include "recipe/replay.h"

namespace oob {
namespace {

namespace json = boost::json;
using base::fail;
using base::Fault;
using base::Micros;
using base::Result;
using base::str;
using recipe::ReplayEvent;
using recipe::ReplayReport;

constexpr std::size_t kMostRecording = 256 << 20;  // bytes
constexpr double kLatest = 1e9;                    // seconds
constexpr int kFaults = static_cast<int>(Fault::config);

int complain(const base::Error& error) {
  std::fprintf(stderr, "oobd: %s\n", error.what.c_str());
  return static_cast<int>(error.fault);
}

// The recipe of a file, or its faults, on standard output.
std::optional<recipe::Recipe> read(const std::string& file) {
  Result<std::string> text = base::read_whole(file, recipe::kMostRecipe);
  std::string shown = base::printable(file, 1000);
  if (!text) {
    std::printf("%s\n", ConfigFault{shown, 0, 0, str("can't read it: ", text.error().what)}.text().c_str());
    return std::nullopt;
  }
  recipe::RecipeOutcome outcome = recipe::read_recipe(*text);
  for (const recipe::RecipeFault& fault : outcome.faults)
    std::printf("%s\n", ConfigFault{shown, fault.line, fault.column, fault.message}.text().c_str());
  return std::move(outcome.recipe);
}

int check(const std::vector<std::string>& files) {
  int status = 0;
  for (const std::string& file : files) {
    std::optional<recipe::Recipe> recipe = read(file);
    if (!recipe) {
      status = kFaults;
      continue;
    }
    std::filesystem::path path(file);
    std::string shown = base::printable(file, 1000);
    if (path.extension() != ".recipe" || path.stem() != recipe->name) {
      std::string why =
          str("it calls itself '", recipe->name, "': its file must be ", recipe->name, ".recipe");
      std::printf("%s\n", ConfigFault{shown, 0, 0, why}.text().c_str());
      status = kFaults;
      continue;
    }
    std::printf("%s: %zu states, %zu things to fetch by %s: no fault\n", shown.c_str(), recipe->states.size(),
                recipe->fetches.size(), std::string(name_of(recipe->method)).c_str());
  }
  return status;
}

// One line of a recording behind its header: output, input, or the bytes of the output behind it
// (docs/formats.md, "Recordings"). A line that is nothing of these is passed over.
void add_event(std::string_view line, std::vector<ReplayEvent>& events, std::optional<std::string>& exact) {
  boost::system::error_code error;
  json::value value = json::parse(json::string_view(line.data(), line.size()), error);
  const json::array* event = error ? nullptr : value.if_array();
  if (!event || event->size() < 3 || !(*event)[1].is_string() || !(*event)[2].is_string()) return;
  double seconds = (*event)[0].to_number<double>(error);
  if (error || !(seconds >= 0 && seconds < kLatest)) return;
  const json::string& code = (*event)[1].get_string();
  std::string text((*event)[2].get_string().data(), (*event)[2].get_string().size());
  if (code == "b") {
    std::string bytes;
    if (auth::decode_base64(text, bytes)) exact = std::move(bytes);
    return;
  }
  if (code != "o" && code != "i") return;
  bool typed = code == "i";
  if (!typed && exact) text = std::move(*exact);
  if (!typed) exact.reset();
  Micros time = static_cast<Micros>(seconds * 1e6);
  if (!events.empty()) time = std::max(time, events.back().time);
  events.push_back({time, typed, std::move(text)});
}

Result<std::vector<ReplayEvent>> read_recording(const std::string& file) {
  Result<std::string> text = base::read_whole(file, kMostRecording);
  if (!text) return fail(Fault::missing, str(base::printable(file, 1000), ": ", text.error().what));
  std::vector<ReplayEvent> events;
  std::optional<std::string> exact;
  bool first = true, is_cast = false;
  base::split(*text, '\n', [&](std::string_view line) {
    if (!std::exchange(first, false)) return add_event(line, events, exact);
    boost::system::error_code error;
    json::value header = json::parse(json::string_view(line.data(), line.size()), error);
    const json::object* object = error ? nullptr : header.if_object();
    const json::value* version = object ? object->if_contains("version") : nullptr;
    is_cast = version && *version == 2;
  });
  if (!is_cast) return fail(Fault::failed, str(base::printable(file, 1000), ": no asciicast v2 file"));
  return events;
}

std::string clock(Micros time) {
  char text[32];
  std::snprintf(text, sizeof text, "%8.1f s", static_cast<double>(time) / 1e6);
  return text;
}

std::string report_text(const ReplayReport& report) {
  std::string out;
  for (const ReplayReport::Step& step : report.steps) {
    out += str(clock(step.at.time), "  ", step.at.state, ": '", step.at.line,
               "', typed: ", step.typed.empty() ? "Enter" : step.typed);
    if (step.others)
      out += str(", behind ", step.others, " other line", step.others == 1 ? "" : "s", " of the recording");
    out += "\n";
  }
  for (const recipe::ReplayPlace& place : report.unknown)
    out += str(clock(place.time), "  not recognised: '", place.line, "', typed: Enter\n");
  std::string way;
  for (const std::string& state : report.states) way += str(way.empty() ? "" : " -> ", state);
  if (!way.empty()) out += str("recognised: ", way, "\n");
  out += str("where commands are run: ", report.arrived ? "reached" : "not reached",
             "; left again: ", report.left ? "yes" : "no", "\n");
  if (report.fault) {
    const ReplayReport::Fault& fault = *report.fault;
    out += str(clock(fault.at.time), "  '", fault.at.line, "' (",
               fault.at.state.empty() ? "not recognised" : fault.at.state, "): ", fault.why, "\n");
  }
  return out;
}

int test(const std::string& file, const std::string& recording) {
  std::optional<recipe::Recipe> recipe = read(file);
  if (!recipe) return kFaults;
  Result<std::vector<ReplayEvent>> events = read_recording(recording);
  if (!events) return complain(events.error());
  ReplayReport report = recipe::replay(*recipe, *events);
  std::fputs(report_text(report).c_str(), stdout);
  return report.fault ? static_cast<int>(Fault::failed) : 0;
}

}  // namespace

int run_recipe(const std::vector<std::string>& words) {
  std::string what = words.empty() ? "" : words[0];
  std::vector<std::string> files;
  std::string recording;
  for (std::size_t i = 1; i < words.size(); ++i) {
    if (what == "test" && words[i] == "--replay") {
      if (i + 1 == words.size()) return complain(fail(Fault::usage, "--replay needs a recording"));
      recording = words[++i];
    } else if (words[i].size() > 1 && words[i][0] == '-') {
      return complain(fail(Fault::usage, str("recipe: no such option: ", base::printable(words[i], 60))));
    } else {
      files.push_back(words[i]);
    }
  }
  if (what == "check" && !files.empty()) return check(files);
  if (what == "test" && files.size() == 1 && !recording.empty()) return test(files[0], recording);
  return complain(fail(Fault::usage, what == "check" ? "recipe check: which files?"
                                     : what == "test"
                                         ? "recipe test: one FILE and --replay RECORDING, please"
                                         : "recipe: check FILE…, or test FILE --replay RECORDING"));
}

}  // namespace oob
