# SPDX-License-Identifier: LGPL-2.1-or-later
"""The peer is Debian's libvirtd with its libxl driver, on the same simulator (preloaded). Guests are migrated to it and
from it, and between two libvirtds, which shows that the peer itself works."""

import os
import shutil

import pytest

from sim_host import MODES, SimHost, assert_heartbeat, assert_same_memory, wait_until

libvirtd_host = pytest.importorskip("libvirtd_host", reason="the preloaded libvirtd is not built")

MODE = pytest.mark.parametrize("mode", MODES)


def why_not():
    if not shutil.which("libvirtd"):
        return "libvirtd is not installed (scripts/packages --install)"
    if os.geteuid() != 0:
        return "libvirtd's libxl driver needs root"
    return libvirtd_host.why_not()


pytestmark = pytest.mark.skipif(bool(why_not()), reason=str(why_not()))


def moves(source, destination, mode, *options):
    source.create("g")
    wait_until(lambda: len(source.heartbeats("g")) >= 2, "beats")
    source.migrate("g", destination, "--live", *options, mode=mode).ok()
    assert destination.state("g") == "running"
    assert source.state("g") in (None, "shut off")
    assert_same_memory("g", source, destination)
    assert_heartbeat("g", source, destination)


@MODE
def test_libvirtd_to_libvirtd(mode):
    with libvirtd_host.LibvirtdHost("la") as a, libvirtd_host.LibvirtdHost("lb") as b:
        moves(a, b, mode)


@MODE
def test_xenferry_to_libvirtd(mode):
    with SimHost("a") as a, libvirtd_host.LibvirtdHost("lb") as b:
        moves(a, b, mode)


@MODE
def test_libvirtd_to_xenferry(mode):
    with libvirtd_host.LibvirtdHost("la") as a, SimHost("b") as b:
        moves(a, b, mode)


@MODE
def test_and_back(mode):
    """xenferry to libvirtd and back: the guest is unchanged."""
    with SimHost("a") as a, libvirtd_host.LibvirtdHost("lb") as b:
        moves(a, b, mode)
        b.migrate("g", a, "--live", mode=mode).ok()
        assert a.state("g") == "running"
        assert b.state("g") in (None, "shut off")


@MODE
def test_refused_by_libvirtd_leaves_all_as_it_was(mode):
    """A guest with that name runs there: prepare is refused, and the guest here keeps running and can be migrated."""
    with SimHost("a") as a, libvirtd_host.LibvirtdHost("lb") as b:
        a.create("g")
        b.create("g")
        a.migrate("g", b, "--live", mode=mode).failed("g")
        assert a.state("g") == "running"
        a.virsh("suspend", "g").ok()
        a.virsh("resume", "g").ok()
        b.virsh("destroy", "g").ok()
        a.migrate("g", b, "--live", mode=mode).ok()
        assert b.state("g") == "running"


@MODE
def test_libvirtd_gets_nothing_it_does_not_know(mode):
    """Flags that only xenferry supports are not passed on to a libvirtd."""
    with SimHost("a") as a, libvirtd_host.LibvirtdHost("lb") as b:
        a.create("g")
        if mode == "direct":
            pytest.skip("in managed mode the client itself passes its flags on")
        a.migrate("g", b, "--live", "--abort-on-error", "--unsafe", "--bandwidth", "500", mode=mode).ok()
        assert b.state("g") == "running"
