"""`export --html` as a person opens it: a file, a browser, no network."""

import os
import re
import shutil
import struct
import subprocess
import tempfile

import pytest

from harness import until

BROWSER = shutil.which("chromium")


def look_at(page, screenshot):
    """The page's elements after its scripts have run, and what the browser complained of. Names resolve to nothing."""
    with tempfile.TemporaryDirectory() as profile:
        fixed = [BROWSER, "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
                 "--disable-background-networking", "--disable-component-update", "--disable-sync",
                 "--disable-dev-shm-usage", "--host-resolver-rules=MAP * ~NOTFOUND", f"--user-data-dir={profile}",
                 "--virtual-time-budget=20000", "--window-size=1100,1300", "--enable-logging=stderr"]
        done = subprocess.run([*fixed, f"--screenshot={screenshot}", "--dump-dom", f"file://{page}"],
                              capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout, [line for line in done.stderr.splitlines() if "CONSOLE" in line]


def text_of(page):
    return re.sub(r"<[^>]*>", "", page)


@pytest.fixture
def recorded(lab):
    """A daemon whose console said something that a page must survive, to somebody who then left."""
    assert BROWSER, "there is no chromium (cmake/debian-packages.txt)"
    daemon, gear = lab.one()
    screen = daemon.screen("-t", "attach", "edge1")
    screen.expect("you may type")
    gear.says(b"\x1b[31mpfSense\x1b[0m </script><img src=x onerror=alert(1)> \xff ready\r\n")
    screen.expect("ready")
    screen.type("\x05c.")
    screen.ends()
    [recording] = [line.split()[0] for line in daemon.ssh("sessions").out.splitlines() if "attach" in line]
    return daemon, recording


def test_the_page_plays_what_was_seen_and_says_whether_it_is_whole(lab, recorded):
    daemon, recording = recorded
    done = daemon.ssh("export", recording, "--html")
    assert done.status == 0, done.err
    page, picture = lab.path("page.html"), lab.path("page.png")
    with open(page, "w") as file:
        file.write(done.out)
    dom, complaints = look_at(page, picture)
    assert not complaints, complaints
    assert 'data-ready="yes"' in dom
    assert 'class="verdict whole"' in dom
    shown = text_of(dom)
    for expected in ("alice", "edge1", "SHA256:", "attach", "pfSense"):
        assert expected in shown, expected
    assert "<img" not in dom  # what the device said is text
    with open(picture, "rb") as file:
        head = file.read(24)
        size = file.seek(0, os.SEEK_END)
    assert head.startswith(b"\x89PNG") and struct.unpack(">II", head[16:24]) == (1100, 1300)
    assert size > 20_000  # a page with nothing on it takes less


def test_the_page_of_a_trail_that_was_changed_says_so(lab, recorded):
    daemon, recording = recorded
    first = os.path.join(daemon.state, "journal", "000000000000.jsonl")
    until("the journal is sealed", lambda: daemon.ssh("verify").status == 0)
    with open(first, "r+b") as file:
        whole = file.read()
        at = whole.index(b'"user":"alice"') + 8
        file.seek(at)
        file.write(b"m")
    done = daemon.ssh("export", recording, "--html")
    assert done.status in (0, 1), done.err
    page = lab.path("page.html")
    with open(page, "w") as file:
        file.write(done.out)
    dom, _ = look_at(page, lab.path("page.png"))
    assert 'class="verdict broken"' in dom
    assert "000000000000.jsonl" in text_of(dom)
