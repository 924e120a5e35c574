// Peerings, as the board sees them.
#include "base/time.h"
#include "console/peering.h"
#include "oobd/config_reader.h"
#include "oobd/config_values.h"
#include "uplink/interfaces.h"
#include "uplink/target.h"

namespace oob {

using base::str;

namespace {

constexpr std::size_t kMostWatchProbes = 8, kMostWatchCommand = 1024;  // bytes of a command
constexpr base::Micros kWatchOftenest = 10'000'000, kWatchSeldomest = 24 * 3600 * 1'000'000LL;  // 10 s, a day

}  // namespace

void ConfigReader::read_watch(const Member& watch) {
  const Node& table = watch.value;
  std::string name = str("[watch.", base::printable(watch.key, 80), "]");
  faults_.check(watch.place, check_name(watch.key));
  faults_.check_table(table, table.place, kWatch, name);
  WatchConfig config;
  if (table.member("device") && table.member("probe"))
    faults_.add(table.member("probe")->place,
                str(name, " has both 'device' and 'probe': make two watches of it"));
  if (!table.member("device") && !table.member("probe"))
    faults_.add(table.place, str(name, " needs one of 'device' (with 'daemon' and 'neighbour') and 'probe'"));
  auto needs = [&](std::string_view key, std::string_view other) {
    const Member* member = table.member(key);
    if (member && !table.member(other))
      faults_.add(member->place, str("'", key, "' is of no use without '", other, "'"));
  };
  for (std::string_view key : {"daemon", "neighbour", "command"}) needs(key, "device");
  needs("interface", "probe");
  if (const Node* device = text(table, "device")) {
    auto at = config_.devices.find(device->text);
    if (at == config_.devices.end()) {
      faults_.add(device->place, str("there is no [device.", base::printable(device->text, 80), "]"));
    } else if (at->second.model.empty()) {
      faults_.add(device->place,
                  str("device ", in_quotes(device->text),
                      " has no 'model', which says how to log in; give it one, like model = \"linux\""));
    }
    config.device = device->text;
    for (std::string_view key : {"daemon", "neighbour"})
      if (!table.member(key))
        faults_.add(table.place, str(name, " has no '", key, "', which 'device' needs"));
  }
  std::optional<console::RoutingDaemon> daemon;
  if (const Node* word = text(table, "daemon")) {
    daemon = console::routing_daemon(word->text);
    if (!daemon)
      faults_.add(word->place, str("daemon ", in_quotes(word->text), " is none of bird, frr and openbgpd"));
    config.daemon = word->text;
  }
  if (const Node* neighbour = text(table, "neighbour")) {
    if (daemon) faults_.check(neighbour->place, console::check_neighbour(*daemon, neighbour->text));
    config.neighbour = neighbour->text;
  }
  if (const Node* command = text(table, "command")) {
    if (command->text.empty() || command->text.size() > kMostWatchCommand)
      faults_.add(command->place, str("command must be one line of 1 to ", kMostWatchCommand, " bytes"));
    config.command = command->text;
  }
  for (const Node* probe : texts(table, "probe")) {
    if (!faults_.check(probe->place, uplink::Target::parse(probe->text))) continue;
    config.probe.push_back(probe->text);
  }
  if (const Node* list = get(table, "probe", Node::Kind::array)) {
    if (list->items.size() > kMostWatchProbes)
      faults_.add(list->place, str("probe has ", list->items.size(), " addresses; a watch has at most ",
                                   kMostWatchProbes));
  }
  if (const Node* interface = text(table, "interface")) {
    faults_.check(interface->place, uplink::check_interface_name(interface->text));
    config.interface = interface->text;
  }
  if (const Node* every = text(table, "every")) {
    base::Result<base::Micros> span = base::parse_span(every->text);
    if (!span || *span < kWatchOftenest || *span > kWatchSeldomest)
      faults_.add(every->place, str("every ", in_quotes(every->text), " is not a time of \"10s\" to \"1d\""));
    else
      config.every = *span;
  }
  config_.watches[watch.key] = std::move(config);
}

}  // namespace oob
