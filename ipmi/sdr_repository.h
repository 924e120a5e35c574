#pragma once

#include <functional>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "base/disk.h"
#include "base/life.h"
#include "base/loop.h"
#include "ipmi/link.h"
#include "ipmi/sdr.h"
#include "ipmi/sdr_cache.h"

namespace oob::ipmi {

// Reads a BMC's sensor data records (IPMI 2.0 rev 1.1, 33.9 to 33.12) or, where it keeps no repository, its
// device SDRs (35.2 to 35.4), and keeps them: in memory, and in a file under the time stamps that they have.
// Those of a BMC without a clock (SdrStamp::has_clock()) are kept in memory alone, for as long as the session
// with it lasts. Owned by its Sensors; all from the loop.
class SdrRepository {
 public:
  using Records = std::shared_ptr<const SensorRecords>;
  using Done = std::function<void(Result<Records>)>;

  static constexpr base::milliseconds kLimit{300'000};  // of one reading
  static constexpr unsigned kMostReservations = 16;     // of one reading: others may write meanwhile
  static constexpr std::size_t kFirstPiece = 32, kLeastPiece = 4;

  // `cache_file`: in a folder that is there; empty keeps nothing on disk.
  SdrRepository(base::Loop& loop, base::Blocking& blocking, Link& link, std::string cache_file);
  SdrRepository(const SdrRepository&) = delete;
  SdrRepository& operator=(const SdrRepository&) = delete;

  // The records as they are now: asks the BMC whether they changed, and reads them only if so. A reading goes
  // on when the one who asked has gone, and serves the next. Whoever asks bounds how often. Errors as
  // Link::ask(), and Fault::failed when the records can't be read: "relay1: sensor records: record chain
  // loops at 0005h". `done` is called once, never from inside this call.
  void get(Done done);
  // As last read, without asking; null: not read yet.
  const Records& known() const { return known_; }

 private:
  enum class Source { repository, device };
  struct Walk {  // one reading of the whole chain
    std::uint16_t reservation = 0;
    unsigned reservations = 0;
    std::size_t piece = kFirstPiece;
    std::size_t piece_before = kFirstPiece;  // the record that is being read
    std::uint16_t id = 0;                    // as asked for: 0000h is the first
    std::uint16_t next = 0;
    bool knows_next = false;
    std::string record;
    std::set<std::uint16_t> seen;
    std::vector<std::string> records;
    std::size_t bytes = 0;
    bool gaps = false;  // some record could not be read
  };

  void ask(std::uint8_t repository_command, std::uint8_t device_command, std::string data,
           void (SdrRepository::*then)(const Response&));
  void device_id(const Response& response);
  void ask_info();
  void info(const Response& response);
  void look_into_cache();
  void walk();
  void reserve();
  void reserved(const Response& response);
  void ask_piece();
  void piece(const Response& response);
  void piece_refused(std::uint8_t completion);
  void record_ends();
  void whole();
  void keep();
  void take(const SdrStamp& stamp, const std::vector<std::string>& records);
  void give_up(base::Fault fault, const std::string& why);
  void finish(Result<Records> result);

  base::Blocking& blocking_;
  Link& link_;
  const std::string cache_file_;
  std::vector<Done> waiters_;
  Source source_ = Source::repository;
  bool has_device_sdrs_ = false;
  SdrStamp asked_, known_stamp_;
  std::uint32_t asked_session_ = 0, known_session_ = 0;  // Link::session() as the reading began
  Records known_;
  Walk walk_;
  base::Timer limit_;
  base::Life life_;
};

}  // namespace oob::ipmi
