#!/usr/bin/python3
"""A BMC by other people: the server classes of Debian's python3-pyghmi, on one address, and taught cipher suite 17, which
they lack. Prints "ready" when it serves; ends when its standard input does.

    pyghmi_bmc.py ADDRESS PORT [SUITE,SUITE...]

Users ADMIN/secretpy and oper/operpw. SOL sends back what it hears (pyghmi drops the first packet of a session).
"""

import hashlib
import hmac
import os
import struct
import sys
import threading

import pyghmi.ipmi.bmc
import pyghmi.ipmi.private.constants as constants
import pyghmi.ipmi.private.serversession as serversession

USERS = {"ADMIN": "secretpy", "oper": "operpw"}
# IPMI 2.0, table 22-20, and RMCP+ algorithm numbers (13.28): authentication, integrity, confidentiality; the hash,
# and the length of its integrity check value.
SUITES = {3: ((1, 1, 1), hashlib.sha1, 12), 17: ((3, 4, 1), hashlib.sha256, 16)}


class Session(serversession.ServerSession):
    """The handshake with either suite, and the errors that pyghmi does not tell."""

    offered = (3, 17)

    def create_open_session_response(self, request):
        request = bytearray(request)
        tag = request[0]
        self.clientsessionid = request[4:8]
        self.managedsessionid = os.urandom(4)
        wanted = (request[12] & 63, request[20] & 63, request[28] & 63)
        for suite in self.offered:
            algorithms, self.currhashlib, self.currhashlen = SUITES[suite]
            if algorithms == wanted:
                break
        else:
            return bytearray([tag, 0x11, 0, 0]) + self.clientsessionid  # no cipher suite match
        self.privlevel = 4
        payloads = b"".join(struct.pack("<BxxBB3x", kind, 8, number) for kind, number in enumerate(wanted))
        return bytearray([tag, 0, 4, 0]) + self.clientsessionid + self.managedsessionid + payloads

    def keyed(self, key, data):
        return hmac.new(bytes(key), bytes(data), self.currhashlib).digest()

    def refuse(self, tag, status, payload):
        self.send_payload(bytearray([tag, status, 0, 0]) + self.clientsessionid, constants.payload_types[payload],
                          retry=False)

    def _got_rakp1(self, data):
        data = bytearray(data)
        self.Rm, self.rolem, self.maxpriv = data[8:24], data[24], data[24] & 7
        self.username = bytes(data[28:28 + data[27]])
        self.uuiddata, self.Rc = self.uuid.bytes, os.urandom(16)
        password = self.authdata.get(self.username.decode("latin1"))
        if password is None:
            return self.refuse(data[0], 0x0D, "rakp2")  # unauthorized name
        self.kuid = password.encode()
        self.kg = self.kg or self.kuid
        signed = (self.clientsessionid + self.managedsessionid + self.Rm + self.Rc + self.uuiddata +
                  bytearray([self.rolem, len(self.username)]) + self.username)
        self.send_payload(bytearray([data[0], 0, 0, 0]) + self.clientsessionid + self.Rc + self.uuiddata +
                          self.keyed(self.kuid, signed), constants.payload_types["rakp2"], retry=False)

    def _got_rakp3(self, data):
        data = bytearray(data)
        role = bytes([self.rolem, len(self.username)]) + self.username
        self.sik = self.keyed(self.kg, self.Rm + self.Rc + role)
        self.k1, self.k2 = (self.keyed(self.sik, number * 20) for number in (b"\1", b"\2"))
        self.aeskey = self.k2[:16]
        expected = self.keyed(self.kuid, bytes(self.Rc) + bytes(self.clientsessionid) + role)
        if data[1] != 0 or not hmac.compare_digest(expected, bytes(data[8:])):
            return self.refuse(data[0], 0x0F, "rakp4")  # invalid integrity check value
        self.localsid = struct.unpack("<I", self.managedsessionid)[0]
        self.ipmicallback = self.handle_client_request
        check = self.keyed(self.sik, bytes(self.Rm) + bytes(self.managedsessionid) + self.uuiddata)[:self.currhashlen]
        self.send_payload(bytearray([data[0], 0, 0, 0]) + self.clientsessionid + check,
                          constants.payload_types["rakp4"], retry=False)
        self.confalgo, self.integrityalgo, self.sequencenumber = "aes", "by the suite", 1
        self.sessionid = struct.unpack("<I", bytes(self.clientsessionid))[0]


class Bmc(pyghmi.ipmi.bmc.Bmc):
    power = "on"
    boot = "default"

    def get_power_state(self):
        return self.power

    def power_off(self):
        self.power = "off"

    def power_on(self):
        self.power = "on"

    def power_cycle(self):
        self.power = "on"

    def power_reset(self):
        pass

    def power_shutdown(self):
        self.power = "off"

    def get_boot_device(self):
        return self.boot

    def set_boot_device(self, device):
        self.boot = device

    def is_active(self):
        return self.power == "on"

    def cold_reset(self):
        os._exit(0)

    def iohandler(self, data):
        if self.sol:
            self.sol.send_data(data)

    def handle_raw_request(self, request, session):
        command = (request["netfn"], request["command"])
        if command == (6, 0x4A):  # Get Payload Activation Status
            return session.send_ipmi_response(data=[1, 1 if self.activated else 0, 0])
        if command == (6, 0x4E):  # Get Channel Payload Support
            return session.send_ipmi_response(data=[3, 0, 0, 0, 0, 0, 0, 0])
        return super().handle_raw_request(request, session)

    def send_cipher_suites(self, own, own_lun, client, client_lun, sequence, data, where):
        """Get Channel Cipher Suites (22.15): comes without a session."""
        records = b""
        for suite in Session.offered:
            authentication, integrity, confidentiality = SUITES[suite][0]
            records += bytes([0xC0, suite, authentication, 0x40 | integrity, 0x80 | confidentiality])
        checksum = serversession.ipmisession._checksum
        header = bytearray([client, client_lun | 7 << 2])
        header.append(checksum(*header))
        body = bytearray([own, own_lun | sequence << 2, 0x54, 0, 1]) + (records if data[21] & 0x3F == 0 else b"")
        body.append(checksum(*body))
        packet = header + body
        serversession.ipmisession._io_sendto(
            self.serversocket, b"\6\0\xff\7\6\0" + bytes(8) + struct.pack("<H", len(packet)) + packet, where)


def end_with_parent():
    sys.stdin.read()
    os._exit(0)


def main():
    address, port = sys.argv[1], int(sys.argv[2])
    if len(sys.argv) > 3:
        Session.offered = tuple(int(word) for word in sys.argv[3].split(","))
    serversession.ServerSession = Session
    bmc = Bmc(USERS, port=port, address=address)
    bmc.mfgid = 10876
    threading.Thread(target=end_with_parent, daemon=True).start()
    print("ready", flush=True)
    bmc.listen()


if __name__ == "__main__":
    main()
