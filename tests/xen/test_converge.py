# SPDX-License-Identifier: LGPL-2.1-or-later
"""The maximum downtime on real Xen: libxl's own save helper with xenferry-precopy.so in it. docs/convergence.md."""

import re

import pytest
from conftest import beats_go_on

# Dirties 32 MiB ten times a second.
WRITES = {"memory": 160, "mb": 32, "pages": 8192, "tick": 100, "every": 5}
LINE = ("--bandwidth", "40")
# A maximum slows the guest down as well; here hardly, so that it cannot be kept.
HARDLY = ("--auto-converge", "--auto-converge-initial", "1", "--auto-converge-increment", "1")
LEFT = re.compile(r"after (\d+) passes (\d+) pages were left, for (\d+) ms; maximum downtime (\d+) ms")
PASS = re.compile(r"Frames iteration (\d+): (\d+) of (\d+)")


@pytest.fixture
def strict(pair):
    """The source aborts rather than exceed the maximum, after seven passes."""
    pair.a.kill_daemon("TERM")
    pair.a.start_daemon("exceed_downtime = abort\nmax_passes = 7\n")
    yield pair
    pair.a.destroy_all()
    pair.a.kill_daemon("TERM")
    pair.a.start_daemon()


def left(log):
    """(passes, pages, ms, maximum), as the policy saw them last."""
    return tuple(int(word) for word in LEFT.findall(log)[-1])


def last_pass(log):
    """(number, pages) of the last pass."""
    number, _, total = PASS.findall(log)[-1]
    return int(number), int(total)


def test_without_a_maximum(pair):
    """libxenguest's own rule, asked through the policy."""
    pair.create(pair.a, "g", "pvh", **WRITES)
    mark, before = len(pair.a.daemon_log()), len(pair.a.beats("g"))
    pair.migrate(pair.a, "g", "direct", True, *LINE).ok()
    passes, pages, ms, maximum = left(pair.a.daemon_log()[mark:])
    number, sent = last_pass(pair.a.daemon_log()[mark:])
    print(f"{passes} passes, {pages} pages left for {ms} ms; the last pass, number {number}, had {sent}; guest stood still "
          f"{beats_go_on(pair.a, pair.b, 'g', before):.0f} ms")
    assert (passes, maximum, number) == (5, 0, 5)
    # Xen's counter is the truth, but for what the guest wrote until it was suspended.
    assert pages > 1000 and pages * 0.9 < sent


def test_abort_and_again(strict):
    pair = strict
    pair.create(pair.a, "g", "pvh", **WRITES)
    pair.virsh(pair.a, "migrate-setmaxdowntime", "g", "1").ok()
    mark, before = len(pair.a.daemon_log()), len(pair.a.beats("g"))
    pair.migrate(pair.a, "g", "direct", True, *LINE, *HARDLY).failed("after 7 passes", "maximum downtime of 1 ms")
    log = pair.a.daemon_log()[mark:]
    print(f"aborted: {left(log)}")
    assert left(log)[0] == 7 and "suspend request via" not in log and "Domain now suspended" not in log
    pair.runs_only_on(pair.a, "g")
    pair.wait("it beats on", lambda: len(pair.a.beats("g")) > before + 2)
    # A maximum that can be kept: stopped in time.
    pair.virsh(pair.a, "migrate-setmaxdowntime", "g", "20000").ok()
    mark, before = len(pair.a.daemon_log()), len(pair.a.beats("g"))
    pair.migrate(pair.a, "g", "direct", True, *LINE).ok()
    passes, pages, ms, maximum = left(pair.a.daemon_log()[mark:])
    print(f"moved: {passes} passes, {pages} pages left for {ms} ms of {maximum}; guest stood still "
          f"{beats_go_on(pair.a, pair.b, 'g', before):.0f} ms")
    assert ms <= maximum == 20000


def test_slowed_down_to_a_hundredth(pair):
    """It can still suspend, and the maximum is kept."""
    pair.create(pair.a, "g", "pvh", **WRITES)
    pair.virsh(pair.a, "migrate-setmaxdowntime", "g", "100").ok()
    mark, before = len(pair.a.daemon_log()), len(pair.a.beats("g"))
    pair.migrate(pair.a, "g", "direct", True, *LINE).ok()
    passes, pages, ms, maximum = left(pair.a.daemon_log()[mark:])
    print(f"moved: {passes} passes, {pages} pages left for {ms} ms of {maximum}; guest stood still "
          f"{beats_go_on(pair.a, pair.b, 'g', before):.0f} ms")
    assert ms <= maximum == 100
