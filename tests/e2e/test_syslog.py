"""The journal at a collector: Debian's rsyslog, with TLS by OpenSSL."""

import json
import os
import re
import shutil
import subprocess

import pytest

from harness import Daemon, until

RSYSLOGD = shutil.which("rsyslogd", path="/usr/sbin:/usr/bin")
DRIVER = "lmnsd_ossl.so"
HERE = "127.77.5.3"  # where nobody else takes the port of a collector that was killed


def has_driver():
    return any(DRIVER in names for _, _, names in os.walk("/usr/lib"))


WHY_NOT = "rsyslog or its OpenSSL driver is not here"
pytestmark = pytest.mark.skipif(not RSYSLOGD or not has_driver(), reason=WHY_NOT)


class Rsyslog:
    """rsyslogd as a child; what it is sent stands in a file, one message a line."""

    def __init__(self, lab, address=HERE, port=None):
        self.lab, self.out = lab, lab.path("collected")
        self.address, self.port, self.process = address, port, None
        self.make_certificates()

    def make_certificates(self):
        def openssl(*words):
            subprocess.run(["openssl", *words], cwd=self.lab.dir, check=True, capture_output=True)
        new = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2")
        openssl("req", "-x509", *new, "-subj", "/CN=Test CA", "-keyout", "ca.key", "-out", "ca.pem")
        for name in ("logs.example.net", "board1"):
            openssl("req", "-x509", *new, "-CA", "ca.pem", "-CAkey", "ca.key", "-subj", f"/CN={name}", "-addext",
                    f"subjectAltName=DNS:{name}", "-addext", "basicConstraints=critical,CA:FALSE",
                    "-keyout", f"{name}.key", "-out", f"{name}.pem")
        os.chmod(self.lab.path("board1.key"), 0o600)

    def start(self):
        ports = self.lab.path("rsyslog.port")
        if os.path.exists(ports):
            os.unlink(ports)
        config = self.lab.path("rsyslog.conf")
        with open(config, "w") as file:
            file.write(f'''
global(workDirectory="{self.lab.dir}" defaultNetstreamDriverCAFile="{self.lab.path('ca.pem')}"
       defaultNetstreamDriverCertFile="{self.lab.path('logs.example.net.pem')}"
       defaultNetstreamDriverKeyFile="{self.lab.path('logs.example.net.key')}")
module(load="imtcp" StreamDriver.Name="ossl" StreamDriver.Mode="1" StreamDriver.Authmode="x509/name"
       PermittedPeer=["board1"])
template(name="all" type="string" string="%pri% %timestamp:::date-rfc3339% %app-name% %msgid% %structured-data%|%msg%\\n")
input(type="imtcp" port="{self.port or 0}" address="{self.address}" listenPortFileName="{ports}")
action(type="omfile" file="{self.out}" template="all" asyncWriting="off" flushOnTXEnd="on")
''')
        self.process = subprocess.Popen([RSYSLOGD, "-n", "-f", config, "-i", self.lab.path("rsyslog.pid")],
                                        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                        stderr=subprocess.DEVNULL)

        def written():
            assert self.process.poll() is None, "rsyslogd ended"
            if os.path.exists(ports):
                with open(ports) as file:
                    return int(file.read() or 0)
            return 0
        if not self.port:  # one that was given is not written down
            self.port = until("rsyslogd listens", written)
        return self

    def kill(self):
        if self.process:
            self.process.kill()
            self.process.wait()
        self.process = None

    close = kill

    def configuration(self):
        """By which a daemon sends to it."""
        return f'''
[syslog]
server = "{self.address}:{self.port}"
ca = "{self.lab.path('ca.pem')}"
name = "logs.example.net"
certificate = "{self.lab.path('board1.pem')}"
key = "{self.lab.path('board1.key')}"
'''

    def messages(self, event=None):
        """[(event, {parameter: value}, text)] in the order of their arrival."""
        if not os.path.exists(self.out):
            return []
        with open(self.out, encoding="utf-8") as file:
            lines = [line for line in file.read().splitlines(keepends=True) if line.endswith("\n")]
        found = []
        for line in lines:
            whole = re.fullmatch(r'(\d+) (\S+) oobd (\S+) \[oobd@32473((?: [a-z0-9_]+="(?:[^"\\\]]|\\.)*")*)\]\|(.*)\n', line)
            assert whole, line
            params = {name: re.sub(r"\\(.)", r"\1", value) for name, value in
                      re.findall(r' ([a-z0-9_]+)="((?:[^"\\\]]|\\.)*)"', whole[4])}
            if event in (None, whole[3]):
                found.append((whole[3], params, whole[5]))
        return found

    def numbers(self):
        return {int(params["n"]) for _, params, _ in self.messages() if "n" in params}


def sending(lab, rsyslog):
    """A daemon that sends to this collector."""
    daemon = lab.keep(Daemon(lab, {"edge1": lab.gear("edge1")}))
    daemon.write_config(daemon.config_text() + rsyslog.configuration())
    daemon.start()
    daemon.wait_up("edge1")
    return daemon


def arrived(daemon, rsyslog):
    """Waits until all that is in the journal now is at the collector."""
    wanted = {entry["n"] for entry in daemon.journal()}
    until("all records arrive", lambda: wanted <= rsyslog.numbers())


def test_every_record_arrives_whole(lab):
    rsyslog = lab.keep(Rsyslog(lab)).start()
    daemon = sending(lab, rsyslog)
    text = r'say "hi" to [edge1] with a \ and a ]'
    assert daemon.ssh(f"note edge1 {text}").status == 0
    arrived(daemon, rsyslog)
    got = {int(params["n"]): params for _, params, _ in rsyslog.messages() if "n" in params}
    for entry in daemon.journal():
        if entry["n"] in got:
            params = got[entry["n"]]
            assert params == {key: str(value) for key, value in entry.items()}
    assert any("[edge1]" in value and '"hi"' in value for params in got.values() for value in params.values())
    until("a checkpoint arrives", lambda: rsyslog.messages("checkpoint"))
    status = json.loads(daemon.ctl("status", "--json").out)
    assert status["syslog"]["connected"] and status["syslog"]["trouble"] == ""


def test_nothing_is_missing_after_the_collector_was_killed(lab):
    rsyslog = lab.keep(Rsyslog(lab)).start()
    daemon = sending(lab, rsyslog)
    arrived(daemon, rsyslog)
    rsyslog.kill()
    for number in range(5):
        assert daemon.ssh(f"note edge1 while nobody listens {number}").status == 0
    down = until("oobd says that the collector is gone", lambda: daemon.journal("syslog.down"))[0]["n"]
    rsyslog.start()
    until("oobd is connected again", lambda: any(up["n"] > down for up in daemon.journal("syslog.up")))
    arrived(daemon, rsyslog)


def test_a_restarted_daemon_goes_on_where_it_was(lab):
    rsyslog = lab.keep(Rsyslog(lab)).start()
    daemon = sending(lab, rsyslog)
    arrived(daemon, rsyslog)
    position = os.path.join(daemon.state, "syslog", "position")
    until("the position is written", lambda: os.path.exists(position))
    daemon.kill()
    daemon.start()
    until("the records of the new start arrive", lambda: len(rsyslog.messages("start")) >= 2)
    arrived(daemon, rsyslog)
    daemon.stop()
    with open(position) as file:
        assert re.fullmatch(r"oobd syslog position 1\n\S+ [0-9]+\n", file.read())
    assert os.stat(position).st_mode & 0o777 == 0o600
