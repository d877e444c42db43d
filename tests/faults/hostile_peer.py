# SPDX-License-Identifier: LGPL-2.1-or-later
"""A destination with random answers: it forwards a daemon's calls to a real daemon, and sometimes the answer is lost,
cut short, replaced, or the connection is closed. It never lies about the host on which a guest runs: no source could
defend itself against that."""

import socket
import struct
import threading

import rpc
from rpc import Writer

VERBS = ("close before", "close after", "error", "nothing", "garbage", "short", "twice", "another serial", "bad prepare")
NO_DOMAIN = 42  # libvirt's code: the only error that says something about the guest


class HostilePeer:
    """Listens on @port of @address and forwards to @target. @rate is the share of answers that are changed; with 0 it
    is honest."""

    def __init__(self, address, port, target, random):
        self.target, self.random, self.rate = target, random, 0.0
        self.struck = []
        self.listener = socket.create_server((address, port), backlog=64)
        self.open, self.lock = set(), threading.Lock()
        threading.Thread(target=self.accept, daemon=True).start()

    def close(self):
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        self.drop_all()

    def drop_all(self):
        with self.lock:
            for one in self.open:
                self.cut(one)

    @staticmethod
    def cut(one):
        try:
            one.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass

    def accept(self):
        while True:
            try:
                near, _ = self.listener.accept()
                far = socket.create_connection(self.target)
            except OSError:
                return
            with self.lock:
                self.open |= {near, far}
            threading.Thread(target=self.pass_on, args=(near, far, False), daemon=True).start()
            threading.Thread(target=self.pass_on, args=(far, near, True), daemon=True).start()

    def pass_on(self, one, other, answers):
        try:
            while True:
                frame = self.read_frame(one)
                for out in self.instead(frame) if answers else [frame]:
                    other.sendall(out)
        except (OSError, EOFError, struct.error):
            pass
        with self.lock:
            self.open -= {one, other}
        for end in (one, other):
            self.cut(end)

    @staticmethod
    def read_frame(one):
        data = b""
        while len(data) < 4 or len(data) < struct.unpack(">I", data[:4])[0]:
            want = 4 if len(data) < 4 else struct.unpack(">I", data[:4])[0]
            piece = one.recv(want - len(data))
            if not piece:
                raise EOFError
            data += piece
        return data

    def instead(self, frame):
        """Returns the frames that replace that answer."""
        program, version, procedure, kind, serial, status = struct.unpack(">IIIIII", frame[4:28])
        if kind != rpc.REPLY or self.random.random() >= self.rate:
            return [frame]
        verb = self.random.choice(VERBS)
        self.struck.append(f"{verb} of {procedure}")

        def make(payload, its_status=status, its_serial=serial):
            head = struct.pack(">IIIIII", program, version, procedure, kind, its_serial, its_status)
            return [struct.pack(">I", 4 + len(head) + len(payload)) + head + payload]

        if verb == "close before":
            raise EOFError
        if verb == "close after":
            # The call was served; its answer is lost.
            raise EOFError
        if verb == "error":
            code = self.random.choice([0, 1, 9, 38, 55, 999999])
            return make(self.error(code), rpc.ERROR)
        if verb == "nothing":
            return make(b"") if program == rpc.PROGRAM else make(b"\0")
        if verb == "garbage":
            noise = self.random.randbytes(self.random.randrange(1, 200))
            return make(noise if program == rpc.PROGRAM else b"\xff" + noise)
        if verb == "short":
            return make(frame[28:28 + self.random.randrange(max(len(frame) - 28, 1))]) if program == rpc.PROGRAM \
                else make(b"\0\0")
        if verb == "twice":
            return [frame, frame]
        if verb == "another serial":
            return make(frame[28:], its_serial=serial + self.random.randrange(1, 5)) + [frame]
        if procedure == rpc.PREPARE and status == rpc.OK:
            uri = self.random.choice([None, "", "tcp://", "tcp://127.0.0.1:1", "tcp://127.0.0.1:0", "unix:///x", "\x01"])
            cookie = rpc.Reader(frame[28:]).opaque()
            return make(Writer().opaque(self.random.choice([cookie, cookie[:len(cookie) // 2]])).opt_string(uri).data)
        return [frame]

    @staticmethod
    def error(code):
        # The layout of libvirt's remote_error; all of it except the numbers is optional.
        return Writer().int(code).int(0).opt_string("told by a hostile peer").int(2).int(0).opt_string(None) \
            .opt_string(None).opt_string(None).int(0).int(0).int(0).data
