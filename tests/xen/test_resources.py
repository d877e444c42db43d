# SPDX-License-Identifier: LGPL-2.1-or-later
"""Resources of a guest that are missing at its destination, on real Xen: each is found before a byte is sent, where it
can be, and otherwise while the source can still take its guest back (docs/resources.md)."""

import contextlib
import time

import pytest

import lab_guest

RESOURCES_D = "/etc/xenferry/resources.d"


@pytest.fixture
def victim(lab, pair_of):
    """A guest with a disk and a network on the first host; each test leaves it there."""
    pair = pair_of(keep="g")
    if "g" not in pair.a.domains():
        pair.create(pair.a, "g", "pvh", disk=True, network=True)
    return pair


def renamed(bridge, name):
    """Only a device that is down can be renamed."""
    return f"ip link set {bridge} down && ip link set {bridge} name {name} && ip link set {name} up"


@contextlib.contextmanager
def changed(host, command, back):
    host.run(command).ok()
    try:
        yield
    finally:
        host.run(back).ok()


def restarts(pair):
    """How often the destination's libxl has begun a restore."""
    return pair.b.daemon_log().count("connected -> receiving")


def refused(pair, *words, mode="p2p"):
    """The migration fails in prepare, and the guest has not stopped."""
    begun = restarts(pair)
    beats = len(pair.a.beats("g"))
    done = pair.migrate(pair.a, "g", mode, True)
    assert done.status != 0, done.out
    for word in words:
        assert word in done.out, done.out
    assert restarts(pair) == begun, "the destination has begun to receive it"
    pair.runs_only_on(pair.a, "g")
    assert max(beat["gap"] for beat in lab_guest.wait_beats(pair.a, "g", since=beats)[beats:]) < 2000
    print(done.out.strip())
    return done.out


def arrives(pair):
    """It moves, and back."""
    pair.migrate(pair.a, "g", "p2p", True).ok()
    pair.runs_only_on(pair.b, "g")
    pair.migrate(pair.b, "g", "p2p", True).ok()
    pair.runs_only_on(pair.a, "g")


@pytest.mark.parametrize("mode", ["p2p", "direct"])
def test_no_bridge(victim, mode):
    with changed(victim.b, renamed("xenbr0", "elsewhere"), renamed("elsewhere", "xenbr0")):
        refused(victim, "interface:00:16:3e:77:00:10", "xenbr0", mode=mode)


def test_no_disk(victim):
    with changed(victim.b, "mv /dev/vdb /dev/vdb.away", "mv /dev/vdb.away /dev/vdb"):
        refused(victim, "disk:xvda", "/dev/vdb")


def test_no_script(victim):
    with changed(victim.b, "chmod -x /etc/xen/scripts/vif-bridge", "chmod +x /etc/xen/scripts/vif-bridge"):
        refused(victim, "interface:00:16:3e:77:00:10", "vif-bridge")


def test_all_at_once(victim):
    """Everything that is missing is named, and so it is without a migration."""
    with changed(victim.b, renamed("xenbr0", "elsewhere") + " && mv /dev/vdb /dev/vdb.away",
                 renamed("elsewhere", "xenbr0") + " && mv /dev/vdb.away /dev/vdb"):
        refused(victim, "interface:00:16:3e:77:00:10", "disk:xvda")


def test_no_memory(victim):
    """A guest on the destination has the memory that this one needs."""
    free = int(victim.b.run("xl info free_memory").ok().out.split()[0])
    victim.create(victim.b, "big", "pvh", memory=free - 60)
    try:
        refused(victim, "memory", "missing")
    finally:
        victim.virsh(victim.b, "destroy", "big").ok()


def test_script_fails(victim):
    """Xen's script is there and fails when the image has arrived: libxl's own late failure. The guest goes on at its
    source."""
    count = len(victim.a.beats("g"))
    with changed(victim.b, "cp /etc/xen/scripts/vif-bridge /tmp/vif-bridge && printf '#!/bin/sh\\nexit 1\\n' > "
                 "/etc/xen/scripts/vif-bridge", "cp /tmp/vif-bridge /etc/xen/scripts/vif-bridge"):
        done = victim.migrate(victim.a, "g", "p2p", True)
        assert done.status != 0
    victim.wait("nothing of it on the destination", lambda: not victim.b.domains())
    victim.runs_only_on(victim.a, "g")
    lab_guest.wait_beats(victim.a, "g", since=count)
    print(done.out.strip())


@pytest.fixture
def executable(victim):
    """An executable on the destination that writes down its steps; /run/fail-STEP makes it fail."""
    script = ("#!/bin/sh\n"
              "echo $1 >> /run/steps\n"
              "[ -e /run/fail-$1 ] || exit 0\n"
              "echo no port for it >&2; exit 1\n")
    victim.b.run(f"mkdir -p {RESOURCES_D}; rm -f /run/steps\ncat > {RESOURCES_D}/port <<'END'\n{script}END\n"
                 f"chmod 755 {RESOURCES_D}/port").ok()
    yield victim
    victim.b.run(f"rm -f {RESOURCES_D}/port /run/fail-*").ok()


def steps(pair):
    return pair.b.run("cat /run/steps").ok().out.split()


def test_commit_vetoes(executable):
    """The guest is restored there, and the last step refuses it: it goes on here, and everything is given back."""
    count = len(executable.a.beats("g"))
    with changed(executable.b, "touch /run/fail-commit", "rm /run/fail-commit"):
        done = executable.migrate(executable.a, "g", "p2p", True)
    assert done.status != 0 and "no port for it" in done.out, done.out
    executable.wait("nothing of it on the destination", lambda: not executable.b.domains())
    executable.runs_only_on(executable.a, "g")
    lab_guest.wait_beats(executable.a, "g", since=count)
    assert steps(executable) == ["check", "prepare", "commit", "rollback"]
    print(done.out.strip())


def test_killed_between(executable):
    """The destination's daemon dies after the commit and before the guest runs: the next one gives everything back, or
    the guest has arrived."""
    executable.b.run(f"printf '#!/bin/sh\\necho $1 >> /run/steps\\n[ $1 != commit ] || kill -9 $(cat /run/xenferryd.pid)\\n' "
                     f"> {RESOURCES_D}/port").ok()
    virsh = executable.migrate_start(executable.a, "g", "p2p", True)
    executable.wait("it is dead", lambda: executable.b.run("kill -0 $(cat /run/xenferryd.pid) 2>/dev/null").status != 0, 90)
    executable.b.run(f"printf '#!/bin/sh\\necho $1 >> /run/steps\\n' > {RESOURCES_D}/port").ok()
    executable.b.start_daemon()
    virsh.communicate(timeout=120)
    executable.wait("one copy", lambda: len([1 for host in (executable.a, executable.b) if "g" in host.domains()]) == 1, 90)
    there = "g" in executable.b.domains()
    executable.wait("its end is written", lambda: steps(executable)[-1] == ("commit" if there else "rollback"), 60)
    print("runs on", "b" if there else "a", steps(executable))
    if there:
        time.sleep(1)
        executable.migrate(executable.b, "g", "p2p", True).ok()
    executable.runs_only_on(executable.a, "g")


def test_moves_afterwards(executable):
    arrives(executable)
    assert steps(executable) == ["check", "prepare", "commit"] + ["check"] * (len(steps(executable)) - 3)
