# SPDX-License-Identifier: LGPL-2.1-or-later
"""The core, which each CI run tests on real Xen: a PVH guest that writes memory, uses a disk of both hosts and a
network, is migrated live in each mode and back."""

import time

from conftest import beats_go_on

import lab_guest


def hop(pair, source, name, mode, live, *options):
    """One migration; returns a line for the table."""
    before = len(source.beats(name))
    began = time.monotonic()
    pair.migrate(source, name, mode, live, *options).ok()
    took = time.monotonic() - began
    target = pair.other(source)
    pair.runs_only_on(target, name)
    downtime = beats_go_on(source, target, name, before)
    stats = pair.virsh(target, "domjobinfo", name, "--completed").ok().out
    source.run(f"rm -f /out/console/guest-{name}*.log")
    rate = [line.split(":")[1].strip() for line in stats.splitlines() if line.startswith("Memory bandwidth")]
    return f"{mode:9} {'live' if live else 'cold':4} {took:5.1f} s, {rate[0]:>14}, guest stood still {downtime:4.0f} ms"


def test_live_in_each_mode(pair):
    pair.create(pair.a, "g", "pvh", disk=True, network=True)
    source = pair.a
    for mode in ("direct", "p2p", "tunnelled"):
        print("pvh", hop(pair, source, "g", mode, True))
        source = pair.other(source)
    # The bridges are one network: both hosts reach the guest on either host.
    for host in (pair.a, pair.b):
        host.run(f"ping -c 2 -W 5 {lab_guest.BRIDGE_ADDRESS}").ok()
