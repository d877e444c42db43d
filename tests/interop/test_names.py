# SPDX-License-Identifier: LGPL-2.1-or-later
"""The name of a domain, and who may use it: names are given by users, peers, other toolstacks and files."""

import os

import pytest

import rpc
from sim_host import MODES, domain_xml

MODE = pytest.mark.parametrize("mode", MODES)
BAD = [".", "..", "../victim", "x/y", "n" * 241, "two\nlines", "\x1b[2J", "  ", "\udcff\udcfe"]


def files(host):
    """All files below the directory of @host's definitions, and beside it."""
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
    """An invalid name is refused before the migration begins; then the guest has no job and can be migrated."""
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
    """The destination checks its peer's name."""
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


REFUSED = "<domain type='kvm'>\n  <name>theirs</name>\n  <uuid>11111111-2222-3333-4444-555555555555</uuid>\n</domain>\n"


def test_what_others_wrote_stays(a, b):
    """virsh's view of a definition that is not served, while other guests are used."""
    path = os.path.join(b.dir, "definitions", "theirs.xml")
    with open(path, "w", encoding="utf-8") as out:
        out.write(REFUSED)
    b.restart()
    assert b.state("theirs") == "shut off"
    assert "is not 'xen'" in b.virsh("dominfo", "theirs").ok().out
    assert "type='kvm'" in b.virsh("dumpxml", "theirs").ok().out
    for words in (["domstats", "theirs"], ["vcpucount", "theirs"], ["domblklist", "theirs"], ["domiflist", "theirs"]):
        b.virsh(*words).ok()
    b.virsh("start", "theirs").failed("is not 'xen'", "virsh undefine")
    b.virsh("define", b.write_xml(domain_xml("theirs"))).failed("is not 'xen'")
    b.virsh("migrate", "--offline", "--persistent", "theirs", a.uri_tcp).failed("is not 'xen'")
    a.create("theirs", persistent=True)
    a.create("g", persistent=True)
    a.migrate("theirs", b, "--live", "--persistent").failed("already exists", "is not 'xen'")
    a.migrate("g", b, "--live", "--persistent", "--dname", "theirs").failed("is not 'xen'")
    a.migrate("g", b, "--live", "--persistent", mode="p2p").ok()
    b.virsh("destroy", "g").ok()
    b.virsh("undefine", "g").ok()
    b.restart()
    with open(path, encoding="utf-8") as now:
        assert now.read() == REFUSED
    b.virsh("undefine", "theirs").ok()
    assert not os.path.exists(path) and a.state("theirs") == "running"
