# SPDX-License-Identifier: LGPL-2.1-or-later
"""The simulated host itself: calls that fail after having acted, domains that linger, a boot of the whole host."""

import pytest

from sim_host import SimHost, two_hosts, wait_until


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
    # One of the same name can be started meanwhile.
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
    assert host.state("auto") == "shut off"  # a restart of the daemon is no boot
    host.boot()
    wait_until(lambda: host.state("auto") == "running", "it is started by the next boot")
