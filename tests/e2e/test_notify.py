"""Events reach people: by a program, and by a post over TLS."""

import json
import os
import re
import subprocess
import time

import pytest

from harness import OOBD, in_time, processes_of, until
from hooks import PATH, Hook, Told, figures, make_ca, script

TOKEN = "tk-5up3rS3cret-0123456789"
DEAD = "127.77.5.2"  # where nobody else takes the port of a server that is dead


def begin(lab, tables, devices=("edge1",), **how):
    gears = {name: lab.gear(name) for name in devices}
    daemon = Told(lab, gears, **how)
    daemon.tables = tables
    daemon.write_config()
    lab.keep(daemon).start()
    daemon.wait_up(*devices)
    return daemon, gears


def token_file(lab):
    path = lab.path("token")
    with open(path, "w") as file:
        file.write(TOKEN + "\n")
    os.chmod(path, 0o600)
    return path


def test_a_program_and_a_webhook_hear_of_a_lost_line_within_five_seconds(lab):
    ca = make_ca(lab, "ca")
    hook = lab.keep(Hook(lab, ca).start())
    heard = lab.path("heard")
    program = script(lab, "tell", f'cat > {heard}.new\nenv > {heard}.env\nprintf "%s|" "$@" > {heard}.words\n'
                     f'ls -l /proc/self/fd > {heard}.fds\ngrep NoNewPrivs /proc/self/status > {heard}.rights\nmv {heard}.new {heard}\n')
    daemon, gears = begin(lab, f'''
[notify.sms]
events = ["line.down"]
program = ["{program}", "+49 30 5550100", "a;b $(c)"]
[notify.hook]
events = ["line.*"]
post = "{hook.url()}"
ca = "{ca}"
token_file = "{token_file(lab)}"
''')

    def lost():
        if not gears["edge1"].master:  # by the last attempt
            gears["edge1"].plug()
            daemon.wait_up("edge1")
            os.unlink(heard)
            hook.posts.clear()
        gears["edge1"].unplug()
        begun = time.monotonic()
        until("both have heard of it", lambda: os.path.exists(heard) and ("line.down", "edge1") in hook.events())
        return time.monotonic() - begun

    in_time(lost, 5)
    with open(heard) as file:
        notice = json.load(file)
    assert (notice["event"], notice["device"], notice["board"]) == ("line.down", "edge1", os.uname().nodename)
    assert notice["summary"].startswith("edge1: line.down: ") and notice["time"].endswith("Z")
    assert (notice["n"], notice["time"]) in [(one["n"], one["t"]) for one in daemon.journal("line.down")]
    with open(heard + ".env") as file:
        environment = dict(line.rstrip("\n").split("=", 1) for line in file)
    assert environment.pop("PWD", "/") == "/"
    environment.pop("_", None)
    environment.pop("SHLVL", None)
    assert environment == {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "LANG": "C.UTF-8",
                           "HOME": os.path.expanduser(f"~{os.environ.get('USER', 'root')}"),
                           "OOBD_EVENT": "line.down", "OOBD_DEVICE": "edge1", "OOBD_INTERFACE": ""}
    with open(heard + ".words") as file:
        assert file.read() == "+49 30 5550100|a;b $(c)|"
    with open(heard + ".fds") as file:
        assert "socket" not in file.read(), "the program has a descriptor of ours"
    with open(heard + ".rights") as file:
        assert file.read().split() == ["NoNewPrivs:", "1"]
    post = next(post for post in hook.posts if post[3]["event"] == "line.down")
    assert post[1] == PATH and post[2]["Content-Type"] == "application/json"
    assert post[2]["Authorization"] == "Bearer " + TOKEN
    until("both count it", lambda: figures(daemon, "sms")["sent"] >= 1 and figures(daemon, "hook")["sent"] >= 1)
    assert re.search(r'^oobd_notify_sent_total\{notify="sms"\} [1-9]', daemon.ctl("metrics").out, re.MULTILINE)
    assert re.search(r"notify +hook: \d+ notices? sent, the last", daemon.ctl("status").out)
    # What is secret is nowhere but in its file and on its way.
    for pid in processes_of(daemon.process.pid):
        for what in ("cmdline", "environ"):
            with open(f"/proc/{pid}/{what}", "rb") as file:
                assert TOKEN.encode() not in file.read()
    daemon.stop()
    for secret in (TOKEN, PATH):
        assert secret not in daemon.stderr
        found = subprocess.run(["grep", "-rlF", secret, daemon.state], capture_output=True, text=True)
        assert found.stdout == "", found.stdout


def test_what_happens_while_nobody_answers_is_told_later_in_order(lab):
    ca = make_ca(lab, "ca", DEAD)
    hook = lab.keep(Hook(lab, ca, DEAD).start())
    hook.stop()
    daemon, gears = begin(lab, f'[notify.hook]\nevents = ["note"]\npost = "{hook.url()}"\nca = "{ca}"\n')
    for number in range(3):
        assert daemon.ctl("note", "edge1", f"number {number}").status == 0
    until("they wait", lambda: figures(daemon, "hook")["waiting"] == 3)
    until("it has failed often enough to be told", lambda: daemon.journal("notify.failed"))
    assert f"{DEAD}: " in figures(daemon, "hook")["trouble"]
    daemon.stop()  # and over a restart
    daemon.start()
    daemon.wait_up("edge1")
    hook.start()
    until("all is told", lambda: len([1 for post in hook.posts if post[3]["event"] == "note"]) == 3)
    told = [post[3] for post in hook.posts]
    assert [one["n"] for one in told] == sorted(one["n"] for one in told)
    assert [one["text"] for one in told] == [f"number {n}" for n in range(3)]
    until("nothing waits", lambda: figures(daemon, "hook")["waiting"] == 0)
    assert figures(daemon, "hook")["trouble"] == ""


def test_a_server_with_another_ca_is_told_nothing(lab):
    make_ca(lab, "evil")
    ca = make_ca(lab, "ca")
    hook = lab.keep(Hook(lab, lab.path("evil.pem")).start())
    daemon, _ = begin(lab, f'[notify.hook]\nevents = ["note"]\npost = "{hook.url()}"\nca = "{ca}"\n'
                           f'token_file = "{token_file(lab)}"\n')
    daemon.ctl("note", "edge1", "hello")
    until("it has failed", lambda: figures(daemon, "hook")["failed"] >= 1)
    assert "certificate" in figures(daemon, "hook")["trouble"]
    assert "127.0.0.1: SSL certificate problem" in daemon.ctl("status").out
    assert hook.posts == []


def test_a_redirect_and_a_proxy_lead_nowhere(lab):
    elsewhere = lab.keep(Hook(lab).start())
    hook = lab.keep(Hook(lab).start())
    hook.status, hook.headers = 307, {"Location": elsewhere.url()}
    lab.environment.update({name: f"http://127.0.0.1:{elsewhere.port}" for name in
                            ("http_proxy", "https_proxy", "all_proxy", "ALL_PROXY")})
    daemon, _ = begin(lab, f'[notify.hook]\nevents = ["note"]\npost = "{hook.url()}"\n'
                           f'token_file = "{token_file(lab)}"\n')
    daemon.ctl("note", "edge1", "hello")
    until("it has failed", lambda: figures(daemon, "hook")["failed"] >= 2)
    assert "answered with status 307" in figures(daemon, "hook")["trouble"]
    assert elsewhere.posts == [] and hook.posts
    hook.status = 200
    until("it is delivered once it is taken", lambda: figures(daemon, "hook")["sent"] >= 1)


def test_a_program_that_fails_or_hangs_holds_nobody_else_up(lab):
    hook = lab.keep(Hook(lab).start())
    gate = lab.path("gate")
    good = script(lab, "good", f"[ -e {gate} ] || {{ echo no modem >&2; exit 3; }}\ncat >> {lab.path('told')}\n")
    hung = script(lab, "hung", "sleep 1000 & sleep 1000\n")
    daemon, gears = begin(lab, f'''
[notify.good]
events = ["line.down"]
program = ["{good}"]
[notify.hung]
events = ["line.down"]
program = ["{hung}"]
[notify.hook]
events = ["line.down"]
post = "{hook.url()}"
''')
    gears["edge1"].unplug()
    until("the hook has heard", lambda: ("line.down", "edge1") in hook.events())
    until("its words are told", lambda: figures(daemon, "good")["trouble"] ==
          "the program ended with exit status 3: no modem")
    open(gate, "w").close()
    until("it is told", lambda: figures(daemon, "good")["sent"] >= 1)
    assert figures(daemon, "hung")["waiting"] >= 1
    until("it hangs", lambda: len(processes_of(daemon.process.pid)) >= 5)
    daemon.stop()  # asserts that nothing of it is left


def test_the_programs_end_when_the_daemon_is_killed(lab):
    hung = script(lab, "hung", "trap '' TERM\necho $$ > " + lab.path("pid") + "\nwhile :; do sleep 1; done\n")
    daemon, gears = begin(lab, f'[notify.hung]\nevents = ["line.down"]\nprogram = ["{hung}"]\n')
    gears["edge1"].unplug()
    until("it runs", lambda: os.path.exists(lab.path("pid")))
    daemon.kill()  # waits until nothing is left


def test_a_reload_adds_changes_and_removes(lab):
    hook, other = lab.keep(Hook(lab).start()), lab.keep(Hook(lab).start())
    daemon, gears = begin(lab, f'[notify.hook]\nevents = ["note"]\npost = "{hook.url()}"\n')
    daemon.ctl("note", "edge1", "one")
    until("the first has it", lambda: len(hook.posts) == 1)
    position = os.path.join(daemon.state, "notify", "hook.position")
    until("its position is written", lambda: os.path.exists(position))
    program = script(lab, "tell", "cat > /dev/null\n")
    daemon.tables = (f'[notify.other]\nevents = ["note"]\npost = "{other.url()}"\n'
                     f'[notify.sms]\nevents = ["note"]\nprogram = ["{program}"]\n')
    daemon.write_config()
    done = daemon.ctl("reload")
    assert done.status == 0 and "programs of [notify] and [callhome] take effect at the next start" in done.out, done
    until("its position has gone", lambda: not os.path.exists(position))
    daemon.ctl("note", "edge1", "two")
    until("the second has it", lambda: len(other.posts) == 1)
    assert other.posts[0][3]["text"] == "two" and len(hook.posts) == 1
    until("why is told", lambda: "next start" in figures(daemon, "sms")["trouble"])
    daemon.stop()
    daemon.start()
    until("the program is run now", lambda: figures(daemon, "sms")["sent"] == 1)


@pytest.mark.parametrize("mode, words", [(0o644, "is not executable"), (0o777, "others may write to it")])
def test_check_looks_at_the_program(lab, mode, words):
    program = script(lab, "tell", "exit 0\n")
    daemon = Told(lab, {"edge1": lab.gear("edge1")})
    daemon.tables = f'[notify.sms]\nevents = ["line.down"]\nprogram = ["{program}"]\n'
    daemon.write_config()
    done = subprocess.run([OOBD, "check", "-c", daemon.config], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout
    os.chmod(program, mode)
    done = subprocess.run([OOBD, "check", "-c", daemon.config], capture_output=True, text=True)
    assert done.returncode == 78 and words in done.stdout, done.stdout


def test_a_program_ends_with_the_table_that_wanted_it(lab):
    begun = lab.path("begun")
    program = script(lab, "hung", f"echo $$ > {begun}.new\nmv {begun}.new {begun}\nexec sleep 600\n")
    daemon, gears = begin(lab, f'\n[notify.sms]\nevents = ["line.down"]\nprogram = ["{program}"]\n')
    gears["edge1"].unplug()
    until("it runs", lambda: os.path.exists(begun))
    with open(begun) as file:
        hung = int(file.read())
    daemon.tables = ""
    daemon.write_config()
    daemon.reload()
    until("it has gone", lambda: not os.path.exists(f"/proc/{hung}"))


def test_a_drill_tries_whether_it_arrives(lab):
    ca = make_ca(lab, "ca")
    hook = lab.keep(Hook(lab, ca).start())
    heard = lab.path("heard")
    tell = script(lab, "tell", f'echo "$OOBD_EVENT" > {heard}\n')
    broken = script(lab, "broken", "echo no modem >&2\nexit 1\n")
    daemon, _ = begin(lab, f'''
[notify.hook]
events = ["note"]
post = "{hook.url()}"
ca = "{ca}"
[notify.sms]
events = ["note"]
program = ["{tell}"]
[notify.pager]
events = ["note"]
program = ["{broken}"]
''')
    out = daemon.ctl("drill").out
    assert re.search(r"^ok \d+ notify hook: a test was delivered$", out, re.MULTILINE), out
    assert re.search(r"^ok \d+ notify sms: a test was delivered$", out, re.MULTILINE), out
    assert re.search(r"^FAILED \d+ notify pager: a test was not delivered: the program ended with exit status 1: no modem",
                     out, re.MULTILINE), out
    told, = [post[3] for post in hook.posts]
    assert told["event"] == "drill.test" and "test" in told["summary"]
    with open(heard) as file:
        assert file.read() == "drill.test\n"
    again = daemon.ctl("drill").out
    assert re.search(r"^ok \d+ notify hook: the last was delivered .* ago$", again, re.MULTILINE), again
    assert len(hook.posts) == 1
