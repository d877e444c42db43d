# SPDX-License-Identifier: LGPL-2.1-or-later
"""The data path: the options that two xenferries agree on, a host's policies for them, and the end of a migration with
invalid data. docs/stream.md."""

import contextlib
import os
import random
import re
import socket
import subprocess
import sys
import threading
import time

import pytest

import rpc
import sim_host
from sim_host import MODES, SimHost, assert_heartbeat, assert_same_memory, two_hosts, wait_until

MODE = pytest.mark.parametrize("mode", MODES)


def pki(directory, name):
    """A CA, and a certificate for server and client, in the places that libvirt uses."""
    def ssl(*arguments):
        subprocess.run(["openssl", *arguments], cwd=directory, check=True, capture_output=True)

    os.makedirs(os.path.join(directory, "libvirt", "private"))
    os.makedirs(os.path.join(directory, "CA"))
    ssl("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", "ca.key", "-out", "CA/cacert.pem", "-days", "2",
        "-subj", "/CN=test CA")
    with open(os.path.join(directory, "ext"), "w", encoding="ascii") as out:
        out.write(f"subjectAltName=DNS:{name},IP:127.0.0.1\n")
    for role in ("server", "client"):
        ssl("req", "-newkey", "rsa:2048", "-nodes", "-keyout", f"libvirt/private/{role}key.pem", "-out", "request", "-subj",
            f"/CN={name}")
        ssl("x509", "-req", "-in", "request", "-CA", "CA/cacert.pem", "-CAkey", "ca.key", "-CAcreateserial", "-days", "2",
            "-out", f"libvirt/{role}cert.pem", "-extfile", "ext")
    return str(directory)


@pytest.fixture(scope="session", name="keys")
def keys_fixture(tmp_path_factory):
    return pki(str(tmp_path_factory.mktemp("pki")), "dst.example")


WAYS = {
    "as-it-is": ([], {}),
    "checksums": ([], {"checksums": "always"}),
    "zstd": (["--compressed", "--comp-methods", "zstd"], {}),
    "auto": (["--compressed"], {}),
    "always": ([], {"compression": "always", "checksums": "always"}),
    "parallel": (["--parallel", "--parallel-connections", "5"], {}),
    "tls": (["--tls", "--tls-destination", "dst.example"], {}),
    "tls-by-policy": ([], {"tls": "require"}),
    "everything": (["--tls", "--compressed", "--parallel", "--bandwidth", "900"], {"checksums": "require"}),
    "no-guard": ([], {"guard": "no"}),
    "no-guard-zstd": (["--compressed"], {"guard": "no"}),
}


def words(host, name="g"):
    """The data options in the source's log."""
    return re.findall(r"the data goes (.*)", host.log())[-1]


@MODE
@pytest.mark.parametrize("way", WAYS)
def test_ways(keys, mode, way):
    options, settings = WAYS[way]
    if mode == "tunnelled" and {"--tls", "--parallel"} & set(options) or (mode, way) == ("tunnelled", "tls-by-policy"):
        pytest.skip("a tunnel has no data connections")
    with two_hosts(dict(settings, pki_dir=keys)) as (a, b):
        a.create("g")
        wait_until(lambda: len(a.heartbeats("g")) >= 2, "beats")
        a.migrate("g", b, "--live", *options, mode=mode).ok()
        assert (a.state("g"), b.state("g")) == (None, "running")
        assert_same_memory("g", a, b)
        assert_heartbeat("g", a, b)
        said = words(a)
        assert ("in frames" in said) == (way not in ("as-it-is", "no-guard"))
        assert ("compressed" in said) == (way in ("zstd", "auto", "always", "everything", "no-guard-zstd"))
        assert ("encrypted" in said) == (way in ("tls", "tls-by-policy", "everything"))
        b.virsh("destroy", "g").ok()
        for host in (a, b):
            wait_until(lambda host=host: not host.processes(), "no pump is left")


def test_compressed_is_smaller():
    with two_hosts() as (a, b):
        sizes = []
        for options in ([], ["--compressed", "--comp-methods", "zstd"]):
            a.create("g", memory_kib=32768)
            a.migrate("g", b, "--live", *options).ok()
            sizes.append(int(re.search(r"all is sent, (\d+) bytes", a.log().rsplit("begun, to", 1)[-1]).group(1)))
            assert ("Compressed data" in b.virsh("domjobinfo", "g", "--completed").ok().out) == bool(options)
            b.virsh("destroy", "g").ok()
        assert sizes[1] < sizes[0] * 0.9, sizes


# ---- policy ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("option, setting, word", [
    (["--tls"], {"tls": "never"}, "tls"), (["--compressed"], {"compression": "never"}, "zstd"),
    (["--parallel"], {"checksums": "never"}, "frames")])
@MODE
def test_the_source_forbids(option, setting, word, mode):
    if mode == "tunnelled" and option != ["--compressed"]:
        pytest.skip("not with a tunnel")
    with SimHost("a", setting) as a, SimHost("b") as b:
        a.create("g")
        a.migrate("g", b, "--live", *option, mode=mode).failed("this host forbids", f"'{word}'")
        assert a.state("g") == "running"


@pytest.mark.parametrize("option, setting, word", [
    (["--tls"], {"tls": "never"}, "tls"), (["--compressed"], {"compression": "never"}, "zstd"),
    (["--parallel"], {"checksums": "never"}, "frames")])
def test_the_destination_forbids(option, setting, word):
    with SimHost("a") as a, SimHost("b", setting) as b:
        a.create("g")
        for mode in ("direct", "p2p"):
            a.migrate("g", b, "--live", *option, mode=mode).failed(f"requires '{word}'", "forbids")
            assert a.state("g") == "running"


def test_the_destination_requires():
    with SimHost("a", {"tls": "never"}) as a, SimHost("b", {"tls": "require"}) as b:
        a.create("g")
        for mode in MODES:
            a.migrate("g", b, "--live", mode=mode).failed("requires 'tls'")
        assert a.state("g") == "running"


def test_the_source_requires_of_a_libvirtd():
    libvirtd_host = pytest.importorskip("libvirtd_host", reason="the preloaded libvirtd is not built")
    if libvirtd_host.why_not():
        pytest.skip(libvirtd_host.why_not())
    with SimHost("a", {"tls": "require"}) as a, libvirtd_host.LibvirtdHost("lb") as b:
        a.create("g")
        for mode in ("direct", "p2p"):
            a.migrate("g", b, "--live", mode=mode).failed("does not support 'tls'")
            assert a.state("g") == "running" and not b.domains()


@pytest.mark.parametrize("options, text", [
    (["--compressed", "--comp-methods", "xbzrle"], "zstd"), (["--comp-methods", "zstd"], "--compressed"),
    (["--parallel", "--parallel-connections", "17"], "1 to 16"), (["--tls-destination", "x"], "--tls")])
def test_senseless(a, b, options, text):
    a.create("g")
    a.migrate("g", b, "--live", *options).failed(text)
    assert a.state("g") == "running"


def test_no_keys(tmp_path):
    """The error names the missing keys, and the guest keeps running."""
    with two_hosts({"pki_dir": str(tmp_path)}) as (a, b):
        a.create("g")
        for mode in ("direct", "p2p"):
            a.migrate("g", b, "--live", "--tls", mode=mode).failed("pem")
            wait_until(lambda: a.state("g") == "running" and not b.domains(), "as before")


def test_somebody_elses_certificate(keys, tmp_path):
    other = pki(str(tmp_path), "dst.example")
    with SimHost("a", {"pki_dir": keys}) as a, SimHost("b", {"pki_dir": other}) as b:
        a.create("g")
        a.migrate("g", b, "--live", "--tls", "--tls-destination", "dst.example", mode="p2p").failed("certificate")
        wait_until(lambda: a.state("g") == "running" and not b.domains(), "as before")


def test_another_name(keys):
    with two_hosts({"pki_dir": keys}) as (a, b):
        a.create("g")
        a.migrate("g", b, "--live", "--tls", "--tls-destination", "other.example", mode="p2p").failed("other.example")
        wait_until(lambda: a.state("g") == "running" and not b.domains(), "as before")


# ---- another version ---------------------------------------------------------------------------------------------


@contextlib.contextmanager
def by_hand(a, b, change=lambda cookie: cookie, answer=lambda cookie: cookie):
    """A managed migration in which the test can change the cookies."""
    with rpc.Client(a.socket_path) as source, rpc.Client(b.socket_path) as destination:
        domain = source.lookup("g")
        cookie, xml = source.begin(domain)
        cookie, uri = destination.prepare(xml, change(cookie))
        yield source, destination, domain, uri, answer(cookie)


def moves(a, b, **changes):
    with by_hand(a, b, **changes) as (source, destination, domain, uri, cookie):
        sent = source.perform(domain, uri, cookie)
        destination.finish("g", sent)
        source.confirm(domain)
    assert b.state("g") == "running"
    assert_same_memory("g", a, b)


PEER = b"</xenferry:peer>"


def test_a_future_source_that_can_more(a, b):
    a.create("g")
    moves(a, b, change=lambda cookie: cookie.replace(PEER, b"<xenferry:feature name='teleport' need='offered'/>"
                                                     b"<xenferry:later x='1'/>" + PEER))


def test_a_future_source_that_wants_more(a, b):
    a.create("g")
    with pytest.raises(rpc.RpcError, match="teleport"):
        with by_hand(a, b, change=lambda cookie: cookie.replace(
                PEER, b"<xenferry:feature name='teleport' need='required'/>" + PEER)):
            pass
    assert a.state("g") == "running"


def test_a_future_destination_that_wants_more(a, b):
    a.create("g")
    with by_hand(a, b, answer=lambda cookie: cookie.replace(
            PEER, b"<xenferry:feature name='teleport' need='required'/>" + PEER)) as (source, _, domain, uri, cookie):
        with pytest.raises(rpc.RpcError, match="teleport"):
            source.perform(domain, uri, cookie)
    assert a.state("g") == "running"


def without_features(cookie):
    return re.sub(rb"<xenferry:(feature|data)[^>]*/>", b"", cookie)


def test_a_past_source(a, b):
    """A former xenferry offers no options, and sends libxl's plain stream."""
    a.create("g")
    moves(a, b, change=without_features)
    assert words(a) == "as it is"


def test_a_past_destination_waits_for_a_bare_stream(a, b):
    a.create("g")
    moves(a, b, change=without_features, answer=without_features)


# ---- invalid data ------------------------------------------------------------------------------------------------


def hostile(kind):
    sys.path.insert(0, os.path.join(sim_host.SOURCE, "tests", "lib"))
    import xen_stream  # pylint: disable=import-outside-toplevel

    good = xen_stream.stream("hvm", 8).bytes()
    return {
        "cut": good[:len(good) // 2],
        "behind the end": good + b"\0" * 64,
        "record of 4 GiB": good[:24] + b"\1\0\0\0\xff\xff\xff\xff" + good[32:],
        "zeros": good[:8] + bytes(4096),
    }[kind]


@pytest.mark.parametrize("kind", ["cut", "behind the end", "record of 4 GiB", "zeros"])
def test_hostile_streams_end_at_the_guard(a, b, kind):
    """A client with the ticket sends invalid data: libxl gets no byte that the guard has not checked."""
    a.create("g", memory_kib=16384)
    with by_hand(a, b) as (_, destination, _, uri, cookie):
        token = bytes.fromhex(re.search(rb"token='([0-9a-f]{32})'", cookie).group(1).decode())
        with socket.create_connection(("127.0.0.1", int(uri.rsplit(":", 1)[1]))) as data:
            with contextlib.suppress(OSError):
                data.sendall(b"XFERDATA\1\0\0\0\0\0\1\0" + token + hostile(kind))
                data.shutdown(socket.SHUT_WR)
            with pytest.raises(rpc.RpcError) as refused:
                destination.finish("g", rpc.says_sent(cookie))
        print(refused.value)
    assert a.state("g") == "running"
    wait_until(lambda: not b.domains(), "nothing of it is there")


@pytest.mark.parametrize("start", [b"LibxlFmt" + bytes(16), bytes(24), b"LibxlFmt\0\0\0\2\0\0\0\0\7\0\0\0\0\0\0\0"])
def test_without_a_guard_the_first_bytes_are_looked_at(a, start):
    """libxl would end the daemon if the first bytes were wrong, so the daemon checks them."""
    with SimHost("b", {"guard": "no"}) as b:
        a.create("g", memory_kib=16384)
        with by_hand(a, b) as (_, destination, _, uri, cookie):
            token = bytes.fromhex(re.search(rb"token='([0-9a-f]{32})'", cookie).group(1).decode())
            with socket.create_connection(("127.0.0.1", int(uri.rsplit(":", 1)[1]))) as data:
                data.sendall(b"XFERDATA\1\0\0\0\0\0\1\0" + token + start)
                with pytest.raises(rpc.RpcError, match="does not begin as a libxl stream"):
                    destination.finish("g", rpc.says_sent(cookie))
        assert a.state("g") == "running"
        wait_until(lambda: not b.domains(), "nothing of it is there")
        a.migrate("g", b, "--live").ok()


def test_a_ticket_is_needed(a, b):
    """A ticket with a wrong bit, one of another version, and none: the connection is closed, the migration
    continues."""
    a.create("g")
    with by_hand(a, b) as (source, destination, domain, uri, cookie):
        token = bytes.fromhex(re.search(rb"token='([0-9a-f]{32})'", cookie).group(1).decode())
        wrong = bytes([token[0] ^ 1]) + token[1:]
        for start in (b"XFERDATA\1\0\0\0\0\0\1\0" + wrong, b"XFERDATA\2\0\0\0\0\0\1\0" + token, b"LibxlFmt" + b"\0" * 24,
                      b"XFERDATA\1\0\0\0\1\0\1\0" + token, b"XFERDATA\1\0\0\0\0\0\x11\0" + token):
            with socket.create_connection(("127.0.0.1", int(uri.rsplit(":", 1)[1]))) as stranger:
                stranger.sendall(start)
                stranger.settimeout(5)
                with contextlib.suppress(ConnectionResetError):
                    assert stranger.recv(1) == b""
        sent = source.perform(domain, uri, cookie)
        destination.finish("g", sent)
        source.confirm(domain)
    assert b.state("g") == "running"


@pytest.mark.parametrize("mode", ["direct", "p2p"])
def test_a_crowd_at_the_port(a, b, mode):
    """More connections than are allowed connect all the time, and send nothing, garbage, or half a ticket."""
    a.create("g", memory_kib=32768)
    over = threading.Event()

    def come():
        chance = random.Random(7)
        waiting = []
        while not over.is_set():
            with contextlib.suppress(OSError):
                stranger = socket.create_connection(("127.0.0.1", b.ports.first + 1), timeout=2)
                stranger.send(chance.choice([b"", b"XFERDATA", b"XFERDATA\1\0\0\0\0\0\1\0" + bytes(16), b"GET /\r\n\r\n",
                                             bytes(64)]) or b"x")
                waiting.append(stranger)
            if len(waiting) > 700:
                waiting.pop(0).close()
        for stranger in waiting:
            stranger.close()

    crowd = threading.Thread(target=come)
    crowd.start()
    try:
        time.sleep(1)
        for _ in range(3):
            a.migrate("g", b, "--live", "--parallel", mode=mode).ok()
            b.migrate("g", a, "--live").ok()
    finally:
        over.set()
        crowd.join()
    assert a.state("g") == "running"


# ---- during a migration ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("options", [["--compressed"], ["--parallel"]])
@MODE
def test_pace_and_abort(mode, options):
    if mode == "tunnelled" and "--parallel" in options:
        pytest.skip("a tunnel has one connection")
    with two_hosts(control={"fill-percent": 100}) as (a, b):
        a.create("g", memory_kib=131072)
        client = a.migrate_start("g", b, "--live", "--bandwidth", "4", *options, mode=mode)
        wait_until(lambda: a.traced("move g source connecting -> sending"), "it sends")
        time.sleep(2)

        def processed():
            found = re.search(r"Data processed:\s+([0-9.]+) (\w+)", a.virsh("domjobinfo", "g").out)
            return float(found.group(1)) * {"B": 1 / 1048576, "KiB": 1 / 1024, "MiB": 1, "GiB": 1024}[found.group(2)]

        start = processed()
        time.sleep(2)
        assert (processed() - start) / 2 < 8
        a.virsh("migrate-setspeed", "g", "16").ok()
        time.sleep(1)
        start = processed()
        time.sleep(2)
        assert 8 < (processed() - start) / 2 < 28
        start = time.monotonic()
        a.virsh("domjobabort", "g").ok()
        assert client.wait(timeout=20) != 0
        print(f"aborted in {time.monotonic() - start:.2f} s")
        wait_until(lambda: a.state("g") == "running" and not b.domains(), "as before")


@MODE
def test_abort_before_libxl_has_begun(a, b, mode):
    """While its helper does not run yet, an abort would make libxl call through a null pointer."""
    a.create("g", memory_kib=65536)
    a.stop_at("source", "connecting -> sending")
    client = a.migrate_start("g", b, "--live", "--bandwidth", "8", mode=mode)
    a.wait_stopped()
    abort = a.virsh_start("domjobabort", "g")
    time.sleep(0.5)
    a.go_on()
    assert abort.wait(timeout=20) == 0 and client.wait(timeout=20) != 0
    wait_until(lambda: a.state("g") == "running" and not b.domains(), "as before")
    a.control()
    a.migrate("g", b, "--live", mode=mode).ok()


def test_a_pump_that_dies(a, b):
    """On either side: the migration fails, and the error names the pump."""
    a.create("g", memory_kib=131072)
    for host in (a, b):
        client = a.migrate_start("g", b, "--live", "--bandwidth", "8", "--compressed", mode="p2p")
        wait_until(lambda: b.traced("move g destination prepared -> connected"), "it sends")
        time.sleep(0.5)
        pumps = [pid for pid in host.processes() if "xenferry-pump" in open(f"/proc/{pid}/cmdline", encoding="ascii",
                                                                           errors="replace").read()]
        assert len(pumps) == 1
        os.kill(pumps[0], 9)
        _, said = client.communicate(timeout=60)
        assert client.returncode != 0
        if host is a:
            assert "xenferry-pump" in said
        wait_until(lambda: a.state("g") == "running" and not b.domains(), "as before")


@pytest.mark.parametrize("option", ["--timeout", "--timeout --timeout-suspend"])
@MODE
def test_timeout_lets_it_stand_still(mode, option):
    """The guest writes faster than the connection: it is paused, so that the migration completes, and resumed there."""
    with two_hosts(control={"fill-percent": 100, "dirty-pages": 4000, "min-dirty": 1}) as (a, b):
        a.create("g", memory_kib=32768)
        words_of_option = option.split()
        result = a.migrate("g", b, "--live", "--bandwidth", "8", words_of_option[0], "1", *words_of_option[1:], mode=mode)
        result.ok()
        assert result.seconds > 1
        assert (a.state("g"), b.state("g")) == (None, "running")
        assert "the guest is held until it has arrived" in a.log()
        assert_same_memory("g", a, b)
        assert_heartbeat("g", a, b)


def test_timeout_and_abort(a, b):
    """The guest is paused, and the migration is aborted: the guest is resumed at the source."""
    a.create("g", memory_kib=65536)
    client = a.migrate_start("g", b, "--live", "--bandwidth", "4")
    wait_until(lambda: a.traced("move g source connecting -> sending"), "it sends")
    time.sleep(0.5)
    a.virsh("suspend", "g").ok()
    assert a.virsh("domstate", "g", "--reason").out.strip() == "paused (migrating)"
    before = len(a.heartbeats("g"))
    time.sleep(0.5)
    assert len(a.heartbeats("g")) <= before + 1
    a.virsh("domjobabort", "g").ok()
    assert client.wait(timeout=20) != 0
    wait_until(lambda: a.state("g") == "running", "it runs on")
    wait_until(lambda: len(a.heartbeats("g")) > before + 3, "it beats on")


# Writes faster than the connection.
BUSY = {"fill-percent": 100, "dirty-pages": 8000}


def caps(host):
    return [int(line.split()[-1]) for line in host.traced(" cap g ")]


@MODE
def test_auto_converge(mode):
    """The cap is lowered with each pass, so the guest writes less; at the destination it has its processors again."""
    with two_hosts(control=BUSY) as (a, b):
        a.create("g", memory_kib=32768)
        a.migrate("g", b, "--live", "--auto-converge", "--bandwidth", "16", mode=mode).ok()
        assert len(caps(a)) >= 2 and caps(a) == sorted(caps(a), reverse=True) and caps(a)[0] == 50
        assert caps(b) == []
        assert_same_memory("g", a, b)
        assert_heartbeat("g", a, b)


def test_auto_converge_by_steps(a, b):
    a.control(**{key.replace("-", "_"): value for key, value in BUSY.items()})
    a.create("g", memory_kib=32768)
    a.migrate("g", b, "--live", "--auto-converge", "--auto-converge-initial", "30", "--auto-converge-increment", "5",
              "--bandwidth", "16").ok()
    assert caps(a)[:2] == [70, 65]


def test_the_longest_downtime(a, b):
    """If the allowed downtime is long enough, the guest is not throttled; with a shorter one it is."""
    a.control(**{key.replace("-", "_"): value for key, value in BUSY.items()})
    a.create("g", memory_kib=32768)
    assert a.virsh("migrate-getmaxdowntime", "g").ok().out.strip() == "300"
    a.virsh("migrate-setmaxdowntime", "g", "0").failed("downtime")
    a.virsh("migrate-setmaxdowntime", "g", "60000").ok()
    assert a.virsh("migrate-getmaxdowntime", "g").ok().out.strip() == "60000"
    a.migrate("g", b, "--live", "--bandwidth", "16").ok()
    assert caps(a) == []
    b.migrate("g", a, "--live").ok()
    a.virsh("migrate-setmaxdowntime", "g", "50").ok()
    a.migrate("g", b, "--live", "--bandwidth", "16").ok()
    assert caps(a)


@pytest.mark.parametrize("end", ["abort", "daemon killed", "destination fails"])
def test_its_processors_come_back(a, b, end):
    a.control(**{key.replace("-", "_"): value for key, value in BUSY.items()})
    if end == "destination fails":
        b.fail_at("restore-last-record")
    a.create("g", memory_kib=32768)
    client = a.migrate_start("g", b, "--live", "--auto-converge", "--bandwidth", "16")
    wait_until(lambda: caps(a), "it is slowed down")
    if end == "abort":
        a.virsh("domjobabort", "g").ok()
    elif end == "daemon killed":
        a.kill()
        a.start()
    assert client.wait(timeout=30) != 0
    wait_until(lambda: caps(a)[-1] == 0, lambda: f"its processors are back: {caps(a)}")
    wait_until(lambda: a.state("g") == "running" and not b.domains(), "as before")
