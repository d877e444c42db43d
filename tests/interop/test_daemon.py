# SPDX-License-Identifier: LGPL-2.1-or-later
"""The daemon: its start and end, its sockets, socket activation, and clients that stop responding."""

import os
import re
import socket
import struct
import subprocess
import time

import pytest

import rpc
from sim_host import SimHost, wait_until

KEEPALIVE = 0x6B656570


@pytest.fixture(name="host")
def host_fixture():
    with SimHost("d") as host:
        yield host


@pytest.fixture(name="idle")
def idle_fixture():
    """A host whose daemon is started by the test."""
    host = SimHost("d", start=False)
    yield host
    host.close(check=False)


def run_daemon(host, *args, env=None):
    return subprocess.run([host.daemon_path, "--config", host.settings_path, *args], env=env or host.env,
                          capture_output=True, text=True, timeout=20, check=False)


# ---- starting ------------------------------------------------------------------------------------------------


def test_version(idle):
    done = run_daemon(idle, "--version")
    assert done.returncode == 0 and re.fullmatch(r"xenferryd \d+\.\d+\.\d+\n", done.stdout)


def test_unknown_word_is_refused(idle):
    done = run_daemon(idle, "frobnicate")
    assert done.returncode == 1 and "frobnicate" in done.stderr


def test_unknown_setting_is_refused_by_name_and_line(idle):
    idle.write_settings({"listen_tpc": "yes"})
    done = run_daemon(idle)
    assert done.returncode == 1 and "there is no setting 'listen_tpc'" in done.stderr, done
    assert re.search(r"line \d+:", done.stderr)


def test_missing_settings_are_refused(idle):
    done = subprocess.run([idle.daemon_path, "--config", "/nonexistent/x.conf"], env=idle.env, capture_output=True,
                          text=True, timeout=20, check=False)
    assert done.returncode == 1 and "/nonexistent/x.conf" in done.stderr


def test_settings_from_the_environment(idle):
    env = dict(idle.env, XENFERRY_CONFIG=idle.settings_path)
    with subprocess.Popen([idle.daemon_path], env=env, stderr=subprocess.DEVNULL) as daemon:
        wait_until(lambda: os.path.exists(idle.socket_path), "it listens")
        daemon.terminate()
        assert daemon.wait(timeout=10) == 0


def test_second_daemon_on_the_same_state_is_refused(host):
    done = run_daemon(host)
    assert done.returncode == 1 and "belongs to a running daemon" in done.stderr, done
    assert f"pid {host.process.pid}" in done.stderr
    # The first daemon still has its sockets.
    assert host.names() == []
    host.stop()
    host.start()


def test_start_to_first_list(idle):
    """A loose limit; the bench measures the time: the machine is busy when tests run."""
    start = time.monotonic()
    idle.start()
    with rpc.Client(idle.socket_path) as client:
        client.call(273, rpc.Writer().int(1).int(0))
    assert time.monotonic() - start < 2.0
    idle.stop()


# ---- sockets -------------------------------------------------------------------------------------------------


def test_socket_modes_and_end(host):
    assert os.stat(host.socket_path).st_mode & 0o777 == 0o700
    assert os.stat(host.socket_path + "-ro").st_mode & 0o777 == 0o777
    host.stop()
    assert not os.path.exists(host.socket_path) and not os.path.exists(host.socket_path + "-ro")


def test_stale_sockets_are_replaced(host):
    host.kill()
    assert os.path.exists(host.socket_path)
    host.start()
    assert host.names() == []


def test_legacy_sockets(idle):
    idle.write_settings({"legacy_sockets": "yes"})
    idle.start()
    for name, uri_name in (("libvirt-sock", "xen+unix"), ("libvirt-sock-ro", "xen+unix")):
        uri = f"{uri_name}:///system?socket={idle.dir}/{name}"
        assert idle.names(uri=uri) == []
    idle.stop()


def test_legacy_sockets_of_another_daemon_are_left_alone(idle):
    path = os.path.join(idle.dir, "libvirt-sock")
    with socket.socket(socket.AF_UNIX) as other:
        other.bind(path)
        other.listen()
        idle.write_settings({"legacy_sockets": "yes"})
        idle.start()
        assert idle.names() == []
        with socket.socket(socket.AF_UNIX) as probe:
            probe.connect(path)
        connection, _ = other.accept()
        connection.close()
        idle.stop()
    assert os.path.exists(path)
    assert "libvirt-sock" in idle.log()


def test_another_daemon_on_our_socket_is_an_error(idle):
    with socket.socket(socket.AF_UNIX) as other:
        other.bind(idle.socket_path)
        other.listen()
        done = run_daemon(idle)
    assert done.returncode == 1 and "another daemon listens on" in done.stderr and idle.socket_path in done.stderr


def test_service_manager(idle):
    """LISTEN_FDS: the daemon serves these sockets and no others; READY and STOPPING on NOTIFY_SOCKET."""
    paths = [os.path.join(idle.dir, name) for name in ("given", "given-ro", "notify")]
    listeners = [socket.socket(socket.AF_UNIX) for _ in range(2)]
    for listener, path in zip(listeners, paths):
        listener.bind(path)
        listener.listen()
    notify = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    notify.bind(paths[2])
    notify.settimeout(10)

    def hand_over():
        # Copies first: a listener may already have number 3 or 4.
        spare = [os.dup(listener.fileno()) for listener in listeners]
        high = [os.dup2(fd, 50 + n) for n, fd in enumerate(spare)]
        for n, fd in enumerate(high):
            os.dup2(fd, 3 + n, inheritable=True)

    env = dict(idle.env, NOTIFY_SOCKET=paths[2], LISTEN_FDS="2")
    command = f"LISTEN_PID=$$ exec {idle.daemon_path} --config {idle.settings_path}"
    with open(idle.log_path, "ab") as log, \
            subprocess.Popen(["/bin/sh", "-c", command], env=env, stderr=log, close_fds=False,
                             preexec_fn=hand_over) as daemon:  # pylint: disable=subprocess-popen-preexec-fn
        assert notify.recv(100) == b"READY=1", idle.log()
        uri = f"xen+unix:///system?socket={paths[0]}"
        assert idle.names(uri=uri) == []
        assert idle.names(uri=uri + "-ro") == []
        idle.virsh("destroy", "Domain-0", uri=uri + "-ro").failed("read only access")
        assert not os.path.exists(idle.socket_path)
        daemon.terminate()
        assert notify.recv(100) == b"STOPPING=1"
        assert daemon.wait(timeout=10) == 0
    # The sockets belong to the service manager and still exist.
    assert os.path.exists(paths[0]) and os.path.exists(paths[1])
    for one in (*listeners, notify):
        one.close()


# ---- clients -------------------------------------------------------------------------------------------------


def test_max_clients():
    with SimHost("d", {"max_clients": 3}) as host:
        # The probes of the test's own start have disconnected.
        wait_until(lambda: host.log().count("connected") == host.log().count("closed:"), "no client is left")
        clients = [rpc.Client(host.socket_path) for _ in range(3)]
        with pytest.raises(ConnectionError):
            rpc.Client(host.socket_path)
        ended = host.log().count("closed:")
        clients.pop().vanish()
        wait_until(lambda: host.log().count("closed:") > ended, "there is place for one more")
        clients.append(rpc.Client(host.socket_path))
        for client in clients:
            client.call(59)
            client.vanish()


def frames_until_end(raw, seconds):
    """(program, procedure) of each frame within @seconds; and whether the connection ended."""
    found, data, end = [], b"", time.monotonic() + seconds
    raw.settimeout(0.1)
    while time.monotonic() < end:
        try:
            piece = raw.recv(4096)
        except socket.timeout:
            continue
        if not piece:
            return found, True
        data += piece
        while len(data) >= 4 and len(data) >= struct.unpack(">I", data[:4])[0]:
            length, program, _, procedure = struct.unpack(">IIII", data[:16])
            found.append((program, procedure))
            data = data[length:]
    return found, False


def test_keepalive_drops_a_client_that_fell_silent():
    with SimHost("d", {"keepalive_interval": 1, "keepalive_count": 2}) as host:
        client = rpc.Client(host.socket_path)
        start = time.monotonic()
        assert client.call(rpc.SUPPORTS_FEATURE, rpc.Writer().int(10)).int() == 1
        frames, ended = frames_until_end(client.socket, 8)
        assert ended and frames == [(KEEPALIVE, 1)] * 2, frames
        # interval × (count + 1)
        assert 2.5 < time.monotonic() - start < 5
        client.vanish()
        assert host.names() == []


def test_keepalive_keeps_a_client_that_answers():
    with SimHost("d", {"keepalive_interval": 1, "keepalive_count": 1}) as host:
        client = rpc.Client(host.socket_path)
        client.call(rpc.SUPPORTS_FEATURE, rpc.Writer().int(10))
        client.socket.settimeout(10)
        pings = 0
        while pings < 4:
            frame = client.receive_exactly(28)
            program, procedure = struct.unpack(">I", frame[4:8])[0], struct.unpack(">i", frame[12:16])[0]
            assert (program, procedure) == (KEEPALIVE, 1)
            pings += 1
            client.socket.sendall(struct.pack(">IIIiIII", 28, KEEPALIVE, 1, 2, 2, 0, 0))
        client.vanish()


def test_a_client_that_never_spoke_of_keepalive_is_not_pinged():
    with SimHost("d", {"keepalive_interval": 1, "keepalive_count": 1}) as host:
        client = rpc.Client(host.socket_path)
        assert frames_until_end(client.socket, 3) == ([], False)
        client.vanish()


def test_a_clients_own_ping_is_answered(host):
    client = rpc.Client(host.socket_path)
    client.socket.sendall(struct.pack(">IIIiIII", 28, KEEPALIVE, 1, 1, 2, 0, 0))
    frame = client.receive_exactly(28)
    assert struct.unpack(">IIIiIII", frame) == (28, KEEPALIVE, 1, 2, 2, 0, 0)
    client.vanish()


def test_a_client_that_does_not_read_costs_only_itself(host):
    """A client that sends many calls and reads no answer is disconnected before it costs memory; others do not
    notice."""
    host.create("g")
    greedy = socket.socket(socket.AF_UNIX)
    greedy.connect(host.socket_path)
    greedy.settimeout(2)
    greedy.sendall(struct.pack(">IIIIIII", 40, rpc.PROGRAM, 1, rpc.CONNECT_OPEN, 0, 0, 0) + struct.pack(">III", 0, 0, 0))
    call = struct.pack(">IIIIIII", 28, rpc.PROGRAM, 1, 7, rpc.CALL, 1, rpc.OK)
    try:
        for _ in range(2000):
            greedy.sendall(call * 256)
    except OSError:
        pass  # the daemon stopped reading, or has closed: both are correct
    assert host.state("g") == "running"
    with open(f"/proc/{host.process.pid}/status", encoding="ascii") as status:
        resident = int(re.search(r"VmRSS:\s+(\d+) kB", status.read()).group(1))
    greedy.close()
    # The answers to all calls would take a gigabyte; the limit allows for a sanitizer's memory.
    assert resident < 400 * 1024, f"{resident} KiB resident"
    host.assert_healthy()
