# SPDX-License-Identifier: LGPL-2.1-or-later
"""Connections that change their data: with checksums, no guest ever gets it."""
import os
import random

import pytest

from sim_host import SimHost, wait_until
from wire import Wire

# Streams with a flipped bit in each mode; fewer under a sanitizer, where everything is slower.
FLIPS = 40 if os.environ.get("XF_SANITIZED") == "yes" else 334


class Flipper(Wire):
    """Flips one bit of the data to the destination's data port, at an offset in the whole stream."""

    def __init__(self, *arguments):
        self.at, self.seen = None, 0
        super().__init__(*arguments)

    def change(self, connection, data, to):
        if to is not connection.ends[1] or self.at is None:
            return data
        start, self.seen = self.seen, self.seen + len(data)
        if not start <= self.at < self.seen:
            return data
        place = self.at - start
        return data[:place] + bytes([data[place] ^ 1 << self.at % 8]) + data[place + 1:]


@pytest.mark.parametrize("options", [[], ["--compressed"], ["--parallel"]], ids=["stored", "zstd", "parallel"])
def test_flipped_bits_never_reach_a_guest(options):
    """With checksums a wrong bit makes the migration fail: a thousand streams, in the three modes together."""
    chance = random.Random(5)
    with SimHost("a", {"checksums": "require"}) as a, \
            SimHost("b", {"checksums": "require", "migration_host": "127.0.0.3", "migration_listen": "127.0.0.1"}) as b:
        first = b.ports.first
        ports = {port: "data" for port in range(first + 1, first + 8)}
        wire = Flipper("127.0.0.3", "127.0.0.1", ports)
        try:
            a.create("g", memory_kib=4096)
            wire.at = 1 << 40  # never reached
            a.migrate("g", b, "--live", *options, mode="p2p").ok()
            b.migrate("g", a, "--live").ok()
            length, flipped = wire.seen, 0
            assert length > 1 << 20
            while flipped < FLIPS:
                # Behind the tickets, which carry no data.
                wire.seen, wire.at = 0, chance.randrange(200, length)
                result = a.migrate("g", b, "--live", *options, mode="p2p")
                if result and wire.seen <= wire.at:  # this stream was shorter
                    b.migrate("g", a, "--live").ok()
                    continue
                flipped += 1
                assert not result, f"bit at {wire.at} was not noticed"
                wait_until(lambda: a.state("g") == "running" and not b.domains(), "as before")
            wire.at = None
            a.migrate("g", b, "--live", *options, mode="p2p").ok()
        finally:
            wire.close()
