# SPDX-License-Identifier: LGPL-2.1-or-later
"""The administrator's scripts under whole daemons: what virsh says of a refusal, commands while a script runs, and
daemons that are killed or ended while one runs. Afterwards the guest has one domain or none, and can be used."""

import os

import pytest

from sim_host import wait_until

SCRIPT = """#!/bin/sh
cd "$(dirname "$0")/.." || exit 99
echo "$*" >> calls
cat > "xml-$2"
echo $$ > "held-$2"
while [ -e "hold-$2" ]; do sleep 0.02; done
[ -e "fail-$2" ] && { cat "fail-$2" >&2; exit 7; }
exit 0
"""
STARTS = ["g prepare begin -", "g start begin -", "g started begin -"]
ENDS = ["g stopped end -", "g release end -"]
REBOOT = "<on_reboot>restart</on_reboot>"


def path(host, *names):
    return os.path.join(host.dir, *names)


def write(host, name, text=""):
    with open(path(host, name), "w", encoding="utf-8") as out:
        out.write(text)


def install(host, script=SCRIPT):
    os.makedirs(path(host, "hooks"), exist_ok=True)
    write(host, "hooks/libxl", script)
    os.chmod(path(host, "hooks/libxl"), 0o700)


def take_calls(host):
    """The calls so far; forgets them."""
    with open(path(host, "calls"), encoding="utf-8") as file:
        calls = file.read().splitlines()
    os.remove(path(host, "calls"))
    return calls


def hold(host, operation):
    if os.path.exists(path(host, f"held-{operation}")):
        os.remove(path(host, f"held-{operation}"))
    write(host, f"hold-{operation}")


def wait_held(host, operation):
    wait_until(lambda: os.path.exists(path(host, f"held-{operation}")), f"the script of {operation} runs")


def let_go(host, operation):
    os.remove(path(host, f"hold-{operation}"))


def assert_is(host, state, domains):
    assert host.state("g") == state
    assert len(host.domains()) == domains
    host.assert_healthy()


def test_arguments(a):
    install(a)
    a.create("g", persistent=True)
    assert take_calls(a) == STARTS
    a.virsh("destroy", "g").ok()
    assert take_calls(a) == ENDS
    a.virsh("start", "g").ok()
    assert take_calls(a) == STARTS
    a.restart()
    wait_until(lambda: os.path.exists(path(a, "calls")), "reconnect is called")
    assert take_calls(a) == ["g reconnect begin -"]


def test_refusal(a):
    install(a)
    a.define("g")
    write(a, "fail-prepare", "bridge br7 does not exist\n")
    a.virsh("start", "g").failed("Hook script execution failed", "hook 'prepare' of domain 'g'", "exit status 7",
                                 "bridge br7 does not exist")
    assert_is(a, "shut off", 0)
    os.remove(path(a, "fail-prepare"))
    a.virsh("start", "g").ok()
    assert_is(a, "running", 1)


def test_commands_meanwhile(a, b):
    """A second start, a destroy and a migration while a script runs; other guests are served."""
    install(a)
    a.define("g")
    hold(a, "prepare")
    start = a.virsh_start("start", "g")
    wait_held(a, "prepare")
    a.virsh("start", "g").failed("is being started")
    a.virsh("list", "--all").ok()
    let_go(a, "prepare")
    assert start.wait(timeout=20) == 0
    a.virsh("destroy", "g").ok()
    hold(a, "started")
    start = a.virsh_start("start", "g")
    wait_held(a, "started")
    a.migrate("g", b, "--live").failed("is being started")
    assert_is(a, "running", 1)
    a.virsh("destroy", "g").ok()
    assert start.wait(timeout=20) == 0
    let_go(a, "started")
    assert_is(a, "shut off", 0)
    hold(a, "release")
    a.virsh("start", "g").ok()
    destroy = a.virsh_start("destroy", "g")
    wait_held(a, "release")
    assert a.state("g") == "in shutdown"
    a.migrate("g", b, "--live").failed("can be migrated only while it is running or paused")
    a.migrate("g", b, "--offline", "--persistent").failed("moves only the definition of an inactive one")
    assert destroy.poll() is None
    let_go(a, "release")
    assert destroy.wait(timeout=20) == 0
    assert_is(a, "shut off", 0)
    assert b.names("--all") == []


@pytest.mark.parametrize("end", ["kill", "stop"])
@pytest.mark.parametrize("operation", ["prepare", "start", "started", "stopped", "release"])
def test_daemon_ends(a, operation, end):
    install(a)
    a.define("g")
    starts = operation in ("prepare", "start", "started")
    if not starts:
        a.virsh("start", "g").ok()
    hold(a, operation)
    client = a.virsh_start("start" if starts else "destroy", "g")
    wait_held(a, operation)
    getattr(a, end)()
    client.wait(timeout=20)
    a.start()
    if operation == "started":
        assert_is(a, "running", 1)
    else:
        assert_is(a, "shut off", 0)
    let_go(a, operation)
    a.virsh("destroy" if operation == "started" else "start", "g").ok()
    assert len(a.domains()) == (operation != "started")


def test_reboot(a):
    install(a)
    a.create("g", persistent=True, extra=REBOOT)
    take_calls(a)
    os.remove(path(a, "xml-started"))
    first = a.domains()
    a.virsh("reboot", "g").ok()
    wait_until(lambda: a.domains() and a.domains() != first and os.path.exists(path(a, "xml-started")), "a new domain")
    wait_until(lambda: a.state("g") == "running", "it runs")
    assert take_calls(a) == ENDS + STARTS
    assert len(a.domains()) == 1 and a.domains() != first


@pytest.mark.parametrize("operation", ["stopped", "release", "prepare", "start", "started"])
def test_daemon_killed_in_reboot(a, operation):
    """Never two domains; without one the guest is shut off, and can be started."""
    install(a)
    a.create("g", persistent=True, extra=REBOOT)
    hold(a, operation)
    a.virsh("reboot", "g").ok()
    wait_held(a, operation)
    a.kill()
    let_go(a, operation)
    a.start()
    if operation == "started":
        assert_is(a, "running", 1)
        return
    assert_is(a, "shut off", 0)
    a.virsh("start", "g").ok()
    assert_is(a, "running", 1)
