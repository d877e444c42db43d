#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Memory for the guest: checked before prepare answers, reserved for one guest only, taken from dom0 where that is
allowed; and guests that this Xen does not support are refused before they are touched."""

import os

import pytest

from sim_host import MODES, SimHost, domain_xml, two_hosts, wait_until

MIB = 1024


def guests(host):
    return len(host.domains())


def dom0_mib(host):
    with open(os.path.join(host.sim_dir, "dom0-kib"), encoding="ascii") as text:
        return int(text.read()) // MIB


@pytest.mark.parametrize("mode", MODES)
def test_shortfall_is_named(mode):
    # dom0 has 512 MiB of it.
    with SimHost("a") as a, SimHost("b", control={"memory-mib": 512 + 100}) as b:
        a.create("g", memory_kib=128 * MIB)
        a.migrate("g", b, "--live", mode=mode).failed("needs 128 MiB", "100 MiB are free", "28 MiB are missing", "dom0_min_memory")
        assert a.state("g") == "running" and guests(b) == 0
        # Nothing stays reserved.
        a.create("h", memory_kib=96 * MIB)
        a.migrate("h", b, "--live", mode=mode).ok()


def test_promised_to_one_only():
    """Of two guests at once only one fits: memory is reserved before the first page arrives."""
    with SimHost("a", control={"rate-mib": 50}) as a, SimHost("b", control={"memory-mib": 512 + 150}) as b:
        a.create("g", memory_kib=96 * MIB)
        a.create("h", memory_kib=96 * MIB)
        first = a.migrate_start("g", b, "--live", mode="direct")
        wait_until(lambda: guests(b) == 1, "g is on its way")
        a.migrate("h", b, "--live").failed("not enough memory", "not reserved for other guests", "MiB are missing")
        b.virsh("create", b.write_xml(domain_xml("n", memory_kib=96 * MIB))).failed("not enough memory")
        assert first.wait(30) == 0
        assert a.state("h") == "running"


@pytest.mark.parametrize("mode", MODES)
def test_dom0_makes_room(mode):
    with SimHost("a") as a, SimHost("b", {"dom0_min_memory": 300}, control={"memory-mib": 512 + 100}) as b:
        a.create("g", memory_kib=128 * MIB)
        a.migrate("g", b, "--live", mode=mode).ok()
        assert dom0_mib(b) == 512 - 28
        # Not below the configured minimum.
        a.create("h", memory_kib=256 * MIB)
        a.migrate("h", b, "--live", mode=mode).failed("less than dom0_min_memory")
        b.virsh("create", b.write_xml(domain_xml("n", memory_kib=64 * MIB))).ok()
        assert dom0_mib(b) == 512 - 28 - 64


def test_dom0_is_slow():
    """dom0 is asked for memory and gives none: prepare ends with an error, and nothing stays reserved."""
    with SimHost("a") as a, SimHost("b", {"dom0_min_memory": 300}, control={"memory-mib": 512 + 100}) as b:
        b.control(dom0_keeps=1)
        a.create("g", memory_kib=128 * MIB)
        b.create("first", memory_kib=16 * MIB)
        b.virsh("destroy", "first").ok()
        before = b.snapshot()
        virsh = a.migrate_start("g", b, "--live", mode="direct")
        wait_until(lambda: b.traced("dom0 "), "dom0 was asked")
        assert virsh.poll() is None
        assert b.virsh("list").ok()
        b.control(dom0_keeps=0)
        assert virsh.wait(30) == 0
        a.create("h", memory_kib=32 * MIB)
        b.control(dom0_keeps=1)
        virsh = a.migrate_start("h", b, "--live", mode="tunnelled")
        wait_until(lambda: len(b.traced("dom0 ")) >= 2, "dom0 was asked again")
        virsh.kill()
        virsh.wait()
        b.virsh("destroy", "g").ok()
        b.assert_no_leak({"fds": before["fds"], "ports": before["ports"]})


@pytest.mark.parametrize("mode", MODES)
def test_pv_live_without_shadow_paging(mode):
    with two_hosts(control={"shadow": 0}) as (a, b):
        a.create("g", kind="pv")
        a.create("h", kind="pvh")
        a.migrate("g", b, "--live", mode=mode).failed("PV guest", "shadow paging", "without --live")
        assert a.state("g") == "running"
        a.migrate("g", b, mode=mode).ok()
        a.migrate("h", b, "--live", mode=mode).ok()
