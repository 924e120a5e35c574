"""`guard`: a change that nobody confirms is taken back, on real shells behind a login prompt."""

import json
import os

import pytest

import lab as bmc_lab
from harness import BehindBmc, until
from machines import RECIPE, Machine

OVER = 120.0  # seconds: the shortest guard has 30, and a loaded machine needs more
DEAD = 420.0  # three tries, each with its own patience


class Site:
    """A daemon with machines whose configuration is one file, `here`, and with `more`."""

    def __init__(self, lab, *names, more=None):
        os.makedirs(lab.path("recipes"))
        with open(lab.path("recipes/box.recipe"), "w") as file:
            file.write(RECIPE)
        with open(lab.path("password"), "w") as file:
            file.write(Machine.PASSWORD + "\n")
        os.chmod(lab.path("password"), 0o600)
        self.keys = (f'model = "box"\nlogin = {{ user = "{Machine.USER}", '
                     f'password_file = "{lab.path("password")}" }}\n')
        self.machines = {name: lab.keep(Machine(lab.path(name), lab.path("home-" + name))) for name in names}
        for name, machine in self.machines.items():
            machine.keys = self.keys
            self.write(name, "as it was")
        self.daemon = lab.daemon({**self.machines, **(more(self.keys) if more else {})},
                                 server=f'[snapshot]\nrecipes = "{lab.path("recipes")}"\n')
        self.daemon.wait_up(*names)

    def file(self, name):
        return os.path.join(self.machines[name].home, "here")

    def write(self, name, text):
        with open(self.file(name), "w") as file:
            file.write(text + "\n")

    def reads(self, name):
        with open(self.file(name)) as file:
            return file.read().strip()

    def change(self, name, span="30s"):
        """A risky change, guarded."""
        done = self.daemon.ssh("guard", name, span, "--", "echo as it was > here; echo reverted")
        assert done.status == 0 and f"guard {name} confirm" in done.out, done
        self.write(name, "changed")

    def listed(self, name):
        return self.daemon.devices_now()[name]

    def is_away_until_it_is_over(self):
        """Killed, and started when the time of all guards is over: no test waits for that."""
        self.daemon.kill()
        with open(os.path.join(self.daemon.state, "guards"), "r+") as file:
            lines = [json.loads(line) for line in file]
            for line in lines[1:]:
                line["ends"] = 0
            file.seek(0)
            file.truncate()
            file.writelines(json.dumps(line) + "\n" for line in lines)
        self.daemon.start()


@pytest.fixture(scope="module", autouse=True)
def dead(shared_lab):
    """A daemon with a guard on a console that says nothing: three tries take minutes, while the other tests go on. None
    where the BMC behind it can't be had."""
    program = os.environ.get("TEST_BMC")
    if not program:
        return None
    [bmc] = shared_lab.keep(bmc_lab.TestBmcs(shared_lab.dir, 1, program))
    line = shared_lab.gear("dead1").line
    site = Site(shared_lab, more=lambda keys: {
        "dead1": BehindBmc(shared_lab, "dead1", bmc, line=line, keys=keys + "guard_power = true\n")})
    site.daemon.wait_up("dead1")
    done = site.daemon.ssh("guard", "dead1", "10m", "--", "true")
    assert done.status == 0, done
    site.is_away_until_it_is_over()
    return site


def test_what_nobody_confirms_is_taken_back_and_the_rest_stays(lab):
    site = Site(lab, "edge1", "edge2")
    bob = site.daemon.attached(user="bob", device="edge1")
    for name, span in (("edge2", "10m"), ("edge1", "30s")):
        site.change(name, span)
    bob.expect("alice's change is taken back at")
    assert site.listed("edge1")["guard"].startswith("20")
    assert site.daemon.ssh("guard", "edge1", "1m", "--", "true").status == 75
    assert site.daemon.ssh("guard", "edge2", "confirm", user="carol").status == 77
    done = site.daemon.ssh("guard", "edge2", "confirm", user="bob")
    assert (done.status, done.out) == (0, "edge2: confirmed, the change stays\n"), done
    listed = site.daemon.ssh("guard", user="bob")
    assert listed.status == 0 and listed.out.startswith("edge1: alice's change is taken back at "), listed
    assert "edge2" not in listed.out
    bob.expect("THE TIME IS OVER", patience=OVER)
    until("it is taken back", lambda: site.reads("edge1") == "as it was", OVER)
    until("the result is written down", lambda: site.daemon.journal("guard.result"), OVER)
    [result] = site.daemon.journal("guard.result")
    assert result["status"] == 0 and result["text"] == "reverted" and result["device"] == "edge1", result
    until("nobody is logged in", site.machines["edge1"].at_login)
    assert site.reads("edge2") == "changed"
    assert site.listed("edge1")["guard"] is None and site.listed("edge2")["guard"] is None
    late = site.daemon.ssh("guard", "edge1", "confirm", user="bob")
    assert late.status == 66 and "its change was taken back at" in late.err and "(alice's guard)" in late.err, late
    events = [entry["ev"] for entry in site.daemon.journal() if entry["ev"].startswith("guard.")]
    assert events == ["guard.armed", "guard.armed", "guard.confirmed", "guard.request", "guard.result"]
    assert site.daemon.ctl("verify").status == 0


def test_it_outlives_the_daemon(lab):
    site = Site(lab, "edge1")
    site.change("edge1", "10m")
    site.daemon.kill()
    site.daemon.start()
    done = site.daemon.ssh("guard", "edge1")
    assert done.status == 0 and "alice's change is taken back at" in done.out and "(in 9 min)" in done.out, done
    site.is_away_until_it_is_over()
    until("it is taken back", lambda: site.reads("edge1") == "as it was", OVER)
    until("the result is written down", lambda: site.daemon.journal("guard.result"), OVER)
    assert len(site.daemon.journal("guard.request")) == 1
    assert "its change was taken back at" in site.daemon.ssh("guard", "edge1").err


def test_nothing_is_armed_that_could_not_be_typed(lab):
    site = Site(lab, "edge1")
    os.chmod(lab.path("password"), 0o644)
    done = site.daemon.ssh("guard", "edge1", "10m", "--", "true")
    assert done.status == 78 and lab.path("password") in done.err and done.out == "", done
    assert site.listed("edge1")["guard"] is None


def test_status_tells_machines(lab):
    site = Site(lab, "edge1")
    site.change("edge1", "1h")
    guard = json.loads(site.daemon.ssh("guard", "edge1", "--json").out)
    assert guard["state"] == "armed" and 3000 < guard["seconds_left"] <= 3600 and guard["by"] == "alice"
    status = json.loads(site.daemon.ssh("status", "--json").out)
    assert [one["device"] for one in status["guards"]] == ["edge1"]
    assert "guard in" in site.daemon.ssh("list").out


def test_a_dead_console_has_the_chassis_reset(dead):
    if not dead:
        pytest.skip("TEST_BMC does not name the program")
    daemon = dead.daemon
    until("the chassis is reset", lambda: daemon.journal("power.result"), DEAD)
    [request], [result] = daemon.journal("power.request"), daemon.journal("power.result")
    assert request["action"] == "reset" and request["user"] == "alice"
    assert result["result"].startswith("done"), result
    until("it is told", lambda: "guard_failed" in dead.listed("dead1"))
    assert "so the chassis was reset" in dead.listed("dead1")["guard_failed"]
    assert daemon.ssh("guard", "dead1", "confirm").status == 0
    assert dead.listed("dead1")["guard"] is None
