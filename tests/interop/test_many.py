# SPDX-License-Identifier: LGPL-2.1-or-later
"""Sixty-four guests are migrated at once, twenty-one or two in each mode: all arrive, each runs on one host, and both
daemons answer meanwhile. The times are printed and not checked: the machine may be busy."""

import statistics
import subprocess
import time

from sim_host import MODES, two_hosts, wait_until

GUESTS = 64
MEMORY_KIB = 8 * 1024


def milliseconds(values):
    values = sorted(value * 1000 for value in values)
    return f"median {statistics.median(values):.1f} ms, longest {values[-1]:.1f} ms, of {len(values)}"


def test_sixty_four_at_once():
    with two_hosts(settings={"log_level": "message"}, control={"rate-mib": 2, "hash": 0}) as (a, b):
        names = [f"g{number:02}" for number in range(GUESTS)]
        for name in names:
            a.create(name, memory_kib=MEMORY_KIB)

        connection = a.connect()
        calls, processes = [], []
        running = {name: a.migrate_start(name, b, "--live", mode=MODES[number % 3])
                   for number, name in enumerate(names)}
        while any(virsh.poll() is None for virsh in running.values()):
            start = time.monotonic()
            connection.listAllDomains()
            calls.append(time.monotonic() - start)
            if len(calls) % 10 == 0:
                start = time.monotonic()
                subprocess.run(["virsh", "-c", b.uri, "list"], stdout=subprocess.DEVNULL, check=True,
                               env=b.client_env)
                processes.append(time.monotonic() - start)
            time.sleep(0.01)
        connection.close()
        print(f"list on an open connection to the source meanwhile: {milliseconds(calls)}")
        if processes:
            print(f"whole `virsh list` on the destination meanwhile: {milliseconds(processes)}")

        errors = {name: virsh.stderr.read() for name, virsh in running.items() if virsh.returncode != 0}
        assert not errors, errors
        assert b.names() == names
        assert a.names("--all") == []
        assert len(b.domains()) == GUESTS
        wait_until(lambda: not a.domains(), "nothing is left on the source")
        wait_until(lambda: all(b.heartbeats(name) for name in names), "all of them beat", timeout=30)
        for name in names:
            numbers = a.heartbeats(name) + b.heartbeats(name)
            assert numbers == list(range(numbers[0], numbers[0] + len(numbers))), f"{name}: a gap or a repeat"
        assert not b.listening_ports()


def test_there_and_back_at_once():
    """Guests are migrated in both directions at once: each daemon is source and destination."""
    with two_hosts(settings={"log_level": "message"}) as (a, b):
        for number in range(8):
            a.create(f"a{number}", memory_kib=MEMORY_KIB)
            b.create(f"b{number}", memory_kib=MEMORY_KIB)
        running = []
        for number in range(8):
            running.append(a.migrate_start(f"a{number}", b, "--live", mode=MODES[number % 3]))
            running.append(b.migrate_start(f"b{number}", a, "--live", mode=MODES[number % 3]))
        for virsh in running:
            assert virsh.wait(timeout=60) == 0, virsh.stderr.read()
        assert a.names() == [f"b{number}" for number in range(8)]
        assert b.names() == [f"a{number}" for number in range(8)]
