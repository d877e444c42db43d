# SPDX-License-Identifier: LGPL-2.1-or-later
"""Failures on real Xen, and what is left then. docs/libxl-failures.md says what libxl itself does in each case."""

import pytest

import lab_guest

# So slow that, with a guest that writes so much, the last pass takes seconds.
SLOW = ["--bandwidth", "16"]
WRITES = {"memory": 160, "mb": 32, "pages": 8192, "tick": 100, "every": 5}


@pytest.fixture
def victim(lab, pair_of):
    """A guest on the first host that all tests share; each of them leaves it there."""
    pair = pair_of(keep="g")
    if "g" not in pair.a.domains():
        pair.create(pair.a, "g", "pvh", **WRITES)
    return pair


def start_slow(pair, mode="direct", live=True):
    pair.mark = len(pair.a.daemon_log())
    return pair.migrate_start(pair.a, "g", mode, live, *SLOW)


def in_first_pass(pair):
    pair.wait("data flows", lambda: "Frames iteration 0: 3072" in pair.a.daemon_log()[pair.mark:])


def in_last_pass(pair):
    pair.wait("the guest is suspended", lambda: "Domain now suspended" in pair.a.daemon_log()[pair.mark:], 120)


MOMENT = pytest.mark.parametrize("moment", [in_first_pass, in_last_pass])


def still_here(pair, virsh):
    out = virsh.communicate(timeout=120)[0]
    assert virsh.returncode != 0, out
    pair.wait("nothing of it on the destination", lambda: not pair.b.domains())
    count = len(pair.a.beats("g"))
    pair.runs_only_on(pair.a, "g")
    lab_guest.wait_beats(pair.a, "g", since=count)
    return out


@MOMENT
def test_source_helper_killed(victim, moment):
    virsh = start_slow(victim)
    moment(victim)
    victim.a.run("kill -9 $(pidof libxl-save-helper)").ok()
    print(still_here(victim, virsh))


@MOMENT
def test_destination_helper_killed(victim, moment):
    virsh = start_slow(victim)
    moment(victim)
    victim.b.run("kill -9 $(pidof libxl-save-helper)").ok()
    print(still_here(victim, virsh))


@MOMENT
def test_aborted(victim, moment):
    virsh = start_slow(victim)
    moment(victim)
    victim.virsh(victim.a, "domjobabort", "g").ok()
    print(still_here(victim, virsh))


@MOMENT
def test_wire_cut(victim, moment):
    """The network between the hosts drops all packets: the user aborts, and the source does not wait for the
    network."""
    virsh = start_slow(victim)
    moment(victim)
    victim.a.run("ip link set eth1 down").ok()
    try:
        victim.virsh(victim.a, "domjobabort", "g").ok()
        print(still_here(victim, virsh))
    finally:
        victim.a.run("ip link set eth1 up").ok()


@MOMENT
def test_destination_daemon_killed(victim, moment):
    """Its libxl-save-helper dies with it; the partly built domain stays until the daemon is back, and never runs."""
    virsh = start_slow(victim)
    moment(victim)
    victim.b.kill_daemon()
    out = virsh.communicate(timeout=120)[0]
    assert virsh.returncode != 0, out
    left = victim.b.domains()
    victim.b.start_daemon()
    victim.wait("the half is removed", lambda: not victim.b.domains())
    print(f"left by libxl: {left}; virsh: {out}")
    count = len(victim.a.beats("g"))
    victim.runs_only_on(victim.a, "g")
    lab_guest.wait_beats(victim.a, "g", since=count)


@MOMENT
def test_source_daemon_killed(victim, moment):
    """In the first pass the guest keeps running. In the last one it is suspended, and does not run elsewhere: the next
    daemon reads in its journal that not all was sent, and resumes it."""
    virsh = start_slow(victim)
    moment(victim)
    victim.a.kill_daemon()
    virsh.communicate(timeout=120)
    victim.wait("nothing of it on the destination", lambda: not victim.b.domains(), 60)
    left = victim.a.domains()["g"]
    victim.a.start_daemon()
    print(f"left by libxl: {left}")
    count = len(victim.a.beats("g"))
    lab_guest.wait_beats(victim.a, "g", since=count)
    assert "running" in victim.virsh(victim.a, "domstate", "g").ok().out
    victim.runs_only_on(victim.a, "g")
    # It can be migrated again.
    victim.migrate(victim.a, "g", "direct", True).ok()
    victim.migrate(victim.b, "g", "direct", True).ok()
    victim.runs_only_on(victim.a, "g")


def test_guest_that_does_not_answer(pair):
    """libxl waits for a minute; then the guest keeps running, and is not resumed, because it never stopped."""
    pair.create(pair.a, "deaf", "pvh", deaf=1)
    pair.migrate(pair.a, "deaf", "direct", False).failed("didn't acknowledge suspend")
    pair.runs_only_on(pair.a, "deaf")
    lab_guest.wait_beats(pair.a, "deaf", since=len(pair.a.beats("deaf")))
    assert not pair.b.domains()
