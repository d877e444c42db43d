# SPDX-License-Identifier: LGPL-2.1-or-later
"""Daemons of real Xen hosts die, stop and lose their connection at named points of a migration (docs/simulator.md: the
same points as on simulated hosts, where all are tested). The guest runs once, before, meanwhile and after."""

import threading
import time

import pytest

import lab_guest

PROGRAM = "xenferryd-points"
SETTINGS = "accept_timeout = 20\nconnect_timeout = 5\nstall_timeout = 70\nfinish_timeout = 20\nkeepalive_interval = 2\n" \
    "keepalive_count = 3\n"


class Watch(threading.Thread):
    """Samples both hypervisors throughout: the guest is never seen running on both."""

    def __init__(self, pair):
        super().__init__(daemon=True)
        self.pair, self.over, self.looks, self.twice = pair, threading.Event(), 0, []

    def run(self):
        while not self.over.is_set():
            seen = [host.domains().get("g") for host in (self.pair.a, self.pair.b)]
            self.looks += 1
            if all(domain and not set(domain[1]) & set("psdc") for domain in seen):
                # Not one moment: the guest may have left the first host before the second was read.
                again = self.pair.a.domains().get("g")
                if again and not set(again[1]) & set("psdc"):
                    self.twice.append(seen)
            self.over.wait(0.2)


class Points:
    """The control files of both hosts."""

    def __init__(self, pair):
        self.pair = pair
        for host in (pair.a, pair.b):
            host.kill_daemon()
            host.run("rm -rf /run/points; mkdir -p /run/points").ok()
            self.start(host)

    @staticmethod
    def start(host):
        host.start_daemon(SETTINGS, PROGRAM)

    @staticmethod
    def arm(host, deed, point):
        host.run(f"echo '{deed}={point}' >/run/points/control.new; mv /run/points/control.new /run/points/control").ok()

    @staticmethod
    def trace(host):
        return host.run("cat /run/points/trace").out

    def wait(self, host, deed, point, timeout=90):
        word = {"die": "died", "stop": "stopped"}[deed]
        self.pair.wait(f"{word} at {point}", lambda: f"{word} at {point}" in self.trace(host), timeout)

    def go_on(self, host):
        host.run("kill -CONT $(cat /run/xenferryd.pid)").ok()


@pytest.fixture(name="points")
def points_fixture(pair):
    points = Points(pair)
    yield points
    for host in (pair.a, pair.b):
        host.run("kill -CONT $(cat /run/xenferryd.pid); kill $(cat /run/xenferryd.pid); ip link set eth1 up")
        pair.wait("it ends", lambda host=host: host.run("kill -0 $(cat /run/xenferryd.pid)").status != 0)
        host.start_daemon()


def journals(pair):
    return "".join(host.run("cat /var/lib/xenferry/migrations/*.json 2>/dev/null").out for host in (pair.a, pair.b))


def runs_once(pair, target):
    pair.wait(f"it runs on {target.name}", lambda: "g" in target.domains() and not set(target.domains()["g"][1]) & set("psdc")
              and not pair.other(target).domains(), 90)
    pair.wait("both journals are final", lambda: '"final": false' not in journals(pair))
    before = [int(beat["n"]) for beat in pair.a.beats("g")] if target is pair.b else []
    after = [int(beat["n"]) for beat in lab_guest.wait_beats(target, "g", more=3, since=len(target.beats("g")))]
    numbers = before + after
    assert numbers == list(range(numbers[0], numbers[0] + len(numbers))), numbers[-12:]
    pair.virsh(target, "destroy", "g").ok()


# (mode, kind, [(host, deed, point, then)], where it runs); "then": a second deed, done at that point.
CELLS = {
    "destination-decided": ("direct", "pvh", [("b", "die", "journal:destination:unpausing:written", "")], "b"),
    "destination-decided-p2p": ("p2p", "hvm", [("b", "die", "journal:destination:unpausing:written", "")], "b"),
    "destination-restored": ("direct", "pvh", [("b", "die", "destination:receiving->restored", "")], "a"),
    "destination-restored-tunnelled": ("tunnelled", "pvh", [("b", "die", "destination:activating->committing", "")], "a"),
    "destination-ran": ("p2p", "pvh", [("b", "die", "destination:unpausing->running", "")], "b"),
    "source-sending": ("direct", "pvh", [("a", "die", "source:connecting->sending", "")], "a"),
    "source-sent": ("p2p", "pvh", [("a", "die", "journal:source:sent:written", "")], "a"),
    "source-destroying": ("direct", "hvm", [("a", "die", "source:settling->destroying", "")], "b"),
    "source-done": ("tunnelled", "pvh", [("a", "die", "source:destroying->done", "")], "b"),
    "client": ("direct", "pvh", [("a", "stop", "source:committing->sent", "client")], "a"),
    # The abort waits for the daemon, which hands the guest to libxl, whose helper does not run yet.
    "abort-at-once": ("direct", "pvh", [("a", "stop", "source:connecting->sending", "abort")], "a"),
    "wire": ("p2p", "pvh", [("a", "stop", "source:committing->sent", "wire")], "a"),
    "source-freezes": ("p2p", "pvh", [("a", "stop", "source:committing->sent", "freeze")], "a"),
    "destination-then-source": ("direct", "pvh", [("b", "die", "destination:receiving->restored", ""),
                                                  ("a", "die", "source:settling->rolling-back", "")], "a"),
    "both-decided": ("direct", "pvh", [("b", "die", "journal:destination:unpausing:written", ""),
                                       ("a", "die", "source:settling->destroying", "")], "b"),
}


def do(points, host, then, virsh):
    pair = points.pair
    if then == "client":
        virsh.kill()
    elif then == "wire":
        pair.a.run("ip link set eth1 down").ok()
    elif then == "freeze":
        time.sleep(15)
    elif then == "abort":
        pair.virsh_start(pair.a, "domjobabort", "g")
        time.sleep(2)
    points.go_on(host)
    if then == "wire":
        # Longer than the keepalive timeout: the source asks without an answer.
        pair.wait("it asks", lambda: "source sent -> settling" in points.trace(pair.a), 60)
        time.sleep(3)
        assert "paused" in pair.virsh(pair.a, "domstate", "g", "--reason").ok().out
        pair.a.run("ip link set eth1 up").ok()


@pytest.mark.parametrize("name", CELLS)
def test_fault(pair, points, name):
    mode, kind, faults, ends = CELLS[name]
    hosts = {"a": pair.a, "b": pair.b}
    pair.create(pair.a, "g", kind, memory=128)
    watch = Watch(pair)
    watch.start()
    try:
        for where, deed, point, _ in faults:
            points.arm(hosts[where], deed, point)
        virsh = pair.migrate_start(pair.a, "g", mode, True)
        for where, deed, point, then in faults:
            points.wait(hosts[where], deed, point)
            if deed == "die":
                pair.wait("it is dead", lambda where=where: hosts[where].run("kill -0 $(cat /run/xenferryd.pid)").status)
                points.start(hosts[where])
            else:
                do(points, hosts[where], then, virsh)
        virsh.communicate(timeout=120)
        runs_once(pair, hosts[ends])
    finally:
        watch.over.set()
        watch.join()
    assert watch.looks > 5 and not watch.twice, watch.twice
