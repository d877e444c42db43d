# SPDX-License-Identifier: LGPL-2.1-or-later
"""The simulated host itself: calls that fail after they acted, domains that stay dying, a boot of the whole host."""

import os
import signal

import pytest

from sim_host import WRONG, Result, SimHost, two_hosts, wait_until


@pytest.fixture(name="host")
def one_host():
    with SimHost("a", control={"heartbeat_ms": 10}) as host:
        yield host


def sim_states(host):
    return [domain["state"] for domain in host.domains()]


@pytest.mark.parametrize("call, command, before, after", [
    ("pause", "suspend", "running", "paused"),
    ("unpause", "resume", "paused", "running"),
    ("destroy", "destroy", "running", None),
])
def test_a_call_fails_after_having_acted(host, call, command, before, after):
    host.create("g", paused=before == "paused", memory_kib=4096)
    assert sim_states(host) == [before]
    host.fail_after(call)
    host.virsh(command, "g").failed("domain 'g'", f"told to fail after {call}")
    assert sim_states(host) == ([after] if after else [])
    assert host.traced(f"failed-after g {call}")


def test_a_create_fails_after_having_acted(host):
    host.define("g", memory_kib=4096)
    host.fail_after("create")
    host.virsh("start", "g").failed("domain 'g'", "told to fail after create")
    assert host.traced("failed-after g create") and host.traced("created g")


@pytest.mark.parametrize("side, call", [("source", "suspend"), ("destination", "restore-create")])
def test_a_helper_fails_after_having_acted(side, call):
    with two_hosts(control={"heartbeat_ms": 10}) as (a, b):
        a.create("g", memory_kib=4096)
        (a if side == "source" else b).fail_after(call)
        a.migrate("g", b, "--live", mode="p2p").failed("'g'")
        wait_until(lambda: sim_states(a) == ["running"], "it goes on")
        a.control()
        assert (a if side == "source" else b).traced("failed-after g")


def test_a_destroyed_domain_lingers(host):
    host.create("g", memory_kib=4096)
    host.control(linger_ms=1500)
    host.virsh("destroy", "g").ok()
    assert sim_states(host) == ["dying"]
    # Another domain with the same name can be started meanwhile.
    host.create("g", memory_kib=4096)
    assert sorted(sim_states(host)) == ["dying", "running"]
    wait_until(lambda: sim_states(host) == ["running"], "the old one goes")
    assert host.state("g") == "running"
    assert host.traced("dying g 1") and host.traced("destroyed g 1")


def test_a_host_boots(host):
    host.create("transient", memory_kib=4096)
    host.create("started", persistent=True, memory_kib=4096)
    host.create("auto", persistent=True, memory_kib=4096)
    host.virsh("autostart", "auto").ok()
    host.boot()
    wait_until(lambda: host.state("auto") == "running", "it is started by the boot")
    assert [domain["name"] for domain in host.domains()] == ["auto"] and host.domains()[0]["domid"] == "1"
    assert host.state("transient") is None and host.state("started") == "shut off"
    host.virsh("destroy", "auto").ok()
    host.kill()
    host.start()
    assert host.state("auto") == "shut off"  # a restart of the daemon is not a boot
    host.boot()
    wait_until(lambda: host.state("auto") == "running", "it is started by the next boot")


@pytest.mark.parametrize("half", ["1", ".1"])
def test_a_boot_leaves_no_half_of_a_domain(host, half):
    """A daemon was killed while it made or removed a domain: the next domain with that number is complete."""
    directory = os.path.join(host.sim_dir, "domains", half)
    os.makedirs(directory)
    os.symlink("/dev/shm/xenferry-sim-of-no-domain", os.path.join(directory, "memory"))
    host.boot()
    host.create("g", memory_kib=4096)
    assert host.domains()[0]["domid"] == "1"
    host.virsh("destroy", "g").ok()
    assert host.names("--all") == [] and os.listdir(os.path.join(host.sim_dir, "domains")) == []


# ---- what a host that is closed notices ------------------------------------------------------------------------


@pytest.mark.parametrize("line", [
    "2026-01-01T00:00:00.1Z error GLib: Source ID 4 was not found",
    "2026-01-01T00:00:00.1Z fatal xf-libxl: not a move",
    "==1==ERROR: AddressSanitizer: heap-use-after-free", "==1==ERROR: LeakSanitizer: detected memory leaks",
    "a.c:1:2: runtime error: signed integer overflow", "ERROR:../a.c:3:f: assertion failed: (x)",
    "daemon: a.c:3: f: Assertion `x' failed.", "free(): invalid pointer",
])
def test_a_bad_line_is_noticed(line):
    assert WRONG.search(line)


@pytest.mark.parametrize("line", ["2026-01-01T00:00:00.1Z warning xf-libxl: error -3", "Z message x: no error here"])
def test_a_good_line_is_none(line):
    assert not WRONG.search(line)


def test_a_failure_needs_a_reason():
    result = Result(["virsh"], 1, "", "error: no domain", 0)
    with pytest.raises(TypeError):
        result.failed()  # pylint: disable=no-value-for-parameter
    with pytest.raises(AssertionError):
        result.failed("another reason")
    result.failed("no domain")


def test_a_daemon_that_has_died_fails_the_test():
    with pytest.raises(AssertionError, match="ended with status -6"):
        with SimHost("a") as host:
            os.kill(host.process.pid, signal.SIGABRT)
            host.process.wait(timeout=10)


def test_a_bad_log_fails_the_test():
    with pytest.raises(AssertionError, match="runtime error:"):
        with SimHost("a") as host:
            host.kill()
            with open(host.log_path, "a", encoding="ascii") as log:
                log.write("a.c:1:2: runtime error: shift exponent\n")
