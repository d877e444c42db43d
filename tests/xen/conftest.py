# SPDX-License-Identifier: LGPL-2.1-or-later
"""One pair of real Xen hosts for all tests of a run; each test starts with empty hosts and daemons that answer."""

import contextlib
import os
import re
import subprocess
import sys
import time

import pytest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)
sys.dont_write_bytecode = True

import lab_guest  # noqa: E402
import lab_host  # noqa: E402


class Pair:
    """Both hosts, and the test's actions on them through the unmodified virsh on the test's machine."""

    def __init__(self, lab):
        self.lab = lab
        self.a, self.b = lab.hosts

    def other(self, host):
        return self.b if host is self.a else self.a

    def virsh(self, host, *words, timeout=200):
        done = subprocess.run(["virsh", "-c", host.uri, *words], stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                              stdin=subprocess.DEVNULL, text=True, timeout=timeout, check=False)
        return lab_host.Result(host.name, "virsh " + " ".join(words), done.returncode, done.stdout)

    def virsh_start(self, host, *words):
        return subprocess.Popen(["virsh", "-c", host.uri, *words], stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                                stdin=subprocess.DEVNULL, text=True)

    def create(self, host, name, kind, **options):
        """Starts the guest through xenferryd and waits until it counts."""
        path = os.path.join(self.lab.dir, f"{name}.xml")
        with open(path, "w", encoding="utf-8") as out:
            out.write(lab_guest.xml(name, kind, **options))
        self.virsh(host, "create", path).ok()
        lab_guest.wait_beats(host, name)

    def xl_create(self, host, name, kind, extra="", **options):
        path = lab_guest.put(self.lab, f"{name}.cfg", lab_guest.xl_config(name, kind, extra=extra, **options))
        host.run(f"xl create {path}").ok()
        lab_guest.wait_beats(host, name)

    def migrate_words(self, source, name, mode, live, *options):
        target = self.other(source)
        words = ["migrate"] + (["--live"] if live else []) + list(options)
        if mode == "direct":
            return words + [name, target.uri]
        return words + ["--p2p"] + (["--tunnelled"] if mode == "tunnelled" else []) + [name, target.wire_uri]

    def migrate(self, source, name, mode, live, *options):
        return self.virsh(source, *self.migrate_words(source, name, mode, live, *options))

    def migrate_start(self, source, name, mode, live, *options):
        return self.virsh_start(source, *self.migrate_words(source, name, mode, live, *options))

    def runs_only_on(self, host, name):
        """Xen shows the guest running on @host, and not on the other."""
        here, there = host.domains(), self.other(host).domains()
        assert name in here and name not in there, f"{name}: {host.name} {here}, {self.other(host).name} {there}"
        assert not set(here[name][1]) & set("psdc"), f"{name} does not run on {host.name}: {here}"

    def wait(self, what, check, timeout=30.0):
        end = time.monotonic() + timeout
        while True:
            value = check()
            if value:
                return value
            assert time.monotonic() < end, f"not within {timeout} s: {what}"
            time.sleep(0.1)

    def calm(self, keep=None):
        """Ends what the last test left: both hosts without guests, both daemons running. @keep: a guest that may stay
        if it runs on the first host only."""
        for host in (self.a, self.b):
            with contextlib.suppress(lab_host.HostError):
                host.run("kill -CONT $(cat /run/xenferryd.pid 2>/dev/null) 2>/dev/null")
            if host.run("kill -0 $(cat /run/xenferryd.pid 2>/dev/null) 2>/dev/null").status != 0:
                host.start_daemon()
        if keep and keep in self.a.domains() and not self.b.domains() and not set(self.a.domains()[keep][1]) & set("psdc"):
            return
        for host in (self.a, self.b):
            host.destroy_all()
            for name in self.virsh(host, "list", "--all", "--name").ok().out.split():
                if name != "Domain-0":
                    self.virsh(host, "undefine", name)
            host.run("rm -f /out/console/guest-*.log")


def beats_go_on(source, target, name, before, more=2):
    """The counter continues from one host to the other: no line repeated or missing, memory and disk unchanged.
    @before: the lines on the source. Returns the downtime in ms as the guest measured it."""
    last = source.beats(name)
    numbers = [int(beat["n"]) for beat in last]
    assert numbers == sorted(set(numbers)), f"{name} repeats itself on {source.name}"
    after = lab_guest.wait_beats(target, name, more=more)
    first = int(after[0]["n"])
    assert first == numbers[-1] + 1, f"{name} said {numbers[-1]} last on {source.name}, {first} first on {target.name}"
    assert [int(beat["n"]) for beat in after] == list(range(first, first + len(after)))
    assert all(beat["bad"] == 0 and beat["disk"] == 0 for beat in last + after), after[-1]
    assert len(last) >= before
    return max(beat["gap"] for beat in after[:2])


@pytest.fixture(scope="session")
def lab():
    if os.environ.get("XF_LAB"):
        yield lab_host.Lab.standing(os.environ["XF_LAB"])
        return
    with lab_host.Lab() as running:
        yield running


@pytest.fixture
def pair_of(lab):
    """Makes the pair, without guests; shows the daemons' logs if the test fails."""
    marks = {}

    def make(keep=None):
        it = Pair(lab)
        it.calm(keep)
        marks.update({host: len(host.daemon_log()) for host in lab.hosts})
        return it

    yield make
    for host, mark in marks.items():
        said = re.sub(r"^\S+ debug .*\n", "", host.daemon_log()[mark:], flags=re.MULTILINE)
        print(f"{host.name}: {said[-3000:]}")


@pytest.fixture
def pair(pair_of):
    return pair_of()
