#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Measures xenferryd and libvirtd with its libxl driver on the same simulator, and the limits of the machine without
either.

One round measures everything once, ours and theirs in turn (A B A B ...), so that a machine that slows down slows both
down. It prints the median of the rounds, and the ratio ours / theirs. The guests do not write to their memory
meanwhile: each migration sends it once. It is generated while it is sent (docs/simulator.md, synthetic), so that the
data path is measured without page faults at its ends; --real-memory includes them."""

import argparse
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "lib"))

from sim_host import BUILD, MODES, SimHost  # noqa: E402

try:
    from libvirtd_host import LibvirtdHost, why_not
except ImportError:
    LibvirtdHost = None

MIB = 1 << 20
TICKS = os.sysconf("SC_CLK_TCK")


class Table:
    """Samples by row and column; a row is a measurement, a column a daemon."""

    def __init__(self):
        self.rows, self.units = {}, {}

    def add(self, row, unit, who, value):
        self.rows.setdefault(row, {}).setdefault(who, []).append(value)
        self.units[row] = unit

    def median(self, row, who):
        samples = self.rows[row].get(who)
        return statistics.median(samples) if samples else None

    def print(self):
        form = "{:<52} {:>7} {:>11} {:>11} {:>11}  {}"
        print(form.format("", "", "xenferryd", "libvirtd", "ours/theirs", "spread of ours"))
        for row, columns in self.rows.items():
            ours, theirs = self.median(row, "xenferryd"), self.median(row, "libvirtd")
            samples = columns.get("xenferryd", [])
            spread = f"{min(samples):.2f} - {max(samples):.2f}, n = {len(samples)}" if samples else ""
            ratio = f"{ours / theirs:.2f}" if ours is not None and theirs else "-"
            print(form.format(row, self.units[row], number(ours), number(theirs), ratio, spread))


def number(value):
    if value is None:
        return "-"
    return f"{value:.0f}" if value >= 100 else f"{value:.2f}"


def cpu_seconds(pid):
    with open(f"/proc/{pid}/stat", encoding="ascii") as stat:
        words = stat.read().rsplit(")", 1)[1].split()
    return (int(words[11]) + int(words[12])) / TICKS


def memory_mib(pid):
    """(RSS, PSS)"""
    values = {}
    with open(f"/proc/{pid}/smaps_rollup", encoding="ascii") as lines:
        for line in lines:
            words = line.split()
            if words[0] in ("Rss:", "Pss:"):
                values[words[0]] = int(words[1]) / 1024
    return values["Rss:"], values["Pss:"]


LIMITS = (("plain TCP copy", []), ("pipe, splice, TCP, splice, pipe", ["--relay"]))


def limits_once(limits, size):
    """The machine's limits without a daemon: the rate, and the CPU seconds per GiB of the relays."""
    tool = os.path.join(BUILD, "tests", "bench", "tcpcopy")
    for label, options in LIMITS:
        done = subprocess.run([tool, *options, str(size * MIB)], capture_output=True, text=True, check=True)
        rate, cpu = map(float, done.stdout.split())
        limits.setdefault(label, []).append((rate, cpu * 1024 / size))


class Pair:
    """Two hosts of one kind, and a guest that is migrated between them."""

    def __init__(self, who, kind, **options):
        self.who = who
        self.hosts = [kind(who[0] + side, **options) for side in "ab"]

    def close(self):
        for host in self.hosts:
            host.close(check=False)

    def pids(self):
        return [host.process.pid for host in self.hosts]

    def guest(self, name, size):
        self.hosts[0].create(name, memory_kib=size * 1024)

    def gone(self, name):
        for host in self.hosts:
            host.virsh("destroy", name)

    def move(self, name, mode):
        """Seconds of the whole virsh process, and CPU seconds of the two daemons; then the hosts change places."""
        source, destination = self.hosts
        before = [cpu_seconds(pid) for pid in self.pids()]
        result = source.migrate(name, destination, "--live", mode=mode, timeout=120).ok()
        after = [cpu_seconds(pid) for pid in self.pids()]
        self.hosts.reverse()
        return result.seconds, sum(after) - sum(before)


def throughput(table, limits, pairs, size, rounds):
    for mode in MODES:
        for pair in pairs:
            pair.guest("big", size)
        for _ in range(rounds):
            limits_once(limits, size)
            for pair in pairs:
                seconds, cpu = pair.move("big", mode)
                table.add(f"{mode}, {size} MiB: rate of the whole command", "MB/s", pair.who, size * MIB / seconds / 1e6)
                table.add(f"{mode}, {size} MiB: CPU of both daemons per GiB", "s", pair.who, cpu * 1024 / size)
        for pair in pairs:
            pair.gone("big")


def control_plane(table, pairs, rounds):
    """A guest of 1 MiB on open connections: what remains is the protocol (and the simulator's own time, equal for
    both)."""
    import libvirt

    for pair in pairs:
        pair.guest("small", 1)
    for mode in MODES:
        flags = libvirt.VIR_MIGRATE_LIVE
        if mode != "direct":
            flags |= libvirt.VIR_MIGRATE_PEER2PEER
        if mode == "tunnelled":
            flags |= libvirt.VIR_MIGRATE_TUNNELLED
        for _ in range(rounds):
            for pair in pairs:
                source, destination = pair.hosts
                here, there = libvirt.open(source.uri), libvirt.open(destination.uri_tcp)
                domain = here.lookupByName("small")
                start = time.monotonic()
                if mode == "direct":
                    domain.migrate3(there, {}, flags)
                else:
                    domain.migrateToURI3(destination.uri_tcp, {}, flags)
                table.add(f"{mode}, 1 MiB: time of one call, connections open", "ms", pair.who,
                          (time.monotonic() - start) * 1000)
                here.close()
                there.close()
                pair.hosts.reverse()
    for pair in pairs:
        pair.gone("small")


class MemoryHost(SimHost):
    """A host whose journal is in memory, where a sync costs nothing."""

    def write_settings(self, changed):
        self.memory = tempfile.mkdtemp(dir="/dev/shm", prefix="xenferry-bench-")
        super().write_settings(dict(changed, lib_dir=self.memory))

    def close(self, check=True):
        super().close(check)
        shutil.rmtree(self.memory, ignore_errors=True)


def journal(rounds):
    """The cost of the disk: the same calls with the journal on this machine's disk and in memory, in turn. Both medians
    of each mode, in ms."""
    pairs = [Pair(who, kind, control={"hash": 0, "dirty-pages": 0}, settings={"log_level": "warning"})
             for who, kind in (("disk", SimHost), ("memory", MemoryHost))]
    table = Table()
    try:
        control_plane(table, pairs, rounds)
    finally:
        for pair in pairs:
            pair.close()
    return {row.split(",")[0]: (table.median(row, "disk"), table.median(row, "memory")) for row in table.rows}


def idle(table, pairs):
    for pair in pairs:
        for pid in pair.pids():
            rss, pss = memory_mib(pid)
            table.add("idle: RSS", "MiB", pair.who, rss)
            table.add("idle: PSS", "MiB", pair.who, pss)


def first_list(host):
    """Repeats a list without a pause until the daemon has answered one."""
    import libvirt

    while True:
        try:
            host.connect().listAllDomains()
            return
        except libvirt.libvirtError:
            assert host.process.poll() is None, host.log()[-2000:]


def start_up(table, kinds, rounds):
    """The time from exec to the first answered list."""
    for _ in range(rounds):
        for who, kind in kinds:
            host = kind("s", start=False)
            try:
                start = time.monotonic()
                host.launch()
                first_list(host)
                table.add("start: exec to the first list answered", "ms", who, (time.monotonic() - start) * 1000)
            finally:
                host.close(check=False)


def listing(table, pairs, rounds):
    for pair in pairs:
        connection = pair.hosts[0].connect()
        for _ in range(rounds * 20):
            start = time.monotonic()
            connection.listAllDomains()
            table.add("list on an open connection", "us", pair.who, (time.monotonic() - start) * 1e6)
        connection.close()


def parse():
    parser = argparse.ArgumentParser(prog="scripts/bench", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", type=int, default=1024, metavar="MIB", help="memory of the big guest (1024)")
    parser.add_argument("--rounds", type=int, default=5, help="migrations of the big guest in each mode and direction (5)")
    parser.add_argument("--calls", type=int, default=20, help="migrations of the small guest in each mode (20)")
    parser.add_argument("--starts", type=int, default=5, help="starts of the daemon (5)")
    parser.add_argument("--real-memory", action="store_true", help="guests with memory that is written and read")
    parser.add_argument("--no-libvirtd", action="store_true", help="measure xenferryd alone")
    return parser.parse_args()


def main():
    args = parse()
    kinds = [("xenferryd", SimHost)]
    reason = "not asked for" if args.no_libvirtd else "no preload library" if LibvirtdHost is None else why_not()
    if reason:
        print(f"libvirtd is not measured: {reason}")
    else:
        kinds.append(("libvirtd", LibvirtdHost))
    table = Table()
    print(f"{os.cpu_count()} CPUs, load {os.getloadavg()[0]:.2f}; guest {args.size} MiB, {args.rounds} rounds;"
          " medians")
    limits = {}
    control = {"hash": 0, "fill-percent": 100, "dirty-pages": 0, "synthetic": 0 if args.real_memory else 1}
    pairs = [Pair(who, kind, control=control, **({"settings": {"log_level": "warning"}} if kind is SimHost else {}))
             for who, kind in kinds]
    try:
        idle(table, pairs)
        throughput(table, limits, pairs, args.size, args.rounds)
        control_plane(table, pairs, args.calls)
        listing(table, pairs, args.rounds)
    finally:
        for pair in pairs:
            pair.close()
    start_up(table, kinds, args.starts)
    syncs = journal(args.calls)

    table.print()
    print()
    for mode, (disk, memory) in syncs.items():
        print(f"{mode}, 1 MiB: one call with the journal on disk {disk:.1f} ms, in memory {memory:.1f} ms: "
              f"ratio {disk / memory:.2f}")
    plain, relay = (tuple(map(statistics.median, zip(*limits[label]))) for label, _ in LIMITS)
    print(f"this machine: plain TCP {plain[0]:.0f} MB/s; a tunnel without a protocol (splice) {relay[0]:.0f} MB/s, "
          f"{relay[1]:.2f} CPU s/GiB of its two relays")
    for mode in MODES:
        row = f"{mode}, {args.size} MiB: rate of the whole command"
        rates = {who: table.median(row, who) for who, _ in kinds if table.median(row, who)}
        print(f"{mode} / plain TCP: " + ", ".join(f"{who} {rate / plain[0]:.2f}" for who, rate in rates.items()))
    cpu = table.median(f"tunnelled, {args.size} MiB: CPU of both daemons per GiB", "xenferryd")
    print(f"tunnelled / that tunnel: rate {rates['xenferryd'] / relay[0]:.2f}, CPU {cpu / relay[1]:.2f}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
