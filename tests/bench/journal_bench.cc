// Durable commits a second, and how long one takes, against the cheapest that could be: one write of 300
// bytes and an fdatasync, on the same disk, run in turns with it. Prints medians of five.

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

#include "auth/journal.h"

namespace {

using namespace oob;
using Times = std::vector<double>;

constexpr int kRounds = 5;
constexpr int kCommits = 400;

double now() { return std::chrono::duration<double>(base::Clock::now().time_since_epoch()).count(); }

double at(Times times, double part) {
  std::sort(times.begin(), times.end());
  return times[static_cast<std::size_t>(part * static_cast<double>(times.size() - 1))];
}

struct Round {
  double rate, p50, p99;  // a second; µs
};

Round round_of(const Times& times, double took) {
  return {static_cast<double>(times.size()) / took, at(times, 0.5) * 1e6, at(times, 0.99) * 1e6};
}

Round plain(const std::string& folder) {
  int file = ::open((folder + "/plain").c_str(), O_WRONLY | O_CREAT | O_APPEND, 0600);
  std::string line(300, 'x');
  Times times;
  double began = now();
  for (int i = 0; i < kCommits; ++i) {
    double start = now();
    if (::write(file, line.data(), line.size()) < 0 || ::fdatasync(file) < 0) std::exit(1);
    times.push_back(now() - start);
  }
  ::close(file);
  return round_of(times, now() - began);
}

Round commits(const std::string& folder, int committers) {
  base::Loop loop;
  base::Disk disk(loop);
  auto opened = auth::Journal::open(loop, disk, folder);
  if (!opened) {
    std::fprintf(stderr, "%s\n", opened.error().what.c_str());
    std::exit(1);
  }
  auth::Journal& journal = **opened;
  int left = kCommits * std::min(committers, 8), under_way = 0;
  Times times;
  std::function<void()> next = [&] {
    if (left == 0) {
      if (under_way == 0) loop.stop();
      return;
    }
    --left;
    ++under_way;
    auth::Entry entry("bench");
    entry.with("text", std::string(150, 'x'));
    journal.commit(std::move(entry), [&, start = now()](base::Result<> done) {
      if (!done) std::exit(1);
      times.push_back(now() - start);
      --under_way;
      next();
    });
  };
  double began = now();
  for (int i = 0; i < committers; ++i) next();
  loop.run();
  Round round = round_of(times, now() - began);
  opened->reset();
  disk.drain();
  return round;
}

Round median(const std::vector<Round>& rounds) {
  auto of = [&](double Round::*what) {
    Times values;
    for (const Round& round : rounds) values.push_back(round.*what);
    return at(values, 0.5);
  };
  return {of(&Round::rate), of(&Round::p50), of(&Round::p99)};
}

void print(const char* name, const Round& round, const Round& base) {
  std::printf("%-14s %9.0f /s (%5.2f)   p50 %8.0f us (%5.2f)   p99 %8.0f us (%5.2f)\n", name, round.rate,
              round.rate / base.rate, round.p50, round.p50 / base.p50, round.p99, round.p99 / base.p99);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) {
    std::fprintf(stderr, "usage: bench_journal FOLDER (empty, on the disk to measure)\n");
    return 64;
  }
  std::vector<Round> floor, one, many;
  for (int i = 0; i < kRounds; ++i) {
    floor.push_back(plain(argv[1]));
    one.push_back(commits(argv[1], 1));
    many.push_back(commits(argv[1], 32));
  }
  Round base = median(floor);
  print("fdatasync", base, base);
  print("1 committer", median(one), base);
  print("32 committers", median(many), base);
}
