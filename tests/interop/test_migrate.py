# SPDX-License-Identifier: LGPL-2.1-or-later
"""A guest is migrated: three modes x (live, not live) x flags and parameters. Each time virsh ends with 0, the guest
runs only on the destination, its memory is unchanged, its counter has no gap and no repeat, and afterwards both daemons
have the same resources as before."""

import threading
import time
import xml.etree.ElementTree as ElementTree

import pytest

from sim_host import MODES, SimHost, assert_heartbeat, assert_same_memory, domain_xml, two_hosts, wait_until

LIVE = pytest.mark.parametrize("live", [True, False], ids=["live", "not-live"])
MODE = pytest.mark.parametrize("mode", MODES)


def beating(host, name):
    wait_until(lambda: len(host.heartbeats(name)) >= 2, f"{name} beats on {host.name}")


def flags(live, *more):
    return (["--live"] if live else []) + list(more)


class Move:
    """One migration from a to b with the checks that apply to each."""

    def __init__(self, a, b, mode, live):
        self.a, self.b, self.mode, self.live = a, b, mode, live

    def __call__(self, name, *options, new_name=None, state="running"):
        before = self.b.snapshot()
        self.a.migrate(name, self.b, *flags(self.live, *options), mode=self.mode).ok()
        there = new_name or name
        assert self.b.state(there) == state
        assert self.a.state(name) in (None, "shut off")
        assert not self.a.names(), "the source still runs a guest"
        assert_same_memory(name, self.a, self.b, new_name)
        wait_until(lambda: not self.a.domains(), "nothing is left in the source's hypervisor")
        assert len(self.b.domains()) == 1
        assert self.b.listening_ports() == [], "the data port is still open"
        leaked = set(self.b.fds()) - set(before["fds"])
        assert not [name for name in leaked if name.startswith("pipe:")], f"pipes of the migration are left: {leaked}"


@pytest.fixture(name="move", params=[(mode, live) for mode in MODES for live in (True, False)],
                ids=[f"{mode}-{'live' if live else 'not-live'}" for mode in MODES for live in (True, False)])
def move_fixture(request, a, b):
    return Move(a, b, *request.param)


# ---- the table ---------------------------------------------------------------------------------------------------


def test_running(move):
    move.a.create("g")
    beating(move.a, "g")
    move("g")
    assert_heartbeat("g", move.a, move.b, least=2)


def test_paused(move):
    """It stays paused in every mode, and continues where it stopped when it is resumed."""
    move.a.create("g")
    beating(move.a, "g")
    move.a.virsh("suspend", "g").ok()
    move("g", state="paused")
    time.sleep(0.3)
    assert not move.b.heartbeats("g"), "a paused guest has run"
    move.b.virsh("resume", "g").ok()
    assert_heartbeat("g", move.a, move.b)


def test_persistent_undefinesource(move):
    uuid = move.a.create("g", persistent=True)
    beating(move.a, "g")
    move("g", "--persistent", "--undefinesource")
    assert_heartbeat("g", move.a, move.b)
    assert move.a.names("--all") == []
    assert move.b.names("--all", "--persistent") == ["g"]
    assert move.b.virsh("domuuid", "g").out.strip() == uuid
    move.b.virsh("destroy", "g").ok()
    assert move.b.state("g") == "shut off"
    move.b.restart()
    assert move.b.state("g") == "shut off", "the definition did not survive the daemon"


def test_dname(move):
    uuid = move.a.create("g")
    beating(move.a, "g")
    move("g", "--dname", "other", new_name="other")
    assert move.b.names() == ["other"]
    assert move.b.virsh("domuuid", "other").out.strip() == uuid
    wait_until(lambda: move.b.heartbeats("other"), "beats under its new name")
    assert move.b.heartbeats("other")[0] == move.a.heartbeats("g")[-1] + 1


def test_xml(move):
    """The destination has the changes of --xml."""
    move.a.create("g", extra="<title>old</title>")
    beating(move.a, "g")
    text = move.a.virsh("dumpxml", "g", "--migratable").ok().out
    path = move.a.write_xml(text.replace("<title>old</title>", "<title>new</title>"))
    move("g", "--xml", path)
    assert_heartbeat("g", move.a, move.b)
    assert "<title>new</title>" in move.b.virsh("dumpxml", "g").ok().out


# ---- the other flags and parameters ---------------------------------------------------------------------------------


@MODE
def test_stays_persistent_on_source_without_undefinesource(a, b, mode):
    a.create("g", persistent=True)
    a.migrate("g", b, "--live", mode=mode).ok()
    assert a.state("g") == "shut off"
    assert b.state("g") == "running"
    assert b.names("--transient") == ["g"]


@MODE
def test_persistent_xml(a, b, mode):
    uuid = a.create("g", persistent=True, extra="<title>live</title>")
    path = a.write_xml(domain_xml("g", uuid=uuid, extra="<title>kept</title>"))
    a.migrate("g", b, "--live", "--persistent", "--persistent-xml", path, mode=mode).ok()
    assert "<title>live</title>" in b.virsh("dumpxml", "g").ok().out
    assert "<title>kept</title>" in b.virsh("dumpxml", "g", "--inactive").ok().out


@MODE
def test_suspend(a, b, mode):
    """--suspend: a running guest arrives paused."""
    a.create("g")
    beating(a, "g")
    a.migrate("g", b, "--live", "--suspend", mode=mode).ok()
    assert b.state("g") == "paused"
    assert not b.heartbeats("g")
    b.virsh("resume", "g").ok()
    assert_heartbeat("g", a, b)


@MODE
@pytest.mark.parametrize("option", ["--change-protection", "--abort-on-error", "--unsafe", "--verbose"])
def test_served_flags(a, b, mode, option):
    a.create("g")
    a.migrate("g", b, "--live", option, mode=mode).ok()
    assert b.state("g") == "running"


@MODE
def test_bandwidth(a, b, mode):
    """--bandwidth is kept, with a wide margin: 64 MiB at 40 MiB/s take more than a second."""
    a.create("g")
    result = a.migrate("g", b, "--live", "--bandwidth", "40", mode=mode).ok()
    assert result.seconds > 1.0, f"the limit was ignored: {result!r}"
    assert b.state("g") == "running"


def test_migrate_setspeed_while_running(a, b):
    """A limit that is set during a migration applies at once, and so does its removal."""
    a.create("g", memory_kib=128 * 1024)
    a.virsh("migrate-setspeed", "g", "8").ok()
    assert a.virsh("migrate-getspeed", "g").ok().out.strip() == "8"
    virsh = a.migrate_start("g", b, "--live", mode="p2p")
    time.sleep(1.0)
    assert virsh.poll() is None, "128 MiB at 8 MiB/s are through in a second"
    a.virsh("migrate-setspeed", "g", "0").ok()
    assert virsh.wait(timeout=15) == 0
    assert b.state("g") == "running"


@pytest.mark.parametrize("mode", ["direct", "p2p"])
@pytest.mark.parametrize("dialect", ["127.0.0.1", "tcp:127.0.0.1", "tcp://127.0.0.1", "xenmigr:127.0.0.1",
                                     "xenmigr://127.0.0.1", "127.0.0.1:{port}", "tcp:127.0.0.1:{port}",
                                     "tcp://127.0.0.1:{port}"])
def test_migrateuri_dialects(a, b, mode, dialect):
    """Each form in which clients name the destination."""
    a.create("g")
    a.migrate("g", b, "--live", mode=mode, migrate_uri=dialect.format(port=b.ports.first + 7)).ok()
    assert b.state("g") == "running"


@pytest.mark.parametrize("mode", ["direct", "p2p"])
def test_listen_address(a, b, mode):
    a.create("g")
    a.migrate("g", b, "--live", "--listen-address", "127.0.0.1", mode=mode).ok()
    assert b.state("g") == "running"


@pytest.mark.parametrize("mode", ["direct", "p2p"])
def test_offline(a, b, mode):
    """Only the definition is copied; the guest does not run."""
    uuid = a.define("g")
    a.migrate("g", b, "--offline", "--persistent", "--undefinesource", mode=mode).ok()
    assert a.names("--all") == []
    assert b.names("--all") == ["g"]
    assert b.state("g") == "shut off"
    assert b.virsh("domuuid", "g").out.strip() == uuid


@pytest.mark.parametrize("kind", ["pv", "hvm"])
def test_other_kinds(a, b, kind):
    a.create("g", kind=kind)
    beating(a, "g")
    a.migrate("g", b, "--live", mode="tunnelled").ok()
    assert_same_memory("g", a, b)
    assert_heartbeat("g", a, b)
    old, new = (ElementTree.fromstring(host.virsh("dumpxml", "g").out or "<none/>") for host in (a, b))
    assert old.tag == "none"
    assert new.find("os/type").text == {"pv": "linux", "hvm": "hvm"}[kind]


def test_there_and_back_again(a, b):
    """Ten migrations; the counter continues through all of them."""
    a.create("g")
    beating(a, "g")
    hosts = [a, b]
    last = 0
    for number in range(10):
        source, destination = hosts[number % 2], hosts[(number + 1) % 2]
        source.migrate("g", destination, "--live", mode=MODES[number % 3]).ok()
        wait_until(lambda: destination.heartbeats("g") and destination.heartbeats("g")[-1] > last, "beats")
        last = destination.heartbeats("g")[-1]
    everything = sorted(a.heartbeats("g") + b.heartbeats("g"))
    assert everything == list(range(everything[0], everything[0] + len(everything)))


# ---- python: migrate3, migrateToURI3 ----------------------------------------------------------------------------------


def test_python_migrate3(a, b):
    import libvirt

    a.create("g")
    source, destination = a.connect(), libvirt.open(b.uri_tcp)
    guest = source.lookupByName("g").migrate3(
        destination, {"migrate_uri": "tcp://127.0.0.1", "bandwidth": 1000, "destination_name": "h"},
        libvirt.VIR_MIGRATE_LIVE)
    assert guest.name() == "h"
    assert guest.isActive()
    source.close()
    destination.close()


@pytest.mark.parametrize("tunnelled", [False, True])
def test_python_migrate_to_uri3(a, b, tunnelled):
    import libvirt

    a.create("g")
    source = a.connect()
    more = libvirt.VIR_MIGRATE_TUNNELLED if tunnelled else 0
    source.lookupByName("g").migrateToURI3(b.uri_tcp, {"bandwidth": 1000}, libvirt.VIR_MIGRATE_LIVE
                                           | libvirt.VIR_MIGRATE_PEER2PEER | more)
    source.close()
    assert b.state("g") == "running"


# ---- events, progress, statistics ---------------------------------------------------------------------------------------


class Events:
    """Collects a host's events through python-libvirt, with the loop in a thread."""

    running = False

    def __init__(self, host):
        import libvirt

        if not Events.running:
            libvirt.virEventRegisterDefaultImpl()
            threading.Thread(target=self.loop, args=(libvirt,), daemon=True).start()
            Events.running = True
        self.lifecycle, self.iterations, self.completed = [], [], []
        self.connection = host.connect()
        register = self.connection.domainEventRegisterAny
        register(None, libvirt.VIR_DOMAIN_EVENT_ID_LIFECYCLE, self.on_lifecycle, None)
        register(None, libvirt.VIR_DOMAIN_EVENT_ID_MIGRATION_ITERATION, self.on_iteration, None)
        register(None, libvirt.VIR_DOMAIN_EVENT_ID_JOB_COMPLETED, self.on_completed, None)

    @staticmethod
    def loop(libvirt):
        while True:
            libvirt.virEventRunDefaultImpl()

    def on_lifecycle(self, connection, domain, event, detail, opaque):
        self.lifecycle.append((event, detail))

    def on_iteration(self, connection, domain, iteration, opaque):
        self.iterations.append(iteration)

    def on_completed(self, connection, domain, params, opaque):
        self.completed.append(params)


@MODE
def test_events(a, b, mode):
    """Destination: Started Migrated, Resumed Migrated, Defined Added. Source: Stopped Migrated, Undefined."""
    a.create("g", persistent=True)
    on_a, on_b = Events(a), Events(b)
    a.migrate("g", b, "--live", "--persistent", "--undefinesource", mode=mode).ok()
    wait_until(lambda: (5, 3) in on_a.lifecycle and (1, 0) in on_a.lifecycle, lambda: f"source: {on_a.lifecycle}")
    wait_until(lambda: len(on_b.lifecycle) >= 3, lambda: f"destination: {on_b.lifecycle}")
    assert on_b.lifecycle.index((2, 1)) < on_b.lifecycle.index((4, 1))
    assert (0, 0) in on_b.lifecycle
    wait_until(lambda: on_a.completed, "the source's job-completed event")
    assert on_a.completed[0]["data_processed"] > 0
    assert on_a.iterations, "no iteration event"
    assert on_a.iterations == sorted(on_a.iterations)


@MODE
def test_progress_is_real(a, b, mode):
    """During the migration: bounded, growing; afterwards: domjobinfo --completed."""
    import libvirt

    a.create("g", memory_kib=128 * 1024)
    connection = a.connect()
    domain = connection.lookupByName("g")
    virsh = a.migrate_start("g", b, "--live", "--bandwidth", "60", mode=mode)
    seen = []
    while virsh.poll() is None:
        try:
            info = domain.jobInfo()
        except libvirt.libvirtError:
            break
        if info[0] != libvirt.VIR_DOMAIN_JOB_NONE and info[3]:
            seen.append(info)
        time.sleep(0.05)
    assert virsh.wait(timeout=30) == 0, virsh.stderr.read()
    connection.close()
    assert len(seen) > 5, "hardly any progress was seen"
    for kind, elapsed, _, total, processed, remaining, *_ in seen:
        assert kind in (libvirt.VIR_DOMAIN_JOB_BOUNDED, libvirt.VIR_DOMAIN_JOB_UNBOUNDED)
        assert remaining <= total
        assert total >= 64 << 20
    processed = [info[4] for info in seen]
    assert processed == sorted(processed) and processed[-1] > processed[0]
    elapsed = [info[1] for info in seen]
    assert elapsed == sorted(elapsed) and elapsed[-1] > elapsed[0]

    completed = b.virsh("domjobinfo", "g", "--completed")
    assert completed, completed
    numbers = dict(line.split(":", 1) for line in completed.out.splitlines() if ":" in line)
    assert "Completed" in numbers["Job type"]
    assert "Total downtime" in numbers and "Data processed" in numbers, completed.out


def test_verbose_shows_percent(a, b):
    a.create("g", memory_kib=128 * 1024)
    result = a.migrate("g", b, "--live", "--verbose", "--bandwidth", "50", mode="tunnelled").ok()
    percents = {word for word in result.err.replace("[", " ").split() if word.isdigit()}
    assert len(percents) > 2, f"no progress was shown: {result.err!r}"


# ---- queries meanwhile -----------------------------------------------------------------------------------------------------


@MODE
def test_reads_never_wait(a, b, mode):
    """Each read is answered during a migration; a write that conflicts is refused at once, and the error names the
    job."""
    a.create("g", memory_kib=128 * 1024)
    virsh = a.migrate_start("g", b, "--live", "--bandwidth", "30", mode=mode)
    wait_until(lambda: "None" not in a.virsh("domjobinfo", "g").out, "the job is there")
    for command in (["dominfo", "g"], ["domstate", "g"], ["dumpxml", "g"], ["domstats", "g"], ["vcpuinfo", "g"],
                    ["list", "--all"]):
        result = a.virsh(*command).ok()
        assert result.seconds < 5, result
    refused = a.virsh("suspend", "g")
    if refused.rc != 0:
        assert "migrat" in refused.err.lower(), refused
        assert refused.seconds < 5, refused
    assert virsh.wait(timeout=30) == 0, virsh.stderr.read()


# ---- other addresses -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("mode", ["direct", "p2p", "tunnelled"])
def test_ipv6(mode):
    with SimHost("a", address="::1") as a, SimHost("b", address="::1") as b:
        a.create("g")
        a.migrate("g", b, "--live", mode=mode).ok()
        assert b.state("g") == "running"


@pytest.mark.parametrize("how", ["timeout", "abort"])
@pytest.mark.parametrize("mode", MODES)
def test_guest_that_suspends_too_late(mode, how):
    """The guest acknowledges the request, the migration fails, and then the guest suspends: only its host can resume
    it."""
    control = {"late-suspend-ms": 1500, "suspend-timeout-ms": 300 if how == "timeout" else 60000}
    with two_hosts(control=control) as (a, b):
        a.create("g", memory_kib=16 * 1024)
        virsh = a.migrate_start("g", b, "--live", mode=mode)
        if how == "abort":
            wait_until(lambda: "suspend request via" in a.log(), "the guest has been asked")
            time.sleep(0.2)
            a.virsh("domjobabort", "g").ok()
        assert virsh.wait(30) != 0
        assert a.state("g") == "running"
        wait_until(lambda: a.traced("suspended g"), "the guest stops")
        count = len(a.heartbeats("g"))
        wait_until(lambda: len(a.heartbeats("g")) > count + 2, "the guest goes on")
        assert a.state("g") == "running" and b.domains() == []
        # It can still be migrated.
        a.always.clear()
        a.control()
        a.migrate("g", b, "--live", mode=mode).ok()
        assert b.state("g") == "running"
