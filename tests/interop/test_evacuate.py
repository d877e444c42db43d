# SPDX-License-Identifier: LGPL-2.1-or-later
"""xenferry evacuate: every guest that can move arrives exactly once, every other one is named with its reason and runs
where it was, whatever happens in the middle."""

import signal
import subprocess

import pytest

from cli import xenferry, xenferry_json, xenferry_start
from sim_host import SimHost, assert_heartbeat, two_hosts, wait_until

SMALL_KIB = 8 * 1024
MIB = 1024


def results(report):
    return {guest["name"]: guest["result"] for guest in report["guests"]}


def reasons(report, name):
    return next(guest["reasons"] for guest in report["guests"] if guest["name"] == name)


def where(*hosts):
    """{name of a guest: the hosts whose hypervisor has it, with the state where it does not run}"""
    found = {}
    for host in hosts:
        for domain in host.domains():
            runs = domain["state"] == "running"
            found.setdefault(domain["name"], []).append(host.name if runs else f"{host.name} {domain['state']}")
    return found


def test_nothing_to_do(a, b):
    a.define("shut-off")
    assert xenferry(a, "evacuate", b.uri_tcp).ok().out == "0 of 0 guests have moved; no guest runs on this host any more\n"
    # The destination is not needed.
    assert xenferry(a, "evacuate", "xen+tcp://127.0.0.1:1/system").rc == 0


def test_usage_and_what_is_not_possible(a, b):
    assert xenferry(a, "evacuate").rc == 2
    assert xenferry(a, "evacuate", "--jobs", "0", b.uri_tcp).rc == 2
    assert xenferry(a, "evacuate", "no uri").rc == 2
    a.create("g")
    result = xenferry(a, "evacuate", "xen+tcp://127.0.0.1:1/system").failed("no destination can be reached", "127.0.0.1:1")
    assert result.rc == 3
    result = xenferry(a, "evacuate", "xen+ssh://127.0.0.1/system").failed("transport 'ssh'")
    assert result.rc == 3
    assert xenferry(a, "evacuate", "--socket", "/nonexistent", b.uri_tcp).rc == 3
    assert a.state("g") == "running"


def test_persistent_guests_move_with_their_definition(a, b):
    a.create("persistent", persistent=True)
    a.virsh("autostart", "persistent").ok()
    a.create("transient")
    a.create("paused", paused=True)
    out = xenferry(a, "evacuate", b.uri_tcp).ok().out
    assert a.names("--all") == [] and b.names() == ["paused", "persistent", "transient"]
    assert b.state("paused") == "paused"
    assert b.names("--persistent") == ["persistent"]
    assert "persistent: arrived" in out and "not marked for autostart there" in out
    assert out.count("not marked for autostart") == 1


def test_a_dry_run_moves_nothing(a, b):
    for name in ("g1", "g2"):
        a.create(name)
    status, report = xenferry_json(a, "evacuate", "--dry-run", b.uri_tcp)
    assert status == 0 and report["dry_run"] and results(report) == {"g1": "planned", "g2": "planned"}
    assert [guest["destination"] for guest in report["guests"]] == [b.uri_tcp] * 2
    text = xenferry(a, "evacuate", "--dry-run", b.uri_tcp).ok().out
    assert "2 of 2 guests can move" in text and b.uri_tcp in text
    assert a.names() == ["g1", "g2"] and not b.domains() and not a.journal()


def test_the_destination_with_more_memory_gets_more():
    """The plan follows the free memory; what does not fit anywhere is left, with the reason of each destination."""
    with SimHost("a") as a, SimHost("b", control={"memory-mib": 512 + 300}) as b, \
            SimHost("c", control={"memory-mib": 512 + 150}) as c:
        for number in range(4):
            a.create(f"g{number}", memory_kib=90 * MIB)
        a.create("huge", memory_kib=400 * MIB)
        status, report = xenferry_json(a, "evacuate", b.uri_tcp, c.uri_tcp)
        assert status == 1 and report["left"] == 1
        assert len(b.names()) == 3 and len(c.names()) == 1 and a.names() == ["huge"]
        assert {reason["destination"] for reason in reasons(report, "huge")} == {b.uri_tcp, c.uri_tcp}
        assert all("400 MiB" in reason["text"] for reason in reasons(report, "huge"))


def test_the_heaviest_moves_last_and_alone(a, b):
    a.create("big", memory_kib=256 * MIB)
    for number in range(5):
        a.create(f"g{number}", memory_kib=SMALL_KIB)
    lines = xenferry(a, "evacuate", "--jobs", "3", "--last-alone", b.uri_tcp).ok().out.splitlines()
    begin = next(number for number, line in enumerate(lines) if line.startswith("big: begins") and "alone" in line)
    assert sum("arrived" in line for line in lines[:begin]) == 5
    assert b.names() == ["big"] + [f"g{number}" for number in range(5)]


def test_what_cannot_move_live():
    with two_hosts(control={"shadow": 0}) as (a, b):
        a.create("pv", kind="pv")
        a.create("pvh", kind="pvh")
        result = xenferry(a, "evacuate", b.uri_tcp)
        assert result.rc == 1 and a.names() == ["pv"] and b.names() == ["pvh"]
        assert "shadow paging" in result.out and "--allow-suspend" in result.out
        status, report = xenferry_json(a, "evacuate", "--allow-suspend", b.uri_tcp)
        assert status == 0 and [guest["live"] for guest in report["guests"]] == [False]
        assert b.names() == ["pv", "pvh"]
        assert_heartbeat("pv", a, b)


def test_fifty_guests_of_which_three_cannot_move():
    settings, control = {"log_level": "message"}, {"shadow": 0, "hash": 0, "fill-percent": 1}
    with SimHost("a", settings, control=control) as a, \
            SimHost("b", settings, control=dict(control, **{"memory-mib": 512 + 600})) as b:
        names = [f"g{number:02}" for number in range(50)]
        stuck = {names[7]: "shadow paging", names[23]: "already", names[41]: "MiB are missing"}
        for name in names:
            a.create(name, memory_kib=700 * MIB if name == names[41] else SMALL_KIB,
                     kind="pv" if name == names[7] else "pvh")
        b.create(names[23], memory_kib=SMALL_KIB)
        status, report = xenferry_json(a, "evacuate", "--jobs", "4", b.uri_tcp, timeout=300)
        assert status == 1 and report["left"] == 3
        assert {name for name, result in results(report).items() if result == "left"} == set(stuck)
        for name, word in stuck.items():
            texts = [reason["text"] for reason in reasons(report, name)]
            assert any(word in text for text in texts), (name, texts)
        moved = set(names) - set(stuck)
        assert {name for name, result in results(report).items() if result == "moved"} == moved
        expected = {name: ["b"] for name in moved} | {name: ["a"] for name in stuck}
        expected[names[23]] = ["a", "b"]  # two guests with that name
        assert where(a, b) == expected
        for name in moved:
            assert_heartbeat(name, a, b)


def test_a_destination_dies_in_the_middle():
    """What it had goes to the other one; if there is no other one, it stays, and runs."""
    with SimHost("a", {"connect_timeout": 2}, control={"rate-mib": 4}) as a, SimHost("b") as b, SimHost("c") as c:
        names = [f"g{number}" for number in range(6)]
        for name in names:
            a.create(name, memory_kib=SMALL_KIB)
        evacuation = xenferry_start(a, "evacuate", "--jobs", "2", b.uri_tcp, c.uri_tcp)
        wait_until(lambda: b.domains(), "a guest is on its way to b")
        b.boot(start=False)
        out, _ = evacuation.communicate(timeout=120)
        assert evacuation.returncode == 0, out
        assert "did not go to 127.0.0.1" in out or "arrived" in out
        there = where(a, c)
        assert set(there) <= set(names) and all(hosts == ["c"] for hosts in there.values()), out
        # What had arrived on b before died with it; every other guest is on c.
        assert set(names) - set(there) == {name for name in names
                                           if f"{name}: arrived" in out and name not in there}, out


def test_the_only_destination_dies_in_the_middle():
    with SimHost("a", {"connect_timeout": 2}, control={"rate-mib": 4}) as a, SimHost("b") as b:
        names = [f"g{number}" for number in range(6)]
        for name in names:
            a.create(name, memory_kib=SMALL_KIB)
        evacuation = xenferry_start(a, "evacuate", "--jobs", "2", b.uri_tcp)
        wait_until(lambda: b.domains(), "a guest is on its way to b")
        b.boot(start=False)
        out, _ = evacuation.communicate(timeout=120)
        assert evacuation.returncode == 1, out
        assert "is given up" in out
        left = set(names) - {name for name in names if f"{name}: arrived" in out}
        assert len(left) >= 4 and where(a) == {name: ["a"] for name in left}, out
        for name in left:
            assert f"  {name} (running):" in out, out


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_interrupted(number):
    with two_hosts() as (a, b):
        a.control(rate_mib=4)
        names = [f"g{number}" for number in range(4)]
        for name in names:
            a.create(name, memory_kib=32 * MIB)
        evacuation = xenferry_start(a, "evacuate", b.uri_tcp)
        wait_until(lambda: len(b.domains()) == 2, "two guests are on their way")
        evacuation.send_signal(number)
        out, _ = evacuation.communicate(timeout=60)
        assert evacuation.returncode == 1, out
        assert "interrupted: no further migration begins; aborting those that run (2)" in out
        assert out.count("begins to move") == 2 and "arrived" not in out
        assert where(a, b) == {name: ["a"] for name in names}
        assert out.count("its migration was not begun") == 2 and out.count("aborted") >= 2
        # Nothing of it stays behind: the next one moves everything.
        a.control()
        xenferry(a, "evacuate", b.uri_tcp).ok()
        assert where(a, b) == {name: ["b"] for name in names}


def test_the_daemon_is_killed_in_the_middle():
    with two_hosts() as (a, b):
        a.control(rate_mib=4)
        for name in ("g1", "g2", "g3"):
            a.create(name, memory_kib=32 * MIB)
        evacuation = xenferry_start(a, "evacuate", b.uri_tcp)
        wait_until(lambda: len(b.domains()) == 2, "two guests are on their way")
        a.kill()
        out, _ = evacuation.communicate(timeout=60)
        assert evacuation.returncode == 1, out
        assert out.count("not known whether it is still here") == 2 and "cannot say how many are left" in out
        a.start()
        wait_until(lambda: where(a, b) == {name: ["a"] for name in ("g1", "g2", "g3")}, "all run on the source again")


def test_a_guest_that_begins_to_run_meanwhile_moves_too():
    with two_hosts() as (a, b):
        a.control(rate_mib=8)
        a.create("g1", memory_kib=32 * MIB)
        evacuation = xenferry_start(a, "evacuate", b.uri_tcp)
        wait_until(b.domains, "it is on its way")
        a.create("late", memory_kib=SMALL_KIB)
        out, _ = evacuation.communicate(timeout=60)
        assert evacuation.returncode == 0, out
        assert b.names() == ["g1", "late"] and a.names() == []


def test_a_migration_that_fails_goes_to_the_next_destination():
    with SimHost("a") as a, SimHost("b") as b, SimHost("c", control={"memory-mib": 512 + 200}) as c:
        for name in ("g1", "g2", "g3"):
            a.create(name, memory_kib=SMALL_KIB)
        b.fail_at("restore-start")
        status, report = xenferry_json(a, "evacuate", "--jobs", "1", b.uri_tcp, c.uri_tcp)
        assert status == 0 and set(results(report).values()) == {"moved"}
        assert {guest["destination"] for guest in report["guests"]} == {c.uri_tcp}
        assert all(reason["destination"] == b.uri_tcp for guest in report["guests"] for reason in guest["reasons"])
        assert where(a, b, c) == {name: ["c"] for name in ("g1", "g2", "g3")}
        for name in ("g1", "g2", "g3"):
            assert_heartbeat(name, a, c)


def test_an_administrator_aborts_one():
    """It stays, and is not tried elsewhere; the others move."""
    with SimHost("a", control={"rate-mib": 4}) as a, SimHost("b") as b, SimHost("c") as c:
        a.create("g1", memory_kib=32 * MIB)
        evacuation = xenferry_start(a, "evacuate", "--jobs", "1", b.uri_tcp, c.uri_tcp)
        wait_until(lambda: b.domains() or c.domains(), "it is on its way")
        a.virsh("domjobabort", "g1").ok()
        out, _ = evacuation.communicate(timeout=60)
        assert evacuation.returncode == 1 and out.count("begins to move") == 1, out
        assert where(a, b, c) == {"g1": ["a"]}


def test_a_second_signal_does_not_wait():
    """The daemon does not answer: the program leaves, and the daemon has the guest back when it can."""
    with two_hosts() as (a, b):
        a.control(rate_mib=4)
        a.create("g", memory_kib=32 * MIB)
        evacuation = xenferry_start(a, "evacuate", b.uri_tcp)
        wait_until(b.domains, "it is on its way")
        a.signal(signal.SIGSTOP)
        wait_until(a.is_stopped, "the daemon is stopped")
        evacuation.send_signal(signal.SIGINT)
        with pytest.raises(subprocess.TimeoutExpired):
            evacuation.wait(timeout=1)
        evacuation.send_signal(signal.SIGINT)
        out, _ = evacuation.communicate(timeout=10)
        assert evacuation.returncode == 1 and "second signal" in out
        a.go_on()
        wait_until(lambda: where(a, b) == {"g": ["a"]}, "it runs on the source again")


@pytest.mark.parametrize("number", [None, signal.SIGINT])
def test_a_guest_that_waits_for_its_destination(number):
    """The destination dies when it has everything: the guest is suspended here, the daemon asks on, and no other
    destination gets it."""
    with SimHost("a", {"connect_timeout": 2, "finish_timeout": 2}) as a, SimHost("b") as b, \
            SimHost("c", control={"memory-mib": 512 + 200}) as c:
        a.create("g", memory_kib=SMALL_KIB)
        b.stop_at("destination", "receiving -> restored")
        evacuation = xenferry_start(a, "evacuate", b.uri_tcp, c.uri_tcp)
        b.wait_stopped()
        wait_until(lambda: a.traced("committing -> sent"), "everything is sent")
        if number:
            evacuation.send_signal(number)
        b.kill()
        out, _ = evacuation.communicate(timeout=60)
        assert evacuation.returncode == 1, out
        assert "  g (paused):" in out and "is suspended here until host" in out, out
        assert not c.domains()
        b.control()
        b.start()
        wait_until(lambda: where(a, b, c) == {"g": ["a"]}, "the destination promises, and the source resumes it")
