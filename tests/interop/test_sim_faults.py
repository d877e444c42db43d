# SPDX-License-Identifier: LGPL-2.1-or-later
"""The tests' own tools: a daemon that is stopped or killed at a transition, and a libxl call that fails by its
number."""

import errno
import os
import signal
import subprocess

import pytest

from sim_host import MODES, PLAIN_BUILD, SimHost, assert_heartbeat, domain_xml, wait_until


CALL_POINTS = """
import ctypes, sys, threading
sim = ctypes.CDLL(sys.argv[1])
answers = []
thread = threading.Thread(target=lambda: answers.extend(sim.xf_watcher_point(point.encode()) for point in sys.argv[2:]))
thread.start()
thread.join()
print(answers)
"""


def call_points(host, *points):
    """A process that passes these points of xf_watch_point() in a thread and prints the results."""
    library = os.path.join(PLAIN_BUILD, "src", "sim", "libxenferry-sim.so")
    return subprocess.Popen(["/usr/bin/python3", "-c", CALL_POINTS, library, *points], env=host.env,
                            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def process_state(process):
    with open(f"/proc/{process.pid}/stat", encoding="ascii") as status:
        return status.read().rpartition(")")[2].split()[0]


def communicate(process, timeout=60):
    out, err = process.communicate(timeout=timeout)
    return process.returncode, out + err


@pytest.mark.parametrize("mode", MODES)
def test_stopped_at_destination_and_continued(a, b, mode):
    a.create("g")
    b.stop_at("destination", "receiving -> restored")
    client = a.migrate_start("g", b, "--live", mode=mode)
    assert b.wait_stopped() == "destination:receiving->restored"
    assert client.poll() is None
    assert not b.heartbeats("g"), "the guest runs before its daemon said so"
    b.go_on()
    status, said = communicate(client)
    assert status == 0, said
    assert (a.state("g"), b.state("g")) == (None, "running")
    assert_heartbeat("g", a, b)
    assert len(b.traced(" stopped at ")) == 1


def test_killed_at_source(a, b):
    a.create("g")
    a.kill_at("source", "committing -> sent")
    client = a.migrate_start("g", b, "--live")
    a.wait_killed()
    status, said = communicate(client)
    assert status != 0, said
    assert a.traced("died at source:committing->sent") and a.traced("move g source committing -> sent")
    a.start()  # no second stop: the point has stopped once, and there is no migration


def test_moves_are_traced(a, b):
    a.create("two words", persistent=True)
    a.migrate("two words", b, "--live", "--undefinesource", mode="p2p").ok()
    source = [line.partition(" source ")[2] for line in a.traced(" move two words source ")]
    assert source == ["describing -> begun", "begun -> recording", "recording -> connecting", "connecting -> sending",
                      "sending -> draining", "draining -> committing", "committing -> sent", "sent -> destroying",
                      "destroying -> done"]
    assert a.traced(" move two words peer-to-peer opening -> asking")
    assert b.traced(" move two words destination unpausing -> running")


def test_stop_of_one_guest_by_pattern(a, b):
    """A key with a guest's name has precedence; a pattern stops once at each point that it matches."""
    a.create("g")
    a.create("h")
    a.control(**{"h.stop": "source:*->sent, source:*->destroying", "stop": ""})
    a.migrate("g", b, "--live").ok()
    assert not a.traced(" stopped at ")
    client = a.migrate_start("h", b, "--live")
    for point in ("source:committing->sent", "source:settling->destroying"):
        assert a.wait_stopped() == point
        a.go_on()
    status, said = communicate(client)
    assert status == 0, said
    assert len(a.traced(" stopped at ")) == 2


def test_stops_once_until_the_control_file_is_written_again(a, b):
    """A stop is over once its daemon was continued or has ended: neither the next migration nor the next daemon stops
    there."""
    a.create("g")
    a.stop_at("source", "begun -> recording")
    client = a.migrate_start("g", b, "--live")
    a.wait_stopped()
    a.go_on()
    status, said = communicate(client)
    assert status == 0, said
    b.migrate("g", a, "--live").ok()
    a.migrate("g", b, "--live").ok()
    b.migrate("g", a, "--live").ok()
    assert len(a.traced(" stopped at ")) == 1

    a.stop_at("source", "begun -> recording")
    client = a.migrate_start("g", b, "--live")
    a.wait_stopped()
    a.kill()
    assert communicate(client)[0] != 0
    a.start()
    a.migrate("g", b, "--live").ok()
    assert len(a.traced(" stopped at ")) == 2


def sweep(host, prepare, deed, check, limit=60):
    """Repeats @deed, each time with the next of its libxl calls on @host failing, until no call fails; returns for each
    the call that failed and the result of @deed. @prepare and @check, which gets that result and restores the state,
    run without failures."""
    found = []
    for n in range(1, limit):
        prepare()
        result, failed = host.do_with_failure(n, deed)
        check(result)
        if not failed:
            return found
        found.append((failed, result))
    raise AssertionError(f"still failing: {found}")


def sweep_until(sweep_once, expected):
    """All results, which include all of @expected. The daemon polls for other toolstacks' guests each second: its call
    changes the numbers, and a call that should fail may be skipped."""
    found = []
    for _ in range(4):
        found += sweep_once()
        if expected <= {call for call, _ in found}:
            return found
    raise AssertionError(f"never failed: {expected - {call for call, _ in found}}")


def test_every_call_of_a_creation_fails_in_turn(a):
    path = a.write_xml(domain_xml("g"))
    a.virsh("create", path).ok()  # the daemon listens to events from the first guest on
    a.virsh("destroy", "g").ok()
    before = a.snapshot()

    def check(result):
        """After a failure the next creation works."""
        if not result:
            assert a.domains() == [] and a.state("g") is None, repr(result)
            a.virsh("create", path).ok()
        assert a.state("g") == "running"
        a.virsh("destroy", "g").ok()

    found = sweep_until(lambda: sweep(a, lambda: None, lambda: a.virsh("create", path), check),
                        {"libxl_domain_create_new", "libxl_domain_unpause", "libxl_domain_need_memory"})
    for call, result in found:
        if call in ("libxl_domain_create_new", "libxl_domain_unpause"):
            result.failed("simulated failure of call", call)
    a.assert_no_leak(before)


@pytest.mark.parametrize("late", [False, True], ids=["at-once", "callback"])
def test_an_even_number_fails_through_the_callback(a, late):
    path = a.write_xml(domain_xml("g"))

    def check(result):
        if result:
            a.virsh("destroy", "g").ok()

    def fail_create():
        """(result, number of the call that failed, failures that were late), or None: a poll has changed the numbers."""
        found = sweep_until(lambda: sweep(a, lambda: None, lambda: a.virsh("create", path), check),
                            {"libxl_domain_create_new"})
        number = [call for call, _ in found].index("libxl_domain_create_new") + 1
        more = (number % 2 == 0) != late  # another call before this one changes its number
        for _ in range(5):
            a.fail_nth(number + more)
            if more:
                assert communicate(call_points(a, "one"))[0] == 0
            before = len(a.traced(" late failure "))
            result = a.virsh("create", path)
            if a.failed_call() == "libxl_domain_create_new":
                return result, number + more, len(a.traced(" late failure ")) - before
            check(result)  # a poll was in between
        return None  # one was in the sweep

    result, number, n_late = next(filter(None, (fail_create() for _ in range(5))))
    result.failed(f"simulated failure of call {number}, libxl_domain_create_new")
    assert n_late == late
    assert a.domains() == []
    a.virsh("create", path).ok()


@pytest.mark.parametrize("side", ["source", "destination"])
def test_every_call_of_a_migration_fails_in_turn(a, b, side):
    """Whichever call fails, the guest runs on exactly one host."""
    def check(result):
        there, here = (b, a) if result else (a, b)
        wait_until(lambda: (there.state("g"), here.state("g")) == ("running", None), lambda: repr(result))
        for domain in here.domains():
            # Migrated, but its copy could not be removed; the log says what to do.
            assert domain["state"] == "suspended" and here.failed_call() == "libxl_domain_destroy"
            assert "remove it with xl destroy" in here.log()
            here.sim("destroy", "g")
        there.virsh("destroy", "g").ok()

    expected = {"libxl_domain_suspend", "start of the save helper"} if side == "source" else \
        {"libxl_domain_create_restore", "start of the restore helper"}
    found = sweep_until(lambda: sweep(a if side == "source" else b, lambda: a.create("g"),
                                      lambda: a.migrate("g", b, "--live"), check), expected)
    assert expected <= {call for call, result in found if not result}


def test_fails_by_environment():
    with SimHost("a", start=False) as host:
        host.env["XF_SIM_FAIL_NTH"] = "1"
        host.launch()
        assert host.process.wait(timeout=20) != 0
        assert "simulated failure of call 1, libxl_ctx_alloc" in host.log()
        host.process = None
        host.start()  # that call has passed
        assert host.calls() > 1


def test_named_points_stop_fail_and_kill(a):
    """xf_watch_point() in another process and thread than a daemon's loop."""
    points = ("journal:sent:written", "journal:sent:written", "journal:sent:renamed")
    a.reset_calls()
    status, said = communicate(call_points(a, *points))
    assert (status, said.strip()) == (0, "[0, 0, 0]")
    assert a.calls() == 3

    a.fail_nth(2, stop="journal:*:written")
    process = call_points(a, *points)
    wait_until(lambda: process_state(process) == "T", "it stops")
    assert a.traced("stopped at journal:sent:written")
    process.send_signal(signal.SIGCONT)
    status, said = communicate(process)
    assert status == 0 and f"[0, {errno.EIO}, 0]" in said
    assert "simulated failure of call 2, journal:sent:written" in said
    assert len(a.traced("stopped at")) == 1

    a.kill_at("journal:sent:renamed")
    assert communicate(call_points(a, *points))[0] == -signal.SIGKILL
    assert communicate(call_points(a, *points))[0] == 0, "it was killed there again"


@pytest.mark.parametrize("mode", MODES)
def test_memory_that_is_made_up(a, b, mode):
    a.control(synthetic=1)
    b.control(synthetic=1)
    a.create("g", memory_kib=16384)
    wait_until(lambda: a.heartbeats("g"), "it beats")
    a.migrate("g", b, "--live", mode=mode).ok()
    assert_heartbeat("g", a, b)


def test_made_up_memory_that_does_not_come_is_noticed(a, b):
    b.control(synthetic=1)
    a.create("g", memory_kib=16384)
    a.migrate("g", b, "--live").failed("domain 'g'", "failed in perform")
    wait_until(lambda: a.state("g") == "running" and not b.domains(), "as before")
