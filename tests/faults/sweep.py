#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Each call of a migration fails in turn, as TAP: each libxl call on that side, each start of a helper, each write of
the journal; the first, the second, and so on until a whole migration has fewer. Whichever fails, the guest runs exactly
once, nothing is left on either host, and the next migration works. And the control connection to the destination breaks
after each single call: the call arrives, its answer does not.

    sweep.py [-k WORDS] [-j N]"""

import argparse
import contextlib
import itertools
import multiprocessing
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "lib"))

from calm import GUEST, Pair  # noqa: E402
from cell import SETTINGS, tail  # noqa: E402
from sim_host import MODES, SimHost, two_hosts  # noqa: E402
from wire import Wire  # noqa: E402

LIMIT = 200


class Sweep:
    def __init__(self, a, b, mode, side):
        self.a, self.b, self.mode = a, b, mode
        self.host = a if side == "source" else b
        self.options = ["--live", "--persistent", "--undefinesource"]
        self.pair = Pair(a, b)
        # The first migration creates what stays: threads, and descriptors of libraries.
        self.migrate_once(0)
        self.before = [host.snapshot() for host in (a, b)]

    def migrate_once(self, n):
        """Returns the call that failed, or None if there are fewer calls than @n."""
        self.a.create(GUEST, persistent=True, memory_kib=4096)
        def deed():
            return self.a.migrate(GUEST, self.b, *self.options, mode=self.mode)
        result, failed = self.host.do_with_failure(n, deed) if n else (deed(), None)
        holder = self.pair.wait_calm()
        assert result.rc == 0 or failed, repr(result)
        assert holder is (self.b if result else self.a) or failed, f"it is on {holder.name}, but {result!r}"
        self.pair.check_counter()
        self.clean(holder)
        return (failed, "moved" if holder is self.b else "stayed") if failed else None

    def clean(self, holder):
        holder.virsh("destroy", GUEST).ok()
        for host in (self.a, self.b):
            if host.names("--all"):
                host.virsh("undefine", GUEST).ok()
            with contextlib.suppress(FileNotFoundError):
                os.unlink(os.path.join(host.sim_dir, "console", f"{GUEST}.log"))

    def run(self, found):
        for n in range(1, LIMIT):
            what = self.migrate_once(n)
            for host, before in zip((self.a, self.b), self.before):
                host.assert_no_leak(before)
            if what is None:
                return
            found.append(what)
        raise AssertionError(f"still failing after {LIMIT}")


class Cut(Sweep):
    """Breaks the control connection."""

    def __init__(self, a, b, mode, wire):
        self.wire = wire
        self.uri = f"xen+tcp://{wire.address}:{b.tcp_port}/system"
        super().__init__(a, b, mode, "destination")

    def migrate_once(self, n):
        self.a.create(GUEST, persistent=True, memory_kib=4096)
        self.wire.cut_after("control", n) if n else None
        self.a.migrate(GUEST, self.uri, *self.options, mode=self.mode)
        reached = n and self.wire.calls_left("control") is None
        self.wire.cut_after("control", 1 << 30)
        holder = self.pair.wait_calm()
        self.pair.check_counter()
        self.clean(holder)
        return (f"call {n}", "moved" if holder is self.b else "stayed") if reached else None


@contextlib.contextmanager
def sweeping(mode, side, number):
    control = {"hash": 0, "heartbeat_ms": 10}
    if side != "control":
        with two_hosts(SETTINGS, control=control) as (a, b):
            yield Sweep(a, b, mode, side)
        return
    address = f"127.0.8.{number + 1}"
    with SimHost("a", SETTINGS, control=control) as a, \
            SimHost("b", dict(SETTINGS, migration_host=address, migration_listen="127.0.0.1"), control=control) as b:
        first = b.ports.first
        ports = {first: "control"}
        ports.update({first + port: "data" for port in range(1, 8)})
        wire = Wire(address, "127.0.0.1", ports)
        try:
            yield Cut(a, b, mode, wire)
        finally:
            wire.close()


def work(job):
    mode, side = job
    found, error = [], None
    try:
        with sweeping(mode, side, MODES.index(mode)) as sweep:
            try:
                sweep.run(found)
                assert len(found) >= (5 if side == "control" else 10), f"only {len(found)} calls were made to fail"
            except (AssertionError, OSError) as wrong:
                error = f"{type(wrong).__name__} after {sweep.host.failed_call()}: {wrong}\n{tail(sweep.a)}{tail(sweep.b)}"
    except AssertionError as wrong:
        error = error or f"at the end: {wrong}"
    return job, error, found


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("-j", type=int, default=6)
    parser.add_argument("-k", default="")
    options = parser.parse_args()
    jobs = [job for job in itertools.product(MODES, ("source", "destination", "control")) if options.k in " ".join(job)]
    print(f"1..{len(jobs)}", flush=True)
    failed = 0
    with multiprocessing.Pool(options.j, maxtasksperchild=1) as pool:
        for point, ((mode, side), error, found) in enumerate(pool.imap_unordered(work, jobs), 1):
            failed += error is not None
            moved = len([1 for _, end in found if end == "moved"])
            print(f"{'not ok' if error else 'ok'} {point} - {mode}, {side}: {len(found)} calls, "
                  f"it was migrated after {moved} of them", flush=True)
            for call, end in found:
                print(f"#   {call}: {end}")
            if error:
                print("# " + error.replace("\n", "\n# "), flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
