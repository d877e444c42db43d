#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Random faults with random commands, as TAP. A run is a migration on two hosts that stay the same for many runs, with
some of these: a daemon is killed at a point or at a moment, a host boots, a libxl call fails, also after it acted, a
destroyed domain stays dying, the client is killed, other clients send commands. Then all daemons are started again, and

* at no moment did the guest run twice, and its counter repeats no number; * both daemons run, and their logs have no
error; * within a minute no migration is left, and the guest runs exactly once. It may be gone if a host has booted or a
command has destroyed it; then it runs at most once. After a boot, and if a guest could not be resumed, an administrator
may be needed, who looks where the guest is and decides.

    soak.py [--count N] [--seed S] [--only N] [-j N]

A failure is reported with its seed and number; the times of the events differ when it is repeated."""

import argparse
import collections
import contextlib
import multiprocessing
import os
import random
import signal
import subprocess
import sys
import time
import uuid as uuid_module

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "lib"))

import hostile  # noqa: E402
import rpc  # noqa: E402
from cell import Sampler, tail  # noqa: E402
from cells import DESTINATION, MODES, OUT_MANAGED, OUT_PEER, PEER, SOURCE  # noqa: E402
from hostile import GUEST, Sequence, World, check_logs  # noqa: E402
from rpc import Writer  # noqa: E402
from sim_host import BUILD, run  # noqa: E402

CALM_S, PERSON_S = 60.0, 10.0
BACK = ("source:*->rolling-back", "source:*->settling", "source:settling->*", "destination:*->stopping",
        "destination:*->cancelling", "destination:*->revoking", "destination:*->removing", "destination:*->releasing",
        "destination:releasing->*",
        "journal:destination:cancelled", "journal:destination:cancelled:written")
CALLS = ("create", "restore-create", "suspend", "unpause", "resume", "destroy")


class Run:
    def __init__(self, world, seed, number):
        self.world, self.random, self.number = world, random.Random(f"soak {seed}/{number}"), number
        self.said = []
        self.booted = self.destroyed = False
        self.begun = time.monotonic()
        self.commands = Sequence(world, seed, number, False)  # the calls of other clients
        self.client = None

    def say(self, what):
        self.said.append(f"{time.monotonic() - self.begun:6.3f} {what}")

    # ---- the events --------------------------------------------------------------------------------------------

    def set_control(self, host):
        """Arms the faults of that host."""
        values = {}
        if self.random.random() < 0.4:
            values["die"] = self.random.choice(SOURCE + OUT_MANAGED + OUT_PEER + DESTINATION + PEER + BACK)
        if self.random.random() < 0.25:
            values["fail"] = self.random.choice(("destroy", "destroy", "unpause", "resume", "restore-last-record", "save-end"))
        elif self.random.random() < 0.25:
            values["fail_after"] = self.random.choice(CALLS)
        if self.random.random() < 0.2:
            values["linger_ms"] = self.random.choice((50, 500, 3000))
        host.control(**values)
        if values:
            self.say(f"{host.name}: {values}")

    def kill(self, host):
        if host.process and host.process.poll() is None:
            self.say(f"kill {host.name}")
            host.kill()

    def boot(self, host):
        self.say(f"boot {host.name}")
        self.booted = True
        host.boot(start=False)

    def kill_client(self):
        if self.client.poll() is None:
            self.say("kill the client")
            os.killpg(self.client.pid, signal.SIGKILL)

    def command(self, host):
        commands = self.commands
        calls = [commands.suspend, commands.abort, commands.look, commands.undefine, commands.define, commands.begin,
                 commands.prepare, commands.finish, commands.confirm, commands.move, commands.destroy]
        call = self.random.choices(calls, [2, 2, 2, 1, 1, 1, 1, 2, 2, 1, 0.5])[0]
        self.destroyed |= call == commands.destroy
        with contextlib.suppress(OSError):
            self.say(f"another client of {host.name}: {call.__name__}")
            call(commands.someone([host]))

    def happen(self, source, other):
        deeds = [(self.kill, 3), (self.boot, 0.5), (self.command, 4), (lambda host: self.kill_client(), 1.5)]
        deed = self.random.choices([deed for deed, _ in deeds], [weight for _, weight in deeds])[0]
        deed(self.random.choice([source, other]))

    # ---- the daemons are back ----------------------------------------------------------------------------------

    @staticmethod
    def revive(host):
        """Starts a daemon again that an armed fault has killed."""
        if host.process and host.process.poll() is not None:
            assert host.process.returncode == -signal.SIGKILL, \
                f"{host.name} ended with status {host.process.returncode}"
            host.process = None
        if not host.process:
            host.start()

    def bring_back(self):
        for speaker in self.commands.speakers:
            speaker.vanish()
        for host in self.world.hosts:
            host.control()
        for host in self.world.hosts:
            self.revive(host)
        try:
            self.client.wait(timeout=CALM_S)
        except subprocess.TimeoutExpired as hung:
            raise AssertionError("the client hangs") from hung
        self.say(f"the client: {self.client.returncode} {self.client.stderr.read().strip()[-200:]}")

    def decide(self):
        """An administrator who looks where the guest is, and decides for each migration that waits for it."""
        runs_on = [host for host, _, state in self.world.domains() if state in ("running", "paused")]
        for host in self.world.hosts:
            for entry in host.journal():
                here = host in runs_on or (not runs_on and ".source." in entry["file"])
                if entry["final"]:
                    continue
                done = run(os.path.join(BUILD, "src", "cli", "xenferry"), "migrations", "--socket", host.socket_path,
                           "--resolve", entry["file"].split(".")[0], "here" if here else "there")
                self.say(f"a person decides on {host.name} about {entry['file']}, here: {here}; {done.err.strip()[-300:]}")
        if not runs_on:
            for host, _, state in self.world.domains():
                self.call(host, hostile.RESUME)

    def call(self, host, procedure):
        triple = (GUEST, uuid_module.UUID(self.world.uuid).bytes, -1)
        with contextlib.suppress(rpc.RpcError, OSError), rpc.Client(host.socket_path, timeout=20) as client:
            client.call(procedure, Writer().domain(triple))

    def why_not(self):
        for host in self.world.hosts:
            self.revive(host)
        domains = [(host.name, state) for host, _, state in self.world.domains()]
        pending = self.world.pending()
        if pending or len(domains) > 1 or any(state not in ("running", "paused") for _, state in domains):
            return f"journals {pending}, domains {domains}"
        return None if domains or self.booted or self.destroyed else "the guest is nowhere"

    def wait_calm(self):
        start, decided = time.monotonic(), False
        while why := self.why_not():
            waited = time.monotonic() - start
            assert waited < CALM_S and why != "the guest is nowhere", f"after {waited:.0f} s: {why}"
            if waited > PERSON_S and self.booted and not decided:
                decided = True
                self.decide()
            time.sleep(0.02)

    # ---- the run -----------------------------------------------------------------------------------------------

    def begin(self):
        persistent = self.random.random() < 0.6
        if not self.world.domains():
            self.world.create(self.random.choice(self.world.hosts), persistent)
        source = self.world.domains()[0][0]
        if [state for _, _, state in self.world.domains()] == ["paused"]:
            self.call(source, hostile.RESUME)
        if persistent:
            source.virsh("autostart", GUEST, *([] if self.random.random() < 0.5 else ["--disable"]))
        return source, self.world.hosts[1 - self.world.hosts.index(source)]

    def play(self):
        source, other = self.begin()
        mode = self.random.choice(MODES)
        options = ["--live"] * (self.random.random() < 0.7) + ["--persistent"] * (self.random.random() < 0.5)
        for host in (source, other):
            self.world.more_of(os.path.join(host.sim_dir, "trace"))
            self.set_control(host)
        sampler = Sampler(*self.world.hosts)
        sampler.start()
        try:
            self.say(f"{source.name} to {other.name}, {mode} {options}")
            self.client = source.migrate_start(GUEST, other, *options, mode=mode)
            for _ in range(self.random.randrange(4)):
                time.sleep(self.random.choice((0.01, 0.05, 0.1, 0.2)) * self.random.random() * 2)
                self.happen(source, other)
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.client.wait(timeout=self.random.choice((0.1, 1, 3)))
            self.bring_back()
            self.wait_calm()
            time.sleep(0.05)
        finally:
            sampler.stop()
            if self.client and self.client.poll() is None:
                os.killpg(self.client.pid, signal.SIGKILL)
        assert sampler.most <= 1, f"running copies: {sampler.seen}"
        twice = self.world.beats_twice()
        assert not twice or self.booted, f"the guest ran twice: {twice[:5]}"
        if self.booted:
            self.world.born()  # a guest that the boot has started counts from the beginning
        check_logs(self.world)


def run_one(world, seed, number):
    one = Run(world, seed, number)
    try:
        one.play()
        return None
    except (AssertionError, OSError, rpc.RpcError) as error:
        moves = [f"{host.name}: {line}" for host in world.hosts for line in host.trace()[-40:]]
        return "\n".join([f"{type(error).__name__}: {error}", *one.said, *one.commands.said, *moves,
                          *[tail(host) for host in world.hosts]])


# Events that must have happened, or the runs have tested nothing.
SEEN = {"moved": "destination unpausing -> running", "asked": "source sent -> settling", "died": " died at ",
        "booted": " booted ", "failed": "failed-at", "failed after": "failed-after", "lingered": " dying "}


def work(job):
    """The number of runs, [(number, error)] of the failed ones, and how often each event happened."""
    seed, numbers = job
    wrong, world, seen = [], None, collections.Counter()
    for number in numbers:
        world = world or World(seed)
        error = run_one(world, seed, number)
        if error or number == numbers[-1]:
            seen.update({word: sum(len(host.traced(what)) for host in world.hosts) for word, what in SEEN.items()})
        if error:
            wrong.append((number, error))
            world.close(check=False)
            world = None
    if world:
        try:
            world.close(check=True)
        except AssertionError as error:
            wrong.append((numbers[-1], f"at the end: {error}"))
    return len(numbers), wrong, seen


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=60)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", type=int, action="append")
    parser.add_argument("-j", type=int, default=6)
    options = parser.parse_args()
    numbers = options.only or list(range(options.count))
    size = max(min(-(-len(numbers) // options.j), 25), 1)
    shares = [numbers[at:at + size] for at in range(0, len(numbers), size)]
    print(f"1..{len(shares) + 1}", flush=True)
    failed, seen = 0, collections.Counter()
    with multiprocessing.Pool(options.j, maxtasksperchild=1) as pool:
        jobs = [(options.seed, share) for share in shares]
        for point, (count, wrong, its) in enumerate(pool.imap_unordered(work, jobs), 1):
            failed += bool(wrong)
            seen.update(its)
            print(f"{'not ok' if wrong else 'ok'} {point} - {count} runs, {len(wrong)} wrong", flush=True)
            for number, error in wrong:
                print(f"# --seed {options.seed} --only {number}\n# " + error.replace("\n", "\n# "), flush=True)
    print(f"# {dict(seen)}")
    idle = len(numbers) >= 60 and not all(seen[word] for word in SEEN)
    print(f"{'not ok' if idle else 'ok'} {len(shares) + 1} - each event has happened")
    failed += idle
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
