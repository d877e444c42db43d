# SPDX-License-Identifier: LGPL-2.1-or-later
"""An unsupported flag is refused before anything happens, and the error names it: no job, no guest, no port, no event,
on either side."""

import pytest

from sim_host import MODES, wait_until

UNSERVED_FLAGS = {
    "--copy-storage-all": "VIR_MIGRATE_NON_SHARED_DISK",
    "--copy-storage-inc": "VIR_MIGRATE_NON_SHARED_INC",
    "--rdma-pin-all": "VIR_MIGRATE_RDMA_PIN_ALL",
    "--postcopy": "VIR_MIGRATE_POSTCOPY",
}

UNSERVED_PARAMETERS = {
    "graphics_uri": "spice://192.0.2.1:5900",
    "disks_port": 4000,
    "bandwidth.postcopy": 4,
    "compression.mt.level": 3,
}


def assert_untouched(a, b):
    assert a.state("g") == "running"
    assert b.names("--all") == []
    assert not b.domains() and not b.listening_ports()
    assert "None" in a.virsh("domjobinfo", "g").ok().out
    # The job is free: a write works at once.
    a.virsh("suspend", "g").ok()
    a.virsh("resume", "g").ok()


@pytest.mark.parametrize("mode", MODES)
def test_unserved_flags(a, b, mode):
    a.create("g")
    for option, name in UNSERVED_FLAGS.items():
        a.migrate("g", b, "--live", option, mode=mode).failed(name, option)
        assert_untouched(a, b)


@pytest.mark.parametrize("tunnelled", [False, True])
def test_unserved_parameters(a, b, tunnelled):
    import libvirt

    a.create("g")
    connection = a.connect()
    domain = connection.lookupByName("g")
    flags = libvirt.VIR_MIGRATE_LIVE | libvirt.VIR_MIGRATE_PEER2PEER
    flags |= libvirt.VIR_MIGRATE_TUNNELLED if tunnelled else 0
    for name, value in UNSERVED_PARAMETERS.items():
        with pytest.raises(libvirt.libvirtError) as refusal:
            domain.migrateToURI3(b.uri_tcp, {name: value}, flags)
        assert name in str(refusal.value)
        assert_untouched(a, b)
    connection.close()


@pytest.mark.parametrize("bad, why", [
    ("http://192.0.2.1", "scheme 'http'"), ("tcp://", "names no host"), ("tcp://127.0.0.1:notaport", "the port"),
    ("unix:///tmp/x", "scheme 'unix'"), ("tcp://127.0.0.1:99999", "the port"),
])
def test_bad_migrate_uri(a, b, bad, why):
    a.create("g")
    a.migrate("g", b, "--live", mode="p2p", migrate_uri=bad).failed("failed in prepare", bad, why)
    assert_untouched(a, b)


@pytest.mark.parametrize("mode", MODES)
def test_xml_that_changes_the_guest(a, b, mode):
    """Another memory, number of vCPUs or uuid is another guest: refused, and the error names both values."""
    a.create("g")
    text = a.virsh("dumpxml", "g", "--migratable").ok().out
    for old, new in (("65536</memory>", "131072</memory>"), (">1</vcpu>", ">2</vcpu>")):
        assert old in text, text
        a.migrate("g", b, "--live", "--xml", a.write_xml(text.replace(old, new)), mode=mode).failed("g")
        assert_untouched(a, b)


@pytest.mark.parametrize("mode", MODES)
def test_offline_of_a_running_guest_or_without_persistent(a, b, mode):
    a.create("g")
    a.migrate("g", b, "--offline", mode=mode).failed("--offline needs --persistent")
    assert_untouched(a, b)


@pytest.mark.parametrize("mode", ["direct", "p2p"])
def test_offline_while_the_guest_runs(a, b, mode):
    """The guest could be started on both hosts: refused, and the other host gets no definition."""
    a.create("g", persistent=True)
    a.migrate("g", b, "--offline", "--persistent", mode=mode).failed("domain 'g' is running", "inactive")
    assert a.state("g") == "running" and b.state("g") is None and not b.domains()
    beats = a.heartbeats("g")
    wait_until(lambda: len(a.heartbeats("g")) > len(beats), "it runs on")


def test_read_only_client_may_look_and_no_more(a, b):
    a.create("g")
    assert a.names(uri=a.uri_ro) == ["g"]
    a.virsh("migrate", "--live", "--p2p", "g", b.uri_tcp, uri=a.uri_ro).failed("read only")
    a.virsh("destroy", "g", uri=a.uri_ro).failed("read")
    assert_untouched(a, b)
