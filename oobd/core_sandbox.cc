#include "oobd/core_sandbox.h"

#ifdef __linux__
#include <link.h>
#endif

#include <cstdlib>
#include <filesystem>
#include <set>
#include <system_error>
#include <utility>

#include "console/upload_pack.h"
#include "oobd/gates.h"
#include "oobd/listeners.h"
#include "oobd/self_path.h"

namespace oob {

namespace files = std::filesystem;
using base::LandlockTerms;
using Access = LandlockTerms::Access;

namespace {

std::string real(const std::string& path) {
  std::error_code error;
  files::path found = files::weakly_canonical(path, error);
  return error ? path : found.string();
}

// A file that is written anew is another one to the kernel, so its folder is what counts: where its name
// stands, and where that leads. The root folder would be everything.
void add_file(LandlockTerms& terms, const std::string& path) {
  if (path.empty()) return;
  terms.places.push_back({path, Access::read});
  for (const std::string& name : {files::absolute(path).string(), real(path)}) {
    std::string folder = files::path(name).parent_path().string();
    if (folder != "/") terms.places.push_back({folder, Access::read});
  }
}

// It is opened again where a front has shut it down, and removed at the end. Where its folder is not there
// yet, what is above it would be too much to remove files in.
void add_socket(LandlockTerms& terms, const std::string& path) {
  files::path folder = files::path(path).parent_path();
  std::error_code error;
  const bool there = files::exists(folder, error);
  while (!files::exists(folder, error) && folder.has_relative_path()) folder = folder.parent_path();
  if (folder != "/") terms.places.push_back({folder.string(), there ? Access::sockets : Access::new_sockets});
}

// The folder, and those on other disks that symlinks in it name.
void add_state(LandlockTerms& terms, const std::string& state) {
  terms.places.push_back({state, Access::own});
  std::error_code error;
  for (files::directory_iterator each(state, error), end; !error && each != end; each.increment(error)) {
    std::error_code broken;
    if (each->is_symlink(broken) && each->is_directory(broken))
      terms.places.push_back({each->path().string(), Access::own});
  }
}

// Where the libraries of this program lie, by the names they were found under and where those lead. Not all
// of /usr: the loader would run what can be read there.
void add_libraries(LandlockTerms& terms) {
#ifdef __linux__
  std::set<std::string> folders;
  ::dl_iterate_phdr(
      [](dl_phdr_info* library, std::size_t, void* to) {
        files::path name(library->dlpi_name);
        if (!name.is_absolute()) return 0;  // this program itself; the kernel's vDSO
        for (const files::path& each : {name, files::path(real(name.string()))})
          static_cast<std::set<std::string>*>(to)->insert(real(each.parent_path().string()));
        return 0;
      },
      &folders);
  for (const std::string& folder : folders) terms.places.push_back({folder, Access::read});
#endif
}

// What the loader, the C library and OpenSSL read, and we ourselves of /proc and /sys.
void add_system(LandlockTerms& terms) {
  add_libraries(terms);
  for (const char* path :
       {"/usr/share/zoneinfo", "/usr/lib/ssl", "/etc/ld.so.cache", "/etc/ld.so.conf", "/etc/ld.so.preload",
        "/etc/ssl", "/etc/localtime", "/etc/passwd", "/etc/group", "/etc/nsswitch.conf", "/proc", "/sys"})
    terms.places.push_back({path, Access::read});
  terms.places.push_back({"/dev", Access::devices});
  terms.places.push_back({self_path(), Access::run});
  // The loader is executed with it. Its folder: a new C library must not keep the front from starting again.
  for (const char* path :
       {"/lib64/ld-linux-x86-64.so.2", "/lib/ld-linux-aarch64.so.1", "/lib/ld-linux-armhf.so.3",
        "/lib/ld-linux.so.2", "/lib/ld-linux-riscv64-lp64d.so.1", "/lib64/ld64.so.2"}) {
    std::error_code error;
    if (files::exists(path, error))
      terms.places.push_back({files::path(real(path)).parent_path().string(), Access::run});
  }
  for (const char* git : console::git_programs()) terms.places.push_back({git, Access::run});
}

// What the C library reads to look a name up. In any case: a reload may bring the first name.
void add_resolver(LandlockTerms& terms) {
  for (const char* path : {"/etc/hosts", "/etc/gai.conf", "/etc/host.conf"})
    terms.places.push_back({path, Access::read});
  for (std::string& path : resolver_places("/etc/resolv.conf"))
    terms.places.push_back({std::move(path), Access::read});
}

}  // namespace

std::vector<std::string> resolver_places(const std::string& path) {
  std::vector<std::string> places = {path};
  std::error_code error;
  files::path folder = files::path(real(path)).parent_path();
  // "/run/NetworkManager", but not all of "/run", and not where the link itself is, among much else.
  bool has_own = folder.parent_path() != "/";
  if (files::is_symlink(path, error) && has_own && folder != real(files::path(path).parent_path().string()))
    places.push_back(folder.string());
  return places;
}

LandlockTerms core_terms(const Config& config, const std::string& config_file,
                         std::vector<std::uint16_t> ports) {
  LandlockTerms terms;
  terms.bind_tcp = std::move(ports);
  terms.connect_tcp = true;
  terms.reach_out = true;  // the service manager, and lines that are abstract Unix sockets
  add_system(terms);
  add_resolver(terms);
  add_state(terms, config.state);
  add_file(terms, config_file);
  for (const std::string& address : config.listen)
    if (is_unix(address)) add_socket(terms, address.substr(kUnixPrefix.size()));
  if (std::string homes = service_homes(); !homes.empty())
    terms.places.push_back({std::move(homes), Access::sockets});
  add_file(terms, config.user_ca);
  add_file(terms, config.revoked_keys);
  if (!config.snapshot.recipes.empty()) terms.places.push_back({real(config.snapshot.recipes), Access::read});
  if (config.syslog) {
    for (const std::string* file : {&config.syslog->ca, &config.syslog->certificate, &config.syslog->key})
      add_file(terms, *file);
  }
  for (const auto& [name, notify] : config.notifies) {
    add_file(terms, notify.ca);
    add_file(terms, notify.token_file);
  }
  for (const auto& [name, bastion] : config.call_homes) add_file(terms, bastion.key_file);
  for (const auto& [name, user] : config.users) {
    add_file(terms, user.keys);
    add_file(terms, user.totp_file);
  }
  for (const auto& [name, bmc] : config.bmcs) {
    add_file(terms, bmc.password_file);
    add_file(terms, bmc.kg_file);
  }
  for (const auto& [name, device] : config.devices) {
    for (const std::string* file : {&device.login.password_file, &device.login.enable_file,
                                    &device.ssh.password_file, &device.ssh.key_file})
      add_file(terms, *file);
    const auto* serial = std::get_if<SerialLine>(&device.line);
    if (serial && !real(serial->path).starts_with("/dev/"))  // a pty of a container
      terms.places.push_back({files::path(real(serial->path)).parent_path().string(), Access::devices});
  }
  if (const char* credentials = std::getenv("CREDENTIALS_DIRECTORY"))
    terms.places.push_back({credentials, Access::read});
  return terms;
}

std::string enter_core_sandbox(const Config& config, const std::string& config_file,
                               std::vector<std::uint16_t> ports) {
  return base::landlock(core_terms(config, config_file, std::move(ports)));
}

}  // namespace oob
