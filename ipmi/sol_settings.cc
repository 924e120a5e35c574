#include "ipmi/sol_settings.h"

#include <algorithm>
#include <array>

namespace oob::ipmi {

using base::str;

namespace {

constexpr std::uint8_t kSet = 0x21, kGet = 0x22;  // 26.2, 26.3
constexpr char kThisChannel = 0x0e;
constexpr std::uint8_t kAccumulate = 3, kRetry = 4, kVolatileRate = 6;  // table 26-5

struct Parameter {
  std::uint8_t number;
  std::size_t size;
  const char* name;
};
constexpr std::array<Parameter, 3> kParameters{{{kVolatileRate, 1, "the bit rate"},
                                                {kAccumulate, 2, "accumulate and threshold"},
                                                {kRetry, 2, "the retries"}}};

char byte(unsigned value) { return static_cast<char>(static_cast<std::uint8_t>(value)); }

// Table 26-5, parameter 5; 0: there is no such rate.
unsigned rate_code(unsigned baud) {
  constexpr std::array<unsigned, 5> kRates{9600, 19200, 38400, 57600, 115200};
  for (unsigned i = 0; i < kRates.size(); ++i)
    if (kRates[i] == baud) return 6 + i;
  return 0;
}

// A completion code that is not 0, as an error.
base::Result<> accepted(const Result<Response>& answer) {
  if (!answer) return answer.error();
  if (answer->completion != 0) return base::fail(base::Fault::failed, completion_text(answer->completion));
  return {};
}

}  // namespace

void SolParameters::apply(std::function<void(const std::string&)> done) {
  done_ = std::move(done);
  trouble_.clear();
  at_ = 0;
  run_ = std::make_unique<base::Life>();
  next();
}

void SolParameters::stop() {
  run_.reset();
  done_ = nullptr;
}

// Whether the settings say something of parameter at_.
bool SolParameters::concerned() const {
  switch (kParameters[at_].number) {
    case kVolatileRate:
      return settings_.baud.has_value();
    case kAccumulate:
      return settings_.accumulate || settings_.threshold;
    default:
      return settings_.retries || settings_.retry_interval;
  }
}

// What parameter at_ should be where the BMC has `now`. Bits that mean nothing to us stay.
std::string SolParameters::wanted(std::string now) const {
  const SolSettings& set = settings_;
  switch (kParameters[at_].number) {
    case kVolatileRate:
      if (set.baud) now[0] = byte((get8(now, 0) & 0xf0) | rate_code(*set.baud));
      break;
    case kAccumulate:
      if (set.accumulate) now[0] = byte(*set.accumulate / 5);
      if (set.threshold) now[1] = byte(*set.threshold);
      break;
    case kRetry:
      if (set.retries) now[0] = byte((get8(now, 0) & 0xf8) | (*set.retries & 7));
      if (set.retry_interval) now[1] = byte(*set.retry_interval / 10);
      break;
  }
  return now;
}

void SolParameters::next() {
  while (at_ < kParameters.size() && !concerned()) ++at_;
  if (at_ == kParameters.size()) {
    auto done = std::move(done_);
    std::string trouble = std::move(trouble_);
    stop();
    return done(trouble);
  }
  link_.ask({NetFn::transport, kGet, {kThisChannel, byte(kParameters[at_].number), 0, 0}}, Link::Send::again,
            run_->wrap([this](const Result<Response>& answer) { got(answer); }));
}

void SolParameters::got(const Result<Response>& answer) {
  const Parameter& parameter = kParameters[at_];
  if (base::Result<> yes = accepted(answer); !yes) return failed(yes.error());
  // The first byte is the parameter's revision.
  std::string now = answer->data.substr(std::min<std::size_t>(1, answer->data.size()), parameter.size);
  if (now.size() != parameter.size) return failed(base::fail(base::Fault::failed, "the answer is too short"));
  std::string want = wanted(now);
  if (want == now) {
    ++at_;
    return next();
  }
  link_.ask({NetFn::transport, kSet, str(kThisChannel, byte(parameter.number), want)}, Link::Send::again,
            run_->wrap([this](const Result<Response>& set) {
              if (base::Result<> yes = accepted(set); !yes) return failed(yes.error());
              ++at_;
              next();
            }));
}

void SolParameters::failed(const base::Error& error) {
  trouble_ += str(trouble_.empty() ? "" : "; ", "SOL: ", kParameters[at_].name, ": ", error.what);
  ++at_;
  next();
}

}  // namespace oob::ipmi
