# SPDX-License-Identifier: LGPL-2.1-or-later
"""One migration with one or two faults, and the conditions that hold whatever happens:

* at no moment does the guest run twice: sampled throughout from outside the daemons, and its counter never repeats a
  number;
* within a minute after all daemons are back, the guest runs exactly once, both journals are final, nothing of the
  migration is left (domains, helpers, ports, jobs), and the guest can be migrated again;
* what the destination has taken for the guest it has given back, unless the guest arrived there.

A fault is an action at a point. Points are moves of a state machine, steps of the journal, or steps of libxl's helpers
(docs/simulator.md): the process that reaches the point stops, the action is done, and the process continues. No test
relies on a sleep to hit a moment."""

import contextlib
import dataclasses
import os
import signal
import struct
import subprocess
import tempfile
import threading
import time
import uuid as uuid_module

import calm
import rpc
from calm import CALM_TIMEOUT, GUEST
from rpc import Writer
from sim_host import SimHost, wait_until
from speaker import Speaker
from wire import Wire

FREEZE_S, SILENCE_S = 5.0, 6.0
SAMPLE_S = 0.004

# Short, so that a cell takes seconds; longer than any step takes on a busy machine.
SETTINGS = {
    "accept_timeout": 4, "connect_timeout": 2, "stall_timeout": 4, "finish_timeout": 4,
    "keepalive_interval": 1, "keepalive_count": 2,
}


@dataclasses.dataclass(frozen=True)
class Fault:
    """@deed at @point of host @host ("a" is the source, "b" the destination). Deeds: "kill a", "kill b", "kill client",
    "freeze a", "freeze b", "cut data", "cut control", "silence data", "silence control"; "second CALL HOST": another
    client calls; and "die", for a point of a helper."""

    host: str
    point: str
    deed: str
    after: str = ""  # text that must be in a's trace before the deed

    def __str__(self):
        return f"{self.deed} at {self.host}:{self.point}"


@dataclasses.dataclass(frozen=True)
class Cell:
    mode: str
    live: bool
    persistent: bool
    faults: tuple

    def __str__(self):
        words = [self.mode, "live" if self.live else "cold", "persistent" if self.persistent else "transient"]
        return " ".join(words) + ", " + ", then ".join(str(fault) for fault in self.faults)


# Calls of a second client about the guest or its migration; the phases with an invalid cookie.
SECOND = {
    "resume": (28, lambda domain: Writer().domain(domain)),
    "destroy": (12, lambda domain: Writer().domain(domain)),
    "undefine": (35, lambda domain: Writer().domain(domain)),
    "suspend": (34, lambda domain: Writer().domain(domain)),
    "abort": (164, lambda domain: Writer().domain(domain)),
    "confirm": (rpc.CONFIRM, lambda domain: Writer().domain(domain).params({}).opaque(b"").int(1).int(0)),
    "cancel": (rpc.CONFIRM, lambda domain: Writer().domain(domain).params({}).opaque(b"").int(1).int(1)),
    "perform": (rpc.PERFORM, lambda domain: Writer().domain(domain).opt_string(None)
                .params({"migrate_uri": "tcp://127.0.0.1:1"}).opaque(b"").int(1)),
    "finish": (rpc.FINISH, lambda domain: Writer().params({"destination_name": GUEST}).opaque(b"").int(1).int(0)),
    "refuse": (rpc.FINISH, lambda domain: Writer().params({"destination_name": GUEST}).opaque(b"").int(1).int(1)),
}


# Calls of a client that has the migration's secret: as its source, with each purpose.
PURPOSES = {"know": 0, "start": 1, "here": 2, "there": 3}


def settle(speaker, entries, purpose):
    entry = next((entry for entry in entries if entry["side"] == "destination"), {"migration": str(uuid_module.UUID(int=1))})
    writer = Writer()
    writer.data += uuid_module.UUID(entry["migration"]).bytes
    writer.string(entry.get("secret", "none")).int(PURPOSES[purpose])
    speaker.send(rpc.SETTLE, 0, 0, 0, bytes(writer.data), rpc.OWN_PROGRAM)


class Sampler(threading.Thread):
    """Counts running copies of the guest, in the hypervisor's own memory."""

    HEAD = struct.Struct("=IIQI16s256sIIII")

    def __init__(self, *hosts):
        super().__init__(daemon=True)
        self.directories = [os.path.join(host.sim_dir, "domains") for host in hosts]
        self.over = threading.Event()
        self.samples, self.most, self.seen = 0, 0, []

    def running(self, directory):
        found = 0
        with contextlib.suppress(FileNotFoundError):
            for domid in os.listdir(directory):
                with contextlib.suppress(FileNotFoundError, struct.error), \
                        open(os.path.join(directory, domid, "block"), "rb", buffering=0) as block:
                    fields = self.HEAD.unpack(block.read(self.HEAD.size))
                    name, state, paused = fields[5].split(b"\0")[0].decode(), fields[7], fields[9]
                    found += name == GUEST and state == 0 and not paused
        return found

    def run(self):
        last = None
        while not self.over.is_set():
            counts = tuple(self.running(directory) for directory in self.directories)
            self.samples += 1
            if counts != last:
                self.seen.append((round(time.time(), 3), counts))
                last = counts
            # A guest may arrive between the two reads, so two copies count only if both are there in a second sample.
            if sum(counts) > 1:
                counts = tuple(self.running(directory) for directory in self.directories)
                self.most = max(self.most, sum(counts))
            self.over.wait(SAMPLE_S)

    def stop(self):
        self.over.set()
        self.join()


class Ledger:
    """An executable of the destination that is a resource of the guest (docs/hooks.md): it writes down what it takes
    and gives back."""

    def __init__(self, directory):
        self.file = os.path.join(directory, "ledger")
        self.directory = os.path.join(directory, "resources.d")
        os.mkdir(self.directory)
        path = os.path.join(self.directory, "ledger")
        with open(path, "w", encoding="ascii") as script:
            script.write(f"#!/bin/sh\necho \"$4 $1\" >> '{self.file}'\n")
        os.chmod(path, 0o700)

    def steps(self):
        """{migration: the steps that took or gave back something}"""
        found = {}
        with contextlib.suppress(FileNotFoundError), open(self.file, encoding="ascii") as lines:
            for migration, step in (line.split() for line in lines):
                found.setdefault(migration, []).append(step)
        return {migration: [step for step in steps if step != "check"] for migration, steps in found.items()}

    def why_not(self, arrived):
        """The reason why something is still taken, or None."""
        for migration, steps in self.steps().items():
            if steps and steps[-1] != "rollback" and not (arrived and steps[-1] == "commit"):
                return f"migration {migration}: {steps}"
            if arrived and "rollback" in steps:
                return f"migration {migration} has arrived: {steps}"
        return None


class Run:
    """A cell that is being run."""

    def __init__(self, cell, number):
        self.cell, self.client = cell, None
        address = f"127.0.{1 + number // 250}.{1 + number % 250}"
        control = {"hash": 0, "heartbeat_ms": 10, "rate_mib": 64}
        self.a = SimHost("a", SETTINGS, control=control)
        self.own = tempfile.TemporaryDirectory()
        self.ledger = Ledger(self.own.name)
        try:
            self.b = SimHost("b", dict(SETTINGS, migration_host=address, migration_listen="127.0.0.1",
                                       resource_dir=self.ledger.directory), control=control)
            first = self.b.ports.first
            ports = {first: "control"}
            ports.update({first + port: "data" for port in range(1, 8)})
            self.wire = Wire(address, "127.0.0.1", ports)
        except BaseException:
            self.a.close(check=False)
            self.own.cleanup()
            raise
        self.uri = f"xen+tcp://{address}:{first}/system"
        self.hosts = {"a": self.a, "b": self.b}
        self.pair = calm.Pair(self.a, self.b)
        self.dead = []
        self.later = []
        self.second, self.uuid = {}, None

    def close(self, check):
        if self.client and self.client.poll() is None:
            os.killpg(self.client.pid, signal.SIGKILL)
            self.client.wait()
        self.wire.close()
        for speaker in self.second.values():
            speaker.vanish()
        for host in (self.a, self.b):
            host.close(check=check)
        self.own.cleanup()

    # ---- faults ----------------------------------------------------------------------------------------------

    def arm(self, fault):
        key = "die" if fault.deed == "die" else "stop"
        self.hosts[fault.host].control(**{key: fault.point})

    def reached(self, fault):
        """TRUE if the point has been reached; a daemon waits at its point."""
        host = self.hosts[fault.host]
        if fault.deed == "die":
            return bool(host.traced("died"))
        if host.process is None or host.process.poll() is not None:
            return False
        return bool(host.traced(f" stopped at {fault.point}")) and host.is_stopped()

    def wait_reached(self, fault, timeout):
        end = time.monotonic() + timeout
        while time.monotonic() < end:
            if self.reached(fault):
                return True
            time.sleep(0.005)
        return False

    def kill(self, name):
        host = self.hosts[name]
        if host.process:
            host.kill()
            self.dead.append(host)

    def after(self, seconds, deed):
        timer = threading.Timer(seconds, deed)
        timer.start()
        self.later.append(timer)

    def do(self, fault):
        """Does the deed; then the process that waits continues."""
        host, (verb, _, whom) = self.hosts[fault.host], fault.deed.partition(" ")
        if verb == "die":
            return
        if verb == "kill" and whom in self.hosts:
            self.kill(whom)
        elif verb == "kill":
            if self.client.poll() is None:
                os.killpg(self.client.pid, signal.SIGKILL)
        elif verb == "freeze":
            self.hosts[whom].signal(signal.SIGSTOP)
            self.after(FREEZE_S, lambda: self.hosts[whom].process and self.hosts[whom].go_on())
        elif verb == "cut":
            self.wire.cut(whom)
        elif verb == "second":
            what, _, where = whom.partition(" ")
            # The daemon reads the call when it continues.
            if what in PURPOSES:
                settle(self.second[where], self.hosts[where].journal(), what)
            else:
                procedure, arguments = SECOND[what]
                self.second[where].post(procedure, arguments((GUEST, self.uuid, -1)), lambda reader, error: None)
        elif verb == "silence":
            self.wire.silence(whom)
            self.after(SILENCE_S, self.wire.heal)
        else:
            raise ValueError(fault.deed)
        if host.process and fault.deed != f"freeze {fault.host}":
            host.go_on()

    def bring_back(self, wait=True):
        """A daemon that is to stop while it starts does not answer before that."""
        for timer in self.later:
            timer.join()
        self.later.clear()
        for host in self.dead:
            host.launch()
        for host in self.dead if wait else []:
            wait_until(host.answers, lambda name=host.name: f"{name} answers again", 30)
        self.dead.clear()

    # ---- the conditions --------------------------------------------------------------------------------------

    def check_definition(self, holder):
        names = {host.name: host.names("--all", "--persistent") for host in (self.a, self.b)}
        if self.cell.persistent:
            assert GUEST in names[holder.name], f"it runs on {holder.name} and is defined on {names}"
        else:
            assert names == {"a": [], "b": []}, f"a transient guest has become defined: {names}"

    # ---- the cell --------------------------------------------------------------------------------------------

    def migrate(self):
        options = (["--live"] if self.cell.live else []) + (
            ["--persistent", "--undefinesource"] if self.cell.persistent else [])
        self.client = self.a.migrate_start(GUEST, self.uri, *options, mode=self.cell.mode)

    def strike(self, fault, timeout, following=None):
        """Returns FALSE if the point is not reached. @following: a second fault of the same daemon, which must hit
        too."""
        if not self.wait_reached(fault, timeout):
            return False
        if following:
            self.arm(following)
        if fault.after:
            wait_until(lambda: self.a.traced(fault.after), fault.after)
        self.do(fault)
        return True

    def run(self):
        self.uuid = uuid_module.UUID(self.a.create(GUEST, persistent=self.cell.persistent, memory_kib=8192)).bytes
        self.second = {name: Speaker(host.socket_path) for name, host in self.hosts.items()
                       if any(fault.deed.startswith("second") for fault in self.cell.faults)}
        wait_until(lambda: len(self.a.heartbeats(GUEST)) > 2, "it beats")
        sampler = Sampler(self.a, self.b)
        sampler.start()
        try:
            for fault in reversed(self.cell.faults):
                self.arm(fault)
            self.migrate()
            following = [fault for fault in self.cell.faults[1:] if fault.host == self.cell.faults[0].host]
            assert self.strike(self.cell.faults[0], 20, following[0] if following else None), \
                f"not reached; the client: {self.client.poll()}; {self.a.traced('move')[-6:]} {self.b.traced('move')[-6:]}"
            for fault in self.cell.faults[1:]:
                self.bring_back(wait=False)
                assert self.strike(fault, 20), \
                    f"the second was not reached: {self.a.traced('move')[-6:]} {self.b.traced('move')[-6:]}"
            self.bring_back()
            for host in (self.a, self.b):
                host.control()
            try:
                self.client.wait(timeout=CALM_TIMEOUT)
            except subprocess.TimeoutExpired as hung:
                raise AssertionError("the client hangs") from hung
            ended = any("destroy" in fault.deed for fault in self.cell.faults)
            holder = self.pair.wait_calm(ended)
            if not ended:
                arrived = holder is self.b
                wait_until(lambda: not self.ledger.why_not(arrived), lambda: f"given back: {self.ledger.why_not(arrived)}")
            if holder and not self.second:
                self.check_definition(holder)
            time.sleep(0.05)
        finally:
            sampler.stop()
        assert sampler.samples > 10 and sampler.most <= 1, f"running copies: {sampler.seen}"
        self.pair.check_counter()
        if not holder:
            return f"destroyed, {sampler.samples} looks"
        self.pair.move_again(holder)
        return f"{holder.name}, {sampler.samples} looks"


def tail(host):
    """The end of a daemon's log, without the lines of each virsh."""
    dull = ("xf-rpc", "GLib", "xf-remote: unix", "Frames")
    lines = [line for line in host.log().splitlines() if not any(word in line for word in dull)]
    return f"---- {host.name}\n" + "\n".join(lines[-25:]) + "\n"


def run_cell(cell, number):
    """(error or None, message)"""
    run = Run(cell, number)
    good = False
    try:
        said = run.run()
        good = True
        return None, said
    except (AssertionError, OSError, ValueError) as error:
        return f"{type(error).__name__}: {error}", tail(run.a) + tail(run.b)
    finally:
        try:
            run.close(check=good)
        except AssertionError as error:
            if good:
                return f"at the end: {error}", ""  # pylint: disable=lost-exception
