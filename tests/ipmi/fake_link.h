#pragma once

#include <deque>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "ipmi/link.h"

namespace oob::test {

// A BMC's session whose far end is the test: `answer` says what the BMC says to a request. Requests and SOL
// payloads are kept for the test to look at.
class FakeLink : public ipmi::Link {
 public:
  explicit FakeLink(base::Loop& loop) : loop_(loop) {}

  // A completion code and data; nothing: the answer is lost, and the request fails as the real one does.
  struct Reply {
    std::uint8_t completion = 0;
    std::string data;
  };
  std::function<std::optional<Reply>(const ipmi::Request&)> answer;
  bool unsent = false;  // what is sent once and has no reply did not even go out

  struct Asked {
    ipmi::Request request;
    Send how;
  };
  std::vector<Asked> asked;
  std::deque<std::string> sol_sent;
  unsigned more_privilege = 0;  // how often ask_for_more_privilege() may still say yes
  unsigned privilege_asked = 0;
  bool is_opening = false;
  std::uint32_t session_id = 0x11223344;

  void come_up() {
    up_ = true;
    trouble_.clear();
    loop_.post([this] {
      if (sol_ && up_) sol_->session_up();
    });
  }
  void go_down(const std::string& why) {
    up_ = false;
    trouble_ = why;
    loop_.post([this, why] {
      if (sol_) sol_->session_lost(base::fail(base::Fault::unavailable, why));
    });
  }
  // A SOL payload from the BMC, on the next turn of the loop.
  void sol_says(const std::string& payload) {
    loop_.post([this, payload] {
      if (sol_) sol_->sol_packet(payload);
    });
  }

  void ask(ipmi::Request request, Send how, std::function<void(base::Result<ipmi::Response>)> done) override {
    asked.push_back({request, how});
    loop_.post([this, how, request = std::move(request), done = std::move(done)] {
      if (!up_) return done(base::fail(base::Fault::unavailable, trouble_));
      std::optional<Reply> reply = answer ? answer(request) : std::nullopt;
      if (!reply && unsent && how != Send::again)
        return done(base::fail(base::Fault::again, "fake: not sent"));
      if (!reply) return done(base::fail(base::Fault::unavailable, "fake: no answer"));
      ipmi::Response response;
      response.netfn = static_cast<std::uint8_t>(request.netfn) + 1;
      response.command = request.command;
      response.completion = reply->completion;
      response.data = reply->data;
      done(std::move(response));
    });
  }
  bool up() const override { return up_; }
  bool opening() const override { return is_opening; }
  const std::string& trouble() const override { return trouble_; }
  void take_sol(ipmi::SolUser& user) override {
    sol_ = &user;
    if (up_) come_up();
  }
  void leave_sol(ipmi::SolUser& user) override {
    if (sol_ == &user) sol_ = nullptr;
  }
  base::Result<> send_sol(base::Bytes payload) override {
    if (!up_) return base::fail(base::Fault::unavailable, trouble_);
    sol_sent.emplace_back(payload);
    return {};
  }
  bool ask_for_more_privilege() override {
    ++privilege_asked;
    if (more_privilege == 0) return false;
    --more_privilege;
    go_down("more rights are asked for");
    return true;
  }
  std::uint32_t session() const override { return up_ ? session_id : 0; }
  const std::string& name() const override { return name_; }

 private:
  base::Loop& loop_;
  ipmi::SolUser* sol_ = nullptr;
  bool up_ = false;
  std::string trouble_ = "fake: not connected";
  std::string name_ = "fake";
};

}  // namespace oob::test
