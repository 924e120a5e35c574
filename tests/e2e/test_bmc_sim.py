"""ipmi_sim's BMCs through oobd, and beside it through ipmitool and FreeIPMI: sensors, event log, SOL, restarts."""

import csv
import json
import os
import re

import pytest

import lab as bmc_lab
from harness import BehindBmc, until

COMES_BACK = 90.0  # seconds: keepalives must miss, then the session is opened anew, with back-off


@pytest.fixture(scope="module")
def light(shared_lab, bmcs):
    return bmcs(bmc_lab.LightBmcs, shared_lab.dir, 4)


@pytest.fixture(scope="module")
def rack(shared_lab, light):
    """node0 to node2 with SOL and power; oper1 has the power of the last as an operator, wrong1 with a wrong password."""
    devices = {f"node{n}": BehindBmc(shared_lab, f"node{n}", light[n]) for n in range(3)}
    nowhere = '{ unix = "nowhere.sock" }'
    devices["oper1"] = BehindBmc(shared_lab, "oper1", light[3], nowhere, user=bmc_lab.machine.OPERATOR,
                                 password_file=shared_lab.path("operator"), privilege="operator")
    with open(shared_lab.path("operator"), "w") as file:
        file.write(bmc_lab.machine.OPERATOR_PASSWORD)
    devices["wrong1"] = BehindBmc(shared_lab, "wrong1", light[3], password_file=shared_lab.path("wrong"))
    with open(shared_lab.path("wrong"), "w") as file:
        file.write("not this one")
    for name in ("operator", "wrong"):
        os.chmod(shared_lab.path(name), 0o600)
    daemon = shared_lab.daemon(devices)
    daemon.wait_up("node0", "node1", "node2")
    return daemon


def objects(done):
    assert done.status == 0, done
    return [json.loads(line) for line in done.out.splitlines()]


def number(text):
    """A cell of ipmitool's: "45.000", or "na"."""
    return None if text == "na" else float(text)


# --- sensors and event log ---------------------------------------------------------------------------------------------------


def test_sensors_are_what_ipmitool_says_field_by_field(rack, light):
    ours = {sensor["name"]: sensor for sensor in objects(rack.ssh("sensors", "node0", "--json", user="carol"))}
    rows = [[cell.strip() for cell in line.split("|")] for line in light[0].ipmitool("sensor", "list").splitlines()]
    assert len(rows) == 5 and {row[0] for row in rows} <= set(ours), (rows, ours)
    for name, value, unit, state, *limits in rows:
        sensor = ours[name]
        assert sensor["value"] == pytest.approx(float(value), abs=0.0006), (name, sensor)
        assert sensor["unit"] == unit and sensor["state"] == state, (name, sensor)
        theirs = dict(zip(("lnr", "lcr", "lnc", "unc", "ucr", "unr"), map(number, limits)))
        assert sensor["thresholds"] == pytest.approx({key: limit for key, limit in theirs.items() if limit is not None}), \
            (name, sensor)
    brief = [[cell.strip() for cell in line.split("|")] for line in light[0].ipmitool("sdr").splitlines()]
    for name, _, state in brief:
        assert ours[name]["state"] == state, (name, ours[name])


def test_sensors_are_what_freeipmi_says(rack, light):
    ours = {sensor["name"]: sensor for sensor in objects(rack.ssh("sensors", "node0", "--json"))}
    rows = list(csv.reader(light[0].freeipmi("ipmi-sensors", "--comma-separated-output", "--no-header-output",
                                             "--sdr-cache-recreate").splitlines()))
    assert len(rows) == 5, rows
    for _, name, kind, value, unit, _ in rows:
        sensor = ours[name]
        assert sensor["type"] == kind and sensor["value"] == pytest.approx(float(value), abs=0.006), (name, sensor)
        assert {"C": "degrees C", "V": "Volts"}.get(unit, unit) == sensor["unit"], (name, sensor)


def test_sensors_are_a_table_for_people(rack):
    done = rack.ssh("sensors", "node1")
    assert done.status == 0, done
    assert re.search(r"^CPU Temp +45 +degrees C +ok\b.*\b80 +88 +96$", done.out, re.M), done.out


def test_the_event_log_is_what_ipmitool_and_freeipmi_say(rack, light):
    ours = objects(rack.ssh("sel", "node0", "--json", user="carol"))
    theirs = [[cell.strip() for cell in line.split(",")] for line in light[0].ipmitool("-c", "sel", "elist").splitlines()]
    assert [event["id"] for event in ours] == [int(row[0], 16) for row in theirs] == [1, 2]
    for event, row in zip(ours, theirs):
        raw = light[0].ipmitool("raw", "0x0a", "0x43", "0", "0", str(event["id"]), "0", "0", "0xff").split()
        assert event["raw"].lower() == "".join(raw[2:]), (event, raw)
        assert event["asserted"] == (row[5] == "Asserted")
        assert (event["since_boot"] is not None) == (row[1] == "Pre-Init"), (event, row)
    assert theirs[0][3] == f"{ours[0]['type']} {ours[0]['sensor']}" and theirs[0][4] in ours[0]["text"], (ours, theirs)
    free = list(csv.reader(light[0].freeipmi("ipmi-sel", "--comma-separated-output", "--no-header-output").splitlines()))
    for event, row in zip(ours, free):
        assert int(row[0]) == event["id"] and row[4] == event["type"], (event, row)
    assert free[0][3] == ours[0]["sensor"]


def test_clearing_the_event_log_keeps_it_in_the_journal(rack, light):
    records = objects(rack.ssh("sel", "node1", "--json"))
    assert rack.ssh("sel", "node1", "--clear", user="carol").status == 77
    assert len(objects(rack.ssh("sel", "node1", "--json"))) == len(records) == 2
    done = rack.ssh("sel", "node1", "--clear")
    assert done.status == 0 and "2 records cleared" in done.out, done
    assert re.search(r"Entries +: 0$", light[1].ipmitool("sel", "info"), re.M)
    assert objects(rack.ssh("sel", "node1", "--json")) == []
    [kept] = rack.journal("sel.records")
    assert kept["device"] == "node1" and kept["user"] == "alice"
    for at, record in enumerate(records):
        assert record["raw"] in kept[f"record_{at:02}"] and record["text"] in kept[f"record_{at:02}"], kept
    [result] = rack.journalled("sel.clear.result")
    assert result["result"] == "done"
    events = [entry["ev"] for entry in rack.journal() if entry["ev"].startswith("sel.")]
    assert events == ["sel.records", "sel.clear.request", "sel.clear.result"]


# --- rights --------------------------------------------------------------------------------------------------------------------


def test_an_operator_of_the_bmc_is_enough(rack):
    [answer] = objects(rack.ssh("power", "oper1", "--json"))
    assert answer == {"device": "oper1", "power": "off"}
    assert len(objects(rack.ssh("sensors", "oper1", "--json"))) >= 5


def test_a_wrong_password_is_told_as_such(rack):
    until("it is told", lambda: "password" in rack.ssh("list", "wrong1").out)
    done = rack.ssh("power", "wrong1", "status")
    assert done.status == 69 and "password" in done.err, done


def test_status_of_all_comes_with_one_line_each(rack):
    done = rack.ssh("power", "'node?'", "--json")
    assert sorted(object["device"] for object in objects(done)) == ["node0", "node1", "node2"]
    assert all(object["power"] == "off" for object in objects(done))


# --- SOL ----------------------------------------------------------------------------------------------------------------------


def test_sol_carries_every_byte_both_ways(rack, light):
    every = bytes(range(256)) * 4
    light[0].hosts.echo = False
    try:
        before = len(rack.transcript("node0"))
        light[0].says(every)
        until("they came", lambda: len(rack.transcript("node0")) >= before + len(every))
        assert rack.transcript("node0")[before:] == every
        typed = bytes(one for one in every if one not in (0x0A, 0x0D)) * 3
        heard = len(light[0].heard)
        assert rack.ssh("send", "node0", "-", "--no-enter", input=typed).status == 0
        until("they were heard", lambda: len(light[0].heard) >= heard + len(typed))
        assert light[0].heard[heard:] == typed
        breaks = light[0].breaks
        assert rack.ssh("break", "node0").status == 0
        # ipmi_sim keeps a break for itself until something is typed.
        assert rack.ssh("send", "node0", "x", "--no-enter").status == 0
        until("the break was heard before it", lambda: light[0].heard[heard + len(typed):] == b"x" and
              light[0].breaks > breaks)
        assert light[0].breaks == breaks + 1
    finally:
        light[0].hosts.echo = True


def test_a_bmc_that_was_restarted_has_its_console_back_by_itself(rack, light):
    watcher = rack.begin("watch", "node2")
    until("somebody watches", lambda: rack.devices_now()["node2"]["watchers"])
    light[2].kill()
    light[2].start()
    light[2].wait()
    rack.wait_up("node0", "node1")
    until("it is noticed", lambda: "line down" in watcher.err, COMES_BACK)  # it may be up again before somebody looks
    until("it is up", lambda: rack.devices_now()["node2"]["state"] == "up", COMES_BACK)
    light[2].says("here again\r\n")
    watcher.sees("here again")
    until("who watches is told", lambda: re.search(r"line down: .*no answer.*\n.*line up", watcher.err))
    marks = r"\bdown\b.*no answer(.*\n)+.*\bup\b(.*\n)*.*here again"
    until("the log has it", lambda: re.search(marks, rack.ssh("log", "node2", "--stamp").out))
    [answer] = objects(rack.ssh("power", "node2", "--json"))
    assert answer["power"] == "off"
