#include "ssh/login.h"

#include <openssl/evp.h>

#include <cstring>

namespace oob::ssh {

using base::Bytes;

namespace {

// The wire form of a public key or certificate (RFC 4253, 6.6), or empty.
std::string blob_of(ssh_key key) {
  char* text = nullptr;
  if (ssh_pki_export_pubkey_base64(key, &text) != SSH_OK || !text) return {};
  std::size_t size = std::strlen(text);
  std::string blob;
  if (size % 4 == 0 && size <= Login::kMostKey * 4 / 3 + 4) {
    blob.resize(size / 4 * 3);
    int got = EVP_DecodeBlock(reinterpret_cast<unsigned char*>(blob.data()),
                              reinterpret_cast<const unsigned char*>(text), static_cast<int>(size));
    std::size_t padding = size >= 2 ? (text[size - 1] == '=') + (text[size - 2] == '=') : 0;
    blob.resize(got < 0 ? 0 : static_cast<std::size_t>(got) - padding);
  }
  ssh_string_free_char(text);
  return blob;
}

}  // namespace

Login::Login(std::uint32_t most_tries, Asker ask, Teller tell)
    : most_tries_(most_tries), ask_(std::move(ask)), tell_(std::move(tell)) {}

Login::~Login() {
  ssh_message_free(asked_);
  ssh_message_free(spare_);
}

// The user may not change (RFC 4252, 5 allows to disconnect): what was answered was for that one.
bool Login::same_user(const char* user) {
  if (!user) return false;
  Bytes name(user);
  if (name.size() > kMostUser) return false;
  if (!user_known_) user_ = name;
  user_known_ = true;
  return user_ == name;
}

void Login::take(ssh_session session, ssh_message message) {
  // RFC 4256, 3.4: an answer is no request, and bears no user name.
  bool response = ssh_message_subtype(message) == SSH_AUTH_METHOD_INTERACTIVE &&
                  ssh_message_auth_kbdint_is_response(message);
  if (!response) ++taken_;
  if (succeeded_) {  // RFC 4252, 5.3: to be ignored
    ssh_message_free(message);
    return;
  }
  if (!response && !same_user(ssh_message_auth_user(message))) {
    ssh_message_free(message);
    give_up_ = user_known_ ? "the user name may not change" : "the user name is too long";
    return;
  }
  if (response) {
    tell_code(session, message);
  } else if (wants_code_) {
    prompt(message);
  } else {
    take_key(message);
  }
}

void Login::take_key(ssh_message message) {
  int method = ssh_message_subtype(message);
  if (method == SSH_AUTH_METHOD_NONE && !none_tried_) {  // asks what there is; no try
    none_tried_ = true;
    ssh_message_reply_default(message);
    keep_spare(message);
    return;
  }
  ssh_publickey_state_e state = ssh_message_auth_publickey_state(message);
  if (method != SSH_AUTH_METHOD_PUBLICKEY || !ssh_message_auth_pubkey(message) ||
      (state != SSH_PUBLICKEY_STATE_NONE && state != SSH_PUBLICKEY_STATE_VALID)) {
    refuse(message);
    return;
  }
  ask(message, state == SSH_PUBLICKEY_STATE_VALID);
}

void Login::ask(ssh_message message, bool verified) {
  base::wire::Ask question;
  question.key = blob_of(ssh_message_auth_pubkey(message));
  if (question.key.empty() || question.key.size() > kMostKey) {
    refuse(message);
    return;
  }
  // A key that was said to be fine may be offered again and again; that is no try, but has an end too.
  if (++questions_ > 4 * most_tries_) {
    ssh_message_free(message);
    give_up_ = "too many questions";
    return;
  }
  question.number = questions_;
  question.verified = verified;
  question.user = user_;
  wait_with(message, verified ? Asked::key : Asked::probe);
  told_verified_ = told_verified_ || verified;
  if (!ask_(std::move(question))) give_up_ = "too busy, try again";
}

// Asks for a code (RFC 4256, 3.2). It is shown as it is typed: it is good once and soon over, so who looks on
// has nothing of it, and who types it off a telephone at night sees what went wrong.
void Login::prompt(ssh_message message) {
  // A new request ends the one before (RFC 4252, 5.1), which was never answered then and counts as a try.
  if (ssh_message_subtype(message) != SSH_AUTH_METHOD_INTERACTIVE || std::exchange(prompted_, false)) {
    refuse(message);
    return;
  }
  const char* question = "Code: ";
  char echo = 1;
  prompted_ =
      ssh_message_auth_interactive_request(message, "", instruction_.c_str(), 1, &question, &echo) == SSH_OK;
  if (!prompted_) give_up_ = "the question for a code could not be sent";
  keep_spare(message);
}

void Login::tell_code(ssh_session session, ssh_message message) {
  const char* answer =
      ssh_userauth_kbdint_getnanswers(session) == 1 ? ssh_userauth_kbdint_getanswer(session, 0) : nullptr;
  std::size_t size = answer ? std::strlen(answer) : 0;
  if (!std::exchange(prompted_, false) || !answer || size > kMostCode) {
    refuse(message);
    return;
  }
  wait_with(message, Asked::code);
  base::wire::Code code;
  code.number = ++questions_;
  code.code.assign(answer, size);
  if (!tell_(std::move(code))) give_up_ = "too busy, try again";
}

void Login::wait_with(ssh_message message, Asked what) {
  asked_ = message;
  asked_what_ = what;
  asked_at_ = base::Clock::now();
}

void Login::verdict(const base::wire::Verdict& verdict) {
  if (!waiting() || verdict.number != questions_) return;  // came too late
  verdict_ = verdict;
  judged_ = true;
}

void Login::answer(ssh_session session) {
  ssh_message message = std::exchange(asked_, nullptr);
  judged_ = false;
  if (asked_what_ == Asked::key && verdict_.further) {
    wants_code_ = true;
    instruction_ = verdict_.prompt;
    ssh_set_auth_methods(session, SSH_AUTH_METHOD_INTERACTIVE);
    ssh_message_auth_reply_success(message, 1);  // RFC 4252, 5.1: partial success
    keep_spare(message);
  } else if (!verdict_.accept || verdict_.further) {
    refuse(message);
  } else if (asked_what_ != Asked::probe) {
    ssh_message_auth_reply_success(message, 0);
    succeeded_ = true;
    ssh_message_free(message);
    ssh_message_free(std::exchange(spare_, nullptr));
  } else {
    ssh_message_auth_reply_pk_ok_simple(message);
    keep_spare(message);
  }
}

void Login::refuse(ssh_message message) {
  ++refused_;
  if (refused_ >= most_tries_) give_up_ = "too many authentication failures";
  ssh_message_reply_default(message);
  keep_spare(message);
}

void Login::keep_spare(ssh_message message) {
  if (spare_) {
    ssh_message_free(message);
  } else {
    spare_ = message;
  }
}

void Login::answer_swallowed(unsigned seen) {
  while (!succeeded_ && give_up_.empty() && taken_ < seen) {
    ++taken_;
    ++refused_;
    if (!spare_) {
      give_up_ = "that key or method is not known here";
      return;
    }
    if (refused_ >= most_tries_) give_up_ = "too many authentication failures";
    ssh_message_reply_default(spare_);
  }
}

}  // namespace oob::ssh
