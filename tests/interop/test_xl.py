#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Guests that Debian's own xl starts, while xenferryd runs: xl is linked with libxenlight, so it runs on the simulated
host through the same preloaded library as libvirtd."""

import html
import json
import os
import signal
import re
import shutil
import subprocess
import time

import pytest

import libvirtd_host
import rpc
from sim_host import SimHost, assert_heartbeat, two_hosts, wait_until

XL = "/usr/lib/xen-4.17/bin/xl"
BUILD = os.environ.get("XF_PLAIN_BUILD") or os.environ["XF_BUILD"]
PRELOAD = os.path.join(BUILD, "src/sim/libxenferry-sim.so")

# Domain XML has no event_channels, max_grant_frames or cap of the scheduler.
CONFIG = """
name = "x"
uuid = "7a4f7f36-9bd7-4d19-9a4c-3f3f1a1f4f11"
type = "{type}"
memory = 16
vcpus = 2
kernel = "/bin/sh"
event_channels = 321
max_grant_frames = 77
cap = 50
vif = [ "bridge=xenbr0,mac=00:16:3e:00:00:77,rate=1Mb/s" ]
disk = [ "format=raw, vdev=xvda, access=rw, discard, target=/dev/vdb" ]
"""
MODE = pytest.mark.parametrize("mode", ["direct", "p2p", "tunnelled"])


def xl(host, *words):
    done = subprocess.run([XL, *words], env=dict(host.env, LD_PRELOAD=PRELOAD), stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=30, check=False)
    assert done.returncode == 0, (words, done.stderr)
    return done.stdout


def start(host, *options, kind="pvh", name="x", shown=None):
    path = os.path.join(host.dir, f"{shown or name}.cfg")
    with open(path, "w", encoding="utf-8") as out:
        out.write(CONFIG.format(type=kind).replace('"x"', f'"{name}"'))
    xl(host, "create", "-e", *options, path)


def create(host, *options, shown=None, name="x", **how):
    start(host, *options, shown=shown, name=name, **how)
    if "-p" not in options:
        seen(host, shown or name)


def seen(host, name):
    wait_until(lambda: name in host.names(), f"{name} is seen on {host.name}")


def exact(host):
    """libxl's configuration of the only guest, without values of the host."""
    listed = json.loads(xl(host, "list", "-l"))
    assert len(listed) == 1, listed
    config = listed[0]["config"]
    for nic in config.get("nics", []):
        nic.pop("devid", None)
    return config


def not_libvirtd():
    if not shutil.which("libvirtd"):
        return "libvirtd is not installed (scripts/packages --install)"
    if os.geteuid() != 0:
        return "libvirtd's libxl driver needs root"
    return libvirtd_host.why_not()


@pytest.fixture
def hosts():
    # The disks of these configurations exist on no host.
    with two_hosts({"resources": "disk=ignore"}) as (a, b):
        yield a, b


def migrate(source, target, name, mode, *options):
    words = [] if mode == "direct" else ["--p2p"] + (["--tunnelled"] if mode == "tunnelled" else [])
    return source.virsh("migrate", "--live", *words, *options, name, target.uri)


@MODE
@pytest.mark.parametrize("kind", ["pv", "pvh", "hvm"])
def test_moves_with_all_that_xl_said(hosts, mode, kind):
    a, b = hosts
    create(a, kind=kind)
    before = exact(a)
    assert before["b_info"]["max_grant_frames"] == 77
    migrate(a, b, "x", mode).ok()
    assert exact(b) == before
    assert json.loads(xl(a, "list", "-l")) == []
    assert_heartbeat("x", a, b)


def test_back_and_forth_and_on_with_xl(hosts):
    a, b = hosts
    create(a)
    before = exact(a)
    migrate(a, b, "x", "direct").ok()
    migrate(b, a, "x", "p2p").ok()
    assert exact(a) == before
    xl(a, "pause", "x")
    wait_until(lambda: a.virsh("domstate", "x").ok().out.strip() in ("paused", "running"), "x is still known")
    xl(a, "unpause", "x")
    xl(a, "destroy", "x")
    wait_until(lambda: "x" not in a.names(), "xl's destroy is seen")


def test_restarts_as_libxl_knows_it(hosts):
    """Devices attached at run time, and values that XML does not have, survive a reboot of the guest, also
    elsewhere."""
    a, b = hosts
    create(a)
    xl(a, "block-attach", "x", "/dev/vdz,raw,xvdz,rw")
    before = exact(a)
    assert [disk["vdev"] for disk in before["disks"]][-1] == "xvdz"
    migrate(a, b, "x", "direct", "--persistent").ok()
    for _ in range(2):
        domid = b.domains()[0]["domid"]
        b.sim("reboot", "x")
        wait_until(lambda: [d for d in b.domains() if d["domid"] != domid and d["state"] == "running"], "x runs again")
        assert exact(b) == before


def test_new_name_and_changed_disk(hosts):
    """What the user changes is changed; the rest stays exact."""
    a, b = hosts
    create(a)
    before = exact(a)
    xml = a.virsh("dumpxml", "--migratable", "x").ok().out
    assert "/dev/vdb" in xml
    path = os.path.join(a.dir, "changed.xml")
    with open(path, "w", encoding="utf-8") as out:
        out.write(xml.replace("/dev/vdb", "/dev/vdc"))
    migrate(a, b, "x", "direct", "--xml", path, "--dname", "y").ok()
    after = exact(b)
    assert after["c_info"]["name"] == "y" and after["disks"][0]["pdev_path"] == "/dev/vdc"
    after["c_info"]["name"], after["disks"][0]["pdev_path"] = "x", "/dev/vdb"
    assert after == before


def test_paused_by_xl_create_p(hosts):
    """A domain that is being built is also paused: it is listed only after its toolstack has built it."""
    a, _ = hosts
    create(a, "-p")
    assert "x" not in a.names()
    wait_until(lambda: "x" in a.names(), "x is seen, paused", timeout=20)
    assert a.virsh("domstate", "x").ok().out.strip() == "paused"


def test_seen_again_after_a_restart(hosts):
    a, b = hosts
    create(a)
    before = exact(a)
    a.restart()
    assert "x" in a.names()
    migrate(a, b, "x", "direct").ok()
    assert exact(b) == before


def test_ended_guest_is_xls_first(hosts):
    """Without a process of xl for it (xl create -e) the daemon removes it after a while."""
    a, _ = hosts
    create(a)
    a.sim("shutdown", "x")
    wait_until(lambda: "x" not in a.names(), "the ended guest is removed")
    assert json.loads(xl(a, "list", "-l")) == []


def test_defined_guest_started_by_xl(hosts):
    """It has the name and uuid of a definition, so it is that guest."""
    a, _ = hosts
    create(a)
    path = os.path.join(a.dir, "x.xml")
    with open(path, "w", encoding="utf-8") as out:
        out.write(a.virsh("dumpxml", "x").ok().out)
    a.virsh("define", path).ok()
    xl(a, "destroy", "x")
    wait_until(lambda: a.virsh("domstate", "x").ok().out.strip() == "shut off", "x is off")
    create(a)
    wait_until(lambda: a.virsh("domstate", "x").ok().out.strip() == "running", "x runs")
    a.virsh("destroy", "x").ok()
    assert a.virsh("domstate", "x").ok().out.strip() == "shut off"


def test_guest_of_virsh_lives_on_with_xl(hosts):
    a, b = hosts
    a.create("g")
    before = exact(a)
    migrate(a, b, "g", "direct").ok()
    assert exact(b) == before
    xl(b, "destroy", "g")
    wait_until(lambda: "g" not in b.names(), "xl's destroy is seen")


def test_a_name_that_is_none_here(hosts):
    """xl accepts names that a definition cannot have: the guest is listed by its uuid, and can be migrated."""
    a, b = hosts
    uuid = "7a4f7f36-9bd7-4d19-9a4c-3f3f1a1f4f11"
    create(a, name="../two\\nlines", shown=uuid)
    assert "cannot be a name here" in a.log()
    assert "\\n" in [line for line in a.log().splitlines() if "cannot be a name here" in line][0]
    a.restart()
    assert a.names() == [uuid]
    migrate(a, b, uuid, "p2p", "--persistent").ok()
    assert b.names() == [uuid] and not a.domains()
    assert [name for name in os.listdir(os.path.join(b.dir, "definitions")) if name.endswith(".xml")] == [f"{uuid}.xml"]


def begun(host, name):
    """Begin's cookie and XML of a managed migration, which then ends."""
    with rpc.Client(host.socket_path) as client:
        domain = client.lookup(name)
        cookie, xml = client.begin(domain)
        client.confirm(domain, cookie, cancelled=1)
        return cookie.decode().rstrip("\0"), xml


@pytest.mark.parametrize("kind", ["pv", "pvh", "hvm"])
def test_what_this_libxl_does_not_know(hosts, kind):
    """Keys of a newer libxl: refused with their paths if they have an effect, ignored if they do not."""
    a, b = hosts
    create(a, kind=kind)
    for added, paths in (({}, []), ({"vlan": 0, "trunks": [], "rate": ""}, []), ({"vlan": 10}, ["nics[0].vlan"]),
                         ({"vlan": "10", "trunks": [1]}, ["nics[0].vlan", "nics[0].trunks"])):
        cookie, xml = begun(a, "x")
        (text,) = re.findall(r"<xenferry:config>(.*?)</xenferry:config>", cookie, re.DOTALL)
        config = json.loads(html.unescape(text))
        config["nics"][0].update(added)
        changed = cookie.replace(text, html.escape(json.dumps(config))).encode() + b"\0"
        with rpc.Client(b.socket_path) as client:
            if paths:
                with pytest.raises(rpc.RpcError) as refused:
                    client.prepare(xml, changed)
                assert all(path in str(refused.value) for path in paths), refused.value
                assert "'x'" in str(refused.value)
            else:
                client.prepare(xml, changed)
        wait_until(lambda: all(entry["final"] for entry in b.journal()), "it is given up")
    assert a.names() == ["x"]
    wait_until(lambda: not b.domains() and not b.names("--all"), "nothing is left there")


@pytest.mark.skipif(bool(not_libvirtd()), reason=str(not_libvirtd()))
@MODE
def test_what_a_libvirtd_is_not_told(mode):
    """Domain XML has no cap of the scheduler: refused before the guest is touched, unless the user accepts the loss."""
    with SimHost("a") as a, libvirtd_host.LibvirtdHost("lb") as b:
        create(a)
        migrate(a, b, "x", mode).failed("its scheduler's cap", "--unsafe")
        assert a.state("x") == "running" and not b.names("--all")
        wait_until(lambda: not b.domains(), "nothing is left there")
        assert not a.traced("suspend")
        if mode == "direct":
            return
        migrate(a, b, "x", mode, "--unsafe").ok()
        assert b.state("x") == "running" and not a.domains()
        assert "its scheduler's cap" in a.log()
        assert a.traced("suspend")


def test_paused_and_renamed_by_xl(hosts):
    """The daemon follows what xl does to a guest of virsh, and virsh acts on the state in Xen."""
    a, b = hosts
    a.create("g", persistent=True)
    xl(a, "pause", "g")
    a.virsh("resume", "g").ok()
    wait_until(lambda: "state=running" in a.sim("list"), "resume has resumed it")
    xl(a, "pause", "g")
    wait_until(lambda: a.state("g") == "paused", "xl's pause is seen")
    xl(a, "unpause", "g")
    wait_until(lambda: a.state("g") == "running", "xl's unpause is seen")
    xl(a, "rename", "g", "h")
    wait_until(lambda: a.names("--all") == ["h"], "xl's new name is seen")
    xl(a, "pause", "h")
    migrate(a, b, "h", "p2p").ok()
    assert b.state("h") == "paused"


@pytest.mark.parametrize("how, reason", [("destroy", "another toolstack has destroyed"), ("crash", "has crashed")])
def test_ended_before_it_is_prepared(hosts, how, reason):
    """Peer to peer the destination may take long to answer prepare: the source stops waiting when the guest has
    ended."""
    a, b = hosts
    a.create("g")
    os.kill(b.process.pid, signal.SIGSTOP)
    moving = a.migrate_start("g", b, "--live", mode="p2p")
    wait_until(lambda: "begun, to" in a.log(), "it has begun")
    if how == "destroy":
        xl(a, "destroy", "g")
    else:
        a.sim(how, "g")
    _, err = moving.communicate(timeout=8)
    os.kill(b.process.pid, signal.SIGCONT)
    assert reason in err, err
    assert not a.journal()
    a.create("h")
    migrate(a, b, "h", "p2p").ok()


@MODE
@pytest.mark.parametrize("before", ["running", "paused"])
def test_paused_and_unpaused_by_xl_while_it_is_sent(hosts, mode, before):
    """It arrives in the state in which it was suspended. Resume fails while it has no effect."""
    a, b = hosts
    a.control(rate_mib=20)
    a.create("g")
    if before == "paused":
        a.virsh("suspend", "g").ok()
    moving = a.migrate_start("g", b, "--live", mode=mode)
    wait_until(lambda: "connecting -> sending" in a.log(), "it is being sent")
    xl(a, "pause" if before == "running" else "unpause", "g")
    if before == "running":
        a.virsh("resume", "g").failed("being migrated")
    out, err = moving.communicate(timeout=60)
    assert moving.returncode == 0, err
    assert b.state("g") == ("paused" if before == "running" else "running")
    assert not a.domains()


@MODE
def test_paused_by_xl_and_sent_in_vain(hosts, mode):
    """After a failed migration the state is the same, too."""
    a, b = hosts
    a.control(rate_mib=20)
    b.control(fail="restore-last-record")
    a.create("g")
    moving = a.migrate_start("g", b, "--live", mode=mode)
    wait_until(lambda: "connecting -> sending" in a.log(), "it is being sent")
    xl(a, "pause", "g")
    moving.communicate(timeout=60)
    assert moving.returncode != 0
    wait_until(lambda: not a.journal(), "it is over")
    assert a.state("g") == "paused" and "state=running" not in a.sim("list")
    a.virsh("resume", "g").ok()
    assert a.state("g") == "running" and not b.domains()


def test_name_that_is_free_again(hosts):
    """A guest of xl whose name another guest has here is listed once that name is free."""
    a, _ = hosts
    a.define("x")
    start(a)
    wait_until(lambda: "is left alone" in a.log(), "the clash is told")
    assert a.state("x") == "shut off"
    a.virsh("undefine", "x").ok()
    wait_until(lambda: "x" in a.names() and a.state("x") == "running", "xl's guest is seen")


@pytest.mark.parametrize("how, reason", [("destroy", "another toolstack has destroyed"), ("shutdown", "shut itself down"),
                                         ("reboot", "rebooted itself"), ("crash", "has crashed")])
def test_ended_while_it_is_sent(hosts, how, reason):
    """The migration fails at once with the reason; then the action of the definition follows."""
    a, b = hosts
    a.control(rate_mib=1)
    a.create("g")
    moving = a.migrate_start("g", b, "--live", mode="p2p")
    wait_until(lambda: "sending" in a.log(), "it is being sent")
    begun = time.monotonic()
    if how == "destroy":
        xl(a, "destroy", "g")
    else:
        a.sim(how, "g")
    _, err = moving.communicate(timeout=20)
    print(f"told after {time.monotonic() - begun:.2f} s")
    assert reason in err, err
    assert moving.returncode != 0
    if how == "reboot":
        wait_until(lambda: a.names() == ["g"] and a.state("g") == "running", "it has been started again")
    else:
        wait_until(lambda: "g" not in a.names(), "its end is handled")
    assert not b.domains()
