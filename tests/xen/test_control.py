# SPDX-License-Identifier: LGPL-2.1-or-later
"""Watching and controlling a migration on real Xen: progress, bandwidth, abort, events; and memory for the guest."""

import os
import re
import time

import lab_guest
from test_failures import WRITES


def bandwidth(pair):
    """Bytes sent in two seconds, by the job's own numbers."""
    def processed():
        said = pair.virsh(pair.a, "domjobinfo", "g", "--rawstats").out
        found = re.search(r"data_processed: (\d+)", said)
        return int(found.group(1)) if found else None
    first = processed()
    time.sleep(2)
    second = processed()
    assert first is not None and second is not None, "the migration ended too early"
    return (second - first) / 2 / 1024 / 1024


def test_progress_speed_and_abort(pair):
    pair.create(pair.a, "g", "pvh", **WRITES)
    mark = len(pair.a.daemon_log())
    watching = pair.virsh_start(pair.a, "event", "--all", "--loop", "--timeout", "60")
    virsh = pair.migrate_start(pair.a, "g", "direct", True, "--bandwidth", "4")
    pair.wait("data flows", lambda: "Frames iteration 0: 2048" in pair.a.daemon_log()[mark:])
    slow = bandwidth(pair)
    assert 2.5 < slow < 5.5, f"--bandwidth 4 sends {slow:.1f} MiB/s"
    pair.virsh(pair.a, "migrate-setspeed", "g", "12").ok()
    time.sleep(1)
    fast = bandwidth(pair)
    assert 8 < fast < 15, f"migrate-setspeed 12 sends {fast:.1f} MiB/s"
    info = pair.virsh(pair.a, "domjobinfo", "g").ok().out
    for line in ("Unbounded", "Bounded"):
        if re.search(rf"Job type:\s+{line}", info):
            break
    else:
        raise AssertionError(info)
    assert re.search(r"Memory remaining:\s+[1-9]", info) and re.search(r"Time elapsed:\s+[1-9]", info), info
    began = time.monotonic()
    pair.virsh(pair.a, "domjobabort", "g").ok()
    virsh.communicate(timeout=20)
    assert virsh.returncode != 0
    took = time.monotonic() - began
    print(f"4 MiB/s asked: {slow:.1f}; 12 MiB/s asked: {fast:.1f}; aborted in {took:.1f} s")
    pair.runs_only_on(pair.a, "g")
    pair.wait("nothing of it on the destination", lambda: not pair.b.domains())
    watching.terminate()
    said = watching.communicate()[0]
    assert "migration-iteration" in said, said


def test_tunnelled_speed(pair):
    pair.create(pair.a, "g", "pvh", **WRITES)
    mark = len(pair.a.daemon_log())
    virsh = pair.migrate_start(pair.a, "g", "tunnelled", True, "--bandwidth", "6")
    pair.wait("data flows", lambda: "Frames iteration 0: 2048" in pair.a.daemon_log()[mark:])
    rate = bandwidth(pair)
    assert 4 < rate < 8, f"--bandwidth 6 sends {rate:.1f} MiB/s"
    pair.virsh(pair.a, "domjobabort", "g").ok()
    virsh.communicate(timeout=30)
    pair.runs_only_on(pair.a, "g")


def test_no_room(pair):
    """Refused before any data is sent; with dom0_min_memory dom0 gives memory back."""
    b = pair.b
    pair.create(pair.a, "g", "pvh")
    free = int(b.run("xl info free_memory").ok().out)
    path = os.path.join(pair.lab.dir, "big.xml")
    with open(path, "w", encoding="utf-8") as out:
        out.write(lab_guest.xml("big", "pvh", memory=free - 100))
    pair.virsh(b, "create", path).ok()
    pair.migrate(pair.a, "g", "direct", True).failed("not enough memory on host 'xenb'", "MiB are missing")
    pair.runs_only_on(pair.a, "g")
    b.kill_daemon("TERM")
    b.start_daemon("dom0_min_memory = 384\n")
    try:
        before = int(b.run("xl list Domain-0 | awk 'NR==2{print $3}'").ok().out)
        pair.migrate(pair.a, "g", "direct", True).ok()
        pair.runs_only_on(b, "g")
        after = int(b.run("xl list Domain-0 | awk 'NR==2{print $3}'").ok().out)
        print(f"dom0 gave {before - after} MiB back")
        assert 384 <= after < before
    finally:
        b.destroy_all()
        b.run("xl mem-set 0 640")
        b.kill_daemon("TERM")
        b.start_daemon()
