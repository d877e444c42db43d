# SPDX-License-Identifier: LGPL-2.1-or-later
"""Each kind of guest, in each mode, live and not. One guest is migrated back and forth, so each migration also starts
from a guest that was migrated before."""

import pytest

from test_core import hop

MODES = ("direct", "p2p", "tunnelled")


@pytest.mark.parametrize("kind,live", [("pvh", False), ("pv", False), ("hvm", True), ("hvm", False)])
def test_moves(pair, kind, live):
    pair.create(pair.a, "g", kind, disk=kind != "hvm")
    source = pair.a
    for mode in MODES:
        print(f"{kind:3}", hop(pair, source, "g", mode, live))
        source = pair.other(source)


def test_pv_live_needs_shadow_paging(pair):
    """Debian's Xen lacks it: the guest is not touched, and the error says what to do."""
    pair.create(pair.a, "g", "pv")
    for mode in MODES:
        pair.migrate(pair.a, "g", mode, True).failed("shadow paging", "without --live")
    pair.runs_only_on(pair.a, "g")
    assert not pair.b.domains()


def test_paused_stays_paused(pair):
    pair.create(pair.a, "g", "pvh")
    pair.virsh(pair.a, "suspend", "g").ok()
    pair.migrate(pair.a, "g", "direct", True).ok()
    assert pair.virsh(pair.b, "domstate", "g").ok().out.split() == ["paused"]
    assert "p" in pair.b.domains()["g"][1]
    pair.virsh(pair.b, "resume", "g").ok()
    pair.runs_only_on(pair.b, "g")
