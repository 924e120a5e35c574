#include "ipmi/survey.h"

#include <sys/socket.h>

#include <algorithm>
#include <cerrno>

#include "ipmi/udp_socket.h"

namespace oob::ipmi {

using base::milliseconds;

namespace {

// IPMI 2.0, appendix G.
constexpr std::uint8_t kGetChannelCapabilities = 0x38, kGetChannelSuites = 0x54;
constexpr std::uint8_t kGetSolParameters = 0x22;
constexpr char kChannelInUse = 0x0e;
constexpr char kExtended = static_cast<char>(0x80);  // 22.13: with what IPMI 2.0 adds; else Kg is told as 0
constexpr unsigned kMostSuiteIndex = 64;             // 22.15: 6 bits
constexpr std::size_t kSuiteBytes = 16;              // a full answer; a shorter one is the last
constexpr std::uint8_t kNoResources = 0x01;          // table 13-15

Request request(NetFn netfn, std::uint8_t command, std::string data) {
  Request made;
  made.netfn = netfn;
  made.command = command;
  made.data = std::move(data);
  return made;
}

// The answer to a request outside of any session, if `datagram` is one.
std::optional<Response> outside(Bytes datagram, std::uint8_t command, std::uint8_t sequence) {
  Result<Bytes> message = decode_v15(datagram);
  if (!message) return std::nullopt;
  Result<Response> response = decode_message(*message, Checksums::checked);
  // The sequence number too: a late answer to a question before this one has the same command.
  if (!response || response->command != command || response->sequence != sequence) return std::nullopt;
  return std::move(*response);
}

}  // namespace

std::vector<int> suites_in(Bytes records) {
  std::vector<int> suites;
  std::size_t at = 0;
  while (at + 1 < records.size()) {
    std::uint8_t start = get8(records, at);
    if (start != 0xc0 && start != 0xc1) break;
    if (start == 0xc0) suites.push_back(get8(records, at + 1));
    at += start == 0xc0 ? 2 : 5;                                   // an OEM's has its number behind the id
    while (at < records.size() && get8(records, at) < 0xc0) ++at;  // the algorithms
  }
  std::sort(suites.begin(), suites.end());
  suites.erase(std::unique(suites.begin(), suites.end()), suites.end());
  return suites;
}

std::optional<bool> kg_in(Bytes capabilities) {
  if (capabilities.size() < 3 || (get8(capabilities, 1) & 0x80) == 0) return std::nullopt;
  return (get8(capabilities, 2) & 0x20) != 0;
}

Survey::Survey(base::Loop& loop, base::Blocking& blocking, HandshakeGate& gate, BmcSettings settings,
               std::function<void(const BmcReport&)> done)
    : loop_(loop),
      blocking_(blocking),
      gate_(gate),
      own_gate_(loop),
      settings_(std::move(settings)),
      done_(std::move(done)),
      limit_(loop),
      wait_(loop) {}

void Survey::start() {
  Result<base::Fd> socket = connect_udp(settings_.host);
  if (!socket) {
    report_.session_trouble = socket.error().what;
    return loop_.post(life_.wrap([this] { finish(); }));
  }
  socket_ = std::move(*socket);
  watch_ = std::make_unique<base::Watch>(loop_, socket_.get());
  watch_->readable([this] { readable(); });
  pass_ = gate_.enter([this] {
    limit_.after(kLimit, [this] {
      report_.suites_cut = !suite_records_.empty();
      take_suites();
    });
    open_session();
  });
}

// --- packets
// ----------------------------------------------------------------------------------------------

void Survey::exchange(std::string datagram, std::function<bool(Bytes)> take, std::function<void(bool)> then) {
  datagram_ = std::move(datagram);
  take_ = std::move(take);
  then_ = std::move(then);
  sends_ = 0;
  send();
}

void Survey::send() {
  if (sends_++ == kSends) return answered(false);
  // What can't be sent is as good as lost.
  if (::send(socket_.get(), datagram_.data(), datagram_.size(), MSG_DONTWAIT | MSG_NOSIGNAL) < 0 &&
      errno == ECONNREFUSED)
    sends_ = kSends;
  wait_.after(kWait, [this] { send(); });
}

void Survey::readable() {
  char buffer[kMostDatagram];
  ssize_t size = ::recv(socket_.get(), buffer, sizeof buffer, MSG_DONTWAIT);
  watch_->readable([this] { readable(); });
  if (size <= 0 || !take_) return;
  if (take_(Bytes(buffer, static_cast<std::size_t>(size)))) answered(true);
}

void Survey::answered(bool well) {
  wait_.cancel();
  take_ = nullptr;
  report_.answers = report_.answers || well;
  auto then = std::move(then_);
  then_ = nullptr;
  loop_.post(life_.wrap([this, then = std::move(then), well] {
    if (step_ != Step::over) then(well);
  }));
}

// --- as ourselves
// -----------------------------------------------------------------------------------------

void Survey::open_session() {
  step_ = Step::session;
  began_ = base::Clock::now();
  wait_.after(kSessionLimit, [this] {
    if (step_ == Step::session)
      report_.session_trouble = base::str("no session within ", kSessionLimit.count() / 1000, " s");
    session_over();
  });
  bmc_ = std::make_unique<Bmc>(
      loop_, blocking_, own_gate_, settings_,
      [this](const char* event, const std::string& text) { session_event(event, text); });
  bmc_->start();
}

void Survey::session_event(std::string_view event, const std::string& text) {
  if (event == "bmc.up" && step_ == Step::session) {
    report_.answers = true;
    report_.suite = bmc_->suite();
    report_.privilege = report_.highest = bmc_->privilege();
    report_.time_to_session = std::chrono::duration_cast<milliseconds>(base::Clock::now() - began_);
    step_ = Step::sol;
    return ask_sol(0);
  }
  if (event == "bmc.up" && step_ == Step::more_privilege) {
    report_.highest = std::max(report_.highest, bmc_->privilege());
    return session_over();
  }
  if (event == "bmc.failed" && step_ == Step::session) report_.session_trouble = text;
  // It goes down on the way to more rights.
  if (event == "bmc.failed" || (event == "bmc.down" && step_ == Step::sol)) session_over();
}

// SOL configuration parameters (table 26-5).
void Survey::ask_sol(std::size_t at) {
  static constexpr std::uint8_t kEnable = 1, kAuthentication = 2, kVolatileRate = 6;
  static constexpr std::uint8_t kParameters[] = {kEnable, kAuthentication, kVolatileRate};
  if (at == std::size(kParameters)) return ask_for_more_privilege();
  std::string data = {kChannelInUse, static_cast<char>(kParameters[at]), 0, 0};
  bmc_->ask(request(NetFn::transport, kGetSolParameters, data), Link::Send::again,
            life_.wrap([this, at](const Result<Response>& response) {
              if (step_ != Step::sol) return;
              if (!response) return session_over();
              if (response->completion == 0 && response->data.size() >= 2) {
                std::uint8_t value = get8(response->data, 1);
                static constexpr unsigned kRates[] = {9600, 19200, 38400, 57600, 115200};
                if (kParameters[at] == kEnable) report_.sol_enabled = (value & 1) != 0;
                if (kParameters[at] == kAuthentication)
                  report_.sol_privilege = static_cast<Privilege>(value & 0x0f);
                if (kParameters[at] == kVolatileRate && (value & 0x0f) >= 6 && (value & 0x0f) <= 10)
                  report_.sol_baud = kRates[(value & 0x0f) - 6];
              }
              ask_sol(at + 1);
            }));
}

// The daemon gets more when SOL wants it and the configuration does not forbid it: whether it can.
void Survey::ask_for_more_privilege() {
  if (report_.sol_privilege <= report_.privilege) return session_over();
  step_ = Step::more_privilege;
  if (!bmc_->ask_for_more_privilege()) session_over();
}

// Posted, since the Bmc may be calling; and so that it is gone, its session closed, before strangers come.
void Survey::session_over() {
  if (step_ == Step::stranger || step_ == Step::over) return;
  step_ = Step::stranger;
  wait_.cancel();
  loop_.post(life_.wrap([this] {
    bmc_.reset();
    pass_.reset();
    if (step_ == Step::stranger) ask_capabilities();
  }));
}

// --- as a stranger
// ----------------------------------------------------------------------------------------

void Survey::ask_capabilities() {
  constexpr std::uint8_t kSequence = 1;
  std::string data = {static_cast<char>(kChannelInUse | kExtended), static_cast<char>(Privilege::user)};
  exchange(
      encode_v15(encode_message(request(NetFn::app, kGetChannelCapabilities, data), kSequence)),
      [this](Bytes datagram) {
        std::optional<Response> response = outside(datagram, kGetChannelCapabilities, kSequence);
        if (!response) return false;
        if (response->completion == 0) report_.kg_set = kg_in(response->data);
        return true;
      },
      [this](bool) { try_suite_0(); });  // some answer no IPMI 1.5 at all (X11DPU, H12)
}

// Listed or not: some have it open and do not say so.
void Survey::try_suite_0() {
  OpenSessionRequest open;
  open.tag = get8(random_bytes(1), 0);
  open.privilege = Privilege::user;
  open.console_session = get32(random_bytes(4), 0) | 1;
  open.suite = kSuite0;
  auto bmc = std::make_shared<std::uint32_t>(0);
  auto zero = std::make_shared<bool>(false);
  exchange(
      encode_plain(PayloadType::open_session_request, open.encode()),
      [open, bmc, zero](Bytes datagram) {
        Result<Packet> packet = decode_packet(datagram, 0);
        if (!packet || packet->type != PayloadType::open_session_response) return false;
        Result<OpenSessionResponse> response = OpenSessionResponse::decode(packet->payload);
        if (!response || response->tag != open.tag) return false;
        if (response->status == 0) *bmc = response->bmc_session;
        *zero = response->suite.same_algorithms(kSuite0);
        return true;
      },
      [this, open, bmc, zero](bool) {
        if (*bmc && *zero) return try_suite_0_user(open.console_session, *bmc);
        break_off(*bmc);
        try_anonymous({kSuite17, kSuite3});
      });
}

// With algorithm 0 RAKP 2 has nothing to prove, so that a BMC that goes on here lets anybody in.
void Survey::try_suite_0_user(std::uint32_t console_session, std::uint32_t bmc_session) {
  Rakp1 rakp1;
  rakp1.tag = get8(random_bytes(1), 0);
  rakp1.bmc_session = bmc_session;
  rakp1.console_random = random_bytes(16);
  rakp1.role = static_cast<std::uint8_t>(Privilege::user) | kNameOnly;
  rakp1.user = settings_.user;
  exchange(
      encode_plain(PayloadType::rakp1, rakp1.encode()),
      [this, rakp1, console_session](Bytes datagram) {
        Result<Packet> packet = decode_packet(datagram, 0);
        if (!packet || packet->type != PayloadType::rakp2) return false;
        Result<Rakp2> rakp2 = Rakp2::decode(packet->payload);
        if (!rakp2 || rakp2->tag != rakp1.tag) return false;
        report_.suite_0_open = rakp2->status == 0 && rakp2->console_session == console_session;
        return true;
      },
      [this, bmc_session](bool) {
        break_off(bmc_session);
        try_anonymous({kSuite17, kSuite3});
      });
}

void Survey::try_anonymous(std::vector<Suite> suites) {
  if (suites.empty() || report_.anonymous_open) {
    report_.strangers_tried = true;
    return ask_suites(0);
  }
  SessionTerms terms;
  terms.suite = suites.front();
  suites.erase(suites.begin());
  anonymous_ = std::make_unique<Handshake>(std::move(terms));
  anonymous_session_ = 0;
  step_anonymous(std::move(suites));
}

void Survey::step_anonymous(std::vector<Suite> rest) {
  exchange(
      anonymous_->packet(),
      [this](Bytes datagram) {
        if (!anonymous_->take(datagram)) return false;
        Result<Packet> packet = decode_packet(datagram, 0);
        if (!packet || packet->type != PayloadType::open_session_response) return true;
        Result<OpenSessionResponse> response = OpenSessionResponse::decode(packet->payload);
        if (response && response->status == 0) anonymous_session_ = response->bmc_session;
        return true;
      },
      [this, rest = std::move(rest)](bool well) {
        if (well && anonymous_->step() == Handshake::Step::rakp1) return step_anonymous(rest);
        // RAKP 2 was signed with the empty password: that is enough to know.
        report_.anonymous_open = well && anonymous_->step() == Handshake::Step::rakp3;
        break_off(anonymous_session_);
        try_anonymous(rest);
      });
}

// RAKP 3 with an error ends a session that is half open (13.22); no answer is due. Without it the session
// takes one of the BMC's few places until it is forgotten. It has no code, so that it gives nothing away.
void Survey::break_off(std::uint32_t bmc_session) {
  if (bmc_session == 0) return;
  Rakp3 rakp3;
  rakp3.tag = get8(random_bytes(1), 0);
  rakp3.status = kNoResources;
  rakp3.bmc_session = bmc_session;
  std::string datagram = encode_plain(PayloadType::rakp3, rakp3.encode());
  // Lost: then the BMC forgets it by itself.
  static_cast<void>(::send(socket_.get(), datagram.data(), datagram.size(), MSG_DONTWAIT | MSG_NOSIGNAL));
}

// Last, as the only one that takes as long as the BMC likes.
void Survey::ask_suites(unsigned index) {
  std::string data = {kChannelInUse, 0, static_cast<char>(0x80 | index)};
  std::uint8_t sequence = static_cast<std::uint8_t>((index + 2) % 64);
  auto more = std::make_shared<bool>(false);
  exchange(
      encode_v15(encode_message(request(NetFn::app, kGetChannelSuites, data), sequence)),
      [this, more, sequence](Bytes datagram) {
        std::optional<Response> response = outside(datagram, kGetChannelSuites, sequence);
        if (!response) return false;
        if (response->completion != 0 || response->data.size() < 2) return true;
        std::string records = response->data.substr(1);
        if (records == last_records_) return true;  // some do not look at the index
        suite_records_ += records;
        *more = records.size() >= kSuiteBytes;
        last_records_ = std::move(records);
        return true;
      },
      [this, index, more](bool) {
        if (*more && index + 1 < kMostSuiteIndex) return ask_suites(index + 1);
        take_suites();
      });
}

void Survey::take_suites() {
  if (!suite_records_.empty()) report_.suites = suites_in(suite_records_);
  finish();
}

void Survey::finish() {
  if (step_ == Step::over) return;
  step_ = Step::over;
  wait_.cancel();
  limit_.cancel();
  watch_.reset();
  socket_.reset();
  take_ = nullptr;
  // Posted, since the Bmc may be calling: nothing goes on when the answer is given.
  loop_.post(life_.wrap([this] {
    bmc_.reset();
    pass_.reset();
  }));
  done_(report_);
}

}  // namespace oob::ipmi
