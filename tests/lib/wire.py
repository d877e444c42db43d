# SPDX-License-Identifier: LGPL-2.1-or-later
"""The network between two simulated hosts, parts of which a test can break or silence: each port of a host is forwarded
from an address of its own."""

import contextlib
import selectors
import socket
import threading

CHUNK = 1 << 16


class Connection:
    """A forwarded connection: both ends, and the data that each end has not yet accepted."""

    def __init__(self, kind, near, far):
        self.kind, self.ends = kind, (near, far)
        self.pending = {near: b"", far: b""}
        self.finished = set()
        self.partial = b""  # the begin of a frame to the far side

    def other(self, end):
        return self.ends[1] if end is self.ends[0] else self.ends[0]


class Wire:
    """Forwards connections from @address to the same port of @target. @ports: {port: kind}, kind "data" or
    "control"."""

    def __init__(self, address, target, ports):
        self.address, self.target = address, target
        self.selector = selectors.DefaultSelector()
        self.connections = set()
        self.silent = set()
        self.calls = {}  # kind -> the number of calls that still pass
        self.lock = threading.Lock()
        self.wake, self.woken = socket.socketpair()
        self.selector.register(self.woken, selectors.EVENT_READ, None)
        self.listeners = {}
        for port, kind in ports.items():
            listener = socket.create_server((address, port), backlog=64)
            listener.setblocking(False)
            self.listeners[listener] = (port, kind)
            self.selector.register(listener, selectors.EVENT_READ, None)
        self.over = False
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()

    # ---- faults ----------------------------------------------------------------------------------------------

    def cut(self, kind):
        """Breaks all connections of that kind; new ones can be made."""
        with self.lock:
            for connection in [one for one in self.connections if one.kind == kind]:
                self.drop(connection)

    def silence(self, kind):
        """From now on no data of that kind passes, and no end sees an error."""
        with self.lock:
            self.silent.add(kind)

    def cut_after(self, kind, calls):
        """Breaks a connection of that kind after this many calls, counted over all its connections from now on: the
        last call still arrives, its answer does not."""
        with self.lock:
            self.calls[kind] = calls

    def calls_left(self, kind):
        """None: it has been cut, or cut_after() was not called."""
        with self.lock:
            return self.calls.get(kind)

    def count_calls(self, connection, data):
        """Counts the calls of libvirt's program in data to the far side; TRUE: that was the last that passes."""
        last = False
        connection.partial += data
        while len(connection.partial) >= 4:
            length = int.from_bytes(connection.partial[:4], "big")
            if len(connection.partial) < length or length < 28:
                break
            frame, connection.partial = connection.partial[:length], connection.partial[length:]
            if frame[4:8] == b"\x20\x00\x80\x86" and frame[16:20] == b"\0\0\0\0" and connection.kind in self.calls:
                self.calls[connection.kind] -= 1
                if self.calls[connection.kind] <= 0:
                    del self.calls[connection.kind]
                    last = True
        return last

    def heal(self):
        with self.lock:
            self.silent.clear()
        self.wake.send(b"x")

    def close(self):
        self.over = True
        self.wake.send(b"x")
        self.thread.join()
        for connection in list(self.connections):
            self.drop(connection)
        for listener in self.listeners:
            listener.close()
        self.selector.close()
        self.wake.close()
        self.woken.close()

    # ---- the thread ------------------------------------------------------------------------------------------

    def drop(self, connection, reset=True):
        self.connections.discard(connection)
        for end in connection.ends:
            with contextlib.suppress(KeyError, ValueError):
                self.selector.unregister(end)
            with contextlib.suppress(OSError):
                # A reset, as for a broken connection.
                if not reset:
                    raise OSError
                end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
            end.close()

    def accept(self, listener):
        port, kind = self.listeners[listener]
        near, _ = listener.accept()
        far = socket.socket()
        try:
            far.connect((self.target, port))
        except OSError:
            far.close()
            near.close()
            return
        connection = Connection(kind, near, far)
        for end in connection.ends:
            end.setblocking(False)
            end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self.selector.register(end, selectors.EVENT_READ, connection)
        self.connections.add(connection)

    def watch(self, connection):
        """Stops reading from a sender until its data has been accepted."""
        for end in connection.ends:
            events = 0
            if not connection.pending[connection.other(end)] and end not in connection.finished:
                events |= selectors.EVENT_READ
            if connection.pending[end]:
                events |= selectors.EVENT_WRITE
            with contextlib.suppress(KeyError, ValueError):
                self.selector.unregister(end)
            if events:
                self.selector.register(end, events, connection)

    def change(self, connection, data, to):
        """Returns the data that @to gets instead of @data, of the same length."""
        del connection, to
        return data

    def read(self, connection, end):
        other = connection.other(end)
        data = end.recv(CHUNK)
        if data:
            connection.pending[other] = self.change(connection, data, other)
            last = self.calls and end is connection.ends[0] and self.count_calls(connection, data)
            self.write(connection, other)
            if last:
                # In order: the call arrives, and its answer does not.
                other.shutdown(socket.SHUT_WR)
                self.drop(connection, reset=False)
            return
        connection.finished.add(end)
        other.shutdown(socket.SHUT_WR)
        if len(connection.finished) == 2:
            self.drop(connection)

    @staticmethod
    def write(connection, end):
        with contextlib.suppress(BlockingIOError):
            sent = end.send(connection.pending[end])
            connection.pending[end] = connection.pending[end][sent:]

    def serve(self, connection, end, events):
        try:
            if events & selectors.EVENT_WRITE:
                self.write(connection, end)
            if events & selectors.EVENT_READ:
                self.read(connection, end)
            if connection in self.connections:
                self.watch(connection)
        except (BlockingIOError, InterruptedError):
            pass
        except OSError:
            self.drop(connection)

    def turn(self, ready):
        served = False
        for key, events in ready:
            if key.fileobj is self.woken:
                self.woken.recv(64)
            elif key.fileobj in self.listeners:
                if self.listeners[key.fileobj][1] not in self.silent:
                    self.accept(key.fileobj)
                    served = True
            elif key.data in self.connections and key.data.kind not in self.silent:
                self.serve(key.data, key.fileobj, events)
                served = True
        return served

    def run(self):
        idle = threading.Event()
        while not self.over:
            ready = self.selector.select()
            with self.lock:
                served = self.turn(ready)
            # Only silenced connections are ready: they are served again when that ends.
            if not served:
                idle.wait(0.02)
