#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "base/life.h"
#include "ipmi/link.h"

namespace oob::ipmi {

// What the configuration says about a BMC's Serial over LAN; what is left open is left as the BMC has it.
struct SolSettings {
  std::optional<unsigned> accumulate;      // ms that characters gather, a multiple of 5 up to 1275
  std::optional<unsigned> threshold;       // characters that are sent at once, 1 to 255
  std::optional<unsigned> retries;         // of the BMC, 0 to 7
  std::optional<unsigned> retry_interval;  // ms, a multiple of 10 up to 2550
  std::optional<unsigned> baud;            // 9600, 19200, 38400, 57600 or 115200
  bool any() const { return accumulate || threshold || retries || retry_interval || baud; }
};

// Sees to it that a BMC has them (Get and Set SOL Configuration Parameters, IPMI 2.0 rev 1.1, 26.2 and 26.3,
// table 26-5). A parameter is written only if the BMC says another value, because most BMCs keep it in flash.
class SolParameters {
 public:
  SolParameters(Link& link, SolSettings settings) : link_(link), settings_(settings) {}

  // `done` gets what could not be set, for people, or an empty text. It is called once, from the loop, never
  // from inside this call, and not after stop(). REQUIRES: any(), no other apply() under way.
  void apply(std::function<void(const std::string& trouble)> done);
  void stop();

 private:
  void next();
  void got(const Result<Response>& answer);
  void failed(const base::Error& error);
  bool concerned() const;
  std::string wanted(std::string now) const;

  Link& link_;
  const SolSettings settings_;
  std::function<void(const std::string&)> done_;
  std::string trouble_;
  std::size_t at_ = 0;
  std::unique_ptr<base::Life> run_;  // of the callbacks of this apply()
};

}  // namespace oob::ipmi
