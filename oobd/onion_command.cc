#include "oobd/onion_command.h"

#include <fcntl.h>
#include <openssl/evp.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <system_error>

#include "base/fd.h"
#include "base/secret.h"
#include "base/whole_file.h"
#include "oobd/config.h"
#include "oobd/config_values.h"
#include "oobd/listeners.h"

namespace oob {

namespace {

using base::fail;
using base::Fault;
using base::printable;
using base::Result;
using base::str;

constexpr const char* kDefaultConfig = "/etc/oobd/oobd.toml";
constexpr const char* kDefaultFolder = "/var/lib/tor/oobd";
constexpr const char* kClients = "/authorized_clients";
constexpr std::string_view kSuffix = ".auth";  // the only files there that tor reads
constexpr std::string_view kDescriptor = "descriptor:x25519:";
constexpr std::size_t kKeyBytes = 32, kKeyText = 52;  // bytes; digits of base32
constexpr std::size_t kAddress = 56;                  // digits, without ".onion"
constexpr std::size_t kMostFile = 4096;

struct OnionWords {
  std::string what, user, config, folder = kDefaultFolder;
  bool replace = false;
};

int tell_fault(const base::Error& error) {
  std::fprintf(stderr, "oobd: %s\n", error.what.c_str());
  return static_cast<int>(error.fault);
}

void advise(const std::string& text) { std::fprintf(stderr, "%s\n", text.c_str()); }

// RFC 4648, 6, without padding. REQUIRES: the string has room for it.
void add_base32(base::Bytes bytes, std::string& to) {
  constexpr char kDigits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
  unsigned held = 0, bits = 0;
  for (unsigned char byte : bytes) {
    held = (held << 8 | byte) & 0xfff;
    for (bits += 8; bits >= 5; bits -= 5) to += kDigits[held >> (bits - 5) & 31];
  }
  if (bits > 0) to += kDigits[held << (5 - bits) & 31];
}

bool is_base32(std::string_view text, std::size_t digits) {
  return text.size() == digits && std::all_of(text.begin(), text.end(), [](char c) {
           return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '2' && c <= '7');
         });
}

// "abc…xyz", of HIDDEN_SERVICE_DIR/hostname.
Result<std::string> address_of_service(const std::string& folder) {
  const std::string file = folder + "/hostname";
  Result<std::string> text = base::read_whole(file, kMostFile);
  if (!text)
    return fail(Fault::missing, str(file, ": ", text.error().what,
                                    ". tor writes it when it is started with HiddenServiceDir ", folder,
                                    " (docs/onion.md); --dir names another folder"));
  std::string_view line(*text);
  while (line.ends_with('\n')) line.remove_suffix(1);
  if (!line.ends_with(".onion") || !is_base32(line.substr(0, line.size() - 6), kAddress))
    return fail(Fault::config, str(file, ": '", printable(line, 80), "' is no address of an onion service"));
  return std::string(line.substr(0, kAddress));
}

// The folder of those who may come. tor makes it when it first reads the service; it belongs to whom tor runs
// as, and so must what is in it.
Result<base::Fd> open_clients(const std::string& folder) {
  const std::string path = folder + kClients;
  struct stat above {};
  if (::stat(folder.c_str(), &above) < 0) return base::system_error(folder);
  const bool made = ::mkdir(path.c_str(), 0700) == 0;
  if (!made && errno != EEXIST) return base::system_error(path);
  base::Fd open(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  if (!open) return base::system_error(path);
  // By its descriptor: whom the folder above belongs to may have put something else under that name.
  if (made && ::fchown(open.get(), above.st_uid, above.st_gid) < 0) return base::system_error(path);
  return open;
}

struct KeyPair {
  KeyPair() : secret(kKeyText) {}
  std::string open;    // base32
  base::Wiped secret;  // the same
};

Result<> make_keys(KeyPair& keys) {
  std::unique_ptr<EVP_PKEY, decltype(&::EVP_PKEY_free)> key(::EVP_PKEY_Q_keygen(nullptr, nullptr, "X25519"),
                                                            ::EVP_PKEY_free);
  char open[kKeyBytes];
  base::Wiped secret(kKeyBytes);
  secret.text.resize(kKeyBytes);
  std::size_t open_size = kKeyBytes, secret_size = kKeyBytes;
  if (!key ||
      ::EVP_PKEY_get_raw_public_key(key.get(), reinterpret_cast<unsigned char*>(open), &open_size) != 1 ||
      ::EVP_PKEY_get_raw_private_key(key.get(), reinterpret_cast<unsigned char*>(secret.text.data()),
                                     &secret_size) != 1 ||
      open_size != kKeyBytes || secret_size != kKeyBytes)
    return fail(Fault::internal, "OpenSSL makes no X25519 keys");
  add_base32(base::Bytes(open, kKeyBytes), keys.open);
  add_base32(secret.text, keys.secret.text);
  return {};
}

// Whole, under its name, and of the folder's owner, or not at all.
Result<> put_file(const base::Fd& folder, const std::string& name, base::Bytes bytes, bool replace) {
  const std::string fresh = name + ".new";  // tor reads it not
  struct stat owner {};
  if (::fstat(folder.get(), &owner) < 0) return base::system_error(name);
  ::unlinkat(folder.get(), fresh.c_str(), 0);  // left by a crash
  base::Fd file(
      ::openat(folder.get(), fresh.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0640));
  if (!file) return base::system_error(fresh);
  auto written = [&]() -> Result<> {
    if (::fchmod(file.get(), 0640) < 0 || ::fchown(file.get(), owner.st_uid, owner.st_gid) < 0 ||
        ::write(file.get(), bytes.data(), bytes.size()) != static_cast<ssize_t>(bytes.size()) ||
        ::fsync(file.get()) < 0)
      return base::system_error(fresh);
    int placed = replace ? ::renameat(folder.get(), fresh.c_str(), folder.get(), name.c_str())
                         : ::linkat(folder.get(), fresh.c_str(), folder.get(), name.c_str(), 0);
    if (placed < 0 && errno == EEXIST)
      return fail(
          Fault::failed,
          str(name, " is there already; --replace makes a new key, and the old one opens nothing then"));
    if (placed < 0 || ::fsync(folder.get()) < 0) return base::system_error(name);
    return {};
  };
  Result<> done = written();
  ::unlinkat(folder.get(), fresh.c_str(), 0);
  return done;
}

// What would keep the user out although tor lets them find the service.
void look_at_config(const OnionWords& words) {
  const std::string file = words.config.empty() ? kDefaultConfig : words.config;
  if (words.config.empty() && ::access(file.c_str(), R_OK) < 0) return;
  ConfigOutcome outcome = read_config(file);
  if (!outcome.config) return advise(str("oobd: ", file, " has faults ('oobd check -c ", file, "')"));
  const Config& config = *outcome.config;
  if (config.users.count(words.user) == 0)
    advise(str("oobd: ", file, " has no [user.", words.user,
               "]: the name here is for you alone, and who may log in is said there"));
  if (std::none_of(config.listen.begin(), config.listen.end(), is_unix))
    advise(str("oobd: ", file,
               " has no \"unix:/run/oobd/onion.sock\" in server.listen, where tor would hand "
               "people over"));
}

constexpr const char* kReload =
    "tor must read it: kill -HUP of tor's process, or 'systemctl reload tor@default'.";

int add_client(const OnionWords& words) {
  Result<std::string> address = address_of_service(words.folder);
  if (!address) return tell_fault(address.error());
  Result<base::Fd> folder = open_clients(words.folder);
  if (!folder) return tell_fault(folder.error());
  look_at_config(words);
  KeyPair keys;
  if (Result<> made = make_keys(keys); !made) return tell_fault(made.error());
  const std::string name = str(words.user, kSuffix);
  if (Result<> placed = put_file(*folder, name, str(kDescriptor, keys.open, "\n"), words.replace); !placed)
    return tell_fault(base::wrap(words.folder + kClients, placed.error()));
  bool told = std::printf("%s:%.*s%s\n", address->c_str(), static_cast<int>(kDescriptor.size()),
                          kDescriptor.data(), keys.secret.text.c_str()) > 0 &&
              std::fflush(stdout) == 0;
  if (!told)
    return tell_fault(fail(Fault::failed, "the key could not be shown: 'oobd onion add --replace' again"));
  advise(str(words.folder, kClients, "/", name, " is written. ", kReload));
  advise(str("The line above is the secret of ", words.user, ", shown this once. It goes into a file ",
             words.user,
             "-oob.auth_private in the folder that ClientOnionAuthDir names in the torrc of the "
             "user's own machine, mode 0600; then that tor is reloaded as well. The address is ",
             *address, ".onion."));
  return 0;
}

// The names of the files there that tor reads, sorted.
Result<std::vector<std::string>> files_in(const std::string& folder) {
  std::error_code error;
  std::vector<std::string> names;
  for (std::filesystem::directory_iterator each(folder, error), end; !error && each != end;
       each.increment(error)) {
    std::string name = each->path().filename().string();
    if (name.size() > kSuffix.size() && name.ends_with(kSuffix)) names.push_back(std::move(name));
  }
  if (error)
    return fail(Fault::missing, str(folder, ": ", error.message(), "; --dir names another HiddenServiceDir"));
  std::sort(names.begin(), names.end());
  return names;
}

int list_clients(const OnionWords& words) {
  const std::string path = words.folder + kClients;
  Result<std::vector<std::string>> names = files_in(path);
  if (!names) return tell_fault(names.error());
  for (const std::string& name : *names) {
    Result<std::string> text = base::read_whole(path + "/" + name, kMostFile);
    std::string_view line = text ? std::string_view(*text) : "";
    while (line.ends_with('\n') || line.ends_with('\r')) line.remove_suffix(1);
    bool right = line.starts_with(kDescriptor) && is_base32(line.substr(kDescriptor.size()), kKeyText);
    std::string shown(right ? line : "DAMAGED: tor does not take it");
    std::printf("%s %s\n", printable(name.substr(0, name.size() - kSuffix.size()), 100).c_str(),
                shown.c_str());
  }
  if (names->empty()) advise("nobody is named: whoever knows the address finds the service");
  return 0;
}

int remove_client(const OnionWords& words) {
  const std::string file = str(words.folder, kClients, "/", words.user, kSuffix);
  if (::unlink(file.c_str()) < 0) {
    const int number = errno;
    base::Error error = base::system_error(file, number);
    if (number == ENOENT) {
      error.fault = Fault::missing;
      error.what += "; 'oobd onion list' tells who is there, --dir names another HiddenServiceDir";
    }
    return tell_fault(error);
  }
  if (auto left = files_in(words.folder + kClients); left && left->empty())
    advise("NOBODY IS NAMED ANY MORE: once tor is reloaded, whoever knows the address finds the service.");
  advise(str(file, " is gone. ", kReload, " Until then, and on a connection that is open, ", words.user,
             " is as before: 'oobd ctl who' and 'kick ID'."));
  return 0;
}

Result<OnionWords> parse_onion(const std::vector<std::string>& given) {
  OnionWords words;
  for (std::size_t i = 0; i < given.size(); ++i) {
    const std::string& word = given[i];
    if (word == "--replace" && words.what == "add") {
      words.replace = true;
    } else if (word == "--dir" || (word == "-c" && words.what == "add")) {
      if (i + 1 == given.size()) return fail(Fault::usage, str("onion: ", word, " needs a value"));
      (word == "-c" ? words.config : words.folder) = given[++i];
    } else if (word.size() > 1 && word[0] == '-') {
      return fail(Fault::usage, str("onion: no such option here: ", printable(word, 60)));
    } else if (words.what.empty()) {
      words.what = word;
    } else if (words.user.empty()) {
      words.user = word;
    } else {
      return fail(Fault::usage, str("onion: '", printable(word, 60), "' is too much"));
    }
  }
  while (words.folder.size() > 1 && words.folder.ends_with('/')) words.folder.pop_back();
  const bool of_user = words.what == "add" || words.what == "remove";
  if (!of_user && words.what != "list")
    return fail(Fault::usage, "onion: add USER, list or remove USER ('oobd help onion' tells more)");
  if (of_user == words.user.empty())
    return fail(Fault::usage, of_user ? str("onion ", words.what, ": which user?") : "onion list: of all");
  if (of_user)
    if (Result<> right = check_name(words.user); !right) return fail(Fault::usage, right.error().what);
  return words;
}

}  // namespace

int run_onion(const std::vector<std::string>& given) {
  Result<OnionWords> words = parse_onion(given);
  if (!words) return tell_fault(words.error());
  return words->what == "add"    ? add_client(*words)
         : words->what == "list" ? list_clients(*words)
                                 : remove_client(*words);
}

}  // namespace oob
