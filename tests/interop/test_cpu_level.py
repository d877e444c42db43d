# SPDX-License-Identifier: LGPL-2.1-or-later
"""CPU features: a host that lacks what a guest may see refuses it before a byte is sent, and xenferry cpu-level prints
the <cpu> with which a guest moves between all hosts."""

import pytest

from cli import xenferry
from sim_host import SimHost, domain_xml

# The default host, and one without AVX-512 and without RDRAND.
OLD = "bfebfbff-37fef3ff-2c100800-00000121-0000000f-219c07ab-00405f4e-00000100"


@pytest.fixture
def old_and_new():
    with SimHost("old", control={"hw_cap": OLD}) as old, SimHost("new") as new:
        yield old, new


def test_missing_feature(old_and_new):
    old, new = old_and_new
    new.create("g")
    result = new.migrate("g", old, "--live")
    assert result.rc != 0 and "rdrand" in result.err, result
    assert "cpu" in result.err and not old.domains()
    assert new.state("g") == "running"
    # A guest of the older host sees less: it moves to the newer one, and back.
    new.virsh("destroy", "g").ok()
    old.create("g")
    old.migrate("g", new, "--live").ok()
    new.migrate("g", old, "--live").ok()
    assert old.state("g") == "running"


def test_level(old_and_new):
    old, new = old_and_new
    cpu = xenferry(new, "cpu-level", old.uri_tcp).ok().out
    assert cpu.startswith("<cpu mode='host-passthrough'") and "name='rdrand'" in cpu, cpu
    # The same from the other host; alone, nothing is to be turned off.
    assert sorted(xenferry(old, "cpu-level", new.uri_tcp).ok().out.splitlines()) == sorted(cpu.splitlines())
    assert "rdrand" not in xenferry(new, "cpu-level").ok().out
    raw = xenferry(new, "cpu-level", "--raw", old.uri_tcp).ok().out
    assert raw.startswith("bfebfbff-37fef3ff-"), raw

    xml = domain_xml("g").replace("<devices>", cpu + "<devices>", 1)
    new.virsh("create", new.write_xml(xml, "g")).ok()
    new.migrate("g", old, "--live").ok()
    old.migrate("g", new, "--live").ok()
    assert new.state("g") == "running"


def test_errors(old_and_new):
    _, new = old_and_new
    result = xenferry(new, "cpu-level", "xen+tcp://127.0.0.1:1/system")
    assert result.rc == 1 and "xen+tcp://127.0.0.1:1/system" in result.err, result
    assert xenferry(new, "cpu-level", "--what").rc == 2
