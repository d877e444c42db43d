# SPDX-License-Identifier: LGPL-2.1-or-later
"""A guest on real Xen through virsh: events, ends, console, devices, services that a host lacks."""

import os
import pty
import re
import select
import time

import lab_guest


def watch(pair, host):
    """All lifecycle events of @host, as virsh prints them. Returns a function that ends virsh and returns the text."""
    process = pair.virsh_start(host, "event", "--event", "lifecycle", "--loop", "--timeout", "60")
    time.sleep(0.5)

    def end():
        process.terminate()
        return process.communicate()[0]

    return end


def test_life(pair):
    a = pair.a
    events = watch(pair, a)
    pair.create(a, "g", "pvh", network=True)
    info = pair.virsh(a, "dominfo", "g").ok().out
    assert re.search(r"State:\s+(running|idle|blocked)", info) and "131072 KiB" in info, info
    live = pair.virsh(a, "dumpxml", "g").ok().out
    assert re.search(r"<domain type='xen' id='\d+'", live) and "tty='/dev/pts/" in live, live
    # The vif is on the bridge, where Xen's own script has put it.
    a.run(f"ping -c 2 -W 5 {lab_guest.BRIDGE_ADDRESS}").ok()
    pair.virsh(a, "suspend", "g").ok()
    count = len(a.beats("g"))
    time.sleep(1)
    assert len(a.beats("g")) <= count + 1
    pair.virsh(a, "resume", "g").ok()
    lab_guest.wait_beats(a, "g", since=count + 1)
    pair.virsh(a, "destroy", "g").ok()
    assert a.domains() == {}
    said = events()
    for word in ("Started Booted", "Suspended Paused", "Resumed Unpaused", "Stopped Destroyed"):
        assert word in said, said


def test_ends_of_its_own(pair):
    """The daemon notices ends by the guest and by other toolstacks: destroyed by xl, crashed, restarted meanwhile."""
    a = pair.a
    events = watch(pair, a)
    pair.create(a, "g", "pvh")
    a.kill_daemon()
    a.start_daemon()
    assert "g" in pair.virsh(a, "list", "--name").ok().out
    a.run("xl destroy g").ok()
    pair.wait("the end is seen", lambda: "g" not in pair.virsh(a, "list", "--all", "--name").ok().out)
    events()
    events = watch(pair, a)
    # More memory than the guest has: its kernel panics.
    path = os.path.join(pair.lab.dir, "h.xml")
    with open(path, "w", encoding="utf-8") as out:
        out.write(lab_guest.xml("h", "pvh", mb=120))
    pair.virsh(a, "create", path).ok()
    pair.wait("the crash is seen", lambda: "crashed" in pair.virsh(a, "domstate", "h").out, 90)
    pair.virsh(a, "destroy", "h").ok()
    said = events()
    assert "Stopped Destroyed" in said, said


def test_shutdown_and_reboot(pair):
    a = pair.a
    events = watch(pair, a)
    pair.create(a, "g", "pvh")
    (domid, _), count = a.domains()["g"], len(a.beats("g"))
    pair.virsh(a, "reboot", "g").ok()
    pair.wait("another domain of that name", lambda: a.domains().get("g", (domid, ""))[0] != domid, 60)
    lab_guest.wait_beats(a, "g", since=count)
    pair.virsh(a, "shutdown", "g").ok()
    pair.wait("the guest is off", lambda: "g" not in a.domains(), 60)
    assert "g" not in pair.virsh(a, "list", "--all", "--name").ok().out.split()
    assert "Stopped Shutdown" in events()


def test_deaf_guest_and_shutdown(pair):
    """A guest that ignores shutdown keeps running; no call hangs meanwhile."""
    pair.create(pair.a, "g", "pvh", deaf=1)
    asked = pair.virsh_start(pair.a, "shutdown", "g")
    began = time.monotonic()
    pair.virsh(pair.a, "list").ok()
    assert time.monotonic() - began < 2
    pair.runs_only_on(pair.a, "g")
    pair.virsh(pair.a, "destroy", "g").ok()
    asked.communicate(timeout=90)


def test_defined_and_started(pair):
    a = pair.a
    path = os.path.join(pair.lab.dir, "d.xml")
    with open(path, "w", encoding="utf-8") as out:
        out.write(lab_guest.xml("d", "pv", disk=True))
    pair.virsh(a, "define", path).ok()
    pair.virsh(a, "start", "d").ok()
    lab_guest.wait_beats(a, "d")
    pair.migrate(a, "d", "p2p", False, "--persistent", "--undefinesource").ok()
    assert "d" not in pair.virsh(a, "list", "--all", "--name").ok().out.split()
    pair.virsh(pair.b, "destroy", "d").ok()
    assert "shut off" in pair.virsh(pair.b, "domstate", "d").ok().out
    pair.virsh(pair.b, "undefine", "d").ok()


def test_console(pair):
    pair.create(pair.a, "g", "pvh")
    pid, fd = pty.fork()
    if pid == 0:
        os.execvp("virsh", ["virsh", "-c", pair.a.uri, "console", "g"])
    said, end = b"", time.monotonic() + 30
    while said.count(b"XF g n=") < 3 and time.monotonic() < end:
        if select.select([fd], [], [], 1)[0]:
            said += os.read(fd, 4096)
    os.close(fd)
    os.waitpid(pid, 0)
    assert said.count(b"XF g n=") >= 3, said


def test_no_xenstored(pair):
    """On a host without Xen's services the daemon reports that and ends."""
    said = pair.b.run("cp /run/xenferryd.pid /tmp/pid; mv /run/xenstored /run/xenstored.away; "
                      "mount --bind /tmp /proc/xen 2>/dev/null; mv /dev/xen/xenbus /dev/xen/xenbus.away; "
                      "sed s/listen_tcp.*/listen_tcp=no/ /etc/xenferry/xenferryd.conf >/tmp/other.conf; "
                      "echo 'unix_sock = /tmp/other.sock\nlegacy_sockets = no\nstate_dir = /tmp/other' >>/tmp/other.conf; "
                      "timeout 10 xenferryd --config /tmp/other.conf; status=$?; "
                      "mv /dev/xen/xenbus.away /dev/xen/xenbus; mv /run/xenstored.away /run/xenstored; "
                      "umount /proc/xen; exit $status")
    assert said.status not in (0, 124), said.out
    assert "cannot reach Xen" in said.out and "xenstored" in said.out, said.out


def test_no_device_model(pair):
    """An HVM guest on a host without QEMU: the error says so, and nothing is left."""
    host = pair.b
    host.run("mv /usr/libexec/xen-qemu-system-i386 /usr/libexec/away").ok()
    try:
        path = os.path.join(pair.lab.dir, "q.xml")
        with open(path, "w", encoding="utf-8") as out:
            out.write(lab_guest.xml("q", "hvm"))
        pair.virsh(host, "create", path).failed("cannot start domain 'q'", "device model")
        assert host.domains() == {}
    finally:
        host.run("mv /usr/libexec/away /usr/libexec/xen-qemu-system-i386").ok()


def test_no_xenconsoled(pair):
    """libxl waits for a console without success; the error names xenconsoled."""
    host = pair.b
    host.run("kill $(cat /run/xenconsoled.pid); sleep 0.5").ok()
    try:
        path = os.path.join(pair.lab.dir, "n.xml")
        with open(path, "w", encoding="utf-8") as out:
            out.write(lab_guest.xml("n", "pvh"))
        pair.virsh(host, "create", path, timeout=90).failed("cannot start domain 'n'", "is xenconsoled running")
        assert host.domains() == {}
    finally:
        host.destroy_all()
        host.run("xenconsoled --log=all --log-dir=/out/console --pid-file /run/xenconsoled.pid").ok()
