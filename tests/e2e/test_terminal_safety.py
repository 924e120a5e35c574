"""What hostile gear sends to its operators' terminals: exact where nobody asked for less, harmless with --safe."""

from harness import until

STRINGS = b"\x1b]52;c;cm0gLXJm\x07\x1b]0;owned\x1b\\\x1bP$qm\x1b\\"
QUERIES = b"\x1b[c\x1b[>c\x05\x1b[6n\xc2\x9b5n\x1b[?1003;1006h"
COLOURS = b"\x1b[1;31mred\x1b[m\x1b[5Cthere\x1b[K"
HOSTILE = STRINGS + QUERIES + COLOURS
HARMLESS = b"5n" + COLOURS  # of a C1 control the introducer goes, and the rest is text


def says(daemon, gear, number):
    """Something hostile between marks that are found again."""
    before, after = f"<{number} ".encode(), f" {number}>\r\n".encode()
    gear.says(before + HOSTILE + after)
    until("it is written", lambda: daemon.transcript("edge1").endswith(after))
    return before, after


def between(raw, before, after):
    return raw.split(before)[-1].split(after)[0]


def test_without_safe_every_byte_comes_as_the_gear_sent_it(lab):
    daemon, gear = lab.one()
    screen = daemon.attached()
    before, after = says(daemon, gear, 1)
    screen.expect(" 1>\r\n")
    assert between(screen.raw, before, after) == HOSTILE
    screen.leave()


def test_safe_passes_colours_and_cursor_movement_alone(lab):
    daemon, gear = lab.one()
    early = says(daemon, gear, 1)
    screen = daemon.attached("attach", "edge1", "--safe", says="safe: ")
    screen.expect(" 1>")
    live = says(daemon, gear, 2)
    screen.expect(" 2>")
    screen.type("\x05cr")
    screen.expect("live again")
    for before, after in (early, live):
        assert between(screen.raw, before, after) == HARMLESS
    screen.leave()
    # Not even the replays hold any of it.
    for harm in (b"\x1b]", b"\x1bP", b"\x05", b"\x1b[c", b"\x1b[6n", b"\xc2\x9b", b"1003", b"owned"):
        assert harm not in screen.raw, harm
    assert daemon.transcript("edge1").count(HOSTILE) == 2


def test_safe_leaves_the_terminal_as_it_was(lab):
    daemon, gear = lab.one()
    screen = daemon.attached("attach", "edge1", "--safe", says="safe: ")
    gear.says(b"\x1b[?1049h\x1b[?25l\x1b[?1000h\x1b[7mediting")
    screen.expect("editing")
    screen.leave()
    last = screen.raw.split(b"editing")[-1]
    assert last.startswith(b"\x1b[?25h\x1b[?1049l\x1b[m"), last


def test_a_role_makes_every_console_safe(lab):
    daemon, gear = lab.one()
    daemon.write_config(daemon.config_text().replace("[role.all]\n", "[role.all]\nsafe = true\n"))
    assert daemon.ctl("reload").status == 0
    screen = daemon.attached()
    screen.expect("safe: ")
    before, after = says(daemon, gear, 1)
    screen.expect(" 1>\r\n")
    assert between(screen.raw, before, after) == HARMLESS
    screen.leave()
    piped = daemon.ssh("log", "edge1", "--raw")
    assert piped.raw == daemon.transcript("edge1"), piped


def test_logs_are_harmless_as_lines_and_with_safe_and_exact_raw(lab):
    daemon, gear = lab.one()
    before, after = says(daemon, gear, 1)
    assert daemon.ssh("log", "edge1").raw == b"<1 5nred     there 1>\n"
    assert daemon.ssh("log", "edge1", "--raw").raw == before + HOSTILE + after
    assert daemon.ssh("log", "edge1", "--safe").raw == before + HARMLESS + after
