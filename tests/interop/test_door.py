# SPDX-License-Identifier: LGPL-2.1-or-later
"""Connections to the peer port and to a migration's own port that do not belong to a migration: they cost no processor
time, and hold no place for long."""

import os
import socket
import time

import pytest

import rpc
from sim_host import SimHost, two_hosts, wait_until

QUESTION = (28).to_bytes(4, "big") + rpc.PROGRAM.to_bytes(4, "big")  # the first bytes of a frame


def peer_port(host):
    return host.address, host.ports.first + 1


def connect(where, begin=b"", source=None):
    connection = socket.create_connection(where, timeout=10, source_address=(source, 0) if source else None)
    connection.sendall(begin)
    return connection


def processor_s(host):
    with open(f"/proc/{host.process.pid}/stat") as stat:
        fields = stat.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def is_closed(connection):
    connection.settimeout(0.01)
    try:
        return connection.recv(1) == b""
    except TimeoutError:
        return False
    except OSError:
        return True


def half_close(connection):
    connection.shutdown(socket.SHUT_WR)


def out_of_band(connection):
    """Out-of-band data: the reader sees only the bytes before it, however many follow."""
    connection.send(b"!", socket.MSG_OOB)
    connection.sendall(b"x" * 64)


@pytest.mark.parametrize("then", [half_close, out_of_band])
def test_a_part_of_a_ticket_costs_no_processor(then):
    with SimHost("b") as b:
        strangers = [connect(peer_port(b), b"XFERDATA") for _ in range(8)]
        for stranger in strangers:
            then(stranger)
        time.sleep(0.3)
        before = processor_s(b)
        time.sleep(1.5)
        assert processor_s(b) - before < 0.2
        for stranger in strangers:
            stranger.close()


def test_a_part_of_a_stream_costs_no_processor():
    """libxl's helper is started after the first record; waiting for that record costs no processor time."""
    with SimHost("a") as a, SimHost("b", {"guard": "no"}) as b:
        a.create("g")
        with rpc.Client(a.socket_path) as source, rpc.Client(b.socket_path) as destination:
            domain = source.lookup("g")
            _, xml = source.begin(domain)
            _, uri = destination.prepare(xml, b"")
            with connect((b.address, int(uri.rsplit(":", 1)[1])), b"LibxlFmt" + bytes([0, 0, 0, 2])) as stranger:
                half_close(stranger)
                time.sleep(0.3)
            before = processor_s(b)
            time.sleep(1)
            assert processor_s(b) - before < 0.2


def test_a_crowd_keeps_no_asker_out():
    """Many addresses with the maximum of connections each do not keep a connection of another address out."""
    with SimHost("b") as b:
        crowd = [connect(peer_port(b), QUESTION, f"127.0.1.{1 + n % 5}") for n in range(300)]
        asker = connect(peer_port(b), QUESTION)
        more = [connect(peer_port(b), QUESTION, f"127.0.1.{1 + n % 5}") for n in range(60)]
        wait_until(lambda: sum(map(is_closed, crowd)) >= 100, "the crowd's oldest have left")
        assert not is_closed(asker)
        assert not is_closed(more[-1])
        for connection in crowd + more + [asker]:
            connection.close()


def test_a_crowd_that_says_nothing_keeps_no_ticket_out():
    with SimHost("a") as a, SimHost("b") as b:
        a.create("g")
        crowd = [connect(peer_port(b), b"XFER", f"127.0.1.{1 + n % 10}") for n in range(600)]
        a.migrate("g", b, "--live", "--parallel", mode="p2p").ok()
        for connection in crowd:
            connection.close()


def test_strangers_at_the_migrations_own_port_keep_no_source_out():
    with SimHost("a") as a, SimHost("b", {"one_port": "no"}) as b:
        a.create("g")
        with rpc.Client(a.socket_path) as source, rpc.Client(b.socket_path) as destination:
            domain = source.lookup("g")
            cookie, xml = source.begin(domain)
            cookie, uri = destination.prepare(xml, cookie)
            where = b.address, int(uri.rsplit(":", 1)[1])
            strangers = [connect(where) for _ in range(100)]
            cookie = source.perform(domain, uri, cookie)
            destination.finish("g", cookie)
            source.confirm(domain)
            assert all(map(is_closed, strangers)), "a connection to a closed port is open"
        assert b.state("g") == "running"


@pytest.mark.parametrize("mode, guard", [("direct", "yes"), ("direct", "no"), ("tunnelled", "no")])
def test_a_source_that_stalls_is_given_up(mode, guard):
    """The source has sent a part of the guest, keeps its connections open, and sends nothing more."""
    with SimHost("a", {"stall_timeout": 60}) as a, SimHost("b", {"guard": guard, "stall_timeout": 2}) as b:
        a.create("g")
        a.control(pause="save-live-round")
        virsh = a.migrate_start("g", b, "--live", mode=mode)
        wait_until(lambda: b.traced("destination receiving -> stopping"), "the destination gives up", timeout=20)
        wait_until(lambda: not b.domains(), "nothing of it is left there")
        a.control()
        assert virsh.wait(timeout=30) != 0
        assert a.state("g") == "running"
        assert "sent nothing for the configured time" in b.log()


def test_a_slow_source_is_not_given_up():
    with two_hosts({"stall_timeout": 2}) as (a, b):
        a.create("g", memory_kib=16 * 1024)
        a.control(rate_mib=3)
        a.migrate("g", b, "--live").ok()
        assert b.state("g") == "running"


@pytest.mark.parametrize("options", [[], ["--parallel"], ["--compressed"]], ids=["plain", "parallel", "compressed"])
@pytest.mark.parametrize("mode", ["direct", "p2p"])
def test_a_source_that_reaches_itself_says_so(mode, options):
    """The destination announces an address of the source, on which the source's own daemon listens."""
    with SimHost("a", {"migration_listen": "127.0.0.1"}) as a:
        with SimHost("b", {"migration_listen": "127.0.0.2", "migration_host": "127.0.0.1", "peer_port": peer_port(a)[1]}) as b:
            a.create("g")
            result = a.migrate("g", b, "--live", *options, mode=mode).failed("leads back to this host", "migration_host")
            assert result.seconds < 10
            assert a.state("g") == "running"
            wait_until(lambda: not b.domains(), "nothing of it is left")


def test_a_closed_port_of_this_host_itself(a, b):
    """On that port no program listens; the error names the same reason."""
    a.create("g")
    with rpc.Client(a.socket_path) as source, rpc.Client(b.socket_path) as destination:
        domain = source.lookup("g")
        cookie, xml = source.begin(domain)
        cookie, _ = destination.prepare(xml, cookie)
        with pytest.raises(rpc.RpcError, match="that is this host itself"):
            source.perform(domain, f"tcp://127.0.0.1:{b.ports.last}", cookie)
    assert a.state("g") == "running"


def test_a_pump_that_reports_without_an_end(tmp_path):
    """A pump reads a peer's data, so it may have been taken over: it must not block the daemon's loop."""
    pump = tmp_path / "pump"
    pump.write_text("#!/bin/sh\nfor word; do case $word in --report=*) fd=${word#*=};; esac; done\n"
                    "exec yes '{\"in\":1}' >/proc/self/fd/$fd\n")
    pump.chmod(0o755)
    with SimHost("a") as a, SimHost("b", {"pump_path": pump, "accept_timeout": 3}) as b:
        a.create("g")
        virsh = a.migrate_start("g", b, "--live")
        wait_until(lambda: b.traced("destination prepared -> connected"), "its data comes")
        for _ in range(10):
            assert b.virsh("list").ok().seconds < 3
        assert virsh.wait(timeout=30) != 0
        wait_until(lambda: not b.domains(), "nothing of it is left")
        assert a.state("g") == "running"
