"""dbclient, plink, paramiko and asyncssh, once each: run a command, watch, attach and type."""

import asyncio
import os
import subprocess
import warnings

import clients
from gear import PATIENCE, until

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    import asyncssh
    import paramiko


def all_three(lab, daemon, gear, argv, terminal):
    """argv(words): without a terminal; terminal(words): with one."""
    done = clients.run(argv(["version"]), lab.environment)
    assert done.status == 0 and done.out.startswith("oobd "), done
    done = clients.run(argv(["watch", "nowhere"]), lab.environment)
    assert done.status == 66 and done.out == "" and "no such device" in done.err, done
    done = clients.run(argv(["send", "edge1", "-"]), lab.environment, "typed by stdin\n")
    assert done.status == 0, done
    gear.hears("typed by stdin")
    watcher = lab.keep(clients.Background(argv(["watch", "edge1"]), lab.environment, lab.path("watched")))
    until("the watcher watches", lambda: daemon.devices_now()["edge1"]["watchers"])
    gear.says("seen by the watcher\r\n")
    watcher.sees("seen by the watcher")
    screen = lab.keep(clients.Screen(terminal(["attach", "edge1"]), lab.environment))
    screen.expect("you may type")
    screen.type("typed by hand\r")
    gear.hears("typed by hand\r")
    gear.says("the gear answers\r\n")
    screen.expect("the gear answers")
    screen.leave()


def test_dropbear_works(lab):
    daemon, gear = lab.one()
    key = lab.path("dropbear_key")
    subprocess.run(["dropbearconvert", "openssh", "dropbear", lab.key("alice"), key], check=True, capture_output=True)
    base = ["dbclient", "-y", "-y", "-i", key, "-p", str(daemon.port)]
    all_three(lab, daemon, gear, lambda words: base + ["-T", "alice@127.0.0.1"] + words,
              lambda words: base + ["-t", "alice@127.0.0.1"] + words)


def test_plink_works(lab):
    daemon, gear = lab.one()
    key = lab.path("alice.ppk")
    subprocess.run(["puttygen", lab.key("alice"), "-O", "private", "-o", key], check=True, capture_output=True,
                   stdin=subprocess.DEVNULL)
    print_of = subprocess.run(["ssh-keygen", "-l", "-f", os.path.join(daemon.state, "host_ed25519")], check=True,
                              capture_output=True, text=True).stdout.split()[1]
    base = ["plink", "-batch", "-ssh", "-no-antispoof", "-noagent", "-hostkey", print_of, "-i", key, "-P",
            str(daemon.port), "-l", "alice"]
    all_three(lab, daemon, gear, lambda words: base + ["-T", "127.0.0.1"] + words,
              lambda words: base + ["-t", "127.0.0.1"] + words)


def test_paramiko_works(lab):
    daemon, gear = lab.one()
    client = paramiko.SSHClient()
    client.set_missing_host_key_policy(paramiko.AutoAddPolicy())
    client.connect("127.0.0.1", daemon.port, "alice", key_filename=lab.key("alice"), allow_agent=False,
                   look_for_keys=False, timeout=PATIENCE)
    _, out, err = client.exec_command("version", timeout=PATIENCE)
    assert out.read().startswith(b"oobd ") and err.read() == b"" and out.channel.recv_exit_status() == 0
    _, out, err = client.exec_command("watch nowhere", timeout=PATIENCE)
    assert out.read() == b"" and b"no such device" in err.read() and out.channel.recv_exit_status() == 66

    _, watched, _ = client.exec_command("watch edge1", timeout=PATIENCE)
    shell = client.invoke_shell("xterm", 80, 24)
    shell.settimeout(PATIENCE)
    said = b""

    def expect(word):
        nonlocal said
        while word not in said:
            more = shell.recv(4096)
            assert more, said
            said += more
        said = said.split(word, 1)[1]

    expect(b"> ")
    shell.sendall(b"attach edge1\r")
    expect(b"you may type")
    shell.sendall(b"typed by hand\r")
    gear.hears("typed by hand\r")
    gear.says("the gear answers\r\n")
    expect(b"the gear answers")
    assert watched.readline().rstrip() == "the gear answers"
    client.close()


def test_asyncssh_works(lab):
    daemon, gear = lab.one()

    async def talk():
        async with asyncssh.connect("127.0.0.1", daemon.port, username="alice", client_keys=[lab.key("alice")],
                                    known_hosts=None, config=None, agent_path=None) as connection:
            done = await connection.run("version")
            assert done.stdout.startswith("oobd ") and done.stderr == "" and done.exit_status == 0
            done = await connection.run("watch nowhere")
            assert done.stdout == "" and "no such device" in done.stderr and done.exit_status == 66
            watcher = await connection.create_process("watch edge1", encoding=None)
            console = await connection.create_process("attach edge1", term_type="xterm", encoding=None)
            await console.stdout.readuntil(b"you may type")
            console.stdin.write(b"typed by hand\r")
            await asyncio.to_thread(gear.hears, "typed by hand\r")
            await asyncio.to_thread(gear.says, "the gear answers\r\n")
            await console.stdout.readuntil(b"the gear answers")
            assert (await watcher.stdout.readuntil(b"answers")).endswith(b"the gear answers")
            console.stdin.write(b"\x05c.")
            await console.wait()
            assert console.exit_status == 0

    asyncio.run(asyncio.wait_for(talk(), 2 * PATIENCE))
