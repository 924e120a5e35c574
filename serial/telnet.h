#pragma once

#include <array>
#include <bitset>
#include <cstdint>
#include <string>

#include "base/bytes.h"
#include "serial/settings.h"

namespace oob::serial {

// The client's side of a telnet connection to a serial port (RFC 854, 855, 856, 857, 858, 2217), as a pure
// state machine: bytes in, data and answers out. Whatever the other side sends, and in whatever pieces, what
// it makes this send is bounded (kMostAnswers) and nothing loops: each state of an option is told once.
class Telnet {
 public:
  static constexpr std::size_t kMostSubnegotiation = 256;  // bytes kept; the rest is dropped
  static constexpr std::size_t kLostSubnegotiation =
      4096;                                          // without an end until here: taken for data from then on
  static constexpr int kMostChanges = 64;            // of options, in the life of a connection
  static constexpr std::size_t kMostAnswers = 2048;  // bytes this ever adds to pending() by itself

  // Does RFC 2217 serve here? `asked`: not known yet.
  enum class ComPort { asked, agreed, refused };

  // What is given in `wanted` is asked of the port once, as soon as the other side agrees to RFC 2217.
  explicit Telnet(const TelnetSettings& wanted);

  // The opening offers, into pending(). Once, first.
  void start();

  // Takes `size` received bytes apart in place: what is data moves to the front, and its size is returned.
  std::size_t receive(char* bytes, std::size_t size);

  // What is to be sent before any further data. The caller removes from the front what it has sent.
  std::string& pending() { return pending_; }

  // Escapes data for sending: as many bytes of `from` as surely fit in `room` bytes at `to`.
  struct Encoded {
    std::size_t taken = 0, size = 0;
  };
  Encoded encode(base::Bytes from, char* to, std::size_t room) const;
  // Whether `byte` is sent as two.
  bool doubled(char byte) const;

  ComPort com_port() const { return com_port_; }
  // Into pending(): break on and off (RFC 2217, 3; REQUIRES agreed), or the telnet command, of no certain
  // length.
  void break_on();
  void break_off();
  void break_command();

  // What people should know, once each: "baud 115200 refused, the port stays at 9600". Empty: nothing new.
  bool has_remark() const { return !remark_.empty(); }
  std::string take_remark();

 private:
  enum class State : std::uint8_t { data, command, verb, value, value_command };
  enum class Side : std::uint8_t { no, asked, yes };
  struct Option {
    Side us = Side::no, him = Side::no;
  };
  enum class Setting : std::uint8_t { baud, bits, parity, stop, flow };
  static constexpr int kSettings = 5;

  bool byte(unsigned char c);  // true: it is data
  void option_command(unsigned char verb, unsigned char code);
  void peer_does(unsigned char code, bool willing);
  void peer_wants(unsigned char code, bool wanted);
  void com_port_is(ComPort now);
  void send(unsigned char verb, unsigned char code);
  void ask_settings();
  void ask(unsigned char command, std::uint32_t value, int size);
  void subnegotiation_ends();
  void answered(Setting setting, std::uint32_t value);
  void remark(const std::string& text);
  const Option* option(unsigned char code) const;
  Option* option(unsigned char code);

  State state_ = State::data;
  unsigned char verb_ = 0;
  bool after_return_ = false;   // a CR was the last data byte (matters when not binary)
  std::string value_;           // of the subnegotiation under way, its option first
  std::size_t value_size_ = 0;  // with what was dropped

  std::array<Option, 4> options_{};
  std::bitset<256> refused_us_, refused_him_;  // options unknown here, refused once
  int changes_ = 0;
  ComPort com_port_ = ComPort::asked;

  struct Wanted {
    bool given = false, told = false;
    std::uint32_t value = 0;
  };
  std::array<Wanted, kSettings> wanted_{};
  bool settings_asked_ = false, lost_told_ = false;

  std::string pending_;
  std::string remark_;
};

}  // namespace oob::serial
