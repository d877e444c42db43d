# SPDX-License-Identifier: LGPL-2.1-or-later
"""What a domain can be called, and who may be called so: names come from people, peers, other toolstacks and files."""

import os

import pytest

import rpc
from sim_host import MODES, domain_xml

MODE = pytest.mark.parametrize("mode", MODES)
BAD = [".", "..", "../victim", "x/y", "n" * 241, "two\nlines", "\x1b[2J", "  ", "\udcff\udcfe"]


def files(host):
    """Everything below the directory of @host's definitions, and beside it."""
    top = os.path.join(host.dir, "definitions")
    return sorted(os.path.join(where, name) for where, _, names in os.walk(top) for name in names) + os.listdir(host.dir)


def assert_stayed(a, b, files_before):
    assert a.state("g") == "running" and b.names("--all") == []
    assert len(a.domains()) == 1 and not b.domains()
    assert not a.journal() and not b.journal()
    assert files(b) == files_before
    a.assert_healthy()
    b.assert_healthy()


@MODE
def test_dname(a, b, mode):
    """Refused before anything is begun; the guest has no job afterwards and moves under a better name."""
    a.create("g", persistent=True)
    before = files(b)
    for bad in BAD:
        a.migrate("g", b, "--live", "--persistent", "--dname", bad, mode=mode).failed("--dname", "cannot be the name")
        assert_stayed(a, b, before)
    a.migrate("g", b, "--live", "--persistent", "--dname", "better", mode=mode).ok()
    assert b.state("better") == "running"
    b.restart()
    assert b.state("better") == "running"


def test_dname_of_a_careless_source(a, b):
    """The destination does not rely on its peer."""
    a.create("g", persistent=True)
    before = files(b)
    for bad in BAD:
        with rpc.Client(a.socket_path) as source, rpc.Client(b.socket_path) as destination:
            cookie, xml = source.begin(source.lookup("g"))
            with pytest.raises(rpc.RpcError) as refused:
                destination.prepare(xml, cookie, params={"destination_name": bad})
            assert "cannot be the name" in str(refused.value)
        assert_stayed(a, b, before)


def test_xml_with_a_bad_name(a):
    for bad in ("..", "x/y", "two\nlines", "n" * 241):
        path = a.write_xml(domain_xml(bad))
        a.virsh("define", path).failed("cannot be the name of a domain")
        a.virsh("create", path).failed("cannot be the name of a domain")
    assert a.names("--all") == []
