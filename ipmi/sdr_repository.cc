#include "ipmi/sdr_repository.h"

#include <algorithm>
#include <cstdio>
#include <utility>

#include "base/log.h"

namespace oob::ipmi {
namespace {

using base::Fault;
using base::str;

constexpr std::uint8_t kDeviceId = 0x01;
constexpr std::uint8_t kGetInfo = 0x20;        // 33.9; of device SDRs 35.2, the same number
constexpr std::uint8_t kReserve = 0x22;        // 33.11; 35.4
constexpr std::uint8_t kGetSdr = 0x23;         // 33.12
constexpr std::uint8_t kGetDeviceSdr = 0x21;   // 35.3
constexpr std::uint16_t kLastRecord = 0xffff;  // as the next one: there is none
constexpr std::size_t kRecordHeader = 5;

// Table 5-2.
constexpr std::uint8_t kNoCommand = 0xc1, kReservationLost = 0xc5, kNotPresent = 0xcb;

std::string id_text(std::uint16_t id) {
  char text[8];
  std::snprintf(text, sizeof text, "%04Xh", id);
  return text;
}

// Firmware has many ways to say that it was asked for too much at once.
bool means_too_much(std::uint8_t completion) {
  switch (completion) {
    case 0xc7:  // request data length invalid
    case 0xc8:  // request data field length limit exceeded
    case 0xc9:  // parameter out of range
    case 0xca:  // cannot return number of requested data bytes
    case 0xff:  // unspecified
      return true;
    default:
      return false;
  }
}

}  // namespace

SdrRepository::SdrRepository(base::Loop& loop, base::Blocking& blocking, Link& link, std::string cache_file)
    : blocking_(blocking), link_(link), cache_file_(std::move(cache_file)), limit_(loop) {}

void SdrRepository::get(Done done) {
  waiters_.push_back(std::move(done));
  if (waiters_.size() > 1) return;
  limit_.after(kLimit, [this] { give_up(Fault::unavailable, "the BMC took over 5 min"); });
  source_ = Source::repository;
  link_.ask({NetFn::app, kDeviceId, {}}, Link::Send::again, life_.wrap([this](Result<Response> answer) {
    if (!answer) return finish(base::wrap("sensor records", answer.error()));
    device_id(*answer);
  }));
}

void SdrRepository::ask(std::uint8_t repository_command, std::uint8_t device_command, std::string data,
                        void (SdrRepository::*then)(const Response&)) {
  Request request;
  request.netfn = source_ == Source::repository ? NetFn::storage : NetFn::sensor_event;
  request.command = source_ == Source::repository ? repository_command : device_command;
  request.data = std::move(data);
  link_.ask(std::move(request), Link::Send::again, life_.wrap([this, then](Result<Response> answer) {
    if (!answer) return finish(base::wrap("sensor records", answer.error()));
    (this->*then)(*answer);
  }));
}

// Table 20-2.
void SdrRepository::device_id(const Response& response) {
  if (response.completion != 0 || response.data.size() < 6)
    return give_up(Fault::failed, "Get Device ID: " + completion_text(response.completion));
  std::uint8_t support = get8(response.data, 5);
  has_device_sdrs_ = (get8(response.data, 1) & 0x80) != 0;
  bool has_repository = (support & 0x02) != 0;
  if (!has_repository && has_device_sdrs_) source_ = Source::device;
  asked_ = {};
  asked_session_ = link_.session();
  asked_.device = response.data.substr(0, 255);
  ask_info();
}

void SdrRepository::ask_info() { ask(kGetInfo, kGetInfo, {}, &SdrRepository::info); }

void SdrRepository::info(const Response& response) {
  Bytes data = response.data;
  if (response.completion == kNoCommand && source_ == Source::repository && has_device_sdrs_) {
    source_ = Source::device;
    return ask_info();
  }
  std::size_t least = source_ == Source::repository ? 13 : 2;
  if (response.completion != 0 || data.size() < least)
    return give_up(Fault::failed, response.completion != 0
                                      ? "repository info: " + completion_text(response.completion)
                                      : str("repository info of ", data.size(), " bytes"));
  if (source_ == Source::repository) {
    asked_.count = get16(data, 1);
    asked_.addition = get32(data, 5);
    asked_.erase = get32(data, 9);
  } else {
    asked_.count = get8(data, 0);
    bool changes = (get8(data, 1) & 0x80) != 0;  // then there is an indicator, not always a time
    if (changes && data.size() >= 6) asked_.addition = get32(data, 2);
  }
  // Time stamps that say nothing are those of other records too, once the BMC has started anew.
  bool same_start = asked_session_ != 0 && known_session_ == asked_session_;
  if (known_ && known_stamp_ == asked_ && (asked_.has_clock() || same_start)) return finish(known_);
  if (cache_file_.empty() || !asked_.has_clock() || known_) return walk();
  look_into_cache();
}

void SdrRepository::look_into_cache() {
  auto found = std::make_shared<Result<SdrCache>>(SdrCache{});
  blocking_.run([path = cache_file_, found] { *found = read_sdr_cache(path); }, life_.wrap([this, found] {
    // A cache that is not there or is broken is one more reason to read.
    if (!*found || !((*found)->stamp == asked_)) return walk();
    take(asked_, (*found)->records);
  }));
}

void SdrRepository::walk() {
  walk_ = {};
  if (source_ == Source::repository && asked_.count == 0) return whole();
  reserve();
}

void SdrRepository::reserve() {
  if (++walk_.reservations > kMostReservations)
    return give_up(Fault::busy, str("the reservation was lost ", kMostReservations, " times"));
  ask(kReserve, kReserve, {}, &SdrRepository::reserved);
}

void SdrRepository::reserved(const Response& response) {
  if (response.completion == 0 && response.data.size() >= 2)
    walk_.reservation = get16(response.data, 0);
  else if (response.completion == kNoCommand)
    walk_.reservation = 0;  // it knows none: 0000h is for those (33.11)
  else
    return give_up(Fault::failed, "reserve: " + completion_text(response.completion));
  walk_.record.clear();
  walk_.knows_next = false;
  ask_piece();
}

void SdrRepository::ask_piece() {
  // The header first: some firmware refuses to read beyond the end.
  std::size_t whole =
      walk_.record.size() < kRecordHeader ? kRecordHeader : kRecordHeader + get8(walk_.record, 4);
  std::string data;
  put16(data, walk_.reservation);
  put16(data, walk_.id);
  data += static_cast<char>(walk_.record.size());
  data += static_cast<char>(std::min(walk_.piece, whole - walk_.record.size()));
  ask(kGetSdr, kGetDeviceSdr, std::move(data), &SdrRepository::piece);
}

void SdrRepository::piece(const Response& response) {
  if (response.completion == kReservationLost) return reserve();
  if (response.completion != 0) return piece_refused(response.completion);
  Bytes data = response.data;
  if (data.size() < 2) return give_up(Fault::failed, id_text(walk_.id) + ": an answer without data");
  walk_.next = get16(data, 0);
  walk_.knows_next = true;
  data.remove_prefix(2);
  if (data.empty()) return record_ends();  // what is there is all there is
  std::size_t whole =
      walk_.record.size() < kRecordHeader ? kRecordHeader : kRecordHeader + get8(walk_.record, 4);
  walk_.record += data.substr(0, std::min(walk_.piece, whole - walk_.record.size()));
  if (walk_.record.size() >= kRecordHeader && walk_.record.size() >= kRecordHeader + get8(walk_.record, 4))
    return record_ends();
  // Offsets have eight bits (33.12).
  if (walk_.record.size() > 0xff) return record_ends();
  ask_piece();
}

void SdrRepository::piece_refused(std::uint8_t completion) {
  if (means_too_much(completion) && walk_.piece > kLeastPiece) {
    walk_.piece = std::max(kLeastPiece, walk_.piece / 2);
    return ask_piece();
  }
  // Without one record the others are still worth something, if only it says which comes next.
  if (walk_.knows_next) {
    walk_.piece = walk_.piece_before;
    walk_.gaps = true;
    return record_ends();
  }
  // Some firmware counts a record more than it has.
  if (completion == kNotPresent && walk_.id != 0 && !walk_.records.empty()) return whole();
  give_up(Fault::failed, id_text(walk_.id) + ": " + completion_text(completion));
}

void SdrRepository::record_ends() {
  walk_.seen.insert(walk_.id);
  walk_.bytes += walk_.record.size();
  if (!walk_.record.empty()) walk_.records.push_back(std::move(walk_.record));
  if (walk_.next == kLastRecord) return whole();
  // Each record counts, read or not: the chain is the BMC's to make endless.
  if (walk_.seen.size() >= kMostSdrs || walk_.bytes > kMostSdrBytes)
    return give_up(Fault::failed, str("more than ", kMostSdrs, " records or ", kMostSdrBytes / 1024, " KiB"));
  if (walk_.next == 0 || walk_.seen.count(walk_.next) != 0)
    return give_up(Fault::failed, "record chain loops at " + id_text(walk_.next));
  walk_.id = walk_.next;
  walk_.knows_next = false;
  walk_.record.clear();
  walk_.piece_before = walk_.piece;
  ask_piece();
}

void SdrRepository::whole() {
  keep();
  take(asked_, walk_.records);
}

void SdrRepository::keep() {
  if (cache_file_.empty() || !asked_.has_clock() || walk_.gaps) return;
  auto failed = std::make_shared<Result<>>();
  blocking_.run([path = cache_file_, cache = SdrCache{asked_, walk_.records},
                 failed] { *failed = write_sdr_cache(path, cache); },
                [name = link_.name(), failed] {
                  if (!*failed) base::log(str(name, ": sensor records are not kept: ", failed->error().what));
                });
}

void SdrRepository::take(const SdrStamp& stamp, const std::vector<std::string>& records) {
  known_ = std::make_shared<const SensorRecords>(records);
  known_stamp_ = stamp;
  known_session_ = asked_session_;
  finish(known_);
}

void SdrRepository::give_up(Fault fault, const std::string& why) {
  finish(base::fail(fault, str(link_.name(), ": sensor records: ", why)));
}

void SdrRepository::finish(Result<Records> result) {
  limit_.cancel();
  life_.renew();  // a late answer belongs to no reading
  walk_ = {};
  std::vector<Done> waiters = std::move(waiters_);
  waiters_.clear();
  for (Done& done : waiters) done(result);
}

}  // namespace oob::ipmi
