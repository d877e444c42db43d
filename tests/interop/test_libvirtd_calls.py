# SPDX-License-Identifier: LGPL-2.1-or-later
"""Calls of libvirtd's own driver that change a running guest reach the simulator, never a hypervisor interface that
does not exist: they work, or fail with an error that names the call, and libvirtd keeps running."""

import pytest

import libvirtd_host

pytestmark = pytest.mark.skipif(bool(libvirtd_host.why_not()), reason=str(libvirtd_host.why_not()))

NIC = "<interface type='bridge'><mac address='00:16:3e:11:22:33'/><source bridge='xenbr0'/></interface>"


@pytest.fixture(name="host", scope="module")
def fixture_host():
    with libvirtd_host.LibvirtdHost("la") as host:
        host.create("g", memory_kib=32 * 1024)
        yield host


def test_memory_follows_the_balloon(host):
    host.virsh("setmem", "g", "16384", "--live").ok()
    assert "16384 KiB" in host.virsh("dominfo", "g").ok().out


def test_scheduler_keeps_what_it_is_told(host):
    host.virsh("schedinfo", "g", "--set", "weight=512").ok()
    assert "512" in host.virsh("schedinfo", "g").ok().out


def test_vcpus_are_shown_and_pinned(host):
    host.virsh("vcpuinfo", "g").ok()
    host.virsh("vcpupin", "g", "0", "0").ok()


def test_interface_comes_and_goes(host, tmp_path):
    (tmp_path / "nic.xml").write_text(NIC)
    host.virsh("attach-device", "g", str(tmp_path / "nic.xml"), "--live").ok()
    assert "00:16:3e:11:22:33" in host.virsh("dumpxml", "g").ok().out
    host.virsh("detach-device", "g", str(tmp_path / "nic.xml"), "--live").ok()
    assert "00:16:3e:11:22:33" not in host.virsh("dumpxml", "g").ok().out


def test_dump_writes_the_memory_and_the_guest_runs_on(host, tmp_path):
    host.virsh("dump", "g", str(tmp_path / "core")).ok()
    assert (tmp_path / "core").stat().st_size == 32 * 1024 * 1024
    assert host.state("g") == "running"


def test_what_is_not_simulated_fails_and_libvirtd_lives(host):
    host.virsh("dompmsuspend", "g", "mem").failed("Domain 'g' could not be suspended", "Failed to suspend domain")
    host.assert_healthy()
    assert host.state("g") == "running"
