#include "tests/bmc/faults.h"

#include <charconv>
#include <optional>
#include <variant>

#include "base/bytes.h"
#include "tests/bmc/packet.h"

namespace oob::test {

namespace {

using Place = std::variant<std::uint32_t*, bool*, int*, std::uint8_t*, std::chrono::milliseconds*>;

struct Field {
  std::string name;
  Place place;
};

void step_fields(std::vector<Field>& to, std::string_view step, StepFaults& faults) {
  auto add = [&](std::string_view name, Place place) { to.push_back({base::str(step, ".", name), place}); };
  add("ignore", &faults.ignore);
  add("refuse", &faults.refuse);
  add("status", &faults.status);
  add("wrong_tag", &faults.wrong_tag);
  add("wrong_session_id", &faults.wrong_session_id);
  add("resize", &faults.resize);
  add("by", &faults.by);
  add("twice", &faults.twice);
}

std::vector<Field> fields(Faults& f) {
  SolFaults& s = f.sol;
  std::vector<Field> all{
      {"deaf", &f.deaf},
      {"no_capabilities", &f.no_capabilities},
      {"no_ipmi_15", &f.no_ipmi_15},
      {"offer_authentication", &f.offer_authentication},
      {"offer_integrity", &f.offer_integrity},
      {"offer_confidentiality", &f.offer_confidentiality},
      {"accept_suite_0", &f.accept_suite_0},
      {"accept_anonymous", &f.accept_anonymous},
      {"accept_any_password", &f.accept_any_password},
      {"wrong_rakp2_code", &f.wrong_rakp2_code},
      {"wrong_rakp4_code", &f.wrong_rakp4_code},
      {"table_full", &f.table_full},
      {"strip_authenticated", &f.strip_authenticated},
      {"strip_encrypted", &f.strip_encrypted},
      {"wrong_auth_code", &f.wrong_auth_code},
      {"wrong_session_id", &f.wrong_session_id},
      {"send_twice", &f.send_twice},
      {"replay_old", &f.replay_old},
      {"old_sequence", &f.old_sequence},
      {"zero_sequence", &f.zero_sequence},
      {"first_sequence", &f.first_sequence},
      {"pad_16", &f.pad_16},
      {"pad_too_long", &f.pad_too_long},
      {"wrong_pad", &f.wrong_pad},
      {"cut", &f.cut},
      {"cut_at", &f.cut_at},
      {"answer_every", &f.answer_every},
      {"delay", &f.delay},
      {"wrong_checksum", &f.wrong_checksum},
      {"wrong_header_checksum", &f.wrong_header_checksum},
      {"two_responses", &f.two_responses},
      {"old_rq_seq", &f.old_rq_seq},
      {"wrong_command", &f.wrong_command},
      {"unasked", &f.unasked},
      {"sdr_length_off", &f.sdr_length_off},
      {"sdr_endless", &f.sdr_endless},
      {"sel_endless", &f.sel_endless},
      {"sdr_reservation_lost", &f.sdr_reservation_lost},
      {"sel_reservation_lost", &f.sel_reservation_lost},
      {"sel_clock_jump", &f.sel_clock_jump},
      {"sol.refuse", &s.refuse},
      {"sol.completion", &s.completion},
      {"sol.active_elsewhere", &s.active_elsewhere},
      {"sol.deactivate_lies", &s.deactivate_lies},
      {"sol.hide_owner", &s.hide_owner},
      {"sol.port_swapped", &s.port_swapped},
      {"sol.port", &s.port},
      {"sol.inbound_size", &s.inbound_size},
      {"sol.outbound_size", &s.outbound_size},
      {"sol.jump", &s.jump},
      {"sol.partial", &s.partial},
      {"sol.accept", &s.accept},
      {"sol.nack", &s.nack},
      {"sol.pause", &s.pause},
      {"sol.grown_duplicate", &s.grown_duplicate},
      {"sol.oversize", &s.oversize},
      {"sol.deactivating", &s.deactivating},
      {"sol.overrun", &s.overrun},
      {"sol.break_seen", &s.break_seen},
      {"sol.unavailable", &s.unavailable},
      {"sol.lose_ack", &s.lose_ack},
      {"sol.lose_output", &s.lose_output},
      {"sol.wrong_ack", &s.wrong_ack},
      {"sol.too_much", &s.too_much},
  };
  step_fields(all, "open_session", f.open_session);
  step_fields(all, "rakp1", f.rakp1);
  step_fields(all, "rakp3", f.rakp3);
  return all;
}

// Decimal, 0x..., "true", "false", "always", with a sign.
std::optional<std::int64_t> number(std::string_view text) {
  if (text == "always") return kAlways;
  if (text == "true" || text == "on") return 1;
  if (text == "false" || text == "off") return 0;
  bool minus = text.starts_with('-');
  if (minus) text.remove_prefix(1);
  int radix = text.starts_with("0x") ? 16 : 10;
  if (radix == 16) text.remove_prefix(2);
  std::int64_t value = 0;
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value, radix);
  if (text.empty() || error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return minus ? -value : value;
}

void store(Place place, std::int64_t value) {
  std::visit(
      [&](auto* at) {
        using Type = std::remove_reference_t<decltype(*at)>;
        if constexpr (std::is_same_v<Type, bool>)
          *at = value != 0;
        else if constexpr (std::is_same_v<Type, std::chrono::milliseconds>)
          *at = std::chrono::milliseconds(value);
        else
          *at = static_cast<Type>(value);
      },
      place);
}

}  // namespace

bool strikes(Times& times) {
  if (times == 0) return false;
  if (times != kAlways) --times;
  return true;
}

void Faults::offer_suite(unsigned suite) {
  std::optional<Algorithms> algorithms = suite_algorithms(suite);
  if (!algorithms) return;
  offer_authentication = static_cast<int>(algorithms->authentication);
  offer_integrity = static_cast<int>(algorithms->integrity);
  offer_confidentiality = static_cast<int>(algorithms->confidentiality);
}

void Faults::refuse(int netfn, int command, std::uint8_t completion, Times times) {
  CommandFault fault{.kind = CommandFault::Kind::refuse, .netfn = netfn, .command = command, .times = times};
  fault.completion = completion;
  commands.push_back(fault);
}

void Faults::ignore(int netfn, int command, Times times) {
  commands.push_back(
      {.kind = CommandFault::Kind::ignore, .netfn = netfn, .command = command, .times = times});
}

void Faults::lose_answer(int netfn, int command, Times times) {
  commands.push_back(
      {.kind = CommandFault::Kind::lose_answer, .netfn = netfn, .command = command, .times = times});
}

void Faults::lie(int netfn, int command, Times times) {
  commands.push_back({.kind = CommandFault::Kind::lie, .netfn = netfn, .command = command, .times = times});
}

base::Result<> Faults::order(std::string_view line) {
  auto no = [&](std::string_view why) {
    return base::fail(base::Fault::usage, base::str("\"", base::printable(line), "\": ", why));
  };
  if (line == "calm") {
    *this = Faults();
    return {};
  }
  std::size_t equals = line.find('=');
  if (equals == std::string_view::npos) return no("is not KEY=VALUE");
  std::string_view key = line.substr(0, equals);
  std::vector<std::int64_t> values;
  bool numbers = true;
  base::split(line.substr(equals + 1), ',', [&](std::string_view piece) {
    std::optional<std::int64_t> value = number(piece);
    numbers = numbers && value;
    values.push_back(value.value_or(0));
  });
  if (!numbers) return no("is not a number");

  bool with_code = key == "refuse";
  if (with_code || key == "ignore" || key == "lose_answer" || key == "lie") {
    if (values.size() != (with_code ? 4 : 3)) return no("takes netfn, command, [completion,] times");
    int netfn = static_cast<int>(values[0]), command = static_cast<int>(values[1]);
    Times times = static_cast<Times>(values.back());
    if (with_code) refuse(netfn, command, static_cast<std::uint8_t>(values[2]), times);
    if (key == "ignore") ignore(netfn, command, times);
    if (key == "lose_answer") lose_answer(netfn, command, times);
    if (key == "lie") lie(netfn, command, times);
    return {};
  }
  if (values.size() != 1) return no("takes one value");
  if (key == "offer_suite") {
    if (!suite_algorithms(static_cast<unsigned>(values[0]))) return no("no such suite is known");
    offer_suite(static_cast<unsigned>(values[0]));
    return {};
  }
  for (Field& field : fields(*this)) {
    if (field.name != key) continue;
    store(field.place, values[0]);
    return {};
  }
  return no("there is no such fault");
}

}  // namespace oob::test
