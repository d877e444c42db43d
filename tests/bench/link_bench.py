#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""A guest over links of two speeds: whole daemons on simulated hosts, each in its own network namespace, tbf between
them. Half of the guest's memory is zeros, half is noise; it writes a little meanwhile.

    link_bench.py [--mib N] [--rounds N] [--rates 1gbit,10gbit]

The options are measured in turn; medians of the whole command and of the downtime that the destination reports; ratios
to uncompressed data. Needs root."""

import argparse
import os
import re
import socket
import statistics
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(HERE, "..", "lib"))
sys.path.insert(0, HERE)

import libvirtd_host  # noqa: E402
from pump_bench import link  # noqa: E402
from sim_host import SimHost  # noqa: E402

WAYS = {
    "as it is": (SimHost, [], {}),
    "without the guard": (SimHost, [], {"guard": "no"}),
    "checksums": (SimHost, [], {"checksums": "require"}),
    "zstd 1": (SimHost, ["--compressed", "--comp-methods", "zstd"], {}),
    "auto": (SimHost, ["--compressed"], {}),
    "two connections": (SimHost, ["--parallel"], {}),
    "libvirtd": (libvirtd_host.LibvirtdHost, [], {}),
}


def in_namespace(kind, namespace, name, settings, number):
    """A host whose daemon runs in that namespace."""
    class Host(kind):
        script = kind.script.replace("exec %s --listen", f"exec ip netns exec {namespace} %s --listen") \
            if hasattr(kind, "script") else None

        def write_settings(self, changed):
            super().write_settings(changed)
            if kind is SimHost:
                wrapper = os.path.join(self.dir, "daemon")
                with open(wrapper, "w", encoding="ascii") as out:
                    out.write(f"#!/bin/sh\nexec ip netns exec {namespace} {SimHost.daemon_path} \"$@\"\n")
                os.chmod(wrapper, 0o755)
                self.daemon_path = wrapper

        def answers(self):
            with socket.socket(socket.AF_UNIX) as probe:
                try:
                    probe.connect(self.socket_path)
                except OSError:
                    return False
            return bool(self.virsh("list", timeout=5))

    control = {"hash": 0, "fill-percent": 50, "dirty-pages": 500}
    return Host(name, settings, address=f"10.99.0.{number}", control=control)


def move(source, destination, options):
    """Seconds of the whole command, and milliseconds of downtime."""
    result = source.migrate("g", destination, "--live", *options, mode="p2p", timeout=400).ok()
    told = destination.virsh("domjobinfo", "g", "--completed").out
    found = re.search(r"Total downtime:\s+(\d+)", told)
    return result.seconds, int(found.group(1)) if found else None


def measure(rate, mib, rounds):
    samples = {way: [] for way in WAYS}
    with link(rate) as names:
        pairs = {}
        try:
            for way, (kind, _, settings) in WAYS.items():
                if kind is not SimHost and libvirtd_host.why_not():
                    continue
                pairs[way] = [in_namespace(kind, names[i], "ab"[i], settings, i + 1) for i in range(2)]
                pairs[way][0].create("g", memory_kib=mib * 1024)
            for _ in range(rounds):
                for way, pair in pairs.items():
                    samples[way].append(move(*pair, WAYS[way][1]))
                    pair.reverse()
        finally:
            for pair in pairs.values():
                for host in pair:
                    host.close(check=False)
    base = statistics.median(seconds for seconds, _ in samples["as it is"])
    print(f"{rate}, {mib} MiB, {rounds} rounds:")
    for way, found in samples.items():
        if found:
            seconds = statistics.median(one for one, _ in found)
            downs = [down for _, down in found if down is not None]
            down = f"{statistics.median(downs):6.0f} ms downtime" if downs else "     - downtime not told"
            print(f"  {way:<20} {seconds:7.2f} s ({base / seconds:4.2f}x) {down}")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--mib", type=int, default=1024)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--rates", default="1gbit,10gbit")
    options = parser.parse_args()
    for rate in options.rates.split(","):
        measure(rate, options.mib, options.rounds)
    return 0


if __name__ == "__main__":
    sys.exit(main())
