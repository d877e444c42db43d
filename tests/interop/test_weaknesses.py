# SPDX-License-Identifier: LGPL-2.1-or-later
"""Weaknesses of the driver that xenferry replaces, which were measured there or read in its code: each has a test that
xenferry does not have it. The numbers are those of the list in which they were recorded."""

import contextlib
import os
import re
import socket
import threading
import time

import pytest

import rpc
from sim_host import MODES, SimHost, assert_heartbeat, assert_same_memory, domain_xml, two_hosts, wait_until

MODE = pytest.mark.parametrize("mode", MODES)
MIGRATE_FINISH_OK = 93


def no_job(host, name):
    """The guest has no job: a change works at once."""
    result = host.virsh("suspend", name).ok()
    assert result.seconds < 5, result
    host.virsh("resume", name).ok()


def goes_on(host, name):
    """The guest runs there: it keeps counting."""
    assert host.state(name) == "running"
    seen = len(host.heartbeats(name))
    wait_until(lambda: len(host.heartbeats(name)) > seen, f"{name} beats on {host.name}")
    numbers = host.heartbeats(name)
    assert numbers == list(range(numbers[0], numbers[0] + len(numbers))), "a gap or a repeat"


def as_before(a, b, name="g"):
    """A failed migration left both sides as they were."""
    goes_on(a, name)
    no_job(a, name)
    wait_until(lambda: not b.domains(), f"nothing of {name} is left on the destination")
    wait_until(lambda: not b.listening_ports(), "no port is left open")
    wait_until(lambda: b.names("--all") == [], "the destination lists nothing")


def works(a, b, mode, name="g"):
    a.migrate(name, b, "--live", mode=mode).ok()
    assert b.state(name) == "running"


# ---- A: guests lost, doubled, stuck -------------------------------------------------------------------------------------


@MODE
def test_w01_failed_prepare_leaves_no_job(a, b, mode):
    """Managed: begin starts the job, prepare fails, and the client calls confirm only if the server asks for it."""
    a.create("g")
    b.create("g")
    a.migrate("g", b, "--live", mode=mode).failed("g")
    goes_on(a, "g")
    goes_on(b, "g")
    no_job(a, "g")
    no_job(b, "g")
    b.virsh("destroy", "g").ok()
    works(a, b, mode)


@MODE
def test_w02_source_fails_in_the_middle(a, b, mode):
    """The save breaks in a live pass: both sides end, no call hangs, the guest keeps running."""
    a.create("g")
    a.fail_at("save-live-round")
    result = a.migrate("g", b, "--live", mode=mode).failed("g")
    assert result.seconds < 20, result
    a.control()
    as_before(a, b)
    works(a, b, mode)


@MODE
@pytest.mark.parametrize("point", ["restore-start", "restore-first-page", "restore-end"])
def test_w03_destination_restore_fails(a, b, mode, point):
    a.create("g")
    b.fail_at(point)
    result = a.migrate("g", b, "--live", mode=mode).failed("g")
    assert result.seconds < 20, result
    b.control()
    as_before(a, b)
    works(a, b, mode)


@MODE
def test_w03_destination_daemon_dies(a, b, mode):
    a.create("g", memory_kib=128 * 1024)
    virsh = a.migrate_start("g", b, "--live", "--bandwidth", "20", mode=mode)
    wait_until(lambda: b.domains(), "the destination builds the guest")
    b.kill()
    assert virsh.wait(timeout=30) != 0
    goes_on(a, "g")
    no_job(a, "g")
    b.start()
    wait_until(lambda: b.state("g") != "running", "it runs once")
    works_again = b.names("--all")
    assert works_again == [], "what was left of the half guest is gone after the restart"
    works(a, b, mode)


@MODE
@pytest.mark.parametrize("side,point", [("a", "save-suspended"), ("a", "save-last-round"), ("b", "restore-last-record"), ("b", "restore-end")])
def test_w04_fails_with_the_guest_suspended(a, b, mode, side, point):
    """Only the source itself can resume it: no confirm follows a failed perform."""
    a.create("g")
    wait_until(lambda: a.heartbeats("g"), "beats")
    {"a": a, "b": b}[side].fail_at(point)
    a.migrate("g", b, "--live", mode=mode).failed("g")
    a.control()
    b.control()
    as_before(a, b)
    works(a, b, mode)
    assert_heartbeat("g", a, b)


@MODE
def test_w04_save_helper_dies_in_the_last_round(a, b, mode):
    a.create("g")
    a.die_at("save-suspended")
    a.migrate("g", b, "--live", mode=mode).failed("g")
    a.control()
    as_before(a, b)


@MODE
def test_w08_failed_prepare_keeps_a_definition(a, b, mode):
    """The destination has a definition with that name and uuid; the migration fails; the definition still exists."""
    uuid = a.create("g")
    b.define("g", uuid=uuid)
    b.fail_at("restore-start")
    a.migrate("g", b, "--live", mode=mode).failed("domain 'g'", "failed in")
    b.control()
    assert b.names("--all") == ["g"]
    assert b.state("g") == "shut off"
    goes_on(a, "g")
    b.restart()
    assert b.names("--all") == ["g"]
    works(a, b, mode)
    assert b.names("--persistent") == ["g"]


@contextlib.contextmanager
def prepared(a, b, name="g", **params):
    """A managed migration after prepare: (client of a, client of b, domain, uri, b's cookie)."""
    with rpc.Client(a.socket_path) as source, rpc.Client(b.socket_path) as destination:
        domain = source.lookup(name)
        cookie, xml = source.begin(domain, params=params)
        cookie, uri = destination.prepare(xml, cookie, params=params)
        yield source, destination, domain, uri, cookie


def data_port(uri):
    return int(re.search(r":(\d+)$", uri).group(1))


@pytest.mark.parametrize("noise", [b"", b"GET / HTTP/1.0\r\n\r\n", b"\0" * 64, b"LibxlFmt", os.urandom(4096)],
                         ids=["silent", "http", "zeros", "half-a-header", "random"])
def test_w09_strangers_at_the_data_port(a, b, noise):
    """The first connection is not necessarily the source's. (Half of a valid header may take its place: then the
    migration fails, and the guest runs on the source.)"""
    a.create("g")
    with prepared(a, b) as (source, destination, domain, uri, cookie):
        strangers = []
        for _ in range(5):
            try:
                stranger = socket.create_connection(("127.0.0.1", data_port(uri)))
            except ConnectionRefusedError:
                assert noise == b"LibxlFmt", "another connection has closed the port"
                break
            strangers.append(stranger)
            with contextlib.suppress(OSError):
                stranger.sendall(noise)
        try:
            assert destination.finish("g", source.perform(domain, uri, cookie))[0] == "g"
        except (rpc.RpcError, ConnectionError):
            assert noise == b"LibxlFmt", "other connections have stopped a migration"
            with contextlib.suppress(rpc.RpcError):
                destination.finish("g", cancelled=1)
            for stranger in strangers:
                stranger.close()
            as_before(a, b)
            return
        source.confirm(domain)
        for stranger in strangers:
            stranger.close()
    assert b.state("g") == "running"
    assert_same_memory("g", a, b)
    b.assert_healthy()


def test_w09b_a_second_connection_harms_nobody(a, b):
    """Ports are scanned all the time while guests are migrated; all arrive, and the daemon keeps running."""
    stop = threading.Event()

    def scan():
        while not stop.is_set():
            for port in b.listening_ports() + a.listening_ports():
                with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=0.2):
                    pass
            time.sleep(0.002)

    scanner = threading.Thread(target=scan, daemon=True)
    scanner.start()
    try:
        for number in range(6):
            a.create(f"g{number}", memory_kib=32 * 1024)
            a.migrate(f"g{number}", b, "--live", mode=("direct", "p2p")[number % 2]).ok()
    finally:
        stop.set()
        scanner.join()
    assert b.names() == [f"g{number}" for number in range(6)]
    a.assert_healthy()
    b.assert_healthy()


# ---- B: hangs and leaks -------------------------------------------------------------------------------------------------


def test_w10_cancelled_before_a_connection_closes_the_port():
    with two_hosts(settings={"one_port": "no"}) as (a, b):
        a.create("g")
        before = b.snapshot()
        for _ in range(3):
            with prepared(a, b) as (source, destination, domain, uri, _):
                assert b.listening_ports() == [data_port(uri)]
                with pytest.raises(rpc.RpcError):
                    destination.finish("g", cancelled=1)
                assert b.listening_ports() == []
                source.confirm(domain, cancelled=1)
        as_before(a, b)
        b.assert_no_leak(before)
        works(a, b, "direct")


@pytest.mark.parametrize("mode", ["p2p", "tunnelled"])
def test_w11_paused_stays_paused_peer_to_peer(a, b, mode):
    a.create("g", paused=True)
    a.migrate("g", b, "--live", mode=mode).ok()
    assert b.state("g") == "paused"
    assert not b.heartbeats("g")


@pytest.mark.parametrize("mode", ["p2p", "tunnelled"])
def test_w12_a_failed_peer_to_peer_ends_its_job_once(a, b, mode):
    """Ten failures; then the guest has no job, and one migration at a time works."""
    a.create("g", memory_kib=128 * 1024)
    a.fail_at("save-start")
    for _ in range(10):
        a.migrate("g", b, "--live", mode=mode).failed("domain 'g'", "failed in perform")
    a.control()
    no_job(a, "g")
    virsh = a.migrate_start("g", b, "--live", "--bandwidth", "40", mode=mode)
    wait_until(lambda: b.domains(), "the migration runs")
    second = a.migrate("g", b, "--live", mode=mode).failed("migrat")
    assert second.seconds < 5, second
    assert virsh.wait(timeout=30) == 0, virsh.stderr.read()
    assert b.state("g") == "running"


@pytest.mark.parametrize("mode", ["p2p", "tunnelled"])
def test_w13_prepare_refused_the_guest_never_stopped(a, b, mode):
    """The guest runs, is shown as running, and was not touched in the hypervisor."""
    a.create("g")
    b.create("g")
    a.migrate("g", b, "--live", mode=mode).failed("failed in prepare", "already exists")
    assert a.state("g") == "running"
    assert not a.traced("resumed"), "a guest that never stopped was resumed"
    goes_on(a, "g")


@MODE
def test_w14_a_failed_restore_is_cleaned_up_once(a, b, mode):
    a.create("g")
    before = b.snapshot()
    b.fail_at("restore-live")
    a.migrate("g", b, "--live", mode=mode).failed("domain 'g'", "failed in")
    b.control()
    as_before(a, b)
    destroyed = b.traced("destroyed")
    assert len(destroyed) <= 1 and not [line for line in destroyed if "-1" in line], destroyed
    b.assert_no_leak(before)


@MODE
@pytest.mark.parametrize("how", ["domjobabort", "interrupt"])
def test_w17_abort(a, b, mode, how):
    a.create("g", memory_kib=128 * 1024)
    virsh, press = a.virsh_on_tty(*a.migrate_args("g", b, "--live", "--bandwidth", "10", mode=mode))
    wait_until(lambda: "None" not in a.virsh("domjobinfo", "g").out and b.domains(), "the migration runs")
    time.sleep(0.7)  # virsh asks twice a second whether the job runs
    if how == "domjobabort":
        a.virsh("domjobabort", "g").ok()
    else:
        press(b"\x03")
    assert virsh.wait(timeout=15) != 0
    as_before(a, b)
    works(a, b, mode)


@MODE
def test_w18_progress(a, b, mode):
    a.create("g", memory_kib=128 * 1024)
    virsh = a.migrate_start("g", b, "--live", "--bandwidth", "40", mode=mode)

    def data():
        lines = a.virsh("domjobinfo", "g").out.splitlines()
        return dict(line.split(":", 1) for line in lines if ":" in line)

    seen = wait_until(lambda: (data() if "Data processed" in data() else None), "numbers")
    assert "Data total" in seen and "Data remaining" in seen
    assert virsh.wait(timeout=30) == 0


@MODE
def test_w20_destroy_during_a_migration(a, b, mode):
    """A destroy does not wait for a job: the guest is gone, the migration ends, nothing is left."""
    a.create("g", memory_kib=128 * 1024)
    virsh = a.migrate_start("g", b, "--live", "--bandwidth", "10", mode=mode)
    wait_until(lambda: b.domains(), "the migration runs")
    result = a.virsh("destroy", "g").ok()
    assert result.seconds < 5, result
    assert virsh.wait(timeout=20) != 0
    assert a.state("g") is None
    for host in (a, b):
        wait_until(lambda host=host: not host.domains(), f"nothing is left on {host.name}")
        assert host.names("--all") == []


def test_w21_accept_deadline():
    """No connection to the prepared port: it is closed, and the destination drops the migration."""
    with two_hosts(settings={"accept_timeout": 1}) as (a, b):
        a.create("g")
        before = b.snapshot()
        with prepared(a, b) as (_, destination, *_rest):
            wait_until(lambda: not b.listening_ports(), "the port closes", timeout=6)
            with pytest.raises(rpc.RpcError):
                destination.finish("g")
        as_before(a, b)
        b.assert_no_leak(before)


def test_w21_begin_without_perform():
    """The client begins and then makes no call: the job ends after a time."""
    with two_hosts(settings={"accept_timeout": 1}) as (a, _):
        a.create("g")
        with rpc.Client(a.socket_path) as source:
            source.begin(source.lookup("g"))
            a.virsh("suspend", "g").failed("domain 'g'", "is being migrated")
            wait_until(lambda: a.virsh("suspend", "g"), "the job is free", timeout=6)


@pytest.mark.parametrize("mode", ["p2p", "tunnelled"])
def test_w21_peer_that_does_not_answer(a, mode):
    """The other daemon accepts the connection and sends nothing: the connect has a deadline."""
    with SimHost("c", {"connect_timeout": 1}) as c, socket.create_server(("127.0.0.1", a.ports.last)):
        c.create("g")
        result = c.migrate("g", f"xen+tcp://127.0.0.1:{a.ports.last}/system", "--live", mode=mode).failed("failed in connect", "has not opened a connection")
        assert result.seconds < 10, result
        goes_on(c, "g")
        no_job(c, "g")


def test_w21_connect_that_nobody_answers():
    """A port with a full queue does not even accept the connection: there is a deadline, and the guest keeps
    running."""
    with SimHost("c", {"connect_timeout": 1}) as c, socket.socket() as full, contextlib.ExitStack() as stack:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        for _ in range(3):
            waiting = stack.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex(full.getsockname())
        c.create("g")
        with rpc.Client(c.socket_path) as source:
            domain = source.lookup("g")
            begun = source.begin(domain)
            start = time.monotonic()
            with pytest.raises(rpc.RpcError):
                source.perform(domain, f"tcp://127.0.0.1:{full.getsockname()[1]}", begun[0])
            assert time.monotonic() - start < 10
        goes_on(c, "g")
        no_job(c, "g")


@MODE
def test_w21_data_that_stalls(mode):
    """The destination's restore stops reading: the source notices, and both sides are as before."""
    with two_hosts(settings={"stall_timeout": 6}) as (a, b):
        a.create("g", memory_kib=64 * 1024)
        b.control(pause="restore-live")
        result = a.migrate("g", b, "--live", mode=mode).failed("g")
        assert result.seconds < 50, result
        b.control()
        as_before(a, b)


def test_w21_data_port_that_nobody_serves(a, b):
    """A closed port is an error at once."""
    a.create("g")
    with prepared(a, b) as (source, destination, domain, _, cookie):
        with pytest.raises(rpc.RpcError):
            source.perform(domain, f"tcp://127.0.0.1:{b.ports.last}", cookie)
        with pytest.raises(rpc.RpcError):
            destination.finish("g", cancelled=1)
    as_before(a, b)


def test_w23_the_announced_host_is_the_configured_one():
    with SimHost("a") as a, SimHost("b", {"migration_host": "127.0.0.2"}) as b:
        a.create("g")
        with prepared(a, b) as (source, destination, domain, uri, cookie):
            assert uri.startswith("tcp://127.0.0.2:")
            destination.finish("g", source.perform(domain, uri, cookie))
            source.confirm(domain)
        assert b.state("g") == "running"


@pytest.mark.parametrize("given", [None, "tcp://[::1]", "tcp:[::1]", "[::1]"])
def test_w23_ipv6_literals(given):
    with SimHost("a", address="::1") as a, SimHost("b", address="::1") as b:
        a.create("g")
        with prepared(a, b, **({"migrate_uri": given} if given else {})) as (source, destination, domain, uri, cookie):
            assert re.match(r"^tcp://\[::1\]:\d+$", uri), uri
            destination.finish("g", source.perform(domain, uri, cookie))
            source.confirm(domain)
        assert b.state("g") == "running"


# ---- C: what is missing ---------------------------------------------------------------------------------------------------


def events_of(host):
    from test_migrate import Events

    return Events(host)


@MODE
def test_w27_undefined_event(a, b, mode):
    a.create("g", persistent=True)
    events = events_of(a)
    a.migrate("g", b, "--live", "--undefinesource", mode=mode).ok()
    wait_until(lambda: (1, 0) in events.lifecycle, lambda: f"UNDEFINED REMOVED: {events.lifecycle}")
    assert (5, 3) in events.lifecycle


@MODE
def test_w27_resumed_event_after_a_cancel(a, b, mode):
    """The guest was already suspended when the migration failed: clients that got its suspend event get a resume
    event."""
    a.create("g")
    events = events_of(a)
    b.fail_at("restore-last-record")
    a.migrate("g", b, "--live", mode=mode).failed("domain 'g'", "failed in restore")
    b.control()
    goes_on(a, "g")
    time.sleep(0.2)
    suspended = [event for event in events.lifecycle if event[0] == 3]
    resumed = [event for event in events.lifecycle if event[0] == 4]
    assert len(suspended) == len(resumed), events.lifecycle


@MODE
def test_w28_an_incoming_guest_cannot_be_touched(a, b, mode):
    """While it is received, no call starts, undefines or redefines it on the destination, and no client sees it as a
    guest that is shut off."""
    uuid = a.create("g", memory_kib=128 * 1024)
    virsh = a.migrate_start("g", b, "--live", "--bandwidth", "20", mode=mode)
    wait_until(lambda: b.domains(), "the destination builds the guest")
    assert b.state("g") not in ("shut off", "running")
    for command in (["start", "g"], ["undefine", "g"], ["resume", "g"]):
        result = b.virsh(*command).failed("failed to get domain 'g'")
        assert result.seconds < 5, result
    path = b.write_xml(domain_xml("g", uuid=uuid, memory_kib=128 * 1024))
    b.virsh("create", path).failed("g")
    assert virsh.wait(timeout=30) == 0, virsh.stderr.read()
    assert b.state("g") == "running"


@pytest.mark.parametrize("twice", [False, True])
def test_w29_a_cancelled_finish_says_what_it_did(a, b, twice):
    a.create("g")
    with prepared(a, b) as (source, destination, domain, *_):
        with pytest.raises(rpc.RpcError) as answer:
            destination.finish("g", cancelled=1)
        assert answer.value.code == MIGRATE_FINISH_OK
        assert "g" in answer.value.message
        if twice:
            with pytest.raises(rpc.RpcError) as answer:
                destination.finish("g", cancelled=1)
            assert "did not set" not in answer.value.message
        source.confirm(domain, cancelled=1)
    as_before(a, b)


# ---- a client that disconnects (5) ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("phase", ["begun", "prepared"])
def test_w05_client_vanishes_before_the_data(a, b, phase):
    a.create("g")
    with rpc.Client(a.socket_path) as source, rpc.Client(b.socket_path) as destination:
        cookie, xml = source.begin(source.lookup("g"))
        if phase == "prepared":
            destination.prepare(xml, cookie)
    as_before(a, b)
    works(a, b, "direct")


def test_w05_virsh_killed_in_the_middle(a, b):
    a.create("g", memory_kib=128 * 1024)
    virsh = a.migrate_start("g", b, "--live", "--bandwidth", "10", mode="direct")
    wait_until(lambda: b.domains(), "the migration runs")
    virsh.kill()
    virsh.wait()
    as_before(a, b)
    works(a, b, "direct")


@pytest.mark.parametrize("mode", ["p2p", "tunnelled"])
def test_w05_virsh_killed_peer_to_peer(a, b, mode):
    """The source's daemon drives the migration: it completes."""
    a.create("g", memory_kib=128 * 1024)
    virsh = a.migrate_start("g", b, "--live", "--bandwidth", "100", mode=mode)
    wait_until(lambda: b.domains(), "the migration runs")
    virsh.kill()
    virsh.wait()
    wait_until(lambda: b.state("g") == "running", "it arrives", timeout=20)
    assert a.state("g") is None
