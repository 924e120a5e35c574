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
constexpr char kThisChannel = 0x0e;
constexpr unsigned kMostSuiteIndex = 64;  // 22.15: 6 bits
constexpr std::size_t kSuiteBytes = 16;   // a full answer; a shorter one is the last

Request request(NetFn netfn, std::uint8_t command, std::string data) {
  Request made;
  made.netfn = netfn;
  made.command = command;
  made.data = std::move(data);
  return made;
}

// The answer to a request outside of any session, if `datagram` is one.
std::optional<Response> outside(Bytes datagram, std::uint8_t command) {
  Result<Bytes> message = decode_v15(datagram);
  if (!message) return std::nullopt;
  Result<Response> response = decode_message(*message, Checksums::checked);
  if (!response || response->command != command) return std::nullopt;
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

Survey::Survey(base::Loop& loop, base::Blocking& blocking, HandshakeGate& gate, BmcSettings settings,
               std::function<void(const BmcReport&)> done)
    : loop_(loop),
      blocking_(blocking),
      gate_(gate),
      settings_(std::move(settings)),
      done_(std::move(done)),
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
  ask_capabilities();
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
  loop_.post(life_.wrap([then = std::move(then), well] { then(well); }));
}

// --- as a stranger
// ----------------------------------------------------------------------------------------

void Survey::ask_capabilities() {
  std::string data = {kThisChannel, static_cast<char>(Privilege::user)};
  exchange(
      encode_v15(encode_message(request(NetFn::app, kGetChannelCapabilities, data), 1)),
      [this](Bytes datagram) {
        std::optional<Response> response = outside(datagram, kGetChannelCapabilities);
        if (!response) return false;
        if (response->completion == 0 && response->data.size() >= 3)
          report_.kg_set = (get8(response->data, 2) & 0x20) != 0;
        return true;
      },
      [this](bool) { ask_suites(0); });  // some answer no IPMI 1.5 at all (X11DPU, H12)
}

void Survey::ask_suites(unsigned index) {
  std::string data = {kThisChannel, 0, static_cast<char>(0x80 | index)};
  auto more = std::make_shared<bool>(false);
  exchange(
      encode_v15(encode_message(request(NetFn::app, kGetChannelSuites, data),
                                static_cast<std::uint8_t>((index + 2) % 64))),
      [this, more](Bytes datagram) {
        std::optional<Response> response = outside(datagram, kGetChannelSuites);
        if (!response) return false;
        if (response->completion != 0 || response->data.size() < 2) return true;
        suite_records_.append(response->data, 1);
        *more = response->data.size() > kSuiteBytes;
        return true;
      },
      [this, index, more](bool) {
        if (*more && index + 1 < kMostSuiteIndex) return ask_suites(index + 1);
        take_suites();
      });
}

void Survey::take_suites() {
  if (!suite_records_.empty()) report_.suites = suites_in(suite_records_);
  try_suite_0();
}

// Listed or not: some have it open and do not say so.
void Survey::try_suite_0() {
  OpenSessionRequest open;
  open.tag = get8(random_bytes(1), 0);
  open.privilege = Privilege::user;
  open.console_session = get32(random_bytes(4), 0) | 1;
  open.suite = kSuite0;
  auto bmc = std::make_shared<std::uint32_t>(0);
  exchange(
      encode_plain(PayloadType::open_session_request, open.encode()),
      [open, bmc](Bytes datagram) {
        Result<Packet> packet = decode_packet(datagram, 0);
        if (!packet || packet->type != PayloadType::open_session_response) return false;
        Result<OpenSessionResponse> response = OpenSessionResponse::decode(packet->payload);
        if (!response || response->tag != open.tag) return false;
        if (response->status == 0 && response->suite.same_algorithms(kSuite0)) *bmc = response->bmc_session;
        return true;
      },
      [this, open, bmc](bool) {
        if (*bmc) return try_suite_0_user(open.console_session, *bmc);
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
      [this](bool) {
        try_anonymous({kSuite17, kSuite3});
      });
}

void Survey::try_anonymous(std::vector<Suite> suites) {
  if (suites.empty() || report_.anonymous_open) return open_session();
  SessionTerms terms;
  terms.suite = suites.front();
  suites.erase(suites.begin());
  anonymous_ = std::make_unique<Handshake>(std::move(terms));
  step_anonymous(std::move(suites));
}

void Survey::step_anonymous(std::vector<Suite> rest) {
  exchange(
      anonymous_->packet(), [this](Bytes datagram) { return anonymous_->take(datagram); },
      [this, rest = std::move(rest)](bool well) {
        if (well && anonymous_->step() == Handshake::Step::rakp1) return step_anonymous(rest);
        // RAKP 2 was signed with the empty password: that is enough to know.
        report_.anonymous_open = well && anonymous_->step() == Handshake::Step::rakp3;
        try_anonymous(rest);
      });
}

// --- as ourselves
// -----------------------------------------------------------------------------------------

void Survey::open_session() {
  began_ = base::Clock::now();
  wait_.after(kSessionLimit, [this] {
    report_.session_trouble = bmc_->trouble();
    finish();
  });
  bmc_ = std::make_unique<Bmc>(
      loop_, blocking_, gate_, settings_, [this](const char* event, const std::string& text) {
        bool up = bmc_->up();
        if (!up && std::string_view(event) != "bmc.failed") return;
        wait_.cancel();
        if (!up) {
          report_.session_trouble = text;
          return loop_.post(life_.wrap([this] { finish(); }));
        }
        report_.answers = true;
        report_.suite = bmc_->suite();
        report_.privilege = bmc_->privilege();
        report_.time_to_session = std::chrono::duration_cast<milliseconds>(base::Clock::now() - began_);
        ask_sol(0);
      });
  bmc_->start();
}

// SOL configuration parameters (table 26-5).
void Survey::ask_sol(std::size_t at) {
  static constexpr std::uint8_t kEnable = 1, kAuthentication = 2, kVolatileRate = 6;
  static constexpr std::uint8_t kParameters[] = {kEnable, kAuthentication, kVolatileRate};
  if (at == std::size(kParameters)) return finish();
  std::string data = {kThisChannel, static_cast<char>(kParameters[at]), 0, 0};
  bmc_->ask(request(NetFn::transport, kGetSolParameters, data), Link::Send::again,
            life_.wrap([this, at](const Result<Response>& response) {
              if (!response) return finish();
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

void Survey::finish() {
  wait_.cancel();
  if (!done_) return;
  auto done = std::move(done_);
  done_ = nullptr;
  done(report_);
}

}  // namespace oob::ipmi
