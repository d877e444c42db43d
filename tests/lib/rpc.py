# SPDX-License-Identifier: LGPL-2.1-or-later
"""A client that makes each call of the protocol separately: a test can stop, repeat or omit a phase of what virsh does
in one command. Layouts: protocol/remote.x."""

import socket
import struct

PROGRAM, OWN_PROGRAM, VERSION = 0x20008086, 0x78656e66, 1
SETTLE = 1  # of OWN_PROGRAM
CALL, REPLY, MESSAGE, STREAM = 0, 1, 2, 3
OK, ERROR, CONTINUE = 0, 1, 2

CONNECT_OPEN, CONNECT_CLOSE, LOOKUP_BY_NAME, SUPPORTS_FEATURE, AUTH_LIST = 1, 2, 23, 60, 66
BEGIN, PREPARE, PREPARE_TUNNEL, PERFORM, FINISH, CONFIRM = 302, 303, 304, 305, 306, 307

TYPE_ULLONG, TYPE_STRING = 4, 7


class RpcError(Exception):
    """The daemon answered with an error."""

    def __init__(self, code, message):
        super().__init__(f"{message} (code {code})")
        self.code, self.message = code, message


class Writer:
    def __init__(self):
        self.data = b""

    def int(self, value):
        self.data += struct.pack(">i" if value < 0 else ">I", value)
        return self

    def opaque(self, value):
        self.data += struct.pack(">I", len(value)) + value + b"\0" * (-len(value) % 4)
        return self

    def string(self, value):
        return self.opaque(value.encode(errors="surrogateescape"))

    def opt_string(self, value):
        return self.int(0) if value is None else self.int(1).string(value)

    def domain(self, value):
        name, uuid, number = value
        self.string(name)
        self.data += uuid
        return self.int(number)

    def params(self, values):
        self.int(len(values))
        for name, value in values.items():
            self.string(name)
            if isinstance(value, str):
                self.int(TYPE_STRING).string(value)
            else:
                self.int(TYPE_ULLONG)
                self.data += struct.pack(">Q", value)
        return self


class Reader:
    def __init__(self, data):
        self.data, self.at = data, 0

    def take(self, length):
        self.at += length
        return self.data[self.at - length:self.at]

    def int(self):
        return struct.unpack(">i", self.take(4))[0]

    def opaque(self):
        length = self.int()
        value = self.take(length)
        self.take(-length % 4)
        return value

    def string(self):
        return self.opaque().decode()

    def opt_string(self):
        return self.string() if self.int() else None

    def domain(self):
        return self.string(), self.take(16), self.int()


def says_sent(cookie):
    """The cookie that perform of a xenferry returns, for a test that acts as the source."""
    mark = b"</xenferry:peer>"
    assert mark in cookie
    return cookie.replace(mark, b"<xenferry:sent/>" + mark)


class Client:
    """An open connection. @where: a socket's path, or (host, port)."""

    def __init__(self, where, timeout=20):
        family = socket.AF_UNIX if isinstance(where, str) else socket.AF_INET
        self.socket = socket.socket(family, socket.SOCK_STREAM)
        self.socket.settimeout(timeout)
        self.socket.connect(where)
        self.serial = 0
        self.call(AUTH_LIST)
        self.call(CONNECT_OPEN, Writer().opt_string("xen:///system").int(0))

    def __enter__(self):
        return self

    def __exit__(self, *unused):
        self.vanish()

    def vanish(self):
        """Disconnects as a killed client does, without a close call."""
        self.socket.close()

    # ---- frames ----------------------------------------------------------------------------------------------

    def send(self, procedure, kind, serial, status, payload=b"", program=PROGRAM):
        header = struct.pack(">IIIIII", program, VERSION, procedure, kind, serial, status)
        self.socket.sendall(struct.pack(">I", 4 + len(header) + len(payload)) + header + payload)

    def receive_exactly(self, length):
        data = b""
        while len(data) < length:
            piece = self.socket.recv(length - len(data))
            if not piece:
                raise ConnectionError("the daemon closed the connection")
            data += piece
        return data

    def receive(self):
        """(procedure, kind, serial, status, payload) of the next frame that is not keepalive's."""
        while True:
            length = struct.unpack(">I", self.receive_exactly(4))[0]
            frame = self.receive_exactly(length - 4)
            program, _, procedure, kind, serial, status = struct.unpack(">IIIIII", frame[:24])
            if program in (PROGRAM, OWN_PROGRAM):
                return procedure, kind, serial, status, frame[24:]

    def start(self, procedure, writer=None, program=PROGRAM):
        """Sends a call; returns its serial."""
        self.serial += 1
        self.send(procedure, CALL, self.serial, OK, writer.data if writer else b"", program)
        return self.serial

    def answer(self, serial):
        """Waits for the reply to that call and skips other frames."""
        while True:
            _, kind, its, status, payload = self.receive()
            if kind != REPLY or its != serial:
                continue
            if status == ERROR:
                reader = Reader(payload)
                code = reader.int()
                reader.int()
                raise RpcError(code, reader.opt_string())
            return Reader(payload)

    def call(self, procedure, writer=None, program=PROGRAM):
        return self.answer(self.start(procedure, writer, program))

    # ---- calls -----------------------------------------------------------------------------------------------

    def lookup(self, name):
        return self.call(LOOKUP_BY_NAME, Writer().string(name)).domain()

    def supports_feature(self, feature):
        return self.call(SUPPORTS_FEATURE, Writer().int(feature)).int()

    def begin(self, domain, flags=1, params=None):
        """(cookie, xml)"""
        reader = self.call(BEGIN, Writer().domain(domain).params(params or {}).int(flags))
        return reader.opaque(), reader.string()

    def prepare(self, xml, cookie, flags=1, params=None):
        """(cookie, uri)"""
        everything = dict(params or {}, destination_xml=xml)
        reader = self.call(PREPARE, Writer().params(everything).opaque(cookie).int(flags))
        return reader.opaque(), reader.opt_string()

    def prepare_tunnel(self, xml, cookie, flags=7, params=None):
        """(cookie, the stream's serial)"""
        everything = dict(params or {}, destination_xml=xml)
        serial = self.start(PREPARE_TUNNEL, Writer().params(everything).opaque(cookie).int(flags))
        return self.answer(serial).opaque(), serial

    def start_perform(self, domain, uri, cookie=b"", flags=1, params=None):
        everything = dict(params or {}, migrate_uri=uri)
        return self.start(PERFORM, Writer().domain(domain).opt_string(None).params(everything).opaque(cookie)
                          .int(flags))

    def perform(self, *args, **options):
        return self.answer(self.start_perform(*args, **options)).opaque()

    def start_finish(self, name, cookie=b"", flags=1, cancelled=0):
        return self.start(FINISH, Writer().params({"destination_name": name}).opaque(cookie).int(flags)
                          .int(cancelled))

    def finish(self, *args, **options):
        return self.answer(self.start_finish(*args, **options)).domain()

    def confirm(self, domain, cookie=b"", flags=1, cancelled=0):
        self.call(CONFIRM, Writer().domain(domain).params({}).opaque(cookie).int(flags).int(cancelled))
