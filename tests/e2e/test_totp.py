"""A second factor: stock ssh with a key, and a code by oathtool that is typed on a terminal."""

import base64
import ctypes
import os
import re
import subprocess
import time

import pytest

from harness import EVERYTHING, Daemon, until

SECRET = base64.b32encode(b"a secret that two sides know").decode()
WRONG_SECRET = base64.b32encode(b"another secret altogether").decode()
QUESTION = r"Code: "
DENIED = r"Permission denied \(keyboard-interactive\)"
UNSYNCHRONISED = "the kernel's clock is not synchronised"
STA_UNSYNC, TIME_ERROR = 0x40, 5
WITH_CODE = {"options": ("BatchMode=no", "NumberOfPasswordPrompts=1")}


def kernel_is_synchronised():
    """What adjtimex(2) says of this machine's clock."""
    timex = (ctypes.c_long * 64)()  # status lies in the sixth long: modes, offset, freq, maxerror, esterror, status
    state = ctypes.CDLL(None).adjtimex(timex)
    return state != TIME_ERROR and not timex[5] & STA_UNSYNC


def code(steps=0, secret=SECRET, kind="sha1", digits=6):
    """The code of the time step now, or so many steps later."""
    at = time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime(time.time() + 30 * steps))
    return subprocess.run(["oathtool", "--base32", f"--totp={kind}", f"--digits={digits}", "--now", at, secret],
                          capture_output=True, text=True, check=True).stdout.strip()


class Coded(Daemon):
    """alice may do everything with a code, carol watches without one."""

    def __init__(self, lab, devices, server="", text=SECRET):
        self.totp_file = lab.path("alice.totp")
        self.write_secret(text)
        super().__init__(lab, devices, users={"alice": ["coded"], "carol": ["plain"]},
                         roles={"coded": (["*"], EVERYTHING), "plain": (["*"], ["watch", "audit"])}, server=server)

    def config_text(self):
        return (super().config_text().replace("[user.alice]\n", f'[user.alice]\ntotp_file = "{self.totp_file}"\n')
                .replace("[role.coded]\n", '[role.coded]\nsecond_factor = "totp"\n'))

    def write_secret(self, text, mode=0o600):
        with open(self.totp_file + ".new", "w") as file:
            file.write(text)
        os.chmod(file.name, mode)
        os.replace(file.name, self.totp_file)

    def asked(self):
        """ssh on a terminal, up to where the code is asked for."""
        screen = self.screen("version", **WITH_CODE)
        screen.expect(QUESTION)
        return screen

    def enters(self, code):
        screen = self.asked()
        screen.type(code + "\r")
        screen.expect(r"oobd \d")
        screen.ends(0)

    def refuses(self, code):
        """The newest reason in the journal for a code that lets nobody in."""
        before = len(self.journal("login.refused"))
        screen = self.asked()
        screen.type(code + "\r")
        screen.expect(DENIED)
        screen.ends(255)
        until("the journal has the refusal", lambda: len(self.journal("login.refused")) > before)
        return self.journal("login.refused")[-1]["why"]

    def logins(self, user="alice"):
        return [entry for entry in self.journal("login") if entry["user"] == user]


@pytest.fixture
def coded(lab):
    def make(**how):
        return lab.keep(Coded(lab, {"edge1": lab.gear("edge1")}, **how)).start()
    return make


def test_a_right_code_lets_in_once(coded):
    daemon = coded()
    taken = code(1)  # of the next step, which stays good for a minute: a slow machine must not be late with it
    daemon.enters(taken)
    until("the journal has the login", daemon.logins)
    assert [entry["second_factor"] for entry in daemon.logins()] == ["totp"]
    assert "used before" in daemon.refuses(taken)
    daemon.stop()
    daemon.start()
    assert "used before" in daemon.refuses(taken)
    assert len(daemon.logins()) == 1


def test_the_codes_of_now_and_of_the_step_after_are_right(coded):
    daemon = coded()
    daemon.enters(code())
    daemon.enters(code(1))  # as from a telephone whose clock is ahead


def test_a_wrong_code_lets_nobody_in(coded):
    daemon = coded()
    assert "wrong code" in daemon.refuses(code(secret=WRONG_SECRET))
    assert "not a code of 6 digits" in daemon.refuses("12345")
    assert re.search("about [69]0 s behind", daemon.refuses(code(3)))
    assert daemon.logins() == []
    screen = daemon.screen("version", options=("BatchMode=no", "NumberOfPasswordPrompts=2"))
    screen.expect(QUESTION)
    screen.type("000000\r")
    screen.expect(QUESTION)
    screen.type(code() + "\r")
    screen.expect(r"oobd \d")
    screen.ends(0)
    assert "3 wrong codes were given with your key since your last login, the last from " in screen.text
    until("the journal has the login", daemon.logins)
    assert daemon.logins()[0]["wrong_codes"] == 3


def test_a_script_without_a_code_is_refused_at_once(coded):
    daemon = coded()
    done = daemon.ssh("version")
    assert done.status == 255 and "Permission denied (keyboard-interactive)" in done.err, done
    assert done.seconds < 15
    until("the journal has the refusal", lambda: daemon.journal("login.refused"))
    assert daemon.logins() == []


def test_who_has_no_such_role_is_not_asked(coded):
    daemon = coded()
    done = daemon.ssh("version", user="carol")
    assert done.status == 0, done
    until("the journal has the login", lambda: daemon.logins("carol"))
    assert "second_factor" not in daemon.logins("carol")[0]


def test_a_code_without_the_key_is_worth_nothing(coded, lab):
    daemon = coded()
    screen = daemon.screen("version", key=lab.key("stranger"), **WITH_CODE)
    screen.expect(r"Permission denied \(publickey\)")
    screen.ends(255)
    assert "Code" not in screen.text


@pytest.mark.parametrize("kind, digits", [("sha1", 6), ("sha1", 8), ("sha256", 6), ("sha256", 8), ("sha512", 6),
                                          ("sha512", 8)])
def test_an_address_of_a_qr_code_is_taken(coded, kind, digits):
    daemon = coded(text=f"otpauth://totp/oobd:alice?secret={SECRET}&issuer=oobd&algorithm={kind.upper()}"
                        f"&digits={digits}&period=30\n")
    daemon.enters(code(kind=kind, digits=digits))


def test_a_secret_that_others_may_read_lets_nobody_in_until_it_is_mended(coded):
    daemon = coded()
    daemon.write_secret(SECRET, 0o644)
    done = daemon.ssh("version", options=("BatchMode=no",))
    assert done.status == 255 and "Code" not in done.err, done
    until("the journal has the refusal", lambda: daemon.journal("login.refused"))
    why = daemon.journal("login.refused")[-1]["why"]
    assert "alice.totp: mode 0644 lets others read it" in why and SECRET not in why
    daemon.write_secret(WRONG_SECRET)  # a new one holds at once
    daemon.enters(code(secret=WRONG_SECRET))


def test_check_finds_a_secret_that_is_none(lab):
    daemon = lab.keep(Coded(lab, {}, text="GEZDGNBVGY3TQOJ1\n"))
    done = daemon.oobd("check", "-c", daemon.config)
    assert done.status == 78, done
    assert "alice.totp: character 16 of the secret is not base32" in done.out + done.err
    assert "GEZDGNBV" not in done.out + done.err


# --- the board's clock; the policies are tested with the clock as it is here -----------------------------------------


def test_the_boards_time_is_shown_when_it_may_be_wrong(coded):
    daemon = coded()
    hours = [time.gmtime()]
    screen = daemon.asked()
    hours.append(time.gmtime())  # another one, where it has just struck
    believed = [time.strftime("it believes it is %Y-%m-%d %H:", hour) for hour in hours]
    assert any(one in screen.before for one in believed) != kernel_is_synchronised(), screen.before


def test_without_a_clock_the_key_is_enough_where_that_is_wanted(coded):
    daemon = coded(server='totp_unsynchronised = "skip"')
    if kernel_is_synchronised():
        return daemon.enters(code())
    done = daemon.ssh("version")
    assert done.status == 0, done
    assert UNSYNCHRONISED in done.err
    until("the journal has the login", daemon.logins)
    assert UNSYNCHRONISED in daemon.logins()[0]["second_factor"]


def test_without_a_clock_nobody_gets_in_where_that_is_wanted(coded):
    daemon = coded(server='totp_unsynchronised = "refuse"')
    if kernel_is_synchronised():
        return daemon.enters(code())
    done = daemon.ssh("version", options=("BatchMode=no",))
    assert done.status == 255 and "Code" not in done.err, done
    until("the journal has the refusal", lambda: daemon.journal("login.refused"))
    assert UNSYNCHRONISED in daemon.journal("login.refused")[-1]["why"]
