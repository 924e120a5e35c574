"""What strangers do to the door, and what those with a key notice of it."""

import os
import socket
import threading

from harness import resident
from gear import until


def test_failed_logins_from_many_addresses_cost_little_and_keep_no_key_out(lab):
    daemon, _ = lab.one()
    assert daemon.ssh("version").status == 0
    front = daemon.front()
    before = resident(front)
    for number in range(60):
        refused = daemon.ssh("version", user="mallory", options=[f"BindAddress=127.1.{number % 20}.1"])
        assert refused.status == 255
        if number % 10 == 0:
            assert daemon.ssh("version").status == 0
    assert resident(front) - before < 10 << 20
    refusals = daemon.journalled("login.refused", 20)
    assert 20 <= len(refusals) <= 60


def test_a_known_source_is_not_locked_out_by_what_others_do_there(lab):
    daemon, _ = lab.one()
    assert daemon.ssh("version").status == 0
    for _ in range(8):
        assert daemon.ssh("version", user="mallory").status == 255
    assert daemon.ssh("version").status == 0


def test_an_unknown_source_that_fails_again_and_again_is_kept_out_for_a_while(lab):
    daemon, _ = lab.one()

    def kept_out():
        # At once, and again where that was too slow: while they fail one by one, a loaded machine works off as much.
        failing = [daemon.begin("version", user="mallory", options=["BindAddress=127.1.2.3"]) for _ in range(5)]
        for one in failing:
            assert one.wait() == 255
        with socket.create_connection(("127.0.0.1", daemon.port), 30, ("127.1.2.3", 0)) as stranger:
            return stranger.recv(100) == b"oobd: too many failures from your address, try again later\r\n"

    until("it is kept out", kept_out)
    assert daemon.ssh("version").status == 0  # from elsewhere


def test_half_open_and_dripping_connections_keep_no_key_out(lab):
    daemon, _ = lab.one()
    assert daemon.ssh("version").status == 0
    over = threading.Event()
    held = []
    for number in range(300):
        held.append(socket.create_connection(("127.0.0.1", daemon.port), 30, (f"127.1.{number % 100}.{number // 100 + 1}", 0)))

    def drip():
        while not over.wait(0.2):
            for one in held[:50]:
                try:
                    one.send(b"S")
                except OSError:
                    pass  # it was sent away

    dripping = threading.Thread(target=drip)
    dripping.start()
    try:
        for _ in range(3):
            assert daemon.ssh("version").status == 0
        assert len(os.listdir(f"/proc/{daemon.front()}/fd")) < 300
    finally:
        over.set()
        dripping.join()
        for one in held:
            one.close()


def test_connections_that_come_and_go_leave_nothing_behind(lab):
    daemon, _ = lab.one()
    assert daemon.ssh("version").status == 0
    front = daemon.front()

    def descriptors():
        return len(os.listdir(f"/proc/{front}/fd"))

    def come_and_go(times):
        for number in range(times):
            socket.create_connection(("127.0.0.1", daemon.port), 30, (f"127.1.{number % 200}.1", 0)).close()

    before = descriptors()
    come_and_go(5000)  # by then most are kept out
    until("all are gone", lambda: descriptors() <= before)  # the login's own may have gone with them
    memory = resident(front)
    come_and_go(15000)
    until("all are gone", lambda: descriptors() <= before)
    assert resident(front) - memory < 2 << 20
    assert daemon.ssh("version").status == 0
