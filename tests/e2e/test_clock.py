"""A board without a clock (1970), and one whose clock is set while people work: they log in, and recordings play. The
core's wall clock is wrong_clock.cc's; the front, which has an empty environment, keeps the machine's."""

import datetime
import os
import struct
import time

import pytest

from harness import OOBD, Daemon, until
from test_certificates import Authority, replace
from test_recordings import is_closed, only, parsed, plays, recordings
from test_totp import Coded, code, kernel_is_synchronised


class Clock:
    """What the daemon believes to be the time; set() changes it under way."""

    def __init__(self, lab):
        library = os.environ.get("WRONG_CLOCK_LIBRARY", "")
        if not os.path.exists(library):
            pytest.skip("WRONG_CLOCK_LIBRARY names no library (tests/e2e/wrong_clock.cc)")
        with open(OOBD, "rb") as file:
            if b"__asan_init" in file.read():
                pytest.skip("a sanitizer wants to be the first library")
        self.lab, self._file = lab, lab.path("clock")
        self.environment = {"LD_PRELOAD": library, "WRONG_CLOCK": self._file}
        self.offset = 0  # seconds

    def set(self, year):
        """To the first minutes of a year, or with none to what it really is."""
        first = datetime.datetime(year, 1, 1, tzinfo=datetime.timezone.utc).timestamp() + 60 if year else time.time()
        self.offset = int(first - time.time())
        with open(self._file, "r+b" if os.path.exists(self._file) else "wb") as file:  # the same one: it is mapped
            file.write(struct.pack("=q", self.offset))

    def start(self, daemon):
        """The daemon, started by this clock."""
        before = dict(self.lab.environment)
        self.lab.environment.update(self.environment)
        try:
            self.lab.keep(daemon).start()
        finally:
            self.lab.environment.clear()
            self.lab.environment.update(before)
        daemon.wait_up("edge1")
        return daemon

    def one(self, **how):
        """As Lab.one()."""
        gear = self.lab.gear("edge1")
        return self.start(Daemon(self.lab, {"edge1": gear}, **how)), gear


@pytest.fixture
def clock(lab):
    return Clock(lab)


def years(daemon):
    return [entry["t"][:4] for entry in daemon.journal()]


def test_a_board_that_believes_it_is_1970_lets_people_in_and_records(lab, clock):
    clock.set(1970)
    daemon, gear = clock.one()
    screen = daemon.attached()
    gear.says(b"long ago\r\n")
    screen.expect("long ago")
    screen.leave()
    path = only(daemon)
    assert parsed(path)[0]["timestamp"] < 3600
    assert "long ago" in plays(lab, path)
    done = daemon.ssh("replay", parsed(path)[0]["oobd"]["id"])
    assert done.status == 0 and "long ago" in done.out, done
    assert set(years(daemon)) == {"1970"}


def test_people_stay_and_log_in_while_the_clock_is_set_forth_and_back(lab, clock):
    clock.set(1970)
    daemon, gear = clock.one()
    screen = daemon.attached()
    for number, year in enumerate((2031, 2011)):
        clock.set(year)
        gear.says(b"after step %d\r\n" % number)
        screen.expect(f"after step {number}")
        assert daemon.ssh("list").status == 0
        until("the step is in the journal", lambda: len(daemon.journal("clock.step")) == number + 1)
    screen.leave()
    forth, back = (entry["by"] for entry in daemon.journal("clock.step"))
    assert forth > 60 * 365 * 86400 * 10**6 and back < -19 * 365 * 86400 * 10**6
    until("the recording is closed", lambda: all(map(is_closed, recordings(daemon))))
    path, = recordings(daemon)
    times = [at for at, _, _ in parsed(path)[1]]
    assert times == sorted(times) and times[-1] < 600
    played = plays(lab, path)
    assert "after step 0" in played and "after step 1" in played


def test_certificates_and_old_keys_go_by_the_clock_and_plain_keys_do_not(lab, clock):
    ca = Authority(lab)
    replace(lab.path("user_ca"), ca.public)
    clock.set(1970)
    daemon, _ = clock.one(server=f'user_ca = "{lab.path("user_ca")}"')
    daemon.write_keys("bob", "# certificates only\n")
    certificate = ca.certify(lab.key("bob"), "-V", "-1d:+1d", principals="bob")
    expiry = time.strftime("%Y%m%d", time.gmtime(time.time() + 2 * 86400))
    daemon.write_keys("carol", f'expiry-time="{expiry}" {lab.public("carol")}')

    def logins():
        """Whether each of them gets in: by a plain key, by a certificate, by a key with an end."""
        return tuple(daemon.ssh("version", user=user, options=how).status == 0 for user, how in
                     (("alice", ()), ("bob", (f"CertificateFile={certificate}",)), ("carol", ())))

    assert logins() == (True, False, True), "a certificate from the future, a key that has not expired"
    clock.set(None)
    assert logins() == (True, True, True)
    clock.set(2031)
    assert logins() == (True, False, False)
    clock.set(None)
    # What has expired once stays so until somebody answers for the clock.
    answered_for = kernel_is_synchronised()
    assert logins() == (True, answered_for, answered_for)


def test_codes_go_by_the_clock_also_after_it_was_far_ahead(lab, clock):
    clock.set(1970)
    daemon = clock.start(Coded(lab, {"edge1": lab.gear("edge1")}))
    for year in (1970, 2031, None):
        clock.set(year)
        taken = code(clock.offset / 30 + 1)  # of the next step, which stays good for a minute
        daemon.enters(taken)
    assert "used before" in daemon.refuses(taken)
