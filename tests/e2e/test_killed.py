"""SIGKILL of the core or of the front, at any moment, under load: the journal verifies, recordings play, and nothing that
was ordered once is done twice."""

import json
import os
import random
import signal
import subprocess
import threading
import time

import pytest

import lab as bmc_lab
from gear import Talker
from harness import BehindBmc, until

ROUNDS = int(os.environ.get("OOBD_KILLS", "10"))  # 1000 for the long run
LONGEST = 0.6  # seconds of load before a kill
STOPPED = 17  # seconds: longer than a front may leave questions without an answer


@pytest.fixture
def bmc(lab):
    program = os.environ.get("TEST_BMC")
    if not program:
        pytest.skip("TEST_BMC does not name the program")
    return lab.keep(bmc_lab.TestBmcs(lab.dir, 1, program))


class Load:
    """People who type words of their own, look on, and cycle the power, as fast as each gets an answer. Notes what was
    answered."""

    def __init__(self, daemon, words):
        self.daemon, self.words = daemon, words
        self.ended = threading.Event()
        self.sent, self.answered = [], []
        self.cycles, self.cycled = 0, 0
        self.threads = [threading.Thread(target=one) for one in (self.type, self.watch, self.power)]
        for thread in self.threads:
            thread.start()

    def ask(self, *words):
        return subprocess.run(self.daemon.ssh_argv(*words), env=self.daemon.lab.environment, stdin=subprocess.DEVNULL,
                              capture_output=True, timeout=60).returncode

    def type(self):
        while not self.ended.is_set():
            word = f"<{next(self.words)}>"
            self.sent.append(word)
            if self.ask("send", "edge1", word) == 0:
                self.answered.append(word)

    def watch(self):
        while not self.ended.is_set():
            watcher = subprocess.Popen(self.daemon.ssh_argv("-tt", "attach", "edge1", "--watch", user="bob"),
                                       env=self.daemon.lab.environment, stdin=subprocess.PIPE,
                                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            while watcher.poll() is None and not self.ended.wait(0.05):
                pass
            watcher.kill()
            watcher.communicate()

    def power(self):
        while not self.ended.is_set():
            self.cycles += 1
            self.cycled += self.ask("power", "relay1", "cycle", "--yes", "relay1", "--wait", "2") == 0

    def end(self):
        self.ended.set()
        for thread in self.threads:
            thread.join()


def test_nothing_that_was_acknowledged_is_lost_and_nothing_is_done_twice(lab, bmc):
    gear = lab.gear("edge1")
    daemon = lab.daemon({"edge1": gear, "relay1": BehindBmc(lab, "relay1", bmc[0])},
                        server="\n[limits]\npenalties = false\n")
    chance = random.Random(20261123)
    words = iter(range(10**9))
    talker = Talker(gear, rate=20_000)
    sent, answered, cycles, cycled, kills = [], [], 0, 0, 0
    try:
        while kills < ROUNDS:
            daemon.wait_up("edge1")
            load = Load(daemon, words)
            time.sleep(chance.uniform(0.0, LONGEST))  # a moment by chance is what this is about
            if chance.random() < 0.3:
                os.kill(daemon.front(), 9)
                until("the front is back", lambda: daemon.ssh("version").status == 0)
                load.end()
            else:
                daemon.kill()
                load.end()
                daemon.start()
            kills += 1
            sent += load.sent
            answered += load.answered
            cycles += load.cycles
            cycled += load.cycled
    finally:
        talker.stop()

    until("what was acknowledged was typed", lambda: all(word.encode() in gear.heard for word in answered))
    heard = gear.heard
    twice = [word for word in sent if heard.count(word.encode()) > 1]
    assert not twice, twice
    done = json.loads(bmc.order("0 seen"))["power"]["cycle"]
    requests = [one for one in daemon.journal("power.request") if one["action"] == "cycle"]
    assert cycled <= done <= len(requests) <= cycles, (cycled, done, len(requests), cycles)

    daemon.stop()
    verified = daemon.oobd("verify", daemon.state)
    assert verified.status == 0, verified
    casts = [os.path.join(base, name) for base, _, names in os.walk(os.path.join(daemon.state, "recordings"))
             for name in names if name.endswith(".cast")]
    assert casts
    for cast in casts:
        with open(cast) as file:
            lines = file.read().splitlines(keepends=True)
        assert all(line.endswith("\n") for line in lines), cast
        assert json.loads(lines[0])["version"] == 2
        times = [json.loads(line)[0] for line in lines[1:]]
        assert times == sorted(times), cast


def test_a_front_is_not_ended_for_what_it_could_not_be_asked_meanwhile(lab):
    daemon = lab.daemon({"edge1": lab.gear("edge1")})
    screen = daemon.screen()
    screen.expect("oobd>")
    front = daemon.front()
    os.kill(daemon.process.pid, signal.SIGSTOP)
    time.sleep(STOPPED)
    os.kill(daemon.process.pid, signal.SIGCONT)
    screen.type("version\r")
    screen.expect("oobd [0-9]")
    assert daemon.front() == front
    assert not daemon.said("front: does not answer")


def test_a_front_that_hangs_is_ended_and_begun_anew(lab):
    daemon = lab.daemon({"edge1": lab.gear("edge1")})
    front = daemon.front()
    os.kill(front, signal.SIGSTOP)
    daemon.wait_said("front: does not answer")
    until("another front is there", lambda: daemon.ssh("version").status == 0)
    assert daemon.front() != front
