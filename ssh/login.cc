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

Login::Login(std::uint32_t most_tries, Asker ask) : most_tries_(most_tries), ask_(std::move(ask)) {}

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

void Login::take(ssh_message message) {
  ++taken_;
  if (succeeded_) {  // RFC 4252, 5.3: to be ignored
    ssh_message_free(message);
    return;
  }
  if (!same_user(ssh_message_auth_user(message))) {
    ssh_message_free(message);
    give_up_ = user_known_ ? "the user name may not change" : "the user name is too long";
    return;
  }
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
  asked_ = message;
  asked_verified_ = verified;
  asked_at_ = base::Clock::now();
  told_verified_ = told_verified_ || verified;
  if (!ask_(std::move(question))) give_up_ = "too busy, try again";
}

void Login::verdict(const base::wire::Verdict& verdict) {
  if (!waiting() || verdict.number != questions_) return;  // came too late
  verdict_ = verdict;
  judged_ = true;
}

void Login::answer() {
  ssh_message message = std::exchange(asked_, nullptr);
  judged_ = false;
  if (!verdict_.accept) {
    refuse(message);
  } else if (asked_verified_) {
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
