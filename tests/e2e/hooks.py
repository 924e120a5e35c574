"""Whoever is told of events: a web server, programs, and a daemon with [notify] tables."""

import http.server
import json
import os
import socketserver
import ssl
import subprocess
import threading
import time

from harness import Daemon

PATH = "/hook/T0PSECRETPATH"


def openssl(lab, *words):
    subprocess.run(["openssl", *words], cwd=lab.dir, check=True, capture_output=True)


def make_ca(lab, name, address="127.0.0.1"):
    """NAME.pem, and a certificate of it for the address in NAME-hook.pem."""
    new = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2")
    openssl(lab, "req", "-x509", *new, "-subj", f"/CN={name}", "-keyout", f"{name}.key", "-out", f"{name}.pem")
    openssl(lab, "req", "-x509", *new, "-CA", f"{name}.pem", "-CAkey", f"{name}.key", "-subj", "/CN=hook", "-addext",
            f"subjectAltName=IP:{address}", "-addext", "basicConstraints=critical,CA:FALSE", "-keyout",
            f"{name}-hook.key", "-out", f"{name}-hook.pem")
    return lab.path(f"{name}.pem")


class Server(http.server.ThreadingHTTPServer):
    def server_bind(self):
        socketserver.TCPServer.server_bind(self)  # the other one looks its own name up
        self.server_port = self.server_address[1]


class Hook:
    """A web server that keeps what is posted to it; with TLS where there is a CA. `inside`: of a namespace."""

    def __init__(self, lab, ca=None, address="127.0.0.1", inside=None):
        self.lab, self.ca, self.address = lab, ca, address
        self.inside = inside or (lambda what, *words: what(*words))
        self.port, self.server = 0, None
        self.posts = []   # (when, path, headers, object, whose address)
        self.status = 204
        self.headers = {}

    def start(self):
        hook = self

        class Answer(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                status = hook.status
                hook.posts.append((time.monotonic(), self.path, dict(self.headers), json.loads(body),
                                   self.client_address[0]))
                self.send_response(status)
                for name, value in hook.headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_):
                pass

        self.server = self.inside(Server, (self.address, self.port), Answer)
        self.port = self.server.server_port
        if self.ca:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            name = self.lab.path(os.path.basename(self.ca).removesuffix(".pem") + "-hook")
            context.load_cert_chain(name + ".pem", name + ".key")
            self.server.socket = context.wrap_socket(self.server.socket, server_side=True,
                                                     do_handshake_on_connect=False)
        self._thread = threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True)
        self._thread.start()
        return self

    def url(self):
        return f"http{'s' if self.ca else ''}://{self.address}:{self.port}{PATH}"

    def events(self):
        return [(post[3]["event"], post[3].get("device")) for post in list(self.posts)]

    def stop(self):
        if self.server:
            self.server.shutdown()
            self.server.server_close()
        self.server = None

    close = stop


class Told(Daemon):
    """A daemon with [notify.NAME] tables."""
    tables = ""

    def config_text(self):
        return super().config_text() + self.tables


def figures(daemon, name):
    status = json.loads(daemon.ctl("status", "--json").out)
    return next(one for one in status["notify"] if one["name"] == name)


def script(lab, name, text):
    path = lab.path(name)
    with open(path, "w") as file:
        file.write("#!/bin/sh\n" + text)
    os.chmod(path, 0o755)
    return path
