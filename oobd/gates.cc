#include "oobd/gates.h"

#include <sys/socket.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>

#include "base/log.h"

namespace oob {

using base::Fault;
using base::Result;
using base::str;
using console::ClosedListener;
using Gate = FrontProcess::Gate;

namespace {

// REQUIRES: check_server_listen() has let it through.
std::uint16_t port_of(const std::string& address) {
  std::uint16_t port = 0;
  if (!is_unix(address)) base::parse_number(address.substr(address.rfind(':') + 1), port);
  return port;
}

Result<Listener> listen_home(const std::string& address) {
  const std::string path = address.substr(kUnixPrefix.size());
  const std::string folder = path.substr(0, path.rfind('/'));
  if (::mkdir(folder.c_str(), 0700) < 0 && errno != EEXIST) return base::system_error(str("listen ", path));
  return listen_unix(path, Listener::Way::home);
}

// What is wrong, without the address: whoever shows it has that already.
std::string reason(const base::Error& error, std::string_view address) {
  if (is_unix(address)) address.remove_prefix(kUnixPrefix.size());
  const std::string before = str("listen ", address, ": ");
  return error.what.starts_with(before) ? error.what.substr(before.size()) : error.what;
}

}  // namespace

std::string service_homes() {
  const char* given = std::getenv("RUNTIME_DIRECTORY");  // systemd.exec(5): several, parted by colons
  std::string_view rest = given ? given : "";
  while (!rest.empty()) {
    const std::string_view each = rest.substr(0, rest.find(':'));
    if (each.starts_with('/') && each.ends_with("/oobd-homes")) return std::string(each);
    rest.remove_prefix(std::min(rest.size(), each.size() + 1));
  }
  return "";
}

std::string homes_folder(const std::string& state) {
  const std::string given = service_homes();
  return given.empty() ? str(state, "/homes") : given;
}

std::string home_socket(const std::string& state, const std::string& bastion) {
  return str(homes_folder(state), "/", bastion, ".home");
}

std::vector<Gates::Wanted> Gates::wanted_of(const Config& config) {
  std::vector<Wanted> all;
  for (const std::string& address : config.listen)
    all.push_back({address, is_unix(address) ? Listener::Way::onion : Listener::Way::tcp});
  for (const auto& [name, bastion] : config.call_homes) {
    Wanted home{str(kUnixPrefix, home_socket(config.state, name)), Listener::Way::home};
    home.bastion = name;
    all.push_back(std::move(home));
  }
  for (const auto& [name, uplink] : config.uplinks)
    for (const std::string& address : uplink.listen)
      all.push_back({address, Listener::Way::tcp, name, uplink.interface});
  return all;
}

Gate Gates::gate_of(const Wanted& wanted) {
  return {wanted.listener->fd.get(), wanted.listener->address, wanted.way, wanted.bastion};
}

// Before what is told of it.
std::string Gates::named(const Wanted& wanted) {
  if (!wanted.uplink.empty()) return str("uplink ", wanted.uplink, ": ");
  return wanted.bastion.empty() ? "" : str("callhome ", wanted.bastion, ": ");
}

std::string Gates::adopt(const Config& config) {
  std::vector<Wanted> next = wanted_of(config);
  for (Wanted& old : wanted_) {
    auto kept = std::find_if(next.begin(), next.end(), [&](const Wanted& one) { return one.is_as(old); });
    if (kept != next.end()) {
      old.uplink = kept->uplink;
      *kept = std::move(old);
    } else if (old.listener) {
      close(old);
    }
  }
  wanted_ = std::move(next);
  look();
  std::string remarks;
  for (const Wanted& wanted : wanted_) {
    if (wanted.listener || wanted.error.what.empty()) continue;
    const std::string word = wanted.uplink.empty() ? "listen" : str("[uplink.", wanted.uplink, "] listen");
    remarks +=
        str(remarks.empty() ? "" : "; ", word, " \"", wanted.address,
            waits_for_start(wanted) ? "\" takes effect at the next start (a port that was not in use at the "
                                      "start, see server.sandbox)"
                                    : str("\" IS NOT OPEN: ", reason(wanted.error, wanted.address)));
  }
  return remarks;
}

bool Gates::waits_for_start(const Wanted& wanted) const {
  return wanted.way == Listener::Way::tcp && wanted.error.fault == Fault::denied && confined_to_ &&
         std::find(confined_to_->begin(), confined_to_->end(), port_of(wanted.address)) ==
             confined_to_->end();
}

Result<> Gates::usable() const {
  const Wanted* hopeless = nullptr;
  for (const Wanted& wanted : wanted_) {
    if (wanted.listener) return {};
    if (!wanted.uplink.empty()) continue;
    const bool heals = wanted.error.fault != Fault::busy && wanted.error.fault != Fault::denied;
    if (heals) return {};
    if (!hopeless) hopeless = &wanted;
  }
  if (!hopeless) return {};
  return base::fail(Fault::unavailable, hopeless->error.what);
}

void Gates::look() {
  const bool tied = std::any_of(wanted_.begin(), wanted_.end(),
                                [](const Wanted& wanted) { return !wanted.interface.empty(); });
  Result<std::map<std::string, uplink::Interface>> interfaces = std::map<std::string, uplink::Interface>{};
  if (tied) interfaces = hooks_.interfaces();
  std::string trouble = interfaces ? "" : interfaces.error().what;
  if (!trouble.empty() && trouble_ != trouble) base::log(str("uplinks: ", trouble));
  trouble_ = std::move(trouble);
  bool all_open = trouble_.empty();
  for (Wanted& wanted : wanted_) {
    unsigned index = 0;
    if (!wanted.interface.empty()) {
      if (!interfaces) continue;  // as they are
      auto found = interfaces->find(wanted.interface);
      if (found != interfaces->end()) index = found->second.index;
      if (wanted.listener && wanted.index != index) {
        base::log(str(named(wanted), wanted.interface, index ? " is another one now" : " is gone",
                      ", no longer listens on ", wanted.listener->address));
        close(wanted);
      }
      if (!index) {
        wanted.error = {};  // whatever it was, this is why now, and the uplink's own state says so
        all_open = false;
        continue;
      }
    }
    if (!wanted.listener) open(wanted, index);
    all_open = all_open && wanted.listener;
  }
  if (all_open) {
    again_.cancel();
  } else {
    again_.after(kAgain, [this] { look(); });
  }
  look_for_files();
}

// Whoever removes a socket's file leaves a listener that nobody can find.
void Gates::look_for_files() {
  bool any = false;
  for (Wanted& wanted : wanted_) {
    if (!wanted.listener || !is_unix(wanted.address)) continue;
    any = true;
    if (has_its_file(*wanted.listener)) continue;
    base::log(str(named(wanted), "listen ", wanted.address, ": its file has gone"));
    hooks_.told({wanted.uplink, wanted.address, "its file has gone; it is made anew"});
    close(wanted);
    wanted.error = base::fail(Fault::missing, "its file has gone");
    open(wanted, 0);
    if (!wanted.listener) again_.after(kAgain, [this] { look(); });
  }
  if (any) files_.after(hooks_.files, [this] { look_for_files(); });
}

void Gates::open(Wanted& wanted, unsigned index) {
  Result<Listener> listener = wanted.way == Listener::Way::home ? listen_home(wanted.address)
                              : wanted.interface.empty()        ? listen_at(wanted.address)
                                                         : listen_tcp(wanted.address, wanted.interface);
  if (!listener) {
    if (wanted.error.what == listener.error().what) return;
    wanted.error = listener.error();
    base::log(str(named(wanted), wanted.error.what, "; it is tried again"));
    return hooks_.told({wanted.uplink, wanted.address, reason(wanted.error, wanted.address)});
  }
  wanted.index = index;
  wanted.listener = std::move(*listener);
  const bool failed = !std::exchange(wanted.error, {}).what.empty();
  if (failed || !wanted.uplink.empty())
    base::log(str(named(wanted), "listens on ", wanted.listener->address));
  if (failed) hooks_.told({wanted.uplink, wanted.address, ""});
  hooks_.open(gate_of(wanted));
}

void Gates::close(Wanted& wanted) {
  hooks_.close(wanted.listener->address);
  remove_socket(*wanted.listener);
  // The front has a copy of it, which would keep the address until it has read that it is to close it.
  if (wanted.way == Listener::Way::tcp) ::shutdown(wanted.listener->fd.get(), SHUT_RDWR);
  wanted.listener.reset();
}

void Gates::remove_sockets() const {
  for (const Wanted& wanted : wanted_)
    if (wanted.listener) remove_socket(*wanted.listener);
}

std::vector<std::uint16_t> Gates::ports() const {
  std::vector<std::uint16_t> all;
  for (const Wanted& wanted : wanted_) {
    if (wanted.way != Listener::Way::tcp) continue;
    all.push_back(port_of(wanted.address));
    if (wanted.listener) all.push_back(wanted.listener->port);
  }
  return all;
}

std::vector<Gate> Gates::open() const {
  std::vector<Gate> all;
  for (const Wanted& wanted : wanted_)
    if (wanted.listener) all.push_back(gate_of(wanted));
  return all;
}

std::vector<ClosedListener> Gates::closed() const {
  std::vector<ClosedListener> all;
  for (const Wanted& wanted : wanted_)
    if (!wanted.error.what.empty())
      all.push_back({wanted.uplink, wanted.address, reason(wanted.error, wanted.address)});
  return all;
}

std::vector<std::string> Gates::listening(const std::string& uplink) const {
  std::vector<std::string> all;
  for (const Wanted& wanted : wanted_)
    if (wanted.listener && wanted.uplink == uplink) all.push_back(wanted.listener->address);
  return all;
}

}  // namespace oob
