"""User certificates and revocations, made by the stock ssh-keygen and used by the stock ssh."""

import itertools
import os
import shutil
import subprocess
import time

import pytest

from harness import in_time, until

KINDS = {"ed25519": None, "ecdsa": 256, "rsa": 2048}


def keygen(*words):
    return subprocess.run(["ssh-keygen", "-q", *words], check=True, stdin=subprocess.DEVNULL, capture_output=True,
                          text=True).stdout


class Authority:
    """A CA, and the certificates it signs."""

    number = itertools.count()

    def __init__(self, lab, name="ca", kind="ed25519"):
        self.lab, self.key = lab, lab.key(name, kind=kind, bits=KINDS[kind])
        self.public = lab.public(name)
        self.fingerprint = keygen("-l", "-f", self.key + ".pub").split()[1]

    def certify(self, user_key, *options, principals="alice", key_id="laptop"):
        """The path of a new certificate for the key at `user_key`."""
        path = self.lab.path(f"certificate{next(self.number)}")
        shutil.copy(user_key + ".pub", path + ".pub")
        names = ("-n", principals) if principals else ()
        keygen("-s", self.key, "-I", key_id, *names, *options, path + ".pub")
        return path + "-cert.pub"


def replace(path, text):
    with open(path + ".new", "w") as file:
        file.write(text)
    os.replace(path + ".new", path)


class Trusting:
    """A daemon that trusts one CA for all, reads a file of revocations, and knows no plain key of alice's."""

    def __init__(self, lab):
        self.lab = lab
        self.ca = Authority(lab)
        self.user_ca, self.revoked = lab.path("user_ca"), lab.path("revoked")
        replace(self.user_ca, self.ca.public)
        replace(self.revoked, "# nothing yet\n")
        self.daemon = lab.daemon({"edge1": lab.gear("edge1")},
                                 server=f'user_ca = "{self.user_ca}"\nrevoked_keys = "{self.revoked}"\n[limits]\npenalties = false')
        self.daemon.write_keys("alice", "# certificates only\n")
        self.key = lab.key("alice")

    def certify(self, *options, **how):
        return self.ca.certify(self.key, *options, **how)

    def ssh(self, certificate, *words, how="ssh", options=(), **more):
        return getattr(self.daemon, how)(*(words or ("version",)), options=(f"CertificateFile={certificate}", *options),
                                         **more)

    def refused(self, certificate, why):
        """The login fails, and the journal says why. The key inside is not offered by itself as well."""
        only = ("PubkeyAcceptedAlgorithms=*-cert-v01@openssh.com",)
        assert self.ssh(certificate, options=only).status == 255
        until(f"the journal says {why!r}",
              lambda: any(why in entry.get("why", "") for entry in self.daemon.journal("login.refused")))


@pytest.fixture
def trusting(lab):
    return Trusting(lab)


# --- who comes in ----------------------------------------------------------------------------------------------------


def test_every_kind_of_key_comes_in_by_every_kind_of_ca(lab):
    authorities = {kind: Authority(lab, "ca_" + kind, kind) for kind in KINDS}
    user_ca = lab.path("user_ca")
    replace(user_ca, "".join(one.public for one in authorities.values()))
    daemon = lab.daemon({"edge1": lab.gear("edge1")}, server=f'user_ca = "{user_ca}"')
    daemon.write_keys("alice", "")
    for kind, bits in KINDS.items():
        key = lab.key("user_" + kind, kind=kind, bits=bits)
        assert daemon.ssh("version", key=key).status == 255, kind
        for of, authority in authorities.items():
            done = daemon.ssh("version", key=key, options=("CertificateFile=" + authority.certify(key),))
            assert done.status == 0, (kind, of, done)
    until("nine logins are written down", lambda: len(daemon.journal("login")) == 9)
    assert {entry["ca"] for entry in daemon.journal("login")} == {one.fingerprint for one in authorities.values()}


def test_the_journal_tells_which_certificate_it_was(trusting):
    assert trusting.ssh(trusting.certify("-z", "18446744073709551615", key_id="alice's laptop")).status == 0
    login = until("the login is written down", lambda: trusting.daemon.journal("login"))[0]
    assert login["user"] == "alice" and login["serial"] == "18446744073709551615"
    assert login["key_id"] == "alice's laptop" and login["ca"] == trusting.ca.fingerprint
    assert login["key"] == keygen("-l", "-f", trusting.key + ".pub").split()[1]


def test_a_ca_of_ones_own_file_with_principals(lab):
    daemon, _ = lab.one()
    authority, key = Authority(lab), lab.key("alice")
    daemon.write_keys("alice", f'cert-authority,principals="ops,noc" {authority.public}')

    def status(**how):
        return daemon.ssh("version", options=("CertificateFile=" + authority.certify(key, **how),)).status
    assert status(principals="night,noc") == 0
    assert status(principals="alice") == 255
    assert status(principals="") == 255
    assert daemon.ssh("version").status == 255, "the key inside is no key of the file"
    assert daemon.ssh("version", key=authority.key).status == 255, "a CA's own key never comes in"
    daemon.write_keys("alice", "cert-authority " + authority.public)
    assert status(principals="alice") == 0
    assert status(principals="bob") == 255


def test_refusals_are_told_in_the_journal(lab, trusting):
    stranger = Authority(lab, "stranger")
    rsa = Authority(lab, "ca_rsa", "rsa")
    replace(trusting.user_ca, trusting.ca.public + rsa.public)
    for certificate, why in [
            (stranger.certify(trusting.key), "its CA is not trusted here"),
            (trusting.certify("-V", "20200101:20200102"), "expired"),
            (trusting.certify("-V", "20900101:20900102"), "not yet valid"),
            (trusting.certify("-h"), "it is a host's"),
            (trusting.certify(principals="bob"), "not for the principal 'alice'"),
            (trusting.certify(principals=""), "it names no principal"),
            (trusting.certify("-O", "critical:x@example.com=1"), "critical option 'x@example.com' is not known"),
            (trusting.certify("-O", "verify-required"), "verify-required"),
            (trusting.certify("-O", "source-address=192.0.2.0/24"), "by its source-address"),
            (rsa.certify(trusting.key, "-t", "ssh-rsa"), "SHA-1")]:
        if why == "it is a host's":  # the stock ssh does not even offer it
            assert trusting.ssh(certificate).status == 255
        else:
            trusting.refused(certificate, why)
    assert trusting.ssh(trusting.certify()).status == 0


# --- what a certificate limits ---------------------------------------------------------------------------------------


def test_force_command_and_source_address(trusting):
    forced = trusting.certify("-O", "force-command=list edge1 --json", "-O", "source-address=127.0.0.0/8")
    done = trusting.ssh(forced, "version")
    assert done.status == 0 and '"edge1"' in done.out and "oobd" not in done.out, done
    trusting.daemon.write_keys("alice", f'cert-authority,command="version" {trusting.ca.public}')
    replace(trusting.user_ca, "# none\n")
    trusting.refused(forced, "forced to another command than the line")
    assert trusting.ssh(trusting.certify(), "list").out.startswith("oobd ")


def test_without_permit_pty_there_is_no_terminal(trusting):
    done = trusting.ssh(trusting.certify("-O", "no-pty"), "-tt", "version")
    assert "PTY allocation request failed" in done.err, done
    done = trusting.ssh(trusting.certify(), "-tt", "version")
    assert "PTY allocation request failed" not in done.err and done.status == 0, done


# --- revocation ------------------------------------------------------------------------------------------------------


def test_each_way_to_revoke_counts_at_the_next_login(trusting):
    certificate = trusting.certify("-z", "7")
    assert trusting.ssh(certificate).status == 0
    print_of_key = keygen("-l", "-f", trusting.key + ".pub").split()[1]
    for text, why in [(trusting.lab.public("alice"), "its key is revoked"), (print_of_key, "its key is revoked"),
                      (trusting.ca.fingerprint, "the key of its CA is revoked"), ("7", "its serial 7 is revoked"),
                      ("serial: 5-9", "its serial 7 is revoked"), ("id: laptop", "its key id is revoked"),
                      ("seral: 7", "nobody comes in while the revocations have a fault")]:
        replace(trusting.revoked, text + "\n")
        trusting.refused(certificate, why)
    replace(trusting.revoked, "8\n")
    assert trusting.ssh(certificate).status == 0
    keygen("-k", "-f", trusting.revoked, certificate)
    assert trusting.ssh(certificate).status == 255
    assert trusting.ssh(trusting.certify("-z", "8")).status == 0
    os.unlink(trusting.revoked)
    trusting.refused(certificate, "the revocations can't be read")
    assert trusting.daemon.ssh("version", user="bob").status == 255, "a plain key neither"
    assert trusting.daemon.ctl("version").status == 0


def test_a_reload_ends_the_session_of_a_revoked_key_at_once(trusting):
    trusting.daemon.wait_up("edge1")
    kept = trusting.ssh(trusting.certify("-z", "6"), "watch", "edge1", how="begin")
    until("it is in", lambda: trusting.daemon.journal("login"))
    serials = itertools.count(7)

    def revoke():
        serial = next(serials)
        lost = trusting.ssh(trusting.certify("-z", str(serial)), "-t", "edge1", how="screen")
        lost.expect("you may type")
        replace(trusting.revoked, f"serial: 7-{serial}\n")
        begin = time.monotonic()
        trusting.daemon.reload()
        lost.expect("your key is no longer accepted")
        return time.monotonic() - begin

    in_time(revoke, 5.0)  # well below one on a machine that is not loaded
    assert kept.child.poll() is None
