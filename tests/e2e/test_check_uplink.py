"""`oobd check --uplink` on live boards of network namespaces, and the examples of etc/uplinks."""

import json
import os
import re
import subprocess

import pytest

import board_net
import clients
from board_net import ETC, LAN, LTE, OOB, OOB6, Board, Missing
from harness import OOBD, Daemon, until

UPLINKS = """
[uplink.fixed]
interface = "oob0"
listen = ["198.51.100.10:2222", "[2001:db8:51::10]:2222"]
probe = ["icmp:192.0.2.7"]

[uplink.lte]
interface = "lte0"
listen = ["0.0.0.0:2222"]
probe = ["tcp:192.0.2.7:443"]
metered = true
"""


@pytest.fixture
def net():
    try:
        board = Board()
    except Missing as missing:
        pytest.skip(str(missing))
    yield board
    board.close()


@pytest.fixture
def good(net):
    """Set up as the ifupdown example says."""
    net.settle()
    net.before_down = net.ifupdown()
    return net


def configured(lab, text=UPLINKS, listen="127.0.0.1:2223"):
    path = lab.path("oobd.toml")
    with open(path, "w") as file:
        file.write(f'[server]\nlisten = ["{listen}"]\nstate = "{lab.path("state")}"\n{text}')
    return path


def check(net, lab, config):
    """(exit status, errors with their cures, all that it said)"""
    done = net.board.inside(clients.run, [OOBD, "check", "-c", config, "--uplink"], lab.environment)
    assert done.err == "", done
    return done.status, re.findall(r"^error:  (.*)\n  cure: (.*)$", done.out, re.MULTILINE), done.out


def test_a_board_set_up_as_the_examples_say_has_no_errors(good, lab):
    status, errors, said = check(good, lab, configured(lab))
    assert (status, errors) == (0, []), said
    assert "uplinks: 2, errors: 0, remarks: 0; no login looks up a name or needs the time" in said


def first_command(cure):
    return re.split(r" \(|, |; ", cure)[0]


@pytest.mark.parametrize("breaks, wrong, listen, interface", [
    (["ip rule del pref 110", "ip route del default dev oob0 metric 100"],
     "uplink fixed: no IPv4 route to the outside leaves by oob0, so whoever dials 198.51.100.10", OOB, "oob0"),
    (["ip -6 rule del pref 110", "ip -6 route del default dev oob0 metric 100"],
     "uplink fixed: no IPv6 route to the outside leaves by oob0", OOB6, "oob0"),
    (["sysctl -q -w net.ipv4.conf.all.rp_filter=0 net.ipv4.conf.lte0.rp_filter=1"],
     "uplink lte: rp_filter is 1 on lte0 and the route back from 100.64.3.120 is by oob0", LTE, "lte0"),
    (["ip route del default dev lte0"],
     "uplink lte: no IPv4 route to the outside leaves by lte0, so whoever dials 100.64.3.120", LTE, "lte0"),
], ids=["no route", "no IPv6 route", "strict filter", "modem without route"])
def test_what_is_broken_is_told_and_its_cure_brings_people_back(good, lab, breaks, wrong, listen, interface):
    good.listen(listen, 2222, interface)
    assert good.reaches(listen, 2222)
    for line in breaks:
        good.board.shell(line)
    assert good.loses(listen, 2222), "it is broken indeed"
    status, errors, said = check(good, lab, configured(lab))
    assert status == 78, said
    what, cure = next(one for one in errors if one[0].startswith(wrong))
    gateway = {"oob0": "2001:db8:51::1" if ":" in listen else "198.51.100.1", "lte0": "100.64.3.1"}[interface]
    good.board.shell(first_command(cure).replace("GATEWAY", gateway))
    assert good.reaches(listen, 2222), f"{what}: {cure}"
    status, errors, said = check(good, lab, configured(lab))
    assert (status, errors) == (0, []), said


def test_the_providers_network_as_the_only_way_out_is_an_error(good, lab):
    for line in ("ip route del default dev lte0", "ip route del default dev oob0", "ip route del default table 110",
                 "ip -6 route del default dev oob0", "ip -6 route flush table 110",
                 "ip route add default via 203.0.113.1"):
        good.board.shell(line)
    status, errors, said = check(good, lab, configured(lab))
    assert status == 78, said
    assert any(what.startswith("the only default route is by lan0, which is no uplink") for what, _ in errors), said


def test_loose_filtering_without_any_way_back_is_an_error_that_a_packet_feels(good, lab):
    good.listen(LTE, 2222, "lte0")
    good.board.shell("ip route add default via 100.64.3.1 dev lte0 table 120 && ip rule add pref 120 oif lte0 lookup 120")
    good.board.shell("ip route del default dev lte0 && ip route del default dev oob0 metric 100")
    assert good.loses(LTE, 2222)
    status, errors, said = check(good, lab, configured(lab))
    assert status == 78, said
    [(_, cure)] = [one for one in errors if "nothing but a bound socket has a route from 100.64.3.120" in one[0]]
    good.board.shell(first_command(cure))
    assert good.reaches(LTE, 2222), cure


def test_remarks_alone_are_no_fault(good, lab):
    text = UPLINKS.replace('probe = ["icmp:192.0.2.7"]', 'probe = ["icmp:198.51.100.1"]')
    status, errors, said = check(good, lab, configured(lab, text))
    assert (status, errors) == (0, []), said
    assert "remark: uplink fixed: its probe icmp:198.51.100.1 is in oob0's own network" in said


def test_a_key_that_ends_is_named_among_what_goes_by_the_clock(good, lab):
    key = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIP4Xs3hgLsTBQsX7KQTXKzOUeNlUmiL6vE5PWNxJ6pN5"
    with open(lab.path("bob.pub"), "w") as file:
        file.write(f'expiry-time="20301231" {key}\n')
    os.chmod(lab.path("bob.pub"), 0o600)
    user = f'[user.bob]\nkeys = "{lab.path("bob.pub")}"\nroles = ["all"]\n[role.all]\non = ["*"]\nmay = ["watch"]\n'
    status, errors, said = check(good, lab, configured(lab, user + UPLINKS))
    [what] = re.findall(r"(error|remark): +logins with keys with expiry-time= \(user\.bob\.keys\) need the right", said)
    assert (status, len(errors)) == ((78, 1) if what == "error" else (0, 0)), said  # as this machine's clock is kept
    assert said.endswith("; no login looks up a name\n")


def test_a_door_that_nothing_binds_is_found_where_replies_leave_elsewhere(good, lab):
    text = UPLINKS.replace('listen = ["0.0.0.0:2222"]', "")
    status, errors, said = check(good, lab, configured(lab, text, listen="0.0.0.0:2223"))
    assert status == 78, said
    [(what, cure)] = errors
    assert what.startswith("server.listen 0.0.0.0:2223: replies from 100.64.3.120 on lte0 leave by oob0"), said
    assert cure.startswith('uplink.lte.listen = ["100.64.3.120:2223"]')


# --- the examples of etc/uplinks -------------------------------------------------------------------------------------

def doors(net):
    """Bound to nothing on 22, as sshd is, and to its interface on 2222, as oobd is."""
    for address in ("0.0.0.0", "::"):
        net.listen(address, 22)
    for address, interface in ((OOB, "oob0"), (OOB6, "oob0"), (LTE, "lte0"), (LAN, "lan0")):
        net.listen(address, 2222, interface)


def holds(net, lab):
    """Every address answers by its own leg, also when the others are gone."""
    doors(net)
    assert [net.reaches(address, 2222) for address in (OOB, OOB6, LTE)] == [True] * 3
    assert [net.reaches(address, 22) for address in (OOB, OOB6, LAN)] == [True] * 3
    status, errors, said = check(net, lab, configured(lab))
    assert (status, errors) == (0, []), said
    net.far.ip("link set far-lan0 down")
    assert net.reaches(OOB, 22) and net.reaches(OOB, 2222) and net.reaches(LTE, 2222)
    net.far.ip("link set far-oob0 down")
    assert net.reaches(LTE, 2222)


def test_the_example_for_ifupdown_brings_replies_back_by_each_leg(good, lab):
    holds(good, lab)
    for line in good.before_down:
        good.board.shell(line)
    assert good.board.run("ip", "rule").count("\n") == 3, "only the kernel's own rules are left"
    assert good.board.run("ip", "-6", "rule").count("\n") == 2


def test_the_example_for_networkd_brings_replies_back_by_each_leg(net, lab):
    net.settle()
    try:
        said = net.networkd(lab.path("far"))
    except Missing as missing:
        pytest.skip(str(missing))
    assert not re.search(r"(?i)unknown|ignoring|fail|invalid", said), said
    holds(net, lab)


@pytest.mark.parametrize("gone", ["oob0", "lte0"])
def test_the_example_for_networkd_keeps_the_rack_without_a_leg_and_without_the_providers_router(net, lab, gone):
    net.settle()
    try:
        net.networkd(lab.path("far"))
    except Missing as missing:
        pytest.skip(str(missing))
    router, bmc = board_net.LEGS["lan0"][0], "203.0.113.20"
    net.far.ip(f"address del {router} dev far-lan0", f"address add {bmc}/24 dev far-lan0",
               f"link set far-{gone} down")
    until(f"{gone} is out of the routing table", lambda: gone not in net.board.run("ip", "route"), 60)
    net.board.run("ip", "neighbour", "flush", "dev", "lan0")
    for source in ((), ("-I", LAN)):
        done = net.board.inside(subprocess.run, ["ping", "-c", "1", "-W", "10", *source, bmc], capture_output=True,
                                text=True)
        assert done.returncode == 0, done.stdout + net.board.run("ip", "route", "get", bmc, "from", LAN)


def test_without_the_examples_the_provider_takes_the_board_with_it(net, lab):
    net.settle()
    net.board.ip("link set oob0 up", "link set lan0 up", f"address add {OOB}/24 dev oob0",
                 f"address add {LAN}/24 dev lan0", "route add default via 203.0.113.1")
    net.listen("0.0.0.0", 22)
    net.listen(OOB, 2222, "oob0")
    assert net.reaches(LAN, 22)
    assert net.loses(OOB, 22) and net.loses(OOB, 2222)
    net.far.ip("link set far-lan0 down")
    assert net.loses(LAN, 22)


def test_the_packet_filter_lets_in_ssh_and_what_ip_needs_and_nothing_else(good):
    doors(good)
    good.board.run("nft", "-c", "-f", os.path.join(ETC, "nftables.conf"))
    good.board.run("nft", "-f", os.path.join(ETC, "nftables.conf"))
    good.board.run("nft", "-f", os.path.join(ETC, "nftables.conf"))  # a second time changes nothing
    good.board.run("ip", "-6", "neighbour", "flush", "dev", "oob0")
    good.far.run("ip", "-6", "neighbour", "flush", "dev", "far-oob0")
    assert [good.reaches(address, 2222) for address in (OOB, OOB6, LTE, LAN)] == [True] * 4
    assert [good.loses(address, 22) for address in (OOB, OOB6, LAN)] == [True] * 3
    for address, source in ((OOB, board_net.OUTSIDE), (OOB6, board_net.OUTSIDE6)):
        good.far.run("ping", "-c", "1", "-W", "10", "-I", source, address)
        good.board.run("ping", "-c", "1", "-W", "10", "-I", address, source)


def test_the_packet_filter_slows_one_source_and_no_other(good):
    doors(good)
    good.board.run("nft", "-f", os.path.join(ETC, "nftables.conf"))

    def dropped():
        counters = good.board.run("nft", "list", "chain", "inet", "oobd", "input")
        return sum(map(int, re.findall(r"counter packets (\d+) bytes \d+ drop", counters)))

    # Counted where they are dropped: one that is late was let in.
    let_in = next(number for number in range(300) if good.loses(OOB, 2222) and dropped())
    assert let_in >= 30
    assert good.reaches(OOB, 2222, source="192.0.2.8")


def test_the_board_does_not_forward(good):
    good.board.run("sysctl", "-q", "-w", "net.ipv4.ip_forward=1")
    assert net_forwards(good), "it would without the filter"
    good.board.run("nft", "-f", os.path.join(ETC, "nftables.conf"))
    assert not net_forwards(good)


def net_forwards(net):
    """Whether somebody on the fixed uplink's wire gets a packet through to the provider's."""
    net.far.run("sysctl", "-q", "-w", "net.ipv4.conf.all.rp_filter=0", "net.ipv4.conf.far-lan0.rp_filter=0")
    inner = board_net.Namespace(net._stack)
    net.board.shell("ip link del prov0 2>/dev/null || true")
    net.board.ip(f"link add name prov0 type veth peer name eth0 netns {inner.pid}", "link set prov0 up",
                 "address add 10.99.0.1/24 dev prov0")
    inner.ip("link set eth0 up", "address add 10.99.0.2/24 dev eth0", "route add default via 10.99.0.1")
    net.far.shell(f"ip route replace 10.99.0.0/24 via {OOB} dev far-oob0")
    done = net.far.inside(subprocess.run, ["ping", "-c", "1", "-W", "3", "-I", "198.51.100.1", "10.99.0.2"],
                          capture_output=True)
    return done.returncode == 0


def test_the_configuration_of_the_documentation_is_one_and_fits_the_board(good, lab):
    with open(os.path.join(ETC, os.pardir, os.pardir, "docs", "uplinks.md")) as file:
        [text] = re.findall(r"```toml\n(.*?)```", file.read(), re.DOTALL)
    config = lab.path("documented.toml")
    with open(config, "w") as file:
        file.write(text)
    status, errors, said = check(good, lab, config)
    assert (status, errors) == (0, []), said
    with open(os.path.join(ETC, "nftables.conf")) as file:
        [ports] = re.findall(r"define ssh = {(.*)}", file.read())
    assert set(re.findall(r":(\d+)\"", "".join(re.findall(r"listen .*", text)))) == set(ports.replace(" ", "").split(","))


# --- the daemon ------------------------------------------------------------------------------------------------------

def test_status_tells_of_routing_that_keeps_people_out(good, lab):
    daemon = lab.keep(Daemon(lab, {}, name="board"))  # `oobd ctl` reaches it by its Unix socket from anywhere
    daemon.write_config(daemon.config_text() + UPLINKS)
    good.board.inside(daemon.start)

    def told():
        return daemon.ctl("status").out

    assert json.loads(daemon.ctl("status", "--json").out)["uplink_errors"] == []
    for line in ("ip rule del pref 110", "ip route del default dev oob0 metric 100"):
        good.board.shell(line)
    assert daemon.ctl("reload").status == 0
    until("status tells of it", lambda: "WRONG: uplink fixed: no IPv4 route to the outside leaves by oob0" in told())
    assert "; cure: ip rule add oif oob0 lookup 110" in told()
    good.board.shell("ip route add default via 198.51.100.1 dev oob0 metric 1000")
    good.board.ip("address add 100.64.3.121/24 dev lte0")  # an uplink that changes is reason enough to look again
    until("status tells no more of it", lambda: "WRONG" not in told())
