"""Transcripts, recordings and configurations by SFTP, with the clients people have."""

import os
import random
import subprocess

import paramiko
import pytest

import clients
from harness import PATIENCE, resident, until
from test_recordings import only

ROLES = {"all": (["*"], ["watch", "write", "audit", "snapshot", "admin"]), "one": (["edge1"], ["watch"]),
         "none": (["nowhere"], ["watch"])}
USERS = {"alice": ["all"], "bob": ["one"], "carol": ["none"]}
SEGMENT = "00000000000000000000.log"


def serving(lab):
    gears = {name: lab.gear(name) for name in ("edge1", "edge2")}
    daemon = lab.daemon(gears, users=USERS, roles=ROLES)
    daemon.wait_up(*gears)
    for name, gear in gears.items():
        gear.says(f"hello from {name}\r\n")
        until("it is written", lambda name=name: b"hello" in daemon.transcript(name))
    return daemon


def options(daemon, user):
    """What sftp and scp are called with: the same as ssh."""
    argv = daemon.ssh_argv("oob", user=user)
    return argv[1:argv.index("oob")]


def sftp(lab, daemon, commands, user="alice", more=()):
    return clients.run(["sftp", *options(daemon, user), *more, "-b", "-", "oob"], lab.environment,
                       "".join(line + "\n" for line in commands))


def read(path):
    with open(path, "rb") as file:
        return file.read()


def paramiko_client(lab, daemon, user="alice"):
    client = paramiko.SSHClient()
    client.set_missing_host_key_policy(paramiko.AutoAddPolicy())
    client.connect("127.0.0.1", daemon.port, user, key_filename=lab.key(user), allow_agent=False,
                   look_for_keys=False, timeout=PATIENCE)
    lab.keep(client)
    return client


def test_sftp_lists_and_gets(lab):
    daemon = serving(lab)
    into = lab.path("got")
    os.mkdir(into)
    done = sftp(lab, daemon, ["ls -l /", "cd transcripts", "pwd", f"lcd {into}", f"get edge1/{SEGMENT}",
                              "get -r /transcripts all", "ls edge2"])
    assert done.status == 0, done
    assert "transcripts" in done.out and "recordings" in done.out and "/transcripts" in done.out, done
    assert read(f"{into}/{SEGMENT}") == daemon.transcript("edge1")
    assert read(f"{into}/all/edge2/{SEGMENT}") == daemon.transcript("edge2")
    fetched = [(entry["path"], entry["device"], entry["user"]) for entry in daemon.journal("file.read")]
    assert (f"/transcripts/edge1/{SEGMENT}", "edge1", "alice") in fetched, fetched


def test_nothing_is_written(lab):
    daemon = serving(lab)
    here = lab.path("mine")
    with open(here, "w") as file:
        file.write("x")
    for command in (f"put {here} /transcripts/edge1/mine", f"rm /transcripts/edge1/{SEGMENT}", "mkdir /mine",
                    f"rename /transcripts/edge1/{SEGMENT} /mine", f"chmod 777 /transcripts/edge1/{SEGMENT}",
                    "rmdir /transcripts", f"ln -s /transcripts/edge1/{SEGMENT} /mine"):
        done = sftp(lab, daemon, [command])
        assert done.status == 1, (command, done)
    assert b"hello from edge1" in daemon.transcript("edge1")


def test_one_sees_what_one_may_and_nothing_else(lab):
    daemon = serving(lab)
    done = sftp(lab, daemon, ["ls /", "ls /transcripts"], user="bob")
    assert "edge1" in done.out and "edge2" not in done.out and "recordings" not in done.out, done
    hidden = sftp(lab, daemon, [f"get /transcripts/edge2/{SEGMENT} {lab.path('no')}"], user="bob")
    missing = sftp(lab, daemon, [f"get /transcripts/edge3/{SEGMENT} {lab.path('no')}"], user="bob")
    assert hidden.status == missing.status == 1
    assert hidden.err.replace("edge2", "edge3") == missing.err and "not found" in hidden.err, hidden
    done = sftp(lab, daemon, ["ls /transcripts"], user="carol")
    assert "edge" not in done.out, done
    assert not os.path.exists(lab.path("no"))


def test_scp_of_openssh_gets_files(lab):
    daemon = serving(lab)
    into = lab.path("copy")
    done = clients.run(["scp", *options(daemon, "alice"), f"oob:/transcripts/edge1/{SEGMENT}", into], lab.environment)
    assert done.status == 0 and read(into) == daemon.transcript("edge1"), done
    done = clients.run(["scp", *options(daemon, "alice"), "-r", "oob:/transcripts/edge2", into + "s"], lab.environment)
    assert done.status == 0 and read(f"{into}s/{SEGMENT}") == daemon.transcript("edge2"), done
    back = clients.run(["scp", *options(daemon, "alice"), into, "oob:/transcripts/edge1/x"], lab.environment)
    assert back.status != 0 and "denied" in back.err.lower(), back
    old = clients.run(["scp", "-O", *options(daemon, "alice"), f"oob:/transcripts/edge1/{SEGMENT}", into + "2"],
                      lab.environment)
    assert old.status != 0 and "scp of OpenSSH 9" in old.err, old


def test_putty_gets_files(lab):
    daemon = serving(lab)
    key, into = lab.path("alice.ppk"), lab.path("putty")
    subprocess.run(["puttygen", lab.key("alice"), "-O", "private", "-o", key], check=True, capture_output=True,
                   stdin=subprocess.DEVNULL)
    print_of = subprocess.run(["ssh-keygen", "-l", "-f", os.path.join(daemon.state, "host_ed25519")], check=True,
                              capture_output=True, text=True).stdout.split()[1]
    base = ["-batch", "-noagent", "-hostkey", print_of, "-i", key, "-P", str(daemon.port), "-l", "alice"]
    commands = lab.path("commands")
    with open(commands, "w") as file:
        file.write(f"ls /transcripts\nget /transcripts/edge1/{SEGMENT} {into}\nquit\n")
    done = clients.run(["psftp", *base, "-b", commands, "127.0.0.1"], lab.environment)
    assert done.status == 0 and "edge2" in done.out and read(into) == daemon.transcript("edge1"), done
    done = clients.run(["pscp", "-sftp", *base, f"127.0.0.1:/transcripts/edge2/{SEGMENT}", into + "2"],
                       lab.environment)
    assert done.status == 0 and read(into + "2") == daemon.transcript("edge2"), done


def test_paramiko_gets_files(lab):
    daemon = serving(lab)
    files = paramiko_client(lab, daemon).open_sftp()
    assert sorted(files.listdir("/transcripts")) == ["edge1", "edge2"]
    assert files.normalize(".") == "/" and files.stat("/transcripts/edge1").st_mode == 0o40500
    path = f"/transcripts/edge1/{SEGMENT}"
    files.getfo(path, file := open(lab.path("p"), "w+b"))
    file.close()
    assert read(lab.path("p")) == daemon.transcript("edge1")
    with files.open(path) as file:
        assert file.readv([(6, 4), (0, 5)]) is not None and file.stat().st_size == len(daemon.transcript("edge1"))
    with pytest.raises(PermissionError):
        files.open(path, "a")
    with pytest.raises(FileNotFoundError):
        files.open("/transcripts/edge1/../../../etc/passwd")


def test_recordings_are_for_who_may_audit_them(lab):
    daemon = serving(lab)
    screen = daemon.attached("edge1")
    screen.leave()
    only(daemon)  # as it stays
    files = paramiko_client(lab, daemon).open_sftp()
    day = "/recordings"
    for _ in range(3):
        names = files.listdir(day)
        assert len(names) == 1, names
        day += "/" + names[0]
    cast, = files.listdir(day)
    files.get(f"{day}/{cast}", lab.path("cast"))
    assert read(lab.path("cast")) == read(os.path.join(daemon.state, day[1:], cast))
    with pytest.raises(FileNotFoundError):
        paramiko_client(lab, daemon, "bob").open_sftp().stat(f"{day}/{cast}")


def test_a_large_transcript_comes_exactly_and_in_little_memory(lab):
    daemon = serving(lab)
    before = daemon.transcript("edge2")
    folder = os.path.join(daemon.state, "transcripts", "edge2")
    name = f"{len(before):020}.log"
    whole = random.Random(6).randbytes(64 << 20)
    with open(os.path.join(folder, name), "wb") as file:
        file.write(whole)
    into, most = lab.path("large"), 0
    resting = resident(daemon.process.pid)
    argv = ["sftp", *options(daemon, "alice"), "-b", "-", "oob"]
    child = lab.keep(clients.Background(argv, lab.environment, lab.path("sftp_out")))
    child.child.stdin.write(f"get /transcripts/edge2/{name} {into}\n".encode())
    child.child.stdin.close()
    while child.child.poll() is None:
        most = max(most, resident(daemon.process.pid))
    assert child.wait() == 0, child.err
    assert read(into) == whole
    assert most - resting < 24 << 20, (most, resting)


def test_stalled_clients_hurt_nobody(lab):
    daemon = serving(lab)
    folder = os.path.join(daemon.state, "transcripts", "edge2")
    name = f"{len(daemon.transcript('edge2')):020}.log"
    with open(os.path.join(folder, name), "wb") as file:
        file.write(b"x" * (16 << 20))
    stalled = []
    for i in range(10):
        argv = ["sftp", *options(daemon, "alice"), "-b", "-", "oob"]
        child = lab.keep(clients.Background(argv, lab.environment, lab.path(f"stalled{i}")))
        child.child.stdin.write(f"get /transcripts/edge2/{name} {lab.path(f'got{i}')}\n".encode())
        child.child.stdin.flush()
        stalled.append(child)
    for i, child in enumerate(stalled):
        until("it gets something", lambda i=i: os.path.exists(lab.path(f"got{i}")))
        child.freeze()
    into = lab.path("meanwhile")
    done = sftp(lab, daemon, [f"get /transcripts/edge1/{SEGMENT} {into}"], user="bob")
    assert done.status == 0 and read(into) == daemon.transcript("edge1"), done
    assert daemon.ssh("list").seconds < 30  # they stand still until long after that
    assert resident(daemon.process.pid) < 128 << 20
    for child in stalled:
        child.thaw()
    for i, child in enumerate(stalled):
        child.end_input()
        assert child.wait(120) == 0 and os.path.getsize(lab.path(f"got{i}")) == 16 << 20


def test_other_subsystems_and_forced_commands_get_none(lab):
    daemon = serving(lab)
    for name in ("netconf", "sftp2", "SFTP"):
        done = daemon.ssh("-s", "oob", name, input=None)
        assert done.status == 255 and "subsystem request failed" in done.err, done
    daemon.write_keys("bob", 'command="version" ' + lab.public("bob"))
    done = sftp(lab, daemon, ["ls"], user="bob")
    assert done.status == 255 and "one command" in done.err, done
