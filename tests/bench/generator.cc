// Gear that talks: N ptys that each say lines of text at a rate, in pieces as a UART hands them on.
//
//   bench_generator FOLDER CONSOLES BYTES_A_SECOND SECONDS
//
// makes the ptys FOLDER/tty0 ..., says "ready", and takes lines from stdin: "sample CONSOLE FILE" measures
// how long after it was said a byte of that console stands in that file (what the file holds already is
// passed over), "go" starts. Each console then says exactly BYTES_A_SECOND * SECONDS bytes; with a rate of 0
// it says as much as is taken in SECONDS. At the end one JSON object, and the ptys stay until stdin closes.

#include <poll.h>
#include <sys/inotify.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <cstring>
#include <deque>
#include <iostream>
#include <memory>
#include <mutex>
#include <queue>
#include <random>
#include <sstream>
#include <thread>
#include <vector>

#include "tests/bench/gear.h"

namespace {

using Clock = std::chrono::steady_clock;
using std::chrono::microseconds;

constexpr std::size_t kLine = 80;
constexpr std::size_t kPiece = 4096;  // what a pty holds
constexpr auto kPause = microseconds(10'000);

std::array<std::uint32_t, 256> crc_table() {
  std::array<std::uint32_t, 256> table;
  for (std::uint32_t i = 0; i < 256; ++i) {
    std::uint32_t value = i;
    for (int bit = 0; bit < 8; ++bit) value = value & 1 ? 0xEDB88320u ^ value >> 1 : value >> 1;
    table[i] = value;
  }
  return table;
}

// Measures one log: when which byte was said, and when it stood in the file.
struct Sample {
  int file = -1;
  std::uint64_t base = 0;  // what the file held before
  std::mutex mutex;
  std::deque<std::pair<std::uint64_t, Clock::time_point>> said;  // up to which byte, when

  void grown(std::vector<std::uint32_t>& lags) {
    struct stat status;
    if (fstat(file, &status) != 0) return;
    auto now = Clock::now();
    std::uint64_t holds = static_cast<std::uint64_t>(status.st_size) - base;
    std::lock_guard lock(mutex);
    while (!said.empty() && said.front().first <= holds) {
      lags.push_back(std::chrono::duration_cast<microseconds>(now - said.front().second).count());
      said.pop_front();
    }
  }
};

struct Console {
  int gear = -1;
  unsigned number = 0;
  std::uint64_t sent = 0;
  std::uint32_t crc = 0xFFFFFFFFu;
  std::uint64_t text_of = UINT64_MAX;  // which line `text` is
  char text[128];
  bool held = false;  // the pty was full at the last try
  Clock::time_point held_since;
  Clock::duration held_longest{};
  std::unique_ptr<Sample> sample;

  // Puts what comes at offset `sent` into `to`.
  void speak(char* to, std::size_t size) {
    for (std::size_t done = 0; done < size;) {
      std::uint64_t at = sent + done;
      if (text_of != at / kLine) {
        text_of = at / kLine;
        std::snprintf(text, sizeof text,
                      "console %04u line %012llu the quick brown fox jumps over the lazy dog 012\r\n", number,
                      static_cast<unsigned long long>(text_of));
      }
      std::size_t some = std::min(size - done, kLine - at % kLine);
      std::memcpy(to + done, text + at % kLine, some);
      done += some;
    }
  }

  // Says up to `size` bytes (at most kPiece), and answers how many were taken.
  std::size_t say(std::size_t size) {
    static const auto table = crc_table();
    char bytes[kPiece];
    speak(bytes, size);
    auto now = Clock::now();
    std::unique_lock<std::mutex> lock;
    // Locked before the write: the file may hold the bytes before this thread runs on.
    if (sample) lock = std::unique_lock(sample->mutex);
    ssize_t taken = write(gear, bytes, size);
    if (taken < 0 && errno != EAGAIN) oob::bench::die("saying something");
    for (ssize_t i = 0; i < taken; ++i)
      crc = table[(crc ^ static_cast<unsigned char>(bytes[i])) & 255] ^ crc >> 8;
    if (taken > 0) sent += taken;
    if (sample && taken > 0) sample->said.emplace_back(sent, now);
    bool full = taken < static_cast<ssize_t>(size);
    if (full && !held) held_since = now;
    if (held) held_longest = std::max(held_longest, now - held_since);
    held = full;
    return taken > 0 ? taken : 0;
  }
};

void follow(const std::vector<Console>& consoles, const std::atomic<bool>& over,
            std::vector<std::uint32_t>& lags) {
  int notify = inotify_init1(IN_CLOEXEC);
  std::vector<std::pair<int, Sample*>> watched;
  for (const Console& console : consoles) {
    if (!console.sample) continue;
    std::string path = "/proc/self/fd/" + std::to_string(console.sample->file);
    watched.emplace_back(inotify_add_watch(notify, path.c_str(), IN_MODIFY), console.sample.get());
  }
  while (!over) {
    pollfd ready{notify, POLLIN, 0};
    if (poll(&ready, 1, 50) <= 0) continue;
    alignas(inotify_event) char bytes[4096];
    ssize_t size = read(notify, bytes, sizeof bytes);
    for (ssize_t at = 0; at < size;) {
      auto* event = reinterpret_cast<inotify_event*>(bytes + at);
      for (auto& [watch, sample] : watched)
        if (watch == event->wd) sample->grown(lags);
      at += static_cast<ssize_t>(sizeof(inotify_event) + event->len);
    }
  }
  for (auto& [watch, sample] : watched) sample->grown(lags);
  close(notify);
}

// Each console at `rate`, in pieces about every 10 ms, none in step with another. Ends when all is said, or
// after four times as long.
void talk(std::vector<Console>& consoles, double rate, double seconds) {
  std::mt19937 random(7);
  std::uniform_int_distribution<int> phase(0, 9999), jitter(-1500, 1500);
  using Due = std::pair<Clock::time_point, Console*>;
  std::priority_queue<Due, std::vector<Due>, std::greater<>> due;
  auto start = Clock::now();
  auto total = static_cast<std::uint64_t>(rate * seconds);
  for (Console& console : consoles) due.emplace(start + microseconds(phase(random)), &console);
  while (!due.empty()) {
    auto [time, console] = due.top();
    due.pop();
    std::this_thread::sleep_until(time);
    double elapsed = std::chrono::duration<double>(Clock::now() - start).count();
    auto owed = std::min(total, static_cast<std::uint64_t>(rate * elapsed)) - console->sent;
    // What a rate above 400 kB/s owes is more than one piece.
    while (owed > 0) {
      std::size_t taken = console->say(std::min<std::uint64_t>(owed, kPiece));
      owed -= taken;
      if (console->held) break;
    }
    if (console->sent < total && elapsed < 4 * seconds)
      due.emplace(
          console->held ? Clock::now() + microseconds(1000) : time + kPause + microseconds(jitter(random)),
          console);
  }
}

void flood(std::vector<Console>& consoles, double seconds) {
  std::vector<pollfd> ready;
  for (Console& console : consoles) ready.push_back({console.gear, POLLOUT, 0});
  auto end = Clock::now() + std::chrono::duration<double>(seconds);
  while (Clock::now() < end) {
    if (poll(ready.data(), ready.size(), 100) <= 0) continue;
    for (std::size_t i = 0; i < ready.size(); ++i)
      if (ready[i].revents & POLLOUT) consoles[i].say(kPiece);
  }
}

void print_result(std::vector<Console>& consoles, double took, std::vector<std::uint32_t>& lags) {
  Clock::duration held{};
  std::uint64_t sent = 0;
  for (Console& console : consoles) {
    held = std::max(held, console.held_longest);
    sent += console.sent;
  }
  std::sort(lags.begin(), lags.end());
  auto part = [&lags](double share) {
    return lags.empty()
               ? 0.0
               : lags[std::min(lags.size() - 1, static_cast<std::size_t>(share * lags.size()))] / 1000.0;
  };
  std::printf("{\"seconds\": %.3f, \"bytes\": %llu, \"held_ms\": %.1f, ", took,
              static_cast<unsigned long long>(sent), std::chrono::duration<double, std::milli>(held).count());
  std::printf("\"lag_ms\": {\"n\": %zu, \"p50\": %.2f, \"p99\": %.2f, \"max\": %.2f}, \"consoles\": [",
              lags.size(), part(0.5), part(0.99), part(1));
  for (Console& console : consoles)
    std::printf("%s[%llu, %u]", console.number ? ", " : "", static_cast<unsigned long long>(console.sent),
                console.crc ^ 0xFFFFFFFFu);
  std::printf("]}\n");
  std::fflush(stdout);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 5) return 64;
  rlimit files;
  getrlimit(RLIMIT_NOFILE, &files);
  files.rlim_cur = files.rlim_max;
  setrlimit(RLIMIT_NOFILE, &files);

  std::vector<Console> consoles(std::atoi(argv[2]));
  double rate = std::atof(argv[3]), seconds = std::atof(argv[4]);
  for (unsigned number = 0; number < consoles.size(); ++number) {
    consoles[number].number = number;
    consoles[number].gear = oob::bench::make_pty(std::string(argv[1]) + "/tty" + std::to_string(number)).gear;
    fcntl(consoles[number].gear, F_SETFL, O_NONBLOCK);
  }
  std::cout << "ready" << std::endl;
  std::string line;
  while (std::getline(std::cin, line) && line != "go") {
    std::istringstream words(line);
    std::string word, file;
    std::size_t number = 0;
    if (!(words >> word >> number >> file) || word != "sample" || number >= consoles.size()) return 64;
    auto sample = std::make_unique<Sample>();
    sample->file = open(file.c_str(), O_RDONLY | O_CLOEXEC);
    struct stat status;
    if (sample->file < 0 || fstat(sample->file, &status) != 0) oob::bench::die(file);
    sample->base = status.st_size;
    consoles[number].sample = std::move(sample);
  }

  std::atomic<bool> over = false;
  std::vector<std::uint32_t> lags;
  std::thread follower([&] { follow(consoles, over, lags); });
  auto start = Clock::now();
  if (rate > 0)
    talk(consoles, rate, seconds);
  else
    flood(consoles, seconds);
  double took = std::chrono::duration<double>(Clock::now() - start).count();
  std::this_thread::sleep_for(std::chrono::milliseconds(300));
  over = true;
  follower.join();
  print_result(consoles, took, lags);
  while (std::getline(std::cin, line)) {
  }
  return 0;
}
