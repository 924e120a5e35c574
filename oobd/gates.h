#pragma once

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/loop.h"
#include "console/listener_report.h"
#include "oobd/config.h"
#include "oobd/front_process.h"
#include "oobd/listeners.h"
#include "uplink/interfaces.h"

namespace oob {

// All listeners by which people come in: those of server.listen, those of all [uplink.NAME], each tied to its
// uplink's interface, and a Unix socket for each [callhome.NAME]. Each stands alone: what can't be opened is
// told, tried again each second, and keeps no other one closed. A Unix socket whose file somebody removed is
// made anew. Those of an uplink come and go with its
// interface: one is opened when the interface is there, closed when that has gone or is made anew.
class Gates {
 public:
  struct Hooks {
    std::function<base::Result<std::map<std::string, uplink::Interface>>()> interfaces = uplink::interfaces;
    // A listener is there; it is about to be closed.
    std::function<void(const FrontProcess::Gate& gate)> open = [](const FrontProcess::Gate&) {};
    std::function<void(const std::string& address)> close = [](const std::string&) {};
    // One can't be opened, for another reason than it was; `why` is empty where it is open after all.
    std::function<void(const console::ClosedListener& listener)> told = [](const console::ClosedListener&) {};
    base::milliseconds files{10'000};  // from one look for the files of sockets to the next
  };

  Gates(base::Loop& loop, Hooks hooks) : hooks_(std::move(hooks)), again_(loop), files_(loop) {}
  Gates(const Gates&) = delete;
  Gates& operator=(const Gates&) = delete;

  // Opens and closes what has changed. Returns what is not open, and what will not be before the next start,
  // for people; or nothing.
  std::string adopt(const Config& config);
  // Interfaces or addresses may have changed.
  void look();
  // An Error where people can come in by none and time alone will not change it: each address of
  // server.listen is somebody else's, or nobody's of this user, no uplink's listener is open and nobody may
  // come by a bastion. REQUIRES: adopt() was called.
  base::Result<> usable() const;
  // From now on only the ports may be listened on that ports() tells of at this moment.
  void confine() { confined_to_ = ports(); }
  // Takes the files of Unix sockets away: the daemon ends.
  void remove_sockets() const;

  std::vector<std::uint16_t> ports() const;      // all that are wanted, and all that are used; 0 among them
  std::vector<FrontProcess::Gate> open() const;  // in the order above
  std::vector<console::ClosedListener> closed() const;  // with a reason; an interface that is away is none
  // "0.0.0.0:2222%lte0": of the uplink of this name, now.
  std::vector<std::string> listening(const std::string& uplink) const;

 private:
  static constexpr base::milliseconds kAgain{1000};

  struct Wanted {
    std::string address;
    Listener::Way way = Listener::Way::tcp;
    std::string uplink{}, interface {};
    std::string bastion{};
    std::optional<Listener> listener{};
    unsigned index = 0;   // of the interface that the listener is tied to
    base::Error error{};  // why it could not be opened; no text: there is no such reason
    // By another name of its uplink it is the same listener.
    bool is_as(const Wanted& other) const {
      return address == other.address && way == other.way && interface == other.interface &&
             bastion == other.bastion;
    }
  };
  static std::vector<Wanted> wanted_of(const Config& config);
  static FrontProcess::Gate gate_of(const Wanted& wanted);
  static std::string named(const Wanted& wanted);
  bool waits_for_start(const Wanted& wanted) const;
  void look_for_files();
  void open(Wanted& wanted, unsigned index);
  void close(Wanted& wanted);

  Hooks hooks_;
  std::vector<Wanted> wanted_;
  std::optional<std::vector<std::uint16_t>> confined_to_;
  std::string trouble_;  // with the list of interfaces
  base::Timer again_, files_;
};

// The folder of all Unix sockets of call-home: the one of the service manager's that is for it
// (`RuntimeDirectory=oobd-homes`), since a socket is a file, which a disk that is full or read-only refuses;
// empty where there is none. Then it is STATE/homes.
std::string service_homes();
std::string homes_folder(const std::string& state);

// Where people who come by this bastion arrive.
std::string home_socket(const std::string& state, const std::string& bastion);

}  // namespace oob
