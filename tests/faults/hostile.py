#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""A client and a destination that make the calls of a migration in random order, as TAP. Each sequence is a few dozen
calls over several connections to the same two daemons: right, wrong and absent cookies, names, domains and flags,
answers awaited or not, connections closed in between. After each, when all connections are closed: both daemons run and
have logged no error, no migration is left, the guest's counter repeats no number, and the guest runs exactly once. If
an administrator's command has destroyed it, or has decided about a migration that waits, it may be gone; a second copy
runs only if such a decision has started it.

    hostile.py [--count N] [--seed S] [--only N] [--verbose] [-j N]

A sequence depends on its seed and number only; the daemons' progress between two calls does not."""

import argparse
import contextlib
import multiprocessing
import os
import random
import re
import struct
import sys
import time
import uuid as uuid_module

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "lib"))

import rpc  # noqa: E402
from cell import tail  # noqa: E402
from hostile_peer import HostilePeer  # noqa: E402
from rpc import Writer  # noqa: E402
from sim_host import WRONG, SimHost, domain_xml  # noqa: E402
from speaker import Speaker  # noqa: E402

CREATE, CREATE_XML, DEFINE, DESTROY, RESUME, SUSPEND, UNDEFINE = 9, 10, 11, 12, 28, 34, 35
GET_JOB_INFO, ABORT_JOB = 163, 164
LIVE, P2P, TUNNELLED, PERSIST, UNDEFINE_SOURCE, PAUSED, OFFLINE = 1, 2, 4, 8, 16, 32, 1024
SETTINGS = {"accept_timeout": 2, "connect_timeout": 2, "stall_timeout": 3, "finish_timeout": 2,
            "keepalive_interval": 1, "keepalive_count": 3, "log_level": "info"}
GUEST, CALM_S = "g", 30.0
BLOCK_HEAD = struct.Struct("=IIQI16s256sIIII")


class World:
    """The two hosts, the peer between them, and the state of the guest as seen from outside the daemons."""

    def __init__(self, seed):
        control = {"hash": 0, "heartbeat_ms": 5, "dirty_pages": 100}
        self.hosts, self.peers = [], []
        try:
            for name in "ab":
                self.hosts.append(SimHost(name, SETTINGS, control=control))
            for host in self.hosts:
                self.peers.append(HostilePeer("127.0.0.2", host.tcp_port, ("127.0.0.1", host.tcp_port),
                                              random.Random(f"{seed} {host.name}")))
        except BaseException:
            self.close(check=False)
            raise
        self.uuid, self.over = None, set()
        self.read = {}  # path -> the number of bytes already read
        self.seen = set()

    def close(self, check):
        for peer in self.peers:
            peer.close()
        for host in self.hosts:
            host.close(check=check)

    def domains(self):
        """[(host, domid, state)] of the guest; states as text."""
        found = []
        for host in self.hosts:
            top = os.path.join(host.sim_dir, "domains")
            for domid in filter(str.isdigit, os.listdir(top)):
                with contextlib.suppress(OSError, struct.error), \
                        open(os.path.join(top, domid, "block"), "rb", buffering=0) as block:
                    fields = BLOCK_HEAD.unpack(block.read(BLOCK_HEAD.size))
                    state = ("running", "suspended", "shutdown", "building", "dying")[fields[7]]
                    found.append((host, int(domid), "paused" if state == "running" and fields[9] else state))
        return found

    def more_of(self, path):
        """The lines that were added to that file since the last call."""
        with contextlib.suppress(FileNotFoundError), open(path, encoding="utf-8", errors="replace") as file:
            file.seek(self.read.get(path, 0))
            text = file.read()
            whole = text[:text.rfind("\n") + 1]
            self.read[path] = self.read.get(path, 0) + len(whole.encode("utf-8", "replace"))
            return whole.splitlines()
        return []

    def beats_twice(self):
        """Numbers of the guest's counter that were printed twice, on either host."""
        twice = []
        for host in self.hosts:
            for line in self.more_of(os.path.join(host.sim_dir, "console", f"{GUEST}.log")):
                found = re.search(r"heartbeat (\d+)\b", line)
                if found:
                    number = int(found.group(1))
                    twice += [number] if number in self.seen else []
                    self.seen.add(number)
        return twice

    def pending(self):
        """Entries of the journals for migrations that are not over."""
        found = []
        for host in self.hosts:
            directory = os.path.join(host.dir, "lib", "migrations")
            for name in os.listdir(directory) if os.path.isdir(directory) else []:
                path = os.path.join(directory, name)
                if path in self.over or not name.endswith(".json"):
                    continue
                with contextlib.suppress(FileNotFoundError), open(path, encoding="utf-8") as file:
                    text = file.read()
                    if re.search(r'"final":\s*true', text):
                        self.over.add(path)
                    else:
                        state = re.search(r'"state":\s*"([^"]*)"', text)
                        found.append(f"{host.name}: {name} {state.group(1) if state else text[:40]}")
        return found

    def born(self):
        self.seen.clear()
        self.beats_twice()
        self.seen.clear()

    def create(self, host, persistent):
        self.born()
        for one in self.hosts:
            with rpc.Client(one.socket_path) as client, contextlib.suppress(rpc.RpcError):
                client.call(UNDEFINE, Writer().domain(client.lookup(GUEST)))
        self.uuid = str(uuid_module.uuid4())
        xml = domain_xml(GUEST, uuid=self.uuid, memory_kib=1024)
        with rpc.Client(host.socket_path) as client:
            if persistent:
                client.call(DEFINE, Writer().string(xml))
                client.call(CREATE, Writer().domain((GUEST, uuid_module.UUID(self.uuid).bytes, -1)))
            else:
                client.call(CREATE_XML, Writer().string(xml).int(0))


class Sequence:
    def __init__(self, world, seed, number, verbose):
        self.world, self.random, self.verbose = world, random.Random(f"{seed}/{number}"), verbose
        self.speakers = []
        self.cookies = [b"", b"\0", b"<qemu-migration/>", b"rubbish"]
        self.of_begin, self.of_prepare = [], []  # the daemons' cookies
        self.xmls, self.uris = [], ["", "tcp://127.0.0.1:1"]
        self.said = []  # the calls and their answers
        self.kills = self.random.random() < 0.2  # administrators destroy and decide
        self.destroyed = self.decided = False  # such a command was sent, with any answer
        # If the client withholds the destination's cookie, the source treats the destination as one without a journal:
        # then a client's confirm counts, and without one an administrator's decision.
        self.posed = False

    # ---- values ------------------------------------------------------------------------------------------------

    def pick(self, right, wrong, chance=0.88):
        """Most often one of the right values."""
        right = [one for one in right if one is not None]
        return self.random.choice(right if right and self.random.random() < chance else wrong)

    def name(self):
        return self.pick([GUEST], ["", "h", "..", "../g", "g" * 300, "no\x01body", "Domain-0"], 0.93)

    def domain(self):
        ids = [domid for _, domid, _ in self.world.domains()] or [1]
        right = uuid_module.UUID(self.world.uuid).bytes
        return (self.name(), self.pick([right], [b"\0" * 16, uuid_module.uuid4().bytes], 0.95),
                self.random.choice(ids + [-1]))

    def cookie(self, right=None, chance=0.85):
        cookie = self.pick(self.cookies[4:][-3:] if right is None else right[-2:], self.cookies, chance)
        if cookie and self.random.random() < 0.02:
            at = self.random.randrange(len(cookie))
            cookie = cookie[:at] + self.random.randbytes(1) + cookie[at + 1:]
        return cookie

    def flags(self, least=0):
        flags = least
        for bit, chance in ((LIVE, 0.7), (PERSIST, 0.2), (UNDEFINE_SOURCE, 0.1), (PAUSED, 0.05), (OFFLINE, 0.03)):
            flags |= bit if self.random.random() < chance else 0
        return flags if self.random.random() < 0.97 else self.random.getrandbits(12)

    def params(self, **more):
        if self.random.random() < 0.06:
            more["destination_name"] = self.name()
        return more

    # ---- calls -------------------------------------------------------------------------------------------------

    def post(self, speaker, what, procedure, writer, then=None):
        line = f"{speaker.host.name}{speaker.number} {what}"
        self.said.append(line)

        def answered(reader, error):
            self.said.append(f"   {line}: {error or 'ok'}")
            if reader and then:
                then(reader)

        speaker.post(procedure, writer, answered)

    def begin(self, speaker):
        def then(reader):
            self.of_begin.append(reader.opaque())
            self.cookies.append(self.of_begin[-1])
            self.xmls.append(reader.string())

        self.post(speaker, "begin", rpc.BEGIN, Writer().domain(self.domain()).params(self.params()).int(self.flags()), then)

    def prepare(self, speaker, tunnel=False):
        xml = self.pick(self.xmls[-2:], ["", "<domain/>", domain_xml(GUEST, memory_kib=1024)], 0.95)
        everything = self.params(destination_xml=xml)
        flags = self.flags(P2P | TUNNELLED if tunnel else 0)
        cookie = self.cookie(self.of_begin, 0.96)

        def then(reader):
            self.cookies.append(reader.opaque())
            if cookie in self.of_begin:
                self.of_prepare.append(self.cookies[-1])
            if not tunnel:
                self.uris.append(reader.opt_string() or "")

        self.post(speaker, "prepare-tunnel" if tunnel else "prepare", rpc.PREPARE_TUNNEL if tunnel else rpc.PREPARE,
                  Writer().params(everything).opaque(cookie).int(flags), then)

    def stream(self, speaker):
        serial = self.random.choice(range(1, speaker.serial + 1))
        with contextlib.suppress(OSError):
            status = self.random.choice([rpc.CONTINUE, rpc.CONTINUE, rpc.OK, rpc.ERROR])
            speaker.send(rpc.PREPARE_TUNNEL, rpc.STREAM, serial, status,
                         self.random.randbytes(self.random.randrange(200)) if status == rpc.CONTINUE else b"")
        self.said.append(f"{speaker.host.name}{speaker.number} stream")

    def perform(self, speaker):
        everything = self.params(migrate_uri=self.pick(self.uris[2:][-1:], self.uris))
        cookie = self.cookie(self.of_prepare, 0.96)
        self.posed |= cookie not in self.of_prepare
        self.post(speaker, "perform", rpc.PERFORM, Writer().domain(self.domain()).opt_string(None).params(everything)
                  .opaque(cookie).int(self.flags()), lambda reader: self.cookies.append(reader.opaque()))

    def move(self, speaker):
        """A peer-to-peer migration: one call."""
        other = self.world.hosts[1 - self.world.hosts.index(speaker.host)]
        host = "127.0.0.2" if self.random.random() < 0.7 else "127.0.0.1"
        uri = f"xen+tcp://{host}:{other.tcp_port}/system"
        flags = self.flags(P2P | (TUNNELLED if self.random.random() < 0.4 else 0))
        self.post(speaker, "perform-p2p", rpc.PERFORM, Writer().domain(self.domain()).opt_string(uri)
                  .params(self.params()).opaque(b"").int(flags))

    def finish(self, speaker):
        self.post(speaker, "finish", rpc.FINISH, Writer().params({"destination_name": self.name()})
                  .opaque(self.cookie()).int(self.flags()).int(self.random.random() < 0.25))

    def confirm(self, speaker):
        self.post(speaker, "confirm", rpc.CONFIRM, Writer().domain(self.domain()).params({}).opaque(self.cookie())
                  .int(self.flags()).int(self.random.random() < 0.4))

    def on_domain(self, speaker, what, procedure, then=None):
        self.post(speaker, what, procedure, Writer().domain(self.domain()), then)

    def abort(self, speaker):
        self.on_domain(speaker, "abort", ABORT_JOB)

    def look(self, speaker):
        self.on_domain(speaker, "job-info", GET_JOB_INFO)

    def suspend(self, speaker):
        self.on_domain(speaker, "suspend", SUSPEND)

    def undefine(self, speaker):
        self.on_domain(speaker, "undefine", UNDEFINE)

    def define(self, speaker):
        self.post(speaker, "define", DEFINE, Writer().string(domain_xml(GUEST, uuid=self.world.uuid, memory_kib=1024)))

    def resume(self, speaker):
        # A copy of which nothing was sent is only unpaused; else this is an administrator's decision.
        self.decided = True
        self.on_domain(speaker, "resume", RESUME)

    def destroy(self, speaker):
        self.destroyed = True
        self.on_domain(speaker, "destroy", DESTROY)

    def vanish(self, speaker):
        self.said.append(f"{speaker.host.name}{speaker.number} vanishes")
        speaker.vanish()
        self.speakers.remove(speaker)

    # ---- the sequence ------------------------------------------------------------------------------------------

    def connect(self, host):
        speaker = Speaker(host.socket_path)
        speaker.host, speaker.number = host, len(self.said)
        self.speakers.append(speaker)
        return speaker

    def someone(self, hosts):
        """A connection to one of @hosts, most often an existing one."""
        host = self.random.choice(hosts)
        old = [speaker for speaker in self.speakers if speaker.host is host and not speaker.dead]
        return self.random.choice(old) if old and (len(old) > 3 or self.random.random() < 0.85) else self.connect(host)

    def step(self, source, other):
        """One call, most often to the right side."""
        calls = [(self.begin, source, 4), (self.prepare, other, 4), (self.perform, source, 5), (self.finish, other, 4),
                 (self.confirm, source, 3), (self.move, source, 3), (self.abort, source, 1), (self.look, source, 1),
                 (self.suspend, source, 0.5), (self.undefine, source, 0.5), (self.define, source, 0.5),
                 (self.stream, other, 0.3), (self.vanish, source, 0.7), (self.vanish, other, 0.7),
                 (lambda speaker: self.prepare(speaker, True), other, 0.7)]
        if self.kills:
            calls += [(self.resume, source, 2), (self.destroy, source, 0.7), (self.resume, other, 0.5),
                      (self.destroy, other, 0.5)]
        call, host, _ = self.random.choices(calls, [weight for _, _, weight in calls])[0]
        call(self.someone([host] * 9 + self.world.hosts))

    def orderly(self, source, other):
        """The phases in order, each of which may be omitted or be accompanied by other calls: random calls seldom get
        far."""
        near, far = self.someone([source]), self.someone([other])
        for call, speaker, wait in ((self.begin, near, 0.5), (self.prepare, far, 0.5), (self.perform, near, 1.5),
                                    (self.finish, far, 1.5), (self.confirm, near, 0.5)):
            if self.random.random() < 0.08:
                return
            if speaker in self.speakers and not speaker.dead:
                call(speaker)
                self.hear(wait if self.random.random() < 0.85 else 0.01, speaker)
            while self.random.random() < 0.3:
                self.step(source, other)

    def hear(self, timeout, whom=None):
        """Waits, at most @timeout, until @whom expects no more answers; reads the others' answers as well."""
        end = time.monotonic() + timeout
        for speaker in self.speakers:
            speaker.listen(0)
        while whom and whom.waiting and not whom.dead and time.monotonic() < end:
            whom.listen(max(end - time.monotonic(), 0))

    def play(self):
        if not self.world.domains():
            self.world.create(self.random.choice(self.world.hosts), self.random.random() < 0.5)
        source = self.world.domains()[0][0]
        other = self.world.hosts[1 - self.world.hosts.index(source)]
        for host, peer in zip(self.world.hosts, self.world.peers):
            peer.rate = self.random.choice([0, 0.1, 0.3])
            peer.struck.clear()
            self.world.more_of(os.path.join(host.sim_dir, "trace"))
        if self.random.random() < 0.7:
            self.orderly(source, other)
        for _ in range(self.random.randrange(4, 16)):
            self.step(source, other)
            self.hear(self.random.choice([0, 0, 0.001, 0.01, 0.05]), self.random.choice(self.speakers or [None]))
        for speaker in self.speakers:
            speaker.listen(0)
        for peer in self.world.peers:
            peer.rate = 0
        for speaker in self.random.sample(self.speakers, len(self.speakers)):
            speaker.vanish()
        self.settle_down()

    # ---- the conditions ----------------------------------------------------------------------------------------

    def not_yet(self):
        """The reason why it is not over, or None."""
        for host in self.world.hosts:
            assert host.process.poll() is None, f"{host.name} ended with status {host.process.returncode}"
        pending = self.world.pending()
        domains = self.world.domains()
        moving = [state for _, _, state in domains if state not in ("running", "paused")]
        if pending or moving or len(domains) > 1:
            return f"journals {pending}, domains {[(host.name, domid, state) for host, domid, state in domains]}"
        return None

    def settle_down(self):
        end = time.monotonic() + CALM_S
        calm = 0
        while calm < 2:
            why = self.not_yet()
            calm = 0 if why else calm + 1
            # A decision may have left two copies, or a suspended one; or a decision is needed.
            if why and (self.decided or self.posed) and time.monotonic() > end - CALM_S + 6:
                break
            assert time.monotonic() < end, f"not over after {CALM_S} s: {why}"
            time.sleep(0.02 if why else 0.005)
        domains = self.world.domains()
        sent = any("source committing -> sent" in line for host in self.world.hosts
                            for line in self.world.more_of(os.path.join(host.sim_dir, "trace")))
        twice = self.world.beats_twice()
        assert not twice or (self.decided and sent), f"the guest ran twice: {twice[:5]}"
        assert domains or self.destroyed or self.posed, "the guest is nowhere"
        running = [state for _, _, state in domains if state == "running"]
        assert len(running) < 2 or self.decided, "the guest runs twice"

    def clean(self):
        """Prepares the next sequence: one guest, running, or none."""
        if self.decided:
            # Two copies may have run; the one that is left continues its own counter, which repeats the other's
            # numbers.
            self.world.beats_twice()
            self.world.seen.clear()
        domains = self.world.domains()
        states = [state for _, _, state in domains]
        if not domains or (states == ["running"] and not self.world.pending() and not self.destroyed):
            return
        # A destroy that waits for the end of a migration would hit the next sequence's guest.
        deed = DESTROY if len(states) > 1 or self.destroyed else RESUME
        for host, _, _ in domains:
            triple = (GUEST, uuid_module.UUID(self.world.uuid).bytes, -1)
            with rpc.Client(host.socket_path, timeout=20) as client, contextlib.suppress(rpc.RpcError):
                client.call(deed, Writer().domain(triple))
        end = time.monotonic() + CALM_S
        while self.not_yet():
            assert time.monotonic() < end, f"cannot be cleaned up: {self.not_yet()}"
            time.sleep(0.02)
        self.world.beats_twice()


def check_logs(world):
    """Both daemons' logs since the last call have no error."""
    for host in world.hosts:
        for line in world.more_of(host.log_path):
            assert not WRONG.search(line), f"{host.name} has logged: {line}"


def run_one(world, seed, number, verbose):
    """None, or the error."""
    sequence = Sequence(world, seed, number, verbose)
    try:
        sequence.play()
        check_logs(world)
        sequence.clean()
        return None
    except (AssertionError, OSError, rpc.RpcError) as error:
        struck = [f"{host.name}'s peer: {peer.struck}" for host, peer in zip(world.hosts, world.peers) if peer.struck]
        moves = [f"{host.name}: {line}" for host in world.hosts for line in host.traced(" move ")[-12:]]
        return "\n".join([f"{type(error).__name__}: {error}", *sequence.said, *struck, *moves,
                          *[tail(host) for host in world.hosts]])


# Steps that must have been reached, or the sequences have tested nothing.
DEPTHS = {"moved": "destination unpausing -> running", "sent": "source committing -> sent",
          "asked": "source sent -> settling", "refused": "destination prepared -> cancelling"}


def depths(world):
    return {word: sum(len(host.traced(f" move {GUEST} {move}")) for host in world.hosts)
            for word, move in DEPTHS.items()}


def work(job):
    """A share of the sequences: their number, [(number, error)] of the failed ones, and the steps reached."""
    seed, numbers, verbose = job
    wrong, world, reached = [], None, {}
    for number in numbers:
        world = world or World(seed)
        error = run_one(world, seed, number, verbose)
        if error:
            wrong.append((number, error))
            world.close(check=False)
            world = None
        elif verbose:
            print(f"# {number}", flush=True)
    if world:
        try:
            reached = depths(world)
            assert len(numbers) < 50 or all(reached.values()), f"not reached: {reached}"
            world.close(check=True)
        except AssertionError as error:
            wrong.append((numbers[-1], f"at the end: {error}"))
            world.close(check=False)
    return len(numbers), wrong, reached


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=300)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", type=int, action="append")
    parser.add_argument("--verbose", action="store_true")
    parser.add_argument("-j", type=int, default=2)
    options = parser.parse_args()
    numbers = options.only or list(range(options.count))
    size = max(min(len(numbers) // options.j, 100), 1)
    shares = [numbers[at:at + size] for at in range(0, len(numbers), size)]
    print(f"1..{len(shares)}", flush=True)
    failed, start = 0, time.monotonic()
    with multiprocessing.Pool(options.j, maxtasksperchild=1) as pool:
        jobs = [(options.seed, share, options.verbose) for share in shares]
        for point, (count, wrong, reached) in enumerate(pool.imap_unordered(work, jobs), 1):
            failed += bool(wrong)
            print(f"{'not ok' if wrong else 'ok'} {point} - {count} sequences, {len(wrong)} wrong; {reached}", flush=True)
            for number, error in wrong:
                print(f"# --seed {options.seed} --only {number}\n# " + error.replace("\n", "\n# "), flush=True)
    print(f"# {len(numbers) / (time.monotonic() - start):.1f} sequences a second")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
