# SPDX-License-Identifier: LGPL-2.1-or-later
"""xenferry config, and guests whose XML is made from libxl's configuration."""

import glob
import json
import os
import xml.etree.ElementTree as ElementTree

import pytest

from sim_host import PLAIN_BUILD, SOURCE, SimHost, run

XENFERRY = os.path.join(PLAIN_BUILD, "src", "cli", "xenferry")
PRELOAD = os.path.join(PLAIN_BUILD, "src", "sim", "libxenferry-sim.so")

DEVICES = """
<disk type='block' device='disk'>
  <driver name='phy' type='raw'/><source dev='/dev/null'/><target dev='xvda' bus='xen'/>
</disk>
<interface type='bridge'><mac address='00:16:3e:0a:0b:0c'/><source bridge='xenbr0'/></interface>
"""


@pytest.fixture(name="host")
def host_fixture():
    with SimHost("c") as host:
        yield host


def config(*args, host=None):
    env = dict(host.env, LD_PRELOAD=PRELOAD) if host else None
    return run(XENFERRY, "config", *args, env=env)


def test_file_needs_no_xen():
    files = glob.glob(os.path.join(SOURCE, "tests", "libxlmigdata", "domain", "*.in.xml"))
    assert files
    for path in files:
        with open(path.replace(".in.xml", ".json"), encoding="utf-8") as golden:
            assert config(path).ok().out == golden.read()


def test_wrong_usage():
    for args in ((), ("a", "b"), ("a", "--domain", "b"), ("--nonsense",)):
        assert config(*args).rc == 2
    assert run(XENFERRY).rc == 2
    assert run(XENFERRY, "nonsense").failed("no command 'nonsense'").rc == 2


def test_refused_file():
    path = os.path.join(SOURCE, "tests", "libxlmigdata", "refused", "hostdev.xml")
    assert config(path).failed("element <devices/hostdev> is not supported").rc == 1
    assert config("/nonexistent.xml").failed("nonexistent").rc == 1


def test_running_guest(host):
    uuid = host.create("g", devices=DEVICES)
    told = json.loads(config("--domain", "g", host=host).ok().out)
    assert told["c_info"]["name"] == "g" and told["c_info"]["uuid"] == uuid
    assert told["disks"][0]["vdev"] == "xvda"
    config("--domain", "nobody", host=host).failed("no domain 'nobody' runs here")


def facts(text):
    """The values by which an administrator recognises a guest."""
    root = ElementTree.fromstring(text)
    return {
        "uuid": root.findtext("uuid"),
        "memory": root.findtext("memory"),
        "vcpu": root.findtext("vcpu"),
        "type": root.findtext("os/type"),
        "kernel": root.findtext("os/kernel"),
        "disks": [(d.find("target").get("dev"), d.find("source").attrib) for d in root.iterfind("devices/disk")],
        "interfaces": [(i.find("mac").get("address"), i.find("source").get("bridge"))
                       for i in root.iterfind("devices/interface")],
    }


@pytest.mark.parametrize("kind", ["pv", "pvh", "hvm"])
def test_found_guest(host, kind):
    """The daemon finds a guest without a definition, as if xl had started it."""
    host.create("g", kind=kind, devices=DEVICES, vcpus=2)
    before = facts(host.virsh("dumpxml", "g").ok().out)
    number = host.virsh("domid", "g").ok().out
    host.stop()
    for path in glob.glob(os.path.join(host.dir, "state", "*")):
        os.remove(path)
    host.start()
    assert host.virsh("domid", "g").ok().out == number
    assert facts(host.virsh("dumpxml", "g").ok().out) == before
    host.virsh("domblklist", "g").ok()
    host.virsh("destroy", "g").ok()


# ---- definitions of libvirtd and of xenferry -----------------------------------------------------------------


def test_libvirtd_reads_the_same():
    """Debian's libvirtd accepts each definition that xenferry writes, and makes the same libxl configuration from
    it."""
    libvirtd_host = pytest.importorskip("libvirtd_host")
    if libvirtd_host.why_not():
        pytest.skip(libvirtd_host.why_not())
    files = glob.glob(os.path.join(SOURCE, "tests", "libxlmigdata", "domain", "*.out.xml"))
    assert files
    with libvirtd_host.LibvirtdHost("l") as libvirtd:
        for path in files:
            with open(path, encoding="utf-8") as text:
                name = ElementTree.fromstring(text.read()).findtext("name")
            libvirtd.virsh("define", path).ok()
            theirs = libvirtd.virsh("dumpxml", name, "--inactive", "--security-info").ok().out
            with open(path.replace(".out.xml", ".json"), encoding="utf-8") as golden:
                assert config(libvirtd.write_xml(theirs)).ok().out == golden.read(), path
