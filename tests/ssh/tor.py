"""What tor does for an onion service with HiddenServiceExportCircuitID haproxy: one process, whose every connection to
the service begins with the line of a circuit. Who connects to OWN says by which one, in a line of its own.

    tor.py SERVICE OWN
"""

import contextlib
import os
import socket
import sys
import threading

service, own = sys.argv[1:]


def pump(from_, to):
    with contextlib.suppress(OSError):
        while got := from_.recv(65536):
            to.sendall(got)
    for each in (from_, to):
        with contextlib.suppress(OSError):
            each.shutdown(socket.SHUT_RDWR)


def serve(client):
    text = b""
    while not text.endswith(b"\n"):
        got = client.recv(1)
        if not got:
            return
        text += got
    circuit = int(text)
    there = socket.socket(socket.AF_UNIX)
    there.connect(service)
    there.sendall(b"PROXY TCP6 fc00:dead:beef:4dad::%x:%x ::1 %d 22\r\n" %
                  (circuit >> 16, circuit & 0xffff, circuit & 0xffff))
    threading.Thread(target=pump, args=(there, client), daemon=True).start()
    pump(client, there)


listener = socket.socket(socket.AF_UNIX)
with contextlib.suppress(FileNotFoundError):
    os.unlink(own)
listener.bind(own + ".new")
listener.listen(64)
os.rename(own + ".new", own)  # it is there once it listens
while True:
    client, _ = listener.accept()
    threading.Thread(target=serve, args=(client,), daemon=True).start()
