# SPDX-License-Identifier: LGPL-2.1-or-later
"""xenferry check: everything that stands in the way of a migration, at once and from both hosts, without a change on
either."""

import os

import libvirt
import pytest

import libvirtd_host
import rpc
from cli import PROGRAM, xenferry, xenferry_json
from libvirtd_host import LibvirtdHost
from sim_host import SimHost, domain_xml, run, two_hosts, wait_until

MIB = 1024
CHECK_MIGRATION, CHECK_INCOMING = 4, 5


def executables(path, **texts):
    """A directory for the setting resource_dir: one executable for each text, which it fails with; "": it does not."""
    os.mkdir(path)
    for name, text in texts.items():
        file = os.path.join(path, name)
        with open(file, "w", encoding="utf-8") as out:
            out.write(f"#!/bin/sh\n[ -z '{text}' ] || {{ echo '{text}' >&2; exit 1; }}\n")
        os.chmod(file, 0o755)
    return str(path)


def texts(report, blocks=True):
    return [finding["text"] for finding in report["findings"] if finding["blocks"] == blocks]


def assert_nothing_changed(a, b, name="g"):
    assert a.state(name) == "running" and not b.domains() and not b.listening_ports()
    assert not a.journal() and not b.journal()
    assert "None" in a.virsh("domjobinfo", name).ok().out
    beats = len(a.heartbeats(name))
    wait_until(lambda: len(a.heartbeats(name)) > beats, "it runs on")


@pytest.mark.parametrize("options", [(), ("--live",), ("--live", "--tunnelled")])
def test_nothing_blocks(a, b, options):
    uuid = a.create("g")
    before = a.snapshot(), b.snapshot()
    for word in ("g", uuid, a.virsh("domid", "g").ok().out.strip()):
        result = xenferry(a, "check", *options, word, b.uri_tcp).ok()
        assert result.out.startswith(f"guest 'g' can migrate to {b.uri_tcp}"), result
    status, report = xenferry_json(a, "check", *options, "g", b.uri_tcp)
    assert status == 0 and report["can_migrate"] and texts(report) == []
    assert report["guest"] == {"name": "g", "uuid": uuid} and report["destination"] == b.uri_tcp
    assert_nothing_changed(a, b)
    a.assert_no_leak(before[0])
    b.assert_no_leak(before[1])
    a.migrate("g", b, *[word for word in options if word == "--live"]).ok()


class NamedHost(SimHost):
    """Its host name is another one than the machine's, in a namespace of its own."""

    def launch(self):
        script = os.path.join(self.dir, "named")
        with open(script, "w", encoding="utf-8") as out:
            out.write(f"#!/bin/sh\nexec unshare --uts sh -c 'hostname host-{self.name}; exec \"$0\" \"$@\"' "
                      f"{SimHost.daemon_path} \"$@\"\n")
        os.chmod(script, 0o755)
        self.daemon_path = script
        super().launch()


@pytest.mark.skipif(os.geteuid() != 0, reason="a host name of its own needs root")
def test_ten_blockers_at_once(tmp_path):
    here = executables(tmp_path / "here", tape="the tape robot is offline", key="the key is in use",
                       dongle="the licence dongle stays here", fine="")
    there = executables(tmp_path / "there", vlan="VLAN 12 is not on this host", lun="LUN 7 is not mapped here",
                        gpu="no free mediated device", clock="the clock is wrong", fine="")
    with NamedHost("a", {"resource_dir": here}, control={"shadow": 0}) as a, \
            NamedHost("b", {"resource_dir": there}, control={"memory-mib": 512 + 100}) as b:
        a.create("g", kind="pv", memory_kib=128 * MIB)
        b.define("g")
        before = a.snapshot(), b.snapshot()
        status, report = xenferry_json(a, "check", "--live", "g", b.uri_tcp)
        assert status == 1 and not report["can_migrate"]
        words = {"host-a": {"shadow paging", "tape robot", "key is in use", "dongle"},
                 "host-b": {"already exists", "28 MiB are missing", "VLAN 12", "LUN 7", "mediated device", "clock"}}
        for host, expected in words.items():
            found = [finding["text"] for finding in report["findings"] if finding["blocks"] and finding["host"] == host]
            assert len(found) == len(expected), report
            for word in expected:
                assert sum(word in text for text in found) == 1, (word, report)
        # The same as text, under the name of each host.
        result = xenferry(a, "check", "--live", "g", b.uri_tcp)
        assert result.rc == 1 and "guest 'g' cannot migrate" in result.out and "10 findings block" in result.out
        on_a, on_b = result.out.partition("on host host-a:\n")[2].split("on host host-b:\n")
        assert all(word in on_a for word in words["host-a"]) and all(word in on_b for word in words["host-b"])
        assert on_a.count("blocks") == 4 and on_b.count("blocks") == 6
        assert_nothing_changed(a, b)
        a.assert_no_leak(before[0])
        b.assert_no_leak(before[1])


def test_options_are_those_of_a_migration(a, b):
    a.create("g")
    b.define("taken")
    assert xenferry(a, "check", "--dname", "taken", "g", b.uri_tcp).rc == 1
    assert xenferry(a, "check", "--dname", "free", "g", b.uri_tcp).rc == 0
    text = a.virsh("dumpxml", "g", "--migratable").ok().out
    assert xenferry(a, "check", "--xml", a.write_xml(text), "g", b.uri_tcp).rc == 0
    changed = a.write_xml(text.replace(">1</vcpu>", ">2</vcpu>"))
    result = xenferry(a, "check", "--xml", changed, "g", b.uri_tcp)
    assert result.rc == 1 and "blocks" in result.out
    assert xenferry(a, "check", "--xml", "/nonexistent", "g", b.uri_tcp).rc == 3


def test_a_guest_that_is_being_migrated():
    with two_hosts(control={"rate-mib": 4}) as (a, b):
        a.create("g", memory_kib=32 * MIB)
        running = a.migrate_start("g", b, "--live", mode="p2p")
        wait_until(b.domains, "it is on its way")
        result = xenferry(a, "check", "--live", "g", b.uri_tcp)
        assert result.rc == 1 and "migrat" in result.out
        a.virsh("domjobabort", "g").ok()
        running.wait(timeout=30)
        assert a.state("g") == "running"


@pytest.mark.parametrize("uri, word", [
    ("xen+tcp://127.0.0.1:1/system", "127.0.0.1"), ("xen+ssh://127.0.0.1/system", "ssh"), ("qemu+tcp://127.0.0.1/system", "qemu"),
    ("no uri", "no uri"),
])
def test_a_destination_that_cannot_be_reached(a, b, uri, word):
    a.create("g")
    status, report = xenferry_json(a, "check", "g", uri)
    assert status in (1, 3)
    assert word in str(report.get("findings", report.get("error")))
    assert_nothing_changed(a, b)


def test_usage_and_what_cannot_be_checked(a, b):
    a.create("g")
    for words in ((), ("g",), ("g", b.uri_tcp, "more"), ("--nonsense", "g", b.uri_tcp)):
        assert xenferry(a, "check", *words).rc == 2
    result = xenferry(a, "check", "absent", b.uri_tcp).failed("absent")
    assert result.rc == 3
    status, report = xenferry_json(a, "check", "absent", b.uri_tcp)
    assert status == 3 and report["guest"] == {"name": "absent"} and "absent" in report["error"]
    assert run(PROGRAM, "check", "--socket", "/nonexistent", "g", b.uri_tcp).rc == 3
    assert run(PROGRAM, "check", "--socket", a.socket_path + "-ro", "g", b.uri_tcp).failed("read only").rc == 3


def test_hostile_arguments(a, b):
    """Lengths beyond the wire's, cookies that are none, and flags that nobody knows: an error, and the daemon lives."""
    a.create("g")
    with rpc.Client(b.socket_path) as client:
        for cookie, xml, flags in ((b"", "", 0), (b"<", "<domain/>", 0xffffffff), (b"\0" * 4096, domain_xml("h"), 3),
                                   (b"<libxl-migration/>\0", domain_xml("h"), 3)):
            writer = rpc.Writer().params({"destination_xml": xml}).opaque(cookie).int(flags & 0x7fffffff)
            try:
                client.call(CHECK_INCOMING, writer, program=rpc.OWN_PROGRAM)
            except rpc.RpcError as error:
                assert error.message
        writer = rpc.Writer().params({f"p{number}": number for number in range(65)}).opaque(b"").int(0)
        with pytest.raises(rpc.RpcError):
            client.call(CHECK_INCOMING, writer, program=rpc.OWN_PROGRAM)
    with rpc.Client(a.socket_path) as client:
        writer = rpc.Writer()
        writer.data += b"\x42" * 16
        writer.string(b.uri_tcp).params({}).int(3)
        with pytest.raises(rpc.RpcError):
            client.call(CHECK_MIGRATION, writer, program=rpc.OWN_PROGRAM)
    assert not b.domains() and b.names("--all") == []


@pytest.mark.skipif(libvirtd_host.why_not() is not None, reason=str(libvirtd_host.why_not()))
def test_a_libvirtd_is_not_asked():
    """It has no check: what this host finds counts, and a warning says so."""
    with SimHost("a") as a, LibvirtdHost("b") as b:
        a.create("g")
        status, report = xenferry_json(a, "check", "--live", "g", b.uri_tcp)
        assert status == 0 and report["can_migrate"]
        assert any("libvirt" in text for text in texts(report, blocks=False)), report
        assert not b.domains()


@pytest.mark.parametrize("mode", ["direct", "p2p"])
def test_best_effort_is_told_on_both_sides(tmp_path, mode):
    """What fails at the destination with best effort is in the statistics of the completed job on both hosts, and in the
    guest's messages there."""
    commit = tmp_path / "resources.d" / "port"
    commit.parent.mkdir()
    commit.write_text("#!/bin/sh\n[ $1 != commit ] || { echo 'no port for it' >&2; exit 1; }\n", encoding="ascii")
    commit.chmod(0o755)
    settings = {"resource_dir": str(commit.parent), "resources": "executable=best-effort"}
    with SimHost("a") as a, SimHost("b", settings) as b:
        a.create("g", persistent=True)
        a.migrate("g", b, "--live", "--persistent", mode=mode).ok()
        assert "no port for it" in b.virsh("dominfo", "g").ok().out
        for host in (a, b):
            stats = host.connect().lookupByName("g").jobStats(libvirt.VIR_DOMAIN_JOB_STATS_COMPLETED)
            assert "no port for it" in stats["xenferry.warnings"], (host.name, stats)
