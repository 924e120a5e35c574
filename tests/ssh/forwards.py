"""direct-tcpip as no honest client asks for it, one case a call: forwards.py PORT KEY CASE. Exit 0: the server behaved."""
import socket, sys, threading
import paramiko

port, key_file, case = int(sys.argv[1]), sys.argv[2], sys.argv[3]
TARGET = ("edge1.bmc", 443)


def connect():
    transport = paramiko.Transport(socket.create_connection(("127.0.0.1", port)))
    transport._sanitize_packet_size = lambda size: 32768 if size is None else size  # else 4096 at least
    transport.connect(username="alice", pkey=paramiko.Ed25519Key(filename=key_file))
    return transport


def open_forward(transport, target=TARGET, **how):
    return transport.open_channel("direct-tcpip", target, ("127.0.0.1", 9), timeout=30, **how)


def refused(transport, target=TARGET, **how):
    try:
        open_forward(transport, target, **how)
    except paramiko.ChannelException:
        return True
    return False


transport = connect()
if case == "tiny":  # the core would say yes: it is the front that refuses what can't be written to (0: libssh does)
    for size in (*range(1, 13), 100, 255):
        assert refused(transport, max_packet_size=size), size
    open_forward(transport, max_packet_size=256)
elif case == "wrong":
    for target in (("", 443), ("edge1.bmc", 0), ("x" * 256, 443), ("x" * 30000, 443)):
        assert refused(transport, target), target
elif case == "vanish":  # in the middle of ten questions
    for _ in range(10):
        threading.Thread(target=refused, args=(transport,), daemon=True).start()
    transport.global_request("is anybody there@example.com", wait=True)  # has come after them
    transport.sock.close()
elif case == "last_words":  # closes at once after what it has to say
    channel = open_forward(transport)
    channel.sendall(b"x" * 1_000_000)
    channel.close()
    open_forward(transport).recv(1)  # until that is closed
elif case == "come_and_go":
    for _ in range(200):
        open_forward(transport).close()
else:
    sys.exit(f"no such case: {case}")
assert transport.is_active() or case == "vanish"
transport.close()
