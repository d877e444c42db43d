# SPDX-License-Identifier: LGPL-2.1-or-later
"""The maximum downtime: how many passes a live migration makes, when it stops its guest, when it gives up, and what can
be seen of that while it runs."""

import os
import re

import pytest

from sim_host import MODES, assert_heartbeat, assert_same_memory, two_hosts, wait_until

MODE = pytest.mark.parametrize("mode", MODES)

# Writes twice as fast as the line takes it, all over its memory; and so fast that slowing it down to a hundredth does
# not help.
BUSY = {"fill-percent": 100, "dirty-pages": 16000}
WILD = {"fill-percent": 100, "dirty-pages": 1600000}
LINE = ("--bandwidth", "32")
KIB = 16384
# After each pass the daemon has written what was left.
LEFT = re.compile(r"after (\d+) passes (\d+) pages were left, for (\d+) ms; maximum downtime (\d+) ms")


def left(host):
    """(passes, pages, ms, maximum) of the last migration from the host."""
    return tuple(int(word) for word in LEFT.findall(host.log())[-1])


def number(host, name, *options):
    """A value of domjobinfo; None while it is not shown."""
    found = re.search(rf"^{name}:\s+(\d+)", host.virsh("domjobinfo", "g", *options).ok().out, re.M)
    return int(found.group(1)) if found else None


def goals(host):
    """The files that tell libxl's save helper about the maximum."""
    return os.listdir(os.path.join(host.dir, "state", "precopy"))


def stays(a, b, before):
    """The guest was never stopped, runs on where it was, and is nowhere else."""
    assert a.traced(" suspended g") == []
    wait_until(lambda: len(a.heartbeats("g")) > before + 3, "it beats on")
    assert a.state("g") == "running"
    assert "g" not in b.virsh("list", "--all", "--name").ok().out.split()
    assert all(domain.get("name") != "g" for domain in b.domains())


@MODE
def test_without_a_maximum(mode):
    """libxl's own rule: five passes, then the guest is stopped, however much is left."""
    with two_hosts(control=BUSY) as (a, b):
        a.create("g", memory_kib=KIB)
        a.migrate("g", b, "--live", *LINE, mode=mode).ok()
        passes, pages, ms, maximum = left(a)
        assert (passes, maximum) == (5, 0) and pages > 1000 and ms > 300
        assert number(b, "Iteration", "--completed") == 6
        assert_same_memory("g", a, b)
        assert_heartbeat("g", a, b)


@MODE
def test_passes_until_it_fits(mode):
    """More passes than libxl's five, with the guest slowed down, until what is left fits."""
    with two_hosts(control=BUSY) as (a, b):
        a.create("g", memory_kib=KIB)
        a.virsh("migrate-setmaxdowntime", "g", "40").ok()
        a.migrate("g", b, "--live", "--auto-converge", "--auto-converge-initial", "10", "--auto-converge-increment", "8",
                  *LINE, mode=mode).ok()
        passes, pages, ms, maximum = left(a)
        assert 5 < passes <= 30 and maximum == 40 and ms <= 40
        assert_same_memory("g", a, b)
        assert_heartbeat("g", a, b)


def test_not_slowed_down_when_it_suspends():
    """On real Xen a guest with a hundredth of a processor does not suspend in time."""
    with two_hosts(control={**BUSY, "late-suspend-ms": 300}) as (a, b):
        a.create("g", memory_kib=KIB)
        a.migrate("g", b, "--live", "--auto-converge", *LINE).ok()
        happened = [line.split(maxsplit=1)[1] for line in a.trace() if " cap g " in line or " suspended g sha" in line]
        assert "cap g 50" in happened and happened[-2] == "cap g 0" and happened[-1].startswith("suspended"), happened


def test_a_quiet_guest_needs_no_more_passes():
    """A maximum that is easily kept makes the guest's downtime no longer than none."""
    with two_hosts(control={"dirty-pages": 2000}) as (a, b):
        a.create("g", memory_kib=KIB)
        a.virsh("migrate-setmaxdowntime", "g", "60000").ok()
        a.migrate("g", b, "--live", "--bandwidth", "64").ok()
        passes, pages, _, _ = left(a)
        assert 2 <= passes <= 5 and pages < 250


@MODE
def test_abort_rather_than_exceed(mode):
    settings = {"exceed_downtime": "abort", "max_passes": 6}
    with two_hosts(settings=settings, control=WILD) as (a, b):
        a.create("g", memory_kib=KIB)
        a.virsh("migrate-setmaxdowntime", "g", "1").ok()
        before = len(a.heartbeats("g"))
        moved = a.migrate("g", b, "--live", *LINE, mode=mode)
        moved.failed("maximum downtime of 1 ms")
        for word in ("'g'", "after 6 passes", "exceed_downtime", "migrate-setmaxdowntime"):
            assert word in moved.err, moved.err
        stays(a, b, before)
        # The same with a maximum that can be kept.
        a.virsh("migrate-setmaxdowntime", "g", "60000").ok()
        a.migrate("g", b, "--live", *LINE, mode=mode).ok()
        assert_heartbeat("g", a, b)


def test_no_abort_without_a_maximum():
    """300 ms is what --auto-converge aims at if no maximum was set: nobody has asked for an abort."""
    with two_hosts(settings={"exceed_downtime": "abort", "max_passes": 5}, control=BUSY) as (a, b):
        a.create("g", memory_kib=KIB)
        a.migrate("g", b, "--live", "--auto-converge", *LINE).ok()
        assert left(a)[3] == 300
        assert_heartbeat("g", a, b)


@pytest.mark.parametrize("maximum", [None, 1])
def test_changed_while_it_runs(maximum):
    """It would never end with the first maximum, and has none or another at the end."""
    with two_hosts(settings={"exceed_downtime": "abort", "max_passes": 1000}, control=WILD) as (a, b):
        a.create("g", memory_kib=KIB)
        if maximum:
            a.virsh("migrate-setmaxdowntime", "g", str(maximum)).ok()
        client = a.migrate_start("g", b, "--live", *LINE)
        wait_until(lambda: number(a, "Iteration") == (8 if maximum else 2), "passes are made")
        a.virsh("migrate-setmaxdowntime", "g", "5000").ok()
        assert client.wait(timeout=60) == 0
        assert left(a)[3] == 5000 and left(a)[2] <= 5000
        assert_heartbeat("g", a, b)


def test_what_is_shown():
    with two_hosts(settings={"max_passes": 1000}, control=WILD) as (a, b):
        a.create("g", memory_kib=KIB)
        a.virsh("migrate-setmaxdowntime", "g", "1").ok()
        client = a.migrate_start("g", b, "--live", *LINE)
        wait_until(lambda: (number(a, "Iteration") or 0) >= 3, "three passes")
        assert number(a, "Expected downtime") > 1
        assert number(a, "Dirty rate") > 0
        assert number(a, "Memory bandwidth") is not None or "Memory bandwidth" in a.virsh("domjobinfo", "g").out
        a.virsh("migrate-setmaxdowntime", "g", "60000").ok()
        assert client.wait(timeout=60) == 0
        assert number(b, "Total downtime", "--completed") is not None


def test_nothing_there_to_keep_it():
    """Without the program it is libxl that decides; a promise that it cannot keep is not made."""
    missing = {"save_helper_path": "/nonexistent/xenferry-save-helper"}
    with two_hosts(settings=missing, control=WILD) as (a, b):
        a.create("g", memory_kib=KIB)
        a.virsh("migrate-setmaxdowntime", "g", "1").ok()
        a.migrate("g", b, "--live", *LINE).ok()
        assert number(b, "Iteration", "--completed") == 6
        assert not LEFT.search(a.log())
    with two_hosts(settings={**missing, "exceed_downtime": "abort"}, control=WILD) as (a, b):
        a.create("g", memory_kib=KIB)
        a.virsh("migrate-setmaxdowntime", "g", "1").ok()
        before = len(a.heartbeats("g"))
        a.migrate("g", b, "--live", *LINE).failed("save_helper_path")
        stays(a, b, before)
        # Not live, there are no passes.
        a.migrate("g", b).ok()


def test_no_file_is_left():
    """And one of a daemon that was killed counts for no other."""
    with two_hosts(settings={"max_passes": 1000}, control=WILD) as (a, b):
        a.create("g", memory_kib=KIB)
        a.virsh("migrate-setmaxdowntime", "g", "1").ok()
        client = a.migrate_start("g", b, "--live", *LINE)
        wait_until(lambda: (number(a, "Iteration") or 0) >= 2, "it is under way")
        assert goals(a) != []
        a.kill()
        client.wait(timeout=60)
        a.start()
        wait_until(lambda: a.state("g") == "running", "it runs on")
        a.virsh("migrate-setmaxdowntime", "g", "60000").ok()
        a.migrate("g", b, "--live", *LINE).ok()
        assert left(a)[3] == 60000
        assert goals(a) == []
