#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Many and large migrations: xenferryd and libvirtd on the same simulated hosts, in one run.

    load_bench.py [small] [loop] [many] [growth] [lists] [footprint]      (all of them)

small      a thousand small tunnelled migrations, one after the other: how long does the slowest take?
loop       how long a list takes on another connection while ten tunnels run as fast as they can
many       ten and 256 guests at once
growth     guests of 256 MiB to 8 GiB: is the rate constant?
lists      the calls of `virsh list`, with 10, 100 and 1,000 guests
footprint  of daemon and pump during a migration with each option

Memory is generated while it is sent (docs/simulator.md, synthetic). No limit on time is checked here."""

import argparse
import contextlib
import glob
import multiprocessing
import os
import statistics
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(HERE, "..", "lib"))
sys.path.insert(0, HERE)

import libvirt  # noqa: E402

import libvirtd_host  # noqa: E402
from bench import MIB, Pair, memory_mib  # noqa: E402
from sim_host import MODES, SimHost, domain_xml  # noqa: E402

KINDS = {"xenferryd": SimHost, "libvirtd": libvirtd_host.LibvirtdHost}
CONTROL = {"hash": 0, "fill-percent": 100, "dirty-pages": 0, "heartbeat-ms": 1000, "synthetic": 1,
           "memory-mib": 1 << 20}
TUNNEL = libvirt.VIR_MIGRATE_LIVE | libvirt.VIR_MIGRATE_PEER2PEER | libvirt.VIR_MIGRATE_TUNNELLED


@contextlib.contextmanager
def both(theirs=True, **control):
    """A pair of hosts of each kind."""
    found = []
    try:
        for who, kind in KINDS.items():
            if kind is SimHost:
                found.append(Pair(who, kind, control=dict(CONTROL, **control), settings={"log_level": "warning"}))
            elif theirs and not libvirtd_host.why_not():
                found.append(Pair(who, kind, control=dict(CONTROL, **control)))
        yield found
    finally:
        for pair in found:
            pair.close()


def spread(values, unit="ms", scale=1000):
    values = sorted(value * scale for value in values)
    late = values[min(len(values) - 1, len(values) * 99 // 100)]
    return f"median {statistics.median(values):9.2f} {unit}, 99 of 100 {late:9.2f}, longest {values[-1]:9.2f}, n = {len(values)}"


def create(host, names, kib):
    connection = host.connect()
    for name in names:
        connection.createXML(domain_xml(name, memory_kib=kib), 0)
    connection.close()


# ---- a thousand small ones ------------------------------------------------------------------------------------------

def small(count=1000):
    print(f"\n{count} tunnelled migrations of a 1 MiB guest, connection open")
    with both() as pairs:
        for pair in pairs:
            pair.guest("small", 1)
            times = []
            # libvirtd has stalls of five seconds; a tenth of the migrations shows how often.
            for _ in range(count if pair.who == "xenferryd" else count // 10):
                source, destination = pair.hosts
                here = source.connect()
                domain = here.lookupByName("small")
                start = time.monotonic()
                domain.migrateToURI3(destination.uri_tcp, {}, TUNNEL)
                times.append(time.monotonic() - start)
                here.close()
                pair.hosts.reverse()
            late = [one for one in times if one > statistics.median(times) + 0.1]
            print(f"  {pair.who:<10} {spread(times)}; more than 100 ms over the median: {len(late)}")


# ---- the loop while ten tunnels run ---------------------------------------------------------------------------------

class Asker:
    """Lists on a connection of its own, with a pause of a millisecond, until it is stopped; a process of its own, so
    that it waits only for the daemon."""

    def __init__(self, host):
        self.result, there = multiprocessing.Pipe()
        self.process = multiprocessing.Process(target=self.run, args=(host, there), daemon=True)
        self.process.start()
        assert self.result.recv() == "ready"

    def run(self, host, there):
        connection, times = host.connect(), []
        there.send("ready")
        while not there.poll():
            start = time.monotonic()
            connection.listAllDomains()
            times.append(time.monotonic() - start)
            time.sleep(0.001)
        there.send(times)

    def end(self):
        self.result.send("end")
        times = self.result.recv()
        self.process.join()
        return times


def loop(mib=1024):
    print(f"\na list on another connection, alone and while ten tunnels run ({mib} MiB each)")
    with both() as pairs:
        for pair in pairs:
            names = [f"g{i}" for i in range(10)]
            create(pair.hosts[0], names, mib * 1024)
            alone = [Asker(host) for host in pair.hosts]
            time.sleep(1)
            quiet = [asker.end() for asker in alone]
            askers = [Asker(host) for host in pair.hosts]
            start = time.monotonic()
            for virsh in [pair.hosts[0].migrate_start(name, pair.hosts[1], "--live", mode="tunnelled") for name in names]:
                assert virsh.wait(600) == 0, virsh.stderr.read()
            seconds = time.monotonic() - start
            busy = [asker.end() for asker in askers]
            print(f"  {pair.who}: {10 * mib * MIB / seconds / 1e6:.0f} MB/s together")
            for side, before, during in zip(("source", "destination"), quiet, busy):
                print(f"    {side:<12} alone {spread(before)}")
                print(f"    {'':<12} busy  {spread(during)}")


# ---- many at once ---------------------------------------------------------------------------------------------------

def at_once(pair, mode, count, mib):
    """Seconds until the last guest has arrived."""
    source, destination = pair.hosts
    names = [f"g{i}" for i in range(count)]
    create(source, names, mib * 1024)
    asker = Asker(source)
    start = time.monotonic()
    running = [source.migrate_start(name, destination, "--live", mode=mode) for name in names]
    failed = sum(virsh.wait(900) != 0 for virsh in running)
    seconds = time.monotonic() - start
    times = asker.end()
    print(f"  {mode:<10} {pair.who:<10} {seconds:7.2f} s, {failed} failed; list meanwhile {spread(times)}")
    return seconds


def many():
    for count, mib in (10, 256), (256, 8):
        print(f"\n{count} guests of {mib} MiB at once: seconds until the last guest has arrived")
        for mode in MODES:
            with both() as pairs:
                said = [at_once(pair, mode, count, mib) for pair in pairs]
            if len(said) == 2:
                print(f"  {mode:<10} ours / theirs {said[0] / said[1]:.2f}")


# ---- growth ---------------------------------------------------------------------------------------------------------

def growth(rounds=3):
    print(f"\nthe whole command, by the guest's size, medians of {rounds}")
    with both() as pairs:
        for mode in MODES:
            for mib in 256, 1024, 4096, 8192:
                said = {}
                for pair in pairs:
                    pair.guest("g", mib)
                for _ in range(rounds):
                    for pair in pairs:
                        said.setdefault(pair.who, []).append(pair.move("g", mode)[0])
                for pair in pairs:
                    pair.gone("g")
                line = ", ".join(f"{who} {statistics.median(times):7.3f} s, {mib * MIB / statistics.median(times) / 1e6:6.0f} MB/s"
                                 for who, times in said.items())
                print(f"  {mode:<10} {mib:5} MiB: {line}")


# ---- lists ----------------------------------------------------------------------------------------------------------

def ask_as_virsh(connection):
    """The calls of `virsh list`: all domains, then state and number of each."""
    for domain in connection.listAllDomains(0):
        with contextlib.suppress(libvirt.libvirtError):
            domain.state()
            domain.ID()


def lists():
    print("\nlist on an open connection, by the number of guests")
    with both() as pairs:
        for pair in pairs:
            there = 0
            for count in 10, 100, 1000:
                create(pair.hosts[0], [f"g{i}" for i in range(there, count)], 1024)
                there = count
                connection = pair.hosts[0].connect()
                plain, whole = [], []
                for _ in range(50):
                    start = time.monotonic()
                    connection.listAllDomains()
                    plain.append(time.monotonic() - start)
                for _ in range(10):
                    start = time.monotonic()
                    ask_as_virsh(connection)
                    whole.append(time.monotonic() - start)
                connection.close()
                print(f"  {pair.who:<10} {count:5} guests: one call {spread(plain)}")
                print(f"  {'':<10} {'':5}    as virsh list: {spread(whole)}")
            pair.hosts[0].sim("destroy-all")


# ---- footprint ------------------------------------------------------------------------------------------------------

def pumps():
    """The pids of the pump's processes, also of those for one connection each."""
    for path in glob.glob("/proc/[0-9]*/exe"):
        with contextlib.suppress(OSError):
            if os.readlink(path).endswith("/xenferry-pump"):
                yield int(path.split("/")[2])


def watch(pair, virsh):
    """The maximum of both daemons, and of all pumps together, while @virsh ran: RSS, PSS in MiB, the number of
    pumps."""
    daemon, pump, most = (0, 0), (0, 0), 0
    while virsh.poll() is None:
        with contextlib.suppress(OSError, KeyError):
            daemon = max(daemon, tuple(map(sum, zip(*(memory_mib(pid) for pid in pair.pids())))))
        seen = []
        for pid in pumps():
            with contextlib.suppress(OSError, KeyError):
                seen.append(memory_mib(pid))
        if seen:
            pump = max(pump, tuple(map(sum, zip(*seen))))
            most = max(most, len(seen))
        time.sleep(0.005)
    return daemon, pump, most


def footprint():
    print("\nmemory of both daemons together, and of the pumps, MiB, during the migration of a 1 GiB guest")
    ways = {"as it is": (), "zstd": ("--compressed", "--comp-methods", "zstd"),
            "two connections": ("--parallel", "--parallel-connections", "2")}
    with both() as pairs:
        for pair in pairs:
            pair.guest("g", 1024)
            idle = tuple(map(sum, zip(*(memory_mib(pid) for pid in pair.pids()))))
            print(f"  {pair.who:<10} idle: RSS {idle[0]:.1f}, PSS {idle[1]:.1f}")
            for mode in MODES:
                for way, options in ways.items() if pair.who == "xenferryd" else [("as it is", ())]:
                    if mode == "tunnelled" and way == "two connections":
                        continue
                    source, destination = pair.hosts
                    virsh = source.migrate_start("g", destination, "--live", *options, mode=mode)
                    daemon, pump, count = watch(pair, virsh)
                    assert virsh.returncode == 0, virsh.stderr.read()
                    pair.hosts.reverse()
                    print(f"  {pair.who:<10} {mode:<10} {way:<16} RSS {daemon[0]:.1f}, PSS {daemon[1]:.1f}; "
                          f"{count} pump processes: RSS {pump[0]:.1f}, PSS {pump[1]:.1f}")


SECTIONS = {"small": small, "loop": loop, "many": many, "growth": growth, "lists": lists, "footprint": footprint}


def main():
    parser = argparse.ArgumentParser(prog="scripts/bench load", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("section", nargs="*", choices=[[], *SECTIONS], default=[])
    chosen = parser.parse_args().section or list(SECTIONS)
    print(f"{os.cpu_count()} processors, load {os.getloadavg()[0]:.2f}; libvirtd: {libvirtd_host.why_not() or 'yes'}")
    for name in chosen:
        SECTIONS[name]()
    return 0


if __name__ == "__main__":
    sys.exit(main())
