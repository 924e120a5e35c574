#include "ipmi/sensors.h"

#include <utility>

#include "ipmi/event_texts.h"

namespace oob::ipmi {
namespace {

using base::Fault;
using base::str;

constexpr std::uint8_t kGetReadingFactors = 0x23;  // 35.5
constexpr std::uint8_t kGetThresholds = 0x27;      // 35.9
constexpr std::uint8_t kGetReading = 0x2d;         // 35.14
constexpr std::uint8_t kBmc = 0x20;

// In the order of Threshold.
constexpr std::optional<double> console::Sensor::*kPlaces[kThresholds] = {
    &console::Sensor::lnc, &console::Sensor::lcr, &console::Sensor::lnr,
    &console::Sensor::unc, &console::Sensor::ucr, &console::Sensor::unr};

bool is_ours(const SensorRecord& record) {
  return record.kind != SensorRecord::Kind::event_only && record.owner == kBmc && record.channel == 0;
}

// Of the comparison bits of a threshold-based sensor (table 35-15): the worst, as ipmitool abbreviates it.
const char* threshold_state(std::uint8_t bits) {
  auto crossed = [bits](Threshold lower, Threshold upper) {
    return (bits >> lower & 1) != 0 || (bits >> upper & 1) != 0;
  };
  if (crossed(kLnr, kUnr)) return "nr";
  if (crossed(kLcr, kUcr)) return "cr";
  if (crossed(kLnc, kUnc)) return "nc";
  return "ok";
}

std::vector<std::string> asserted_states(const SensorRecord& record, unsigned bits) {
  std::vector<std::string> states;
  for (std::uint8_t offset = 0; offset < 15; ++offset) {
    if ((bits >> offset & 1) == 0) continue;
    auto text = event_text(record.event_type, record.type, offset);
    states.push_back(text ? *text : str("State ", int{offset}));
  }
  return states;
}

}  // namespace

Sensors::Sensors(base::Loop& loop, base::Blocking& blocking, Link& link, std::string cache_file)
    : loop_(loop), link_(link), repository_(loop, blocking, link, std::move(cache_file)), limit_(loop) {}

void Sensors::read(Done done) {
  if (waiters_.size() >= kMostWaiting) {
    loop_.post([done = std::move(done), name = link_.name()] {
      done(base::fail(Fault::busy, name + ": too many wait for the sensors"));
    });
    return;
  }
  waiters_.push_back(std::move(done));
  if (waiters_.size() > 1) return;
  limit_.after(kLimit, [this] {
    finish(base::fail(Fault::unavailable,
                      str(link_.name(), ": sensors: not done after ", kLimit.count() / 1000, " s")));
  });
  repository_.get(life_.wrap([this](Result<SdrRepository::Records> records) {
    if (!records) return finish(records.error());
    start(*records);
  }));
}

void Sensors::start(SdrRepository::Records records) {
  records_ = std::move(records);
  place_ = 0;
  sensors_.clear();
  next_sensor();
}

void Sensors::next_sensor() {
  const std::vector<SensorRecord>& all = records_->all();
  while (place_ < all.size() && !is_ours(all[place_])) ++place_;
  if (place_ == all.size()) return finish(std::move(sensors_));
  record_ = &all[place_++];
  wanted_.clear();
  sensor_ = {};
  sensor_.number = record_->number;
  sensor_.name = record_->name;
  sensor_.type = sensor_type_name(record_->type);
  sensor_.state = "ns";
  if (record_->analog()) sensor_.unit = record_->units.text();
  ask(kGetReading, std::string(1, static_cast<char>(record_->number)), &Sensors::reading);
}

void Sensors::ask(std::uint8_t command, std::string data, void (Sensors::*then)(const Response&)) {
  link_.ask({NetFn::sensor_event, command, std::move(data), record_->lun}, Link::Send::again,
            life_.wrap([this, then](Result<Response> answer) {
              if (!answer) return finish(base::wrap("sensors", answer.error()));
              (this->*then)(*answer);
            }));
}

void Sensors::reading(const Response& response) {
  Bytes data = response.data;
  // One that fails (not present, in a state where it can't be read, ...) says nothing about the others.
  if (response.completion != 0 || data.size() < 2) return sensor_done();
  bool scanning = (get8(data, 1) & 0x40) != 0;
  bool unavailable = (get8(data, 1) & 0x20) != 0;
  if (scanning && !unavailable) {
    unsigned bits = data.size() > 2 ? get8(data, 2) : 0;
    if (record_->threshold_based()) {
      sensor_.state = threshold_state(static_cast<std::uint8_t>(bits));
    } else {
      if (data.size() > 3) bits |= (get8(data, 3) & 0x7fu) << 8;
      sensor_.state = "ok";
      sensor_.asserted = asserted_states(*record_, bits);
    }
    if (record_->analog()) wanted_.push_back({&console::Sensor::value, get8(data, 0)});
  }
  ask_thresholds();
}

void Sensors::ask_thresholds() {
  constexpr std::uint8_t kNone = 0, kFixed = 3;  // table 43-1, byte 12
  if (!record_->threshold_based() || !record_->analog() || record_->threshold_access == kNone)
    return convert_all();
  // Fixed ones can't be asked for; the record has them.
  if (record_->threshold_access == kFixed) {
    want_thresholds(record_->readable,
                    Bytes(reinterpret_cast<const char*>(record_->thresholds), kThresholds));
    return convert_all();
  }
  ask(kGetThresholds, std::string(1, static_cast<char>(record_->number)), &Sensors::thresholds);
}

void Sensors::thresholds(const Response& response) {
  if (response.completion == 0 && response.data.size() >= 1 + kThresholds)
    want_thresholds(get8(response.data, 0), Bytes(response.data).substr(1, kThresholds));
  convert_all();
}

void Sensors::want_thresholds(std::uint8_t readable, Bytes six) {
  for (std::size_t which = 0; which < kThresholds; ++which)
    if ((readable >> which & 1) != 0) wanted_.push_back({kPlaces[which], get8(six, which)});
}

void Sensors::convert_all() {
  if (!record_->non_linear()) {
    for (const Wanted& wanted : wanted_)
      sensor_.*wanted.place = convert(wanted.raw, record_->format, record_->linearization, record_->factors);
    wanted_.clear();
  }
  if (wanted_.empty()) return sensor_done();
  // The factors are those of one reading, so each has to be asked for.
  std::string data;
  data += static_cast<char>(record_->number);
  data += static_cast<char>(wanted_.back().raw);
  ask(kGetReadingFactors, std::move(data), &Sensors::factors);
}

void Sensors::factors(const Response& response) {
  Wanted wanted = wanted_.back();
  wanted_.pop_back();
  if (response.completion == 0 && response.data.size() >= 7)
    sensor_.*wanted.place = convert(wanted.raw, record_->format, record_->linearization,
                                    Factors::decode(Bytes(response.data).substr(1, 6)));
  convert_all();
}

void Sensors::sensor_done() {
  sensors_.push_back(std::move(sensor_));
  next_sensor();
}

void Sensors::finish(Result<std::vector<console::Sensor>> result) {
  limit_.cancel();
  life_.renew();  // a late answer belongs to no reading
  records_.reset();
  record_ = nullptr;
  sensors_.clear();
  std::vector<Done> waiters = std::move(waiters_);
  waiters_.clear();
  for (Done& done : waiters) done(result);
}

}  // namespace oob::ipmi
