# SPDX-License-Identifier: LGPL-2.1-or-later
"""The tests' own tools: a daemon that is stopped or killed at a transition, and the call of libxl that fails by its
number."""

import pytest

from sim_host import MODES, assert_heartbeat


def communicate(process, timeout=60):
    out, err = process.communicate(timeout=timeout)
    return process.returncode, out + err


@pytest.mark.parametrize("mode", MODES)
def test_stopped_at_destination_and_continued(a, b, mode):
    a.create("g")
    b.stop_at("destination", "receiving -> restored")
    client = a.migrate_start("g", b, "--live", mode=mode)
    assert b.wait_stopped() == "destination:receiving->restored"
    assert client.poll() is None
    assert not b.heartbeats("g"), "the guest runs before its daemon said so"
    b.go_on()
    status, said = communicate(client)
    assert status == 0, said
    assert (a.state("g"), b.state("g")) == (None, "running")
    assert_heartbeat("g", a, b)
    assert len(b.traced(" stopped at ")) == 1


def test_killed_at_source(a, b):
    a.create("g")
    a.kill_at("source", "sending -> sent")
    client = a.migrate_start("g", b, "--live")
    a.wait_killed()
    status, said = communicate(client)
    assert status != 0, said
    assert a.traced("died at source:sending->sent") and a.traced("move g source sending -> sent")
    a.start()  # not again: it was once, and no migration is there


def test_moves_are_traced(a, b):
    a.create("two words", persistent=True)
    a.migrate("two words", b, "--live", "--undefinesource", mode="p2p").ok()
    source = [line.partition(" source ")[2] for line in a.traced(" move two words source ")]
    assert source == ["begun -> connecting", "connecting -> sending", "sending -> sent", "sent -> destroying",
                      "destroying -> done"]
    assert a.traced(" move two words peer-to-peer opening -> asking")
    assert b.traced(" move two words destination unpausing -> running")


def test_stop_of_one_guest_by_pattern(a, b):
    """A guest's own key goes before the general one; a pattern stops at all that match, at each once."""
    a.create("g")
    a.create("h")
    a.control(**{"h.stop": "source:*->sent, source:*->destroying", "stop": ""})
    a.migrate("g", b, "--live").ok()
    assert not a.traced(" stopped at ")
    client = a.migrate_start("h", b, "--live")
    for point in ("source:sending->sent", "source:sent->destroying"):
        assert a.wait_stopped() == point
        a.go_on()
    status, said = communicate(client)
    assert status == 0, said
    assert len(a.traced(" stopped at ")) == 2


def test_stops_once_until_the_control_file_is_written_again(a, b):
    """A stop is over when its daemon was continued or is dead: neither the next migration nor the next daemon meets
    it."""
    a.create("g")
    a.stop_at("source", "begun -> connecting")
    client = a.migrate_start("g", b, "--live")
    a.wait_stopped()
    a.go_on()
    status, said = communicate(client)
    assert status == 0, said
    b.migrate("g", a, "--live").ok()
    a.migrate("g", b, "--live").ok()
    b.migrate("g", a, "--live").ok()
    assert len(a.traced(" stopped at ")) == 1

    a.stop_at("source", "begun -> connecting")
    client = a.migrate_start("g", b, "--live")
    a.wait_stopped()
    a.kill()
    assert communicate(client)[0] != 0
    a.start()
    a.migrate("g", b, "--live").ok()
    assert len(a.traced(" stopped at ")) == 2
