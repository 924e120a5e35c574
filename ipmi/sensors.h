#pragma once

#include <functional>
#include <string>
#include <vector>

#include "base/disk.h"
#include "base/life.h"
#include "base/loop.h"
#include "console/chassis.h"
#include "ipmi/link.h"
#include "ipmi/sdr_repository.h"

namespace oob::ipmi {

// Reads the sensors of a BMC: those of its records that the BMC itself owns (20h, primary channel), at the
// LUN they say. Sensors of other controllers are left out. Owned by its Station; all from the loop.
class Sensors {
 public:
  using Done = std::function<void(Result<std::vector<console::Sensor>>)>;
  static constexpr std::size_t kMostWaiting = 32;
  static constexpr base::milliseconds kLimit{60'000};

  // `cache_file`: where the records are kept (SdrRepository); empty: nowhere.
  Sensors(base::Loop& loop, base::Blocking& blocking, Link& link, std::string cache_file);
  Sensors(const Sensors&) = delete;
  Sensors& operator=(const Sensors&) = delete;

  // Reads every sensor once, in the order of the records. Who asks while a reading is under way gets that
  // one. A sensor that the BMC won't read has the state "ns". Errors: as Link::ask(); of SdrRepository;
  // Fault::unavailable after kLimit (the records, if it was them that took so long, are read to the end and
  // serve the next); Fault::busy when kMostWaiting wait.
  void read(Done done);

  // The records, for names and units: as SdrRepository::get(). Whoever asks bounds how often.
  void records(SdrRepository::Done done) { repository_.get(std::move(done)); }
  const SdrRepository::Records& known_records() const { return repository_.known(); }

 private:
  struct Wanted {  // a raw byte and where its value belongs
    std::optional<double> console::Sensor::*place;
    std::uint8_t raw;
  };

  void start(SdrRepository::Records records);
  void next_sensor();
  void ask(std::uint8_t command, std::string data, void (Sensors::*then)(const Response&));
  void reading(const Response& response);
  void ask_thresholds();
  void thresholds(const Response& response);
  void want_thresholds(std::uint8_t readable, Bytes six);
  void convert_all();
  void factors(const Response& response);
  void sensor_done();
  void finish(Result<std::vector<console::Sensor>> result);

  base::Loop& loop_;
  Link& link_;
  SdrRepository repository_;
  std::vector<Done> waiters_;
  SdrRepository::Records records_;
  std::size_t place_ = 0;                 // in records_
  const SensorRecord* record_ = nullptr;  // the one at hand
  console::Sensor sensor_;
  std::vector<Wanted> wanted_;  // what is yet to be converted
  std::vector<console::Sensor> sensors_;
  base::Timer limit_;
  base::Life life_;
};

}  // namespace oob::ipmi
