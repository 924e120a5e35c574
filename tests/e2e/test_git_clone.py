"""The history of configurations by stock git, read only: one gets what one may snapshot, and no object more."""

import os
import random
import subprocess

from harness import Daemon, clients, until

USERS = {"alice": ["all"], "bob": ["one"], "carol": ["none"]}
ROLES = {"all": (["*"], ["watch", "snapshot", "admin"]), "one": (["edge1"], ["watch", "snapshot"]),
         "none": (["edge1"], ["watch"])}
BEFORE = {"GIT_AUTHOR_NAME": "alice", "GIT_AUTHOR_EMAIL": "alice@oobd", "GIT_COMMITTER_NAME": "oobd",
          "GIT_COMMITTER_EMAIL": "oobd@oobd", "GIT_CONFIG_NOSYSTEM": "1"}


class History:
    """STATE/snapshots.git as the daemon makes it, filled by stock git: one device a commit."""

    def __init__(self, lab, daemon):
        self.lab, self.bare, self.work = lab, os.path.join(daemon.state, "snapshots.git"), lab.path("work")
        os.makedirs(daemon.state, mode=0o700, exist_ok=True)
        self.git("init", "-q", "--bare", "-b", "main", self.bare)
        self.git("--git-dir", self.bare, "config", "oobd.format", "1")
        self.git("init", "-q", "-b", "main", self.work)

    def git(self, *words, check=True):
        return subprocess.run(["git", *words], env={**self.lab.environment, **BEFORE}, check=check,
                              capture_output=True, text=True)

    def put(self, device, files):
        for name, content in files.items():
            path = os.path.join(self.work, device, name)
            os.makedirs(os.path.dirname(path), exist_ok=True)
            with open(path, "wb") as file:
                file.write(content)
        self.git("-C", self.work, "add", "-A")
        self.git("-C", self.work, "commit", "-qm", f"{device}: change")
        self.git("-C", self.work, "push", "-q", self.bare, "HEAD:refs/heads/main")


def serving(lab, edge2=b"hostname edge2\n"):
    daemon = lab.keep(Daemon(lab, {name: lab.gear(name) for name in ("edge1", "edge2")}, USERS, ROLES))
    history = History(lab, daemon)
    history.put("edge1", {"config.xml": b"<config>\r\n\0\xff</config>"})
    history.put("edge2", {"running-config": edge2})
    history.put("edge1", {"config.xml": b"<config>changed</config>"})
    daemon.start()
    daemon.wait_up("edge1", "edge2")
    return daemon, history


def git(lab, daemon, *words, user="alice", timeout=60):
    argv = daemon.ssh_argv("oob", user=user)
    command = " ".join(argv[:argv.index("oob")])
    environment = {**lab.environment, **BEFORE, "GIT_SSH_COMMAND": command, "GIT_TERMINAL_PROMPT": "0"}
    return clients.run(["git", *words], environment, timeout=timeout)


def objects(lab, repository):
    return git_here(lab, repository, "cat-file", "--batch-all-objects", "--batch-check=%(objectname)").split()


def git_here(lab, repository, *words):
    return subprocess.run(["git", "-C", repository, *words], env={**lab.environment, **BEFORE}, check=True,
                          capture_output=True, text=True).stdout


def test_the_whole_history_is_cloned_and_pulled(lab):
    daemon, history = serving(lab)
    into = lab.path("clone")
    done = git(lab, daemon, "clone", "ssh://oob/snapshots", into)
    assert done.status == 0, done
    with open(os.path.join(into, "edge1", "config.xml"), "rb") as file:
        assert file.read() == b"<config>changed</config>"
    old = subprocess.run(["git", "-C", into, "show", "HEAD~2:edge1/config.xml"], capture_output=True, check=True,
                         env=lab.environment).stdout
    assert old == b"<config>\r\n\0\xff</config>"
    git_here(lab, into, "fsck", "--strict")
    assert git(lab, daemon, "-C", into, "fetch").status == 0
    assert git(lab, daemon, "-C", into, "pull", "--ff-only").status == 0
    shallow = git(lab, daemon, "clone", "--depth=1", "oob:snapshots.git", into + "1")
    assert shallow.status == 0 and git_here(lab, into + "1", "rev-list", "--count", "HEAD").strip() == "1", shallow
    clones = daemon.journal("clone")
    assert len(clones) >= 4 and clones[0]["devices"] == "edge1 edge2" and clones[0]["user"] == "alice", clones


def test_one_gets_no_object_of_other_devices(lab):
    daemon, history = serving(lab)
    into = lab.path("clone")
    done = git(lab, daemon, "clone", "ssh://oob/snapshots", into, user="bob")
    assert done.status == 0, done
    assert sorted(name for name in os.listdir(into) if name != ".git") == ["edge1"]
    hidden = git_here(lab, history.work, "rev-parse", "HEAD:edge2/running-config", "HEAD:edge2", "HEAD").split()
    assert not set(hidden) & set(objects(lab, into)), hidden
    for name in hidden:
        wanted = git(lab, daemon, "-C", into, "fetch", "origin", name, user="bob")
        assert wanted.status != 0, wanted
    assert not set(hidden) & set(objects(lab, into))
    refused = git(lab, daemon, "clone", "ssh://oob/snapshots", into + "2", user="carol")
    assert refused.status == 128 and "oobd: " in refused.err, refused


def test_what_is_in_quarantine_is_not_given(lab):
    daemon, history = serving(lab)
    tip = history.git("-C", history.work, "commit-tree", "-m", "half of it", "HEAD^{tree}").stdout.strip()
    history.git("-C", history.work, "push", "-q", history.bare, f"{tip}:refs/quarantine/edge1/1")
    into = lab.path("clone")
    assert git(lab, daemon, "clone", "--mirror", "ssh://oob/snapshots", into).status == 0
    assert "quarantine" not in git_here(lab, into, "for-each-ref")
    assert git(lab, daemon, "-C", into, "fetch", "origin", tip).status != 0
    assert git(lab, daemon, "-C", into, "fetch", "origin", "refs/quarantine/edge1/1").status != 0


def test_nothing_is_pushed_and_nothing_else_is_served(lab):
    daemon, history = serving(lab)
    into = lab.path("clone")
    assert git(lab, daemon, "clone", "ssh://oob/snapshots", into).status == 0
    before = history.git("--git-dir", history.bare, "for-each-ref").stdout
    pushed = git(lab, daemon, "-C", into, "push", "origin", "HEAD:refs/heads/mine")
    assert pushed.status != 0 and "read only" in pushed.err, pushed
    assert history.git("--git-dir", history.bare, "for-each-ref").stdout == before
    other = git(lab, daemon, "clone", f"ssh://oob{history.bare}", into + "2")
    assert other.status == 128 and "no such repository" in other.err, other
    archive = git(lab, daemon, "archive", "--remote=ssh://oob/snapshots", "HEAD")
    assert archive.status != 0 and "no archives" in archive.err, archive


def test_a_key_may_be_for_the_history_alone(lab):
    daemon, _ = serving(lab)
    daemon.write_keys("bob", 'restrict,command="git-upload-pack /snapshots" ' + lab.public("bob"))
    assert git(lab, daemon, "clone", "ssh://oob/snapshots", lab.path("clone"), user="bob").status == 0
    assert "refs/heads/main" in daemon.ssh("list", user="bob", input="0000").out


def test_a_client_that_goes_takes_git_with_it(lab):
    daemon, _ = serving(lab, random.Random(6).randbytes(16 << 20))
    argv = daemon.ssh_argv("oob", "git-upload-pack '/snapshots'")
    child = lab.keep(clients.Background(argv, lab.environment, lab.path("out")))
    child.sees("refs/heads/main")
    assert len(daemon.children()) == 2
    child.child.kill()
    until("git has gone", lambda: len(daemon.children()) == 1)
    assert git(lab, daemon, "clone", "-q", "ssh://oob/snapshots", lab.path("clone")).status == 0
    until("git has gone", lambda: len(daemon.children()) == 1)
