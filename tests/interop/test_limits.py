# SPDX-License-Identifier: LGPL-2.1-or-later
"""The cost of one client is bounded: the loop's time, places, memory, descriptors, lines of the log. Clients of other
users share their own places, and root can always connect."""

import contextlib
import os
import re
import resource
import signal
import socket
import struct
import subprocess
import threading
import time

import pytest

import rpc
from sim_host import SimHost, two_hosts, wait_until

SANITIZED = os.environ.get("XF_SANITIZED") == "yes"
# Milliseconds of processor time.
LONGEST_TURN = 100 * (8 if SANITIZED else 1)
STATS, REGISTER = 344, 316


def raw(where, timeout=20):
    connection = socket.socket(socket.AF_UNIX if isinstance(where, str) else socket.AF_INET)
    connection.settimeout(timeout)
    connection.connect(where)
    return connection


def header(length, procedure, serial=1):
    return struct.pack(">IIIIIII", length, rpc.PROGRAM, rpc.VERSION, procedure, rpc.CALL, serial, rpc.OK)


def closed(connection, within):
    """TRUE if the daemon closes this connection within that time."""
    connection.settimeout(within)
    try:
        while connection.recv(1 << 16):
            pass
    except socket.timeout:
        return False
    except OSError:
        pass
    return True


def processor_seconds(host):
    with open(f"/proc/{host.process.pid}/stat", encoding="ascii") as stat:
        words = stat.read().rsplit(")", 1)[1].split()
    return (int(words[11]) + int(words[12])) / os.sysconf("SC_CLK_TCK")


def resident_mib(host):
    with open(f"/proc/{host.process.pid}/status", encoding="ascii") as status:
        return int(re.search(r"VmRSS:\s+(\d+)", status.read()).group(1)) // 1024


def longest_turn(host):
    """Stops the daemon, which then logs it."""
    host.stop()
    turn = float(re.findall(r"the longest turn of its loop used ([0-9.]+) ms", host.log())[-1])
    print(f"{host.name}: longest turn {turn} ms of processor time")
    return turn


def stats_of_one(host, name, times):
    domain = rpc.Writer().domain((name, bytes.fromhex(host.virsh("domuuid", name).out.strip().replace("-", "")), 1))
    return struct.pack(">I", times) + domain.data * times + struct.pack(">II", 0, 0)


@contextlib.contextmanager
def a_crowd_that_asks(host, name, clients=4, calls=4):
    """Read-only clients that ask for the statistics of one guest, named 16,384 times, again and again."""
    payload = stats_of_one(host, name, 16384)
    stop = threading.Event()

    def ask():
        while not stop.is_set():
            with contextlib.suppress(OSError), rpc.Client(host.socket_path + "-ro") as client:
                for serial in range(10, 10 + calls):
                    client.send(STATS, rpc.CALL, serial, rpc.OK, payload)
                for _ in range(calls):
                    client.receive()

    threads = [threading.Thread(target=ask, daemon=True) for _ in range(clients)]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        stop.set()
        for thread in threads:
            thread.join()


def test_a_guest_named_often_is_counted_once():
    with SimHost("a") as a:
        a.create("g", vcpus=4)
        with rpc.Client(a.socket_path + "-ro") as client:
            client.send(STATS, rpc.CALL, 7, rpc.OK, stats_of_one(a, "g", 16384))
            status, payload = client.receive()[3:]
        assert status == rpc.OK and struct.unpack(">I", payload[:4])[0] == 1
        assert longest_turn(a) < LONGEST_TURN
        a.start()


def test_read_only_clients_do_not_stop_a_migration():
    with two_hosts(settings={"log_level": "message"}) as (a, b):
        b.create("victim", vcpus=64)
        a.create("g")
        with a_crowd_that_asks(b, "victim"):
            a.migrate("g", b, "--live", mode="p2p").ok()
            start = time.monotonic()
            b.virsh("list").ok()
            print(f"root's list meanwhile: {time.monotonic() - start:.2f} s")
        assert b.state("g") == "running"
        for host in (a, b):
            assert longest_turn(host) < LONGEST_TURN
            host.start()


def test_migrations_at_once_keep_the_loop_short():
    with two_hosts(settings={"log_level": "message"}, control={"rate-mib": 2, "hash": 0}) as (a, b):
        names = [f"g{number:02}" for number in range(12)]
        for name in names:
            a.create(name, memory_kib=8 * 1024)
        running = [a.migrate_start(name, b, "--live", mode=("direct", "p2p", "tunnelled")[number % 3])
                   for number, name in enumerate(names)]
        for virsh in running:
            assert virsh.wait(timeout=120) == 0, virsh.stderr.read()
        for host in (a, b):
            assert longest_turn(host) < LONGEST_TURN
            host.start()


def test_registrations_of_a_client_are_bounded():
    with SimHost("a") as a, rpc.Client(a.socket_path + "-ro") as client:
        for _ in range(1024):
            client.call(REGISTER, rpc.Writer().int(0).int(0))
        with pytest.raises(rpc.RpcError, match="may have no more"):
            client.call(REGISTER, rpc.Writer().int(0).int(0))


def test_silent_strangers_take_no_place_of_roots():
    settings = {"max_clients": 20, "max_clients_per_user": 1000, "max_clients_per_address": 8, "open_timeout": 3,
                "log_level": "message"}
    with SimHost("a", settings=settings) as a:
        silent = [raw(a.socket_path + "-ro") for _ in range(30)]
        strangers = [raw((a.address, a.tcp_port)) for _ in range(12)]
        a.virsh("list").ok()
        assert sum(closed(one, 0.001) for one in silent) == 10
        assert sum(closed(one, 0.001) for one in strangers) == 4
        assert all(closed(one, 10) for one in silent + strangers), "a connection that was not opened stays"
        a.virsh("list", uri=a.uri_ro).ok()
        turned_away = re.findall("a new one is turned away", a.log())
        assert 1 <= len(turned_away) <= 5, "lines of the log are bounded"


def test_a_user_has_a_share_of_the_read_only_socket():
    with SimHost("a", settings={"max_clients_per_user": 3}) as a:
        mine = [rpc.Client(a.socket_path + "-ro") for _ in range(3)]
        assert closed(raw(a.socket_path + "-ro"), 5)
        os.chmod(a.dir, 0o755)
        other = subprocess.run(["/usr/bin/python3", "-c", f"""
import os, socket
os.setuid(65534)
s = socket.socket(socket.AF_UNIX); s.settimeout(5); s.connect({a.socket_path + "-ro"!r})
s.sendall({header(28, rpc.AUTH_LIST)!r}); assert s.recv(4), "no answer"
"""], capture_output=True, text=True, check=False, timeout=20)
        assert other.returncode == 0, other.stderr
        a.virsh("list").ok()
        for one in mine:
            one.vanish()


@pytest.mark.parametrize("where", ["read-only", "tcp", "peer"])
def test_frames_are_small_before_the_connection_is_open(where):
    with SimHost("a") as a:
        address = {"read-only": a.socket_path + "-ro", "tcp": (a.address, a.tcp_port),
                   "peer": (a.address, a.ports.first + 1)}[where]
        large = [raw(address) for _ in range(40)]
        for one in large:
            with contextlib.suppress(OSError):
                one.sendall(header(32 << 20, rpc.AUTH_LIST) + bytes(1 << 20))
        assert all(closed(one, 10) for one in large)
        assert resident_mib(a) < (1000 if SANITIZED else 100)
        a.virsh("list").ok()


def test_unfinished_frames_are_bounded_together():
    with SimHost("a", settings={"max_clients_per_user": 100}) as a:
        clients = [rpc.Client(a.socket_path + "-ro") for _ in range(60)]
        for client in clients:
            with contextlib.suppress(OSError):
                client.socket.sendall(header(2 << 20, STATS) + bytes(1 << 20))
        lost = sum(closed(client.socket, 0.3) for client in clients)
        assert 60 - lost <= 32, "more than the 64 MiB of the read-only socket"
        assert lost < 60
        # A small call is still answered.
        with rpc.Client(a.socket_path + "-ro") as client:
            client.call(rpc.SUPPORTS_FEATURE, rpc.Writer().int(14))
        for client in clients:
            client.vanish()


@pytest.mark.parametrize("where", ["read-only", "tcp", "peer"])
def test_out_of_descriptors(where):
    with SimHost("a", start=False, settings={"log_level": "message", "max_clients_per_address": 1000,
                                             "max_clients_per_user": 1000}) as a:
        a.launch()
        resource.prlimit(a.process.pid, resource.RLIMIT_NOFILE, (120, 120))
        wait_until(a.answers, "the daemon answers", timeout=30)
        address = {"read-only": a.socket_path + "-ro", "tcp": (a.address, a.tcp_port),
                   "peer": (a.address, a.ports.first + 1)}[where]
        held = []
        for _ in range(140):
            with contextlib.suppress(OSError):
                held.append(raw(address, timeout=1))
        used, written = processor_seconds(a), os.path.getsize(a.log_path)
        time.sleep(2)
        assert processor_seconds(a) - used < 0.5
        assert os.path.getsize(a.log_path) - written < 4000
        a.virsh("list", timeout=5).ok()
        a.create("g")
        for one in held:
            one.close()
        wait_until(lambda: a.virsh("list", uri=a.uri_ro, timeout=5).rc == 0, "others come in again")


def test_open_files_are_raised():
    with SimHost("a") as a:
        soft, hard = resource.prlimit(a.process.pid, resource.RLIMIT_NOFILE)
        assert soft == min(hard, 65536)


def test_half_closed_connections_cost_nothing():
    """A connection with an incomplete frame ends or waits; it costs no processor time."""
    with SimHost("a") as a:
        held = []
        for address in (a.socket_path, a.socket_path + "-ro", (a.address, a.tcp_port)):
            for start in (b"", b"\0\0\0", header(100, rpc.AUTH_LIST), header(100, rpc.AUTH_LIST) + b"x"):
                connection = raw(address)
                connection.sendall(start)
                connection.shutdown(socket.SHUT_WR)
                held.append(connection)
        used = processor_seconds(a)
        time.sleep(2)
        assert processor_seconds(a) - used < 0.5
        assert all(closed(one, 5) for one in held)


def test_sighup_reloads():
    with SimHost("a", settings={"log_level": "message"}) as a:
        a.create("g")
        a.write_settings({"log_level": "debug", "max_clients": 10, "peer_port": 0})
        a.signal(signal.SIGHUP)
        wait_until(lambda: "max_clients has changed and is in effect" in a.log(), "it has read the file")
        assert "peer_port has changed; that takes effect when the daemon starts again" in a.log()
        a.virsh("list").ok()
        wait_until(lambda: " debug " in a.log(), "the new level of the log")
        a.write_settings({"max_clients": "many"})
        a.signal(signal.SIGHUP)
        wait_until(lambda: "the settings stay as they were" in a.log(), "it refuses a wrong file")
        assert a.state("g") == "running"


def test_what_changes_something_is_in_the_log_with_who_did_it():
    with SimHost("a", settings={"log_level": "message"}) as a:
        a.create("g")
        a.virsh("suspend", "g").ok()
        with rpc.Client(a.socket_path + "-ro") as client, pytest.raises(rpc.RpcError, match="forbidden"):
            client.call(34, rpc.Writer().domain(("g", bytes(16), 1)))
        with rpc.Client((a.address, a.tcp_port)) as client, pytest.raises(rpc.RpcError):
            client.call(34, rpc.Writer().domain(("x\n2026 message: forged\x1b[2J", bytes(16), 1)))
        log = a.log()
        assert re.search(r"unix:\d+\(uid 0, pid \d+\): DOMAIN_SUSPEND of domain 'g': done", log)
        assert re.search(r"unix:\d+\(uid 0, pid \d+\): DOMAIN_SUSPEND: failed: this connection has no right to call it", log)
        assert r": DOMAIN_SUSPEND of domain 'x\x0a2026 message: forged\x1b[2J': failed: " in log
        assert "LIST_ALL_DOMAINS" not in log, "a read-only call was logged"
