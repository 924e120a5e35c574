#include "oobd/demo_machine.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <boost/json.hpp>
#include <chrono>
#include <filesystem>

#include "base/whole_file.h"
#include "oobd/child.h"
#include "oobd/self_path.h"

namespace oob {

namespace fs = std::filesystem;
namespace json = boost::json;
using base::Fault;
using base::Result;
using base::str;

namespace {

constexpr int kPatience = 20'000;  // ms

// build/release/oobd of a source tree stands two folders below it.
std::string script() {
  std::error_code error;
  fs::path self = fs::canonical(self_path(), error);
  return error ? "" : (self.parent_path() / "../../etc/demo/machine.py").lexically_normal().string();
}

struct Pipe {
  base::Fd read, write;
};

Result<Pipe> make_pipe() {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) < 0) return base::system_error("pipe");
  Pipe pipe;
  pipe.read.reset(ends[0]);
  pipe.write.reset(ends[1]);
  return pipe;
}

// Its first line, without the newline; what came until then when it ends or says nothing for too long.
std::string first_line(int fd) {
  std::string line;
  auto end = std::chrono::steady_clock::now() + std::chrono::milliseconds(kPatience);
  for (char c = 0;;) {
    auto left = std::chrono::duration_cast<std::chrono::milliseconds>(end - std::chrono::steady_clock::now());
    pollfd wait{fd, POLLIN, 0};
    if (left.count() <= 0 || ::poll(&wait, 1, static_cast<int>(left.count())) <= 0) return line;
    if (::read(fd, &c, 1) != 1 || c == '\n') return line;
    line += c;
  }
}

std::string text_at(const json::object& object, const char* key) {
  const json::value* value = object.if_contains(key);
  return value && value->is_string() ? std::string(value->get_string().c_str()) : std::string();
}

}  // namespace

DemoMachine::~DemoMachine() {
  if (pid_ <= 0) return;
  input_.reset();
  wait_for_end(pid_, base::milliseconds(5000), pid_);  // what it started dies with it
}

Result<> DemoMachine::start() {
  std::string program = script();
  if (!fs::exists(program)) return base::fail(Fault::unavailable, "etc/demo/machine.py is not there");
  Result<Pipe> input = make_pipe(), output = make_pipe();
  if (!input) return input.error();
  if (!output) return output.error();
  SpawnTerms terms(POSIX_SPAWN_SETSID);
  posix_spawn_file_actions_adddup2(terms.descriptors(), input->read.get(), 0);
  posix_spawn_file_actions_adddup2(terms.descriptors(), output->write.get(), 1);
  posix_spawn_file_actions_addopen(terms.descriptors(), 2, (folder_ + ".log").c_str(),
                                   O_WRONLY | O_CREAT | O_TRUNC, 0600);
  // Debian's Python: another one may come first in PATH.
  std::string python = "/usr/bin/python3";
  char* arguments[] = {python.data(), program.data(), folder_.data(), nullptr};
  int failed =
      ::posix_spawn(&pid_, python.c_str(), terms.descriptors(), terms.attributes(), arguments, environ);
  if (failed) {
    pid_ = -1;
    return base::system_error(python, failed);
  }
  input_ = std::move(input->write);
  output->write.reset();
  boost::system::error_code error;
  json::value told = json::parse(first_line(output->read.get()), error);
  if (error || !told.is_object())
    return base::fail(Fault::unavailable, str("etc/demo/machine.py fails; see ", folder_, ".log"));
  const json::object& object = told.get_object();
  if (object.contains("missing")) return base::fail(Fault::unavailable, text_at(object, "missing"));
  const json::value* port = object.if_contains("port");
  address_ = str(text_at(object, "address"), ":", port ? json::serialize(*port) : "");
  user_ = text_at(object, "user");
  password_ = text_at(object, "password");
  return {};
}

Result<std::string> DemoMachine::configuration(const std::string& name) const {
  // Of the BMC, and of root on the machine (etc/demo/image).
  const std::string file = folder_ + ".password", login = folder_ + ".login";
  Result<> written = base::write_whole(file, password_ + "\n", 0600);
  if (written) written = base::write_whole(login, "labpw\n", 0600);
  if (!written) return written.error();
  // The simulator has no suite 17.
  return str("\n[bmc.", name, "]\nhost          = \"", address_, "\"\nuser          = \"", user_,
             "\"\npassword_file = \"", fs::path(file).filename().string(),
             "\"\ncipher_suite  = 3\n\n[device.", name,
             "]   # a virtual machine behind a BMC\nline  = { sol = \"", name, "\" }\npower = { bmc = \"",
             name, "\" }\nmodel = \"linux\"\nlogin = { user = \"root\", password_file = \"",
             fs::path(login).filename().string(), "\" }\n");
}

}  // namespace oob
