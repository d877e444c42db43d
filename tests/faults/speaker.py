# SPDX-License-Identifier: LGPL-2.1-or-later
"""A client that can send calls without waiting for their answers."""

import select
import struct

import rpc
from rpc import Reader


class Speaker(rpc.Client):
    def __init__(self, where):
        super().__init__(where, timeout=5)
        self.waiting, self.buffer, self.dead = {}, b"", False

    def post(self, procedure, writer, then):
        """@then (reader or None, error or None) is called by listen()."""
        try:
            self.waiting[self.start(procedure, writer)] = then
        except OSError:
            self.dead = True

    def listen(self, timeout):
        """Reads the answers that have arrived; if there are none, waits for @timeout."""
        while not self.dead and select.select([self.socket], [], [], timeout)[0]:
            timeout = 0
            try:
                piece = self.socket.recv(1 << 16)
            except OSError:
                piece = b""
            self.dead = not piece
            self.buffer += piece
        while len(self.buffer) >= 4 and len(self.buffer) >= struct.unpack(">I", self.buffer[:4])[0]:
            length = struct.unpack(">I", self.buffer[:4])[0]
            self.take(self.buffer[4:length])
            self.buffer = self.buffer[length:]

    def take(self, frame):
        program, _, _, kind, serial, status = struct.unpack(">IIIIII", frame[:24])
        then = self.waiting.pop(serial, None) if program == rpc.PROGRAM and kind == rpc.REPLY else None
        if then and status == rpc.OK:
            then(Reader(frame[24:]), None)
        elif then:
            reader = Reader(frame[24:])
            reader.int()
            reader.int()
            # The daemon repeats bytes of the call, which need not be text.
            then(None, reader.opaque().decode(errors="replace") if reader.int() else "")
