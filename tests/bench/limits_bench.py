#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Measures limits and aborts: in each mode and with each option a guest is sent at one rate, at another, then not at
all.

    limits_bench.py [--slow MIB] [--fast MIB]

The rate is computed from domjobinfo, over the second after the first second at that rate. Abort: the time from the
command to the end of virsh migrate, at a point of each phase; then the guest must run only on the source."""

import argparse
import os
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(HERE, "..", "lib"))

from sim_host import MODES, two_hosts, wait_until  # noqa: E402

WAYS = {
    "as it is": [],
    "zstd": ["--compressed", "--comp-methods", "zstd"],
    "auto": ["--compressed"],
    "two connections": ["--parallel", "--parallel-connections", "2"],
}

# The source's point when the abort is sent.
POINTS = ["save-first-round", "save-live-round", "save-before-suspend", "save-last-round"]


def sent_in(domain, seconds):
    """MiB per second."""
    before, start = domain.jobStats().get("data_processed", 0), time.monotonic()
    time.sleep(seconds)
    return (domain.jobStats().get("data_processed", 0) - before) / (time.monotonic() - start) / (1 << 20)


def abort(domain, client):
    start = time.monotonic()
    domain.abortJob()
    client.wait(60)
    return time.monotonic() - start


def back(a, b):
    wait_until(lambda: a.state("g") == "running" and not b.domains(), "it runs on the source, and only there")


def paces(a, b, slow, fast):
    connection = a.connect()
    domain = connection.lookupByName("g")
    print(f"{'mode':<12}{'way':<18}{f'at {slow}':>8}{f'at {fast}':>8} MiB/s {'abort':>9}")
    for mode in MODES:
        for way, options in WAYS.items():
            if mode == "tunnelled" and "--parallel" in options:
                continue
            client = a.migrate_start("g", b, "--live", "--bandwidth", str(slow), *options, mode=mode)
            wait_until(lambda: domain.jobStats().get("data_processed", 0) > 0, "data moves")
            time.sleep(1)
            first = sent_in(domain, 1)
            domain.migrateSetMaxSpeed(fast)
            time.sleep(1)
            second = sent_in(domain, 1)
            seconds = abort(domain, client)
            back(a, b)
            print(f"{mode:<12}{way:<18}{first:8.1f}{second:8.1f}       {seconds * 1000:6.0f} ms")
    connection.close()


def aborts(a, b, rounds):
    connection = a.connect()
    domain = connection.lookupByName("g")
    print(f"\nabort while the source is at a point, ms, longest of {rounds}")
    print(f"{'mode':<12}" + "".join(f"{point:>22}" for point in POINTS))
    for mode in MODES:
        times = []
        for point in POINTS:
            found = []
            for _ in range(rounds):
                a.control(pause=point)
                client = a.migrate_start("g", b, "--live", mode=mode)
                time.sleep(0.3)
                found.append(abort(domain, client))
                a.control()
                back(a, b)
            times.append(max(found))
        print(f"{mode:<12}" + "".join(f"{one * 1000:22.0f}" for one in times))
    connection.close()


def main():
    parser = argparse.ArgumentParser(prog="scripts/bench limits", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--slow", type=int, default=20)
    parser.add_argument("--fast", type=int, default=80)
    parser.add_argument("--rounds", type=int, default=3)
    args = parser.parse_args()
    with two_hosts(settings={"log_level": "warning"},
                   control={"hash": 0, "fill-percent": 100, "dirty-pages": 500, "synthetic": 1}) as (a, b):
        a.create("g", memory_kib=4 << 20)
        paces(a, b, args.slow, args.fast)
        a.virsh("destroy", "g").ok()
        a.create("g", memory_kib=64 << 10)
        aborts(a, b, args.rounds)
    return 0


if __name__ == "__main__":
    sys.exit(main())
