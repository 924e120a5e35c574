// Who hears of what happens.
#include <openssl/err.h>
#include <openssl/pem.h>

#include <algorithm>
#include <memory>

#include "auth/journal_events.h"
#include "base/secret.h"
#include "notice/choice.h"
#include "notice/post.h"
#include "oobd/config_reader.h"
#include "oobd/config_values.h"

namespace oob {
namespace {

constexpr std::int64_t kMostNotices = 3600;       // an hour
constexpr std::size_t kMostCaFile = 1024 * 1024;  // bytes
constexpr std::size_t kMostProgramWords = 64;     // the program itself among them
constexpr std::size_t kMostProgramBytes = 16384;  // of all words

// An event's name, or a glob that is one for at least one event.
base::Result<> check_event(std::string_view event) {
  auto bad = [&](std::string_view why) {
    return base::fail(base::Fault::config, base::str(in_quotes(event), why));
  };
  std::vector<std::string_view> names;
  for (const auth::JournalEvent& each : auth::journal_events()) {
    std::string_view name = each.name;
    if (!name.starts_with(notice::kOwnEvents)) names.push_back(name);
  }
  if (std::any_of(names.begin(), names.end(),
                  [&](std::string_view name) { return base::glob_match(event, name); }))
    return {};
  if (event.starts_with(notice::kOwnEvents)) return bad(": of notices themselves no notice is sent");
  if (event.find_first_of("*?") != std::string_view::npos) return bad(" matches no event (docs/formats.md)");
  return bad(base::str(" is no event", hint(event, names)));
}

bool has_certificate(const std::string& text) {
  std::unique_ptr<BIO, decltype(&::BIO_free_all)> bio(
      ::BIO_new_mem_buf(text.data(), static_cast<int>(text.size())), ::BIO_free_all);
  std::unique_ptr<X509, decltype(&::X509_free)> found(
      ::PEM_read_bio_X509(
          bio.get(), nullptr, [](char*, int, int, void*) { return -1; }, nullptr),
      ::X509_free);
  ::ERR_clear_error();
  return found != nullptr;
}

}  // namespace

void ConfigReader::read_notify(const Member& notify) {
  const Node& table = notify.value;
  std::string name = base::str("[notify.", base::printable(notify.key, 80), "]");
  faults_.check(notify.place, check_name(notify.key));
  faults_.check_table(table, table.place, kNotify, name);
  NotifyConfig config;
  for (const Node* event : texts(table, "events")) {
    if (faults_.check(event->place, check_event(event->text))) config.events.push_back(event->text);
  }
  for (const Node* device : texts(table, "devices")) {
    if (faults_.check(device->place, check_glob(device->text))) config.devices.push_back(device->text);
  }
  read_notify_program(table, config);
  read_notify_post(table, config);
  if (!table.member("program") == !table.member("post"))
    faults_.add(table.place, base::str(name, " needs one of 'program' and 'post'"));
  if (const Node* most = get(table, "most", Node::Kind::integer)) {
    if (most->integer < 1 || most->integer > kMostNotices)
      faults_.add(most->place, base::str("most must be from 1 to ", kMostNotices, " notices an hour, not ",
                                         most->integer));
    else
      config.most = static_cast<std::uint32_t>(most->integer);
  }
  config_.notifies[notify.key] = std::move(config);
}

void ConfigReader::read_notify_program(const Node& table, NotifyConfig& config) {
  std::vector<const Node*> words = texts(table, "program");
  std::size_t bytes = 0;
  for (const Node* word : words) {
    bytes += word->text.size() + 1;
    config.program.push_back(config.program.empty() ? path(*word) : word->text);
  }
  const Node* list = get(table, "program", Node::Kind::array);
  if (!list) return;
  if (words.size() > kMostProgramWords || bytes > kMostProgramBytes)
    return faults_.add(list->place, base::str("program: more than ", kMostProgramWords, " words or ",
                                              kMostProgramBytes, " bytes"));
  if (words.empty()) return;
  if (std::string fault = files_.program_fault(config.program.front()); !fault.empty())
    faults_.add(words.front()->place, base::str("program ", in_quotes(words.front()->text), ": ",
                                                base::printable(fault, kMostReason)));
}

void ConfigReader::read_notify_post(const Node& table, NotifyConfig& config) {
  bool is_plain = false;
  if (const Node* post = text(table, "post")) {
    base::Result<notice::PostAddress> address = notice::parse_post(post->text);
    // Of the address itself nothing is said: what is behind its host is often a secret.
    if (!address) return faults_.add(post->place, base::str("post: the address ", address.error().what));
    is_plain = address->is_plain;
    config.post = post->text;
  }
  if (const Node* file = text(table, "ca")) {
    std::optional<std::string> found = read_trusted(*file, "ca", kMostCaFile, config.ca);
    if (found && !has_certificate(*found))
      faults_.add(file->place, "ca: no certificate (PEM) is in the file");
    if (is_plain) faults_.add(file->place, "ca: 'post' is http, which has no certificates");
  }
  if (const Node* file = text(table, "token_file")) {
    config.token_file = secret_path(*file, "token_file");
    if (!config.token_file.empty()) {
      base::Result<std::string> token = files_.read_secret(config.token_file);
      if (!token) {
        faults_.add(file->place, base::str("token_file: ", base::printable(token.error().what, kMostReason)));
      } else {
        if (base::Result<> right = notice::check_token(*token); !right)
          faults_.add(file->place, base::str("token_file: ", base::printable(config.token_file, kMostReason),
                                             ": ", right.error().what));
        base::wipe(*token);
      }
    }
  }
  for (std::string_view key : {"ca", "token_file"}) {
    const Member* member = table.member(key);
    if (member && !table.member("post"))
      faults_.add(member->place, base::str("'", key, "' is for 'post' alone"));
  }
}

}  // namespace oob
