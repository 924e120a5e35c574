#include "ssh/reach_request.h"

#include "base/wire.h"

namespace oob::ssh {

using base::Bytes;
using base::fail;
using base::Fault;
using base::Result;
using base::Secret;

namespace {

void put_length(std::string& to, std::size_t value) {
  for (int shift = 24; shift >= 0; shift -= 8) to += static_cast<char>(value >> shift & 0xff);
}

}  // namespace

// By hand: base::wire::Writer grows, and leaves copies of a secret behind.
Secret ReachRequest::encode() const {
  const Bytes texts[] = {address, host_key, user, password.view(), private_key.view()};
  std::size_t size = 1;
  for (Bytes text : texts) size += 4 + text.size();
  base::Wiped frame(4 + size);
  put_length(frame.text, size);
  frame.text += static_cast<char>(mode);
  for (Bytes text : texts) {
    put_length(frame.text, text.size());
    frame.text += text;
  }
  return Secret(frame.text);
}

Result<ReachRequest> ReachRequest::decode(Bytes payload) {
  base::wire::Reader reader(payload);
  ReachRequest request;
  std::uint8_t mode = reader.u8();
  request.mode = mode == 1 ? Mode::terminal : Mode::shell;
  request.address = reader.text();
  request.host_key = reader.text();
  request.user = reader.text();
  request.password = Secret(reader.text());
  request.private_key = Secret(reader.text());
  if (!reader.done() || mode > 1) return fail(Fault::internal, "a request to reach that makes no sense");
  return request;
}

std::string encode_reach_answer(const Result<>& answer) {
  base::wire::Writer writer;
  writer.u32(answer ? 0 : static_cast<std::uint32_t>(answer.error().fault));
  std::string payload = writer.text(answer ? Bytes() : Bytes(answer.error().what)).take();
  std::string frame;
  put_length(frame, payload.size());
  return frame + payload;
}

Result<> decode_reach_answer(Bytes payload) {
  base::wire::Reader reader(payload);
  std::uint32_t fault = reader.u32();
  std::string text = base::printable(reader.text());
  if (!reader.done()) return fail(Fault::internal, "an answer of reach that makes no sense");
  if (fault == 0) return {};
  // From a process that speaks with strangers: of its faults those that it may have.
  bool denied = fault == static_cast<std::uint32_t>(Fault::denied);
  return fail(denied ? Fault::denied : Fault::unavailable, text);
}

}  // namespace oob::ssh
