#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "oobd/config.h"

// How the stock ssh(1) is run for [callhome.NAME]. It is handed a socket that is connected already, so it
// looks up no name and leaves by the uplink that oobd chose. ssh keeps no descriptor but three, and gives its
// ProxyCommand two of these anew: so the socket waits in its standard error, which is a Unix socket, and its
// messages go to its standard output. It knows the bastion from its standard input, which is memory: no disk
// that is full, read-only or hung keeps the board from calling home.
//
//   errands -> `oobd dial KNOWN SSH-WORDS…` (the socket as its input) -> becomes ssh -> `oobd pass-socket`
namespace oob {

// Where the parts of a connection to the bastion of [callhome.NAME] meet, in homes_folder(). `place` tells
// those apart that are there at once.
struct CallHomePaths {
  std::string home;   // where our front listens for those who come by it
  std::string check;  // made by ssh: leads to the bastion's socket
};
constexpr unsigned kCallHomePlaces = 6;
constexpr unsigned kMostBastions = 16;  // of one board, so that errands have room for all
CallHomePaths call_home_paths(const std::string& state, const std::string& name, unsigned place);

// The words of a program, `program` (this one) the first, that is run with the connected socket as its
// standard input and keeps the connection: the bastion's socket leads to `home`, and `check` to the
// bastion's socket. Its standard output is what ssh has to say.
std::vector<std::string> call_home_program(const CallHomeConfig& config, const CallHomePaths& paths,
                                           const std::string& program);

// Of these, ssh's own words, without the first ("ssh") and without the way to the socket.
std::vector<std::string> call_home_words(const CallHomeConfig& config, const CallHomePaths& paths);

// The line from which ssh knows the bastion, as in known_hosts(5).
std::string known_hosts_text(const CallHomeConfig& config);

// What ssh said at its end (one line, as Errands::Ended has it) for people: what is wrong, and the cure where
// one is known.
std::string call_home_trouble(const CallHomeConfig& config, std::string_view words);

// The word after "-o" that tells ssh to take its socket from `oobd pass-socket`; `program` is a path.
std::string proxy_option(const std::string& program);

// `oobd dial KNOWN SSH-WORDS…`, KNOWN being known_hosts_text(): becomes ssh. Returns only what went wrong,
// the exit status.
int run_dial(const std::vector<std::string>& words);
// `oobd pass-socket`: hands the socket that waits in its standard error to ssh, by its standard output.
int run_pass_socket();

}  // namespace oob
