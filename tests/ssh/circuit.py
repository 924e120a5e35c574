"""For ssh's ProxyCommand: a client's way to a Unix socket, or to tor.py by a circuit of its.

    circuit.py SOCKET [CIRCUIT]
"""

import os
import select
import socket
import sys

there = socket.socket(socket.AF_UNIX)
there.connect(sys.argv[1])
if len(sys.argv) > 2:
    there.sendall(f"{int(sys.argv[2])}\n".encode())
while True:
    ready, _, _ = select.select([0, there], [], [])
    if there in ready:
        got = there.recv(65536)
        if not got:
            break
        os.write(1, got)
    if 0 in ready:
        typed = os.read(0, 65536)
        if not typed:
            break
        there.sendall(typed)
