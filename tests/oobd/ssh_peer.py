"""An SSH server on a port of its own, for tests of a client; runs until its stdin ends. Says its port first.

  ssh_peer.py sshd DIR        the system's sshd, by DIR/sshd_config, one for each connection
  ssh_peer.py password DIR    user "oob", password "open sesame"; says "auth" when somebody begins to log in
  ssh_peer.py questions DIR   the same by keyboard-interactive, of two questions at the second login
  ssh_peer.py silent DIR      takes connections and never says a word
  ssh_peer.py full DIR        a port whose queue is full: nobody is answered at all
"""

import asyncio
import os
import select
import socket
import subprocess
import sys
import threading


def say(text):
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def listener(backlog=8):
    one = socket.socket()
    one.bind(("127.0.0.1", 0))
    one.listen(backlog)
    return one


def say_port(listening):
    say(str(listening.getsockname()[1]))


def sshd(folder):
    listening = listener()
    say_port(listening)

    def serve():
        while True:
            peer, _ = listening.accept()
            subprocess.Popen(["/usr/sbin/sshd", "-i", "-e", "-f", os.path.join(folder, "sshd_config")],
                             stdin=peer, stdout=peer, stderr=subprocess.DEVNULL)
            peer.close()

    threading.Thread(target=serve, daemon=True).start()
    sys.stdin.read()


def full():
    listening = listener(0)
    waiting = []
    for _ in range(4):
        one = socket.socket()
        one.setblocking(False)
        one.connect_ex(listening.getsockname())
        waiting.append(one)
    select.select([listening], [], [])
    say_port(listening)
    sys.stdin.read()


async def python_server(kind, folder):
    import asyncssh
    logins = 0

    class Server(asyncssh.SSHServer):
        def begin_auth(self, username):
            say("auth " + username)
            return True

        def password_auth_supported(self):
            return kind == "password"

        def validate_password(self, username, password):
            return username == "oob" and password == "open sesame"

        def kbdint_auth_supported(self):
            return kind == "questions"

        def get_kbdint_challenge(self, username, lang, submethods):
            nonlocal logins
            logins += 1
            return "", "", "", [("Password: ", False)] + ([("Code: ", False)] if logins == 2 else [])

        def validate_kbdint_response(self, username, responses):
            return username == "oob" and responses == ["open sesame"]

    async def process(one):
        one.stdout.write(f"{one.command or 'shell'} {one.get_terminal_type() or 'plain'}\n")
        one.stdout.write(await one.stdin.readline())
        one.exit(0)

    server = await asyncssh.create_server(Server, "127.0.0.1", 0, process_factory=process,
                                          server_host_keys=[os.path.join(folder, "host")])
    say(str(server.sockets[0].getsockname()[1]))
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)


if __name__ == "__main__":
    kind, folder = sys.argv[1:]
    if kind == "sshd":
        sshd(folder)
    elif kind == "silent":
        one = listener()
        say_port(one)
        sys.stdin.read()
    elif kind == "full":
        full()
    else:
        asyncio.run(python_server(kind, folder))
