#include "ipmi/event_log.h"

#include <algorithm>
#include <cstdio>
#include <utility>

namespace oob::ipmi {
namespace {

using base::Fault;
using base::str;

constexpr std::uint8_t kGetSelInfo = 0x40;                // 31.2
constexpr std::uint8_t kReserveSel = 0x42;                // 31.4
constexpr std::uint8_t kGetSelEntry = 0x43;               // 31.5
constexpr std::uint8_t kClearSel = 0x47;                  // 31.9
constexpr std::uint16_t kFirst = 0x0000, kLast = 0xffff;  // as ids that are asked for; kLast: no next one
constexpr unsigned kMostRestarts = 3, kMostReservations = 16;

// Table 5-2.
constexpr std::uint8_t kNoSuchCommand = 0xc1, kReservationLost = 0xc5, kCannotReturn = 0xca,
                       kNotPresent = 0xcb;

std::string id_text(std::uint16_t id) {
  char text[8];
  std::snprintf(text, sizeof text, "%04Xh", id);
  return text;
}

// The record in an answer to Get SEL Entry, after the id of the next one.
Result<SelRecord> record_in(const Response& response) {
  Bytes data = response.data;
  return SelRecord::decode(data.substr(std::min<std::size_t>(2, data.size()), kSelRecordSize));
}

const char* const kChanged = "another event came meanwhile; nothing was cleared: read it first";

}  // namespace

EventLog::EventLog(base::Loop& loop, Link& link, Sensors& sensors)
    : loop_(loop), link_(link), sensors_(sensors), limit_(loop), names_(loop), pause_(loop) {}

// --- one thing at a time ---------------------------------------------------------------------------------

void EventLog::run(Task task) {
  if (tasks_.size() >= kMostWaiting) {
    loop_.post([failed = std::move(task.failed), name = link_.name()] {
      failed(base::fail(Fault::busy, name + ": too many wait for the event log"));
    });
    return;
  }
  tasks_.push_back(std::move(task));
  if (tasks_.size() == 1) start_front();
}

void EventLog::start_front() {
  limit_.after(kLimit, [this] { fail_task(Fault::unavailable, "the BMC took over 5 min"); });
  walk_ = {};
  reservation_ = 0;
  reservations_ = 0;
  tasks_.front().start();
}

void EventLog::end_task(std::function<void()> tell) {
  limit_.cancel();
  names_.cancel();
  pause_.cancel();
  task_life_.renew();
  tasks_.pop_front();
  if (!tasks_.empty()) loop_.post(life_.wrap([this] { start_front(); }));
  tell();
}

void EventLog::fail_task(base::Error error) {
  end_task([failed = std::move(tasks_.front().failed), error = std::move(error)] { failed(error); });
}

void EventLog::fail_task(Fault fault, const std::string& why) {
  fail_task(base::fail(fault, str(link_.name(), ": event log: ", why)));
}

void EventLog::ask(std::uint8_t command, std::string data, Answered then) {
  link_.ask({NetFn::storage, command, std::move(data)}, Link::Send::again,
            task_life_.wrap([this, then = std::move(then)](Result<Response> answer) {
              if (!answer) return fail_task(base::wrap("event log", answer.error()));
              then(*answer);
            }));
}

void EventLog::ask_info(std::function<void(const Stamp&)> then) {
  ask(kGetSelInfo, {}, [this, then = std::move(then)](const Response& response) {
    if (response.completion != 0) return fail_task(Fault::failed, completion_text(response.completion));
    if (response.data.size() < 13)
      return fail_task(Fault::failed, str("Get SEL Info: ", response.data.size(), " bytes"));
    then({get16(response.data, 1), get32(response.data, 5), get32(response.data, 9)});
  });
}

void EventLog::ask_entry(std::uint16_t id, OnLost lost, Answered then) {
  std::string data;
  put16(data, reservation_);
  put16(data, id);
  data += '\0';  // from its begin
  data += static_cast<char>(entry_bytes_);
  ask(kGetSelEntry, std::move(data), [this, id, lost, then = std::move(then)](const Response& response) {
    // FFh is the standard's word for "all of it", and not every firmware knows it.
    bool refused = response.completion == kCannotReturn || response.completion == 0xff;
    if (refused && entry_bytes_ == 0xff) {
      entry_bytes_ = kSelRecordSize;
      return ask_entry(id, lost, then);
    }
    // And some want a reservation for whole records as well.
    if (response.completion == kReservationLost && lost == OnLost::reserve_again) {
      if (++reservations_ > kMostReservations)
        return fail_task(Fault::busy, str("the reservation was lost ", kMostReservations, " times"));
      return reserve([this, id, lost, then] { ask_entry(id, lost, then); });
    }
    then(response);
  });
}

void EventLog::reserve(std::function<void()> then) {
  ask(kReserveSel, {}, [this, then = std::move(then)](const Response& response) {
    bool reserved = response.completion == 0 && response.data.size() >= 2;
    if (!reserved && response.completion != kNoSuchCommand)
      return fail_task(Fault::failed, "reserve: " + completion_text(response.completion));
    reservation_ = reserved ? get16(response.data, 0) : 0;
    then();
  });
}

// --- reading ---------------------------------------------------------------------------------------------

void EventLog::read(std::function<void(Result<Events>)> done) {
  auto start = [this, done] {
    ask_info([this, done](const Stamp& stamp) {
      if (stamp.entries == 0) return end_task([done] { done(Events{}); });
      walk(kFirst, [this, done] {
        with_names([this, done](const SensorRecords& sensors) {
          end_task([done, events = described(sensors)] { done(events); });
        });
      });
    });
  };
  run({std::move(start), [done](const base::Error& error) { done(error); }});
}

void EventLog::walk(std::uint16_t from, std::function<void()> then) {
  walk_ = {};
  walk_.from = walk_.id = from;
  walk_.then = std::move(then);
  walk_on();
}

void EventLog::walk_on() {
  ask_entry(walk_.id, OnLost::reserve_again, [this](const Response& response) { entry(response); });
}

void EventLog::entry(const Response& response) {
  if (response.completion == kNotPresent) return chain_broke();
  if (response.completion != 0)
    return fail_task(Fault::failed,
                     str("record ", id_text(walk_.id), ": ", completion_text(response.completion)));
  auto record = record_in(response);
  if (!record) return fail_task(Fault::failed, str(id_text(walk_.id), ": ", record.error().what));
  walk_.seen.insert(walk_.id);
  walk_.seen.insert(record->id);
  walk_.records.push_back(std::move(*record));
  std::uint16_t next = get16(response.data, 0);
  if (next == kLast) {
    auto then = std::move(walk_.then);
    return then();
  }
  if (walk_.records.size() >= kMostRecords)
    return fail_task(Fault::failed, str("more than ", kMostRecords, " records"));
  if (next == kFirst || walk_.seen.count(next) != 0)
    return fail_task(Fault::failed, "record chain loops at " + id_text(next));
  walk_.id = next;
  walk_on();
}

// A record that was the next one is not there: the log is empty, or was cleared while we read.
void EventLog::chain_broke() {
  if (walk_.id == kFirst) {
    auto then = std::move(walk_.then);
    return then();
  }
  if (++walk_.restarts > kMostRestarts) return fail_task(Fault::busy, "somebody clears it while it is read");
  walk_.records.clear();
  walk_.seen.clear();
  walk_.id = walk_.from;
  walk_on();
}

void EventLog::with_names(std::function<void(const SensorRecords&)> then) {
  auto go_on = [this, then = std::move(then)] {
    names_.cancel();
    SdrRepository::Records known = sensors_.known_records();
    then(known ? *known : SensorRecords{});
  };
  names_.after(kNamesPatience, [this, go_on] {
    task_life_.renew();
    go_on();
  });
  // Without names the events still say what happened: an error is no reason to keep them back.
  sensors_.records(task_life_.wrap([go_on](const Result<SdrRepository::Records>&) { go_on(); }));
}

EventLog::Events EventLog::described(const SensorRecords& sensors) const {
  Events events;
  for (const SelRecord& record : walk_.records) events.push_back(describe(record, sensors));
  return events;
}

// --- clearing --------------------------------------------------------------------------------------------

void EventLog::clear(unsigned last, std::function<void(Result<>)> done) {
  auto start = [this, last, done] {
    // The reservation first: an event that comes after it makes it void (31.4), one that came before is seen.
    reserve([this, last, done] { check_last(last, [this, done] { end_task([done] { done({}); }); }); });
  };
  run({std::move(start), [done](const base::Error& error) { done(error); }});
}

void EventLog::check_last(unsigned last, std::function<void()> cleared) {
  ask_entry(kLast, OnLost::tell, [this, last, cleared = std::move(cleared)](const Response& response) {
    if (response.completion == kNotPresent) return cleared();  // empty already
    if (response.completion == kReservationLost) return fail_task(Fault::busy, kChanged);
    if (response.completion != 0)
      return fail_task(Fault::failed, "last record: " + completion_text(response.completion));
    auto record = record_in(response);
    if (!record) return fail_task(Fault::failed, "last record: " + record.error().what);
    if (record->id != last) return fail_task(Fault::busy, kChanged);
    erase(cleared);
  });
}

void EventLog::erase(std::function<void()> cleared) {
  erase_deadline_ = base::Clock::now() + kErasePatience;
  std::string data;
  put16(data, reservation_);
  data += "CLR\xaa";
  link_.ask({NetFn::storage, kClearSel, std::move(data)}, Link::Send::once,
            task_life_.wrap([this, cleared = std::move(cleared)](Result<Response> answer) {
              if (!answer && answer.error().fault == Fault::again)
                return fail_task(Fault::unavailable,
                                 "clear: was not sent: nothing was done: " + answer.error().what);
              if (!answer)
                return fail_task(base::fail(
                    answer.error().fault,
                    str("event log: ", answer.error().what, "; whether it was cleared is not known")));
              if (answer->completion == kReservationLost) return fail_task(Fault::busy, kChanged);
              if (answer->completion != 0)
                return fail_task(answer->completion == 0xd4 ? Fault::denied : Fault::failed,
                                 "clear: " + completion_text(answer->completion));
              erasing(*answer, cleared);
            }));
}

void EventLog::erasing(const Response& response, std::function<void()> cleared) {
  if (response.completion == kReservationLost && base::Clock::now() < erase_deadline_)
    return reserve([this, cleared = std::move(cleared)] { ask_erasure(cleared); });
  if (response.completion != 0 || response.data.empty()) return look_whether_erased(std::move(cleared));
  bool completed = (get8(response.data, 0) & 15) == 1;
  if (completed) return cleared();
  if (base::Clock::now() > erase_deadline_)
    return fail_task(Fault::failed, str("still being erased after ", kErasePatience.count() / 1000, " s"));
  pause_.after(kErasePause, [this, cleared = std::move(cleared)] { ask_erasure(cleared); });
}

void EventLog::ask_erasure(std::function<void()> cleared) {
  std::string data;
  put16(data, reservation_);
  data += "CLR";
  data += '\0';
  ask(kClearSel, std::move(data),
      [this, cleared = std::move(cleared)](const Response& response) { erasing(response, cleared); });
}

// Some firmware clears and can't tell how far it is.
void EventLog::look_whether_erased(std::function<void()> cleared) {
  ask_info([this, cleared = std::move(cleared)](const Stamp& stamp) {
    if (stamp.entries <= 1) return cleared();  // the clearing may be an event of its own
    fail_task(Fault::failed, str("it was told to clear itself and has ", stamp.entries, " records"));
  });
}

// --- what is new -----------------------------------------------------------------------------------------

void EventLog::poll(std::function<void(Events)> done) {
  auto start = [this, done] {
    ask_info([this, done](const Stamp& stamp) {
      if (!end_) return learn_end(stamp, done);
      if (end_->stamp == stamp) return end_task([done] { done({}); });
      read_news(stamp, done);
    });
  };
  run({std::move(start), [done](const base::Error&) { done({}); }});  // trouble shows with the Link
}

void EventLog::learn_end(const Stamp& stamp, std::function<void(Events)> done) {
  ask_entry(kLast, OnLost::reserve_again, [this, stamp, done = std::move(done)](const Response& response) {
    auto record = record_in(response);
    bool empty = response.completion == kNotPresent || (stamp.entries == 0 && response.completion != 0);
    if (!empty && (response.completion != 0 || !record))
      return fail_task(Fault::failed, "last record: " + completion_text(response.completion));
    end_ = End{stamp, empty ? std::nullopt : std::optional<SelRecord>(*record)};
    end_task([done] { done({}); });
  });
}

void EventLog::read_news(const Stamp& stamp, std::function<void(Events)> done) {
  auto from = [this, stamp, done](std::uint16_t id) {
    walk(id, [this, stamp, id, done] { hand_over(stamp, id, done); });
  };
  if (!end_->last) return from(kFirst);
  ask_entry(end_->last->id, OnLost::reserve_again, [this, stamp, done, from](const Response& response) {
    auto record = record_in(response);
    bool gone = response.completion == kNotPresent;
    if (!gone && (response.completion != 0 || !record))
      return fail_task(Fault::failed, "last record: " + completion_text(response.completion));
    // Cleared since, maybe refilled: all that is there is new.
    if (gone || record->bytes != end_->last->bytes) return from(kFirst);
    std::uint16_t next = get16(response.data, 0);
    if (next != kLast) return from(next);
    end_->stamp = stamp;
    end_task([done] { done({}); });
  });
}

void EventLog::hand_over(const Stamp& stamp, std::uint16_t from, std::function<void(Events)> done) {
  if (walk_.records.empty()) {
    if (from == kFirst) end_ = End{stamp, std::nullopt};
    return end_task([done = std::move(done)] { done({}); });
  }
  with_names([this, stamp, done = std::move(done)](const SensorRecords& sensors) {
    end_ = End{stamp, walk_.records.back()};
    end_task([done, events = described(sensors)] { done(events); });
  });
}

}  // namespace oob::ipmi
