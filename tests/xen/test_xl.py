# SPDX-License-Identifier: LGPL-2.1-or-later
"""Guests that xl started, on real Xen: adopted, migrated by virsh with their whole configuration, and usable with
xl."""

import json

import pytest

from conftest import beats_go_on

import lab_guest

# Domain XML has none of these.
ONLY_LIBXL = "max_grant_frames = 48\nevent_channels = 700\ncap = 90\n"


def exact(host):
    listed = json.loads(host.run("xl list -l").ok().out)
    configs = [one["config"] for one in listed if one["config"]["c_info"].get("name") != "Domain-0"]
    assert len(configs) == 1, configs
    return configs[0]


def without_host_local(config):
    """Without the numbers that each host assigns itself."""
    config = json.loads(json.dumps(config))
    for kind in ("disks", "nics"):
        for device in config.get(kind, []):
            device.pop("backend_domid", None)
    config["c_info"].pop("domid", None)
    return config


@pytest.mark.parametrize("kind", ["pvh", "pv", "hvm"])
def test_moved_by_virsh(pair, kind):
    a, b = pair.a, pair.b
    pair.xl_create(a, "x", kind, ONLY_LIBXL, disk=kind != "hvm", network=kind == "pvh")
    pair.wait("virsh lists it", lambda: "x" in pair.virsh(a, "list", "--name").ok().out.split())
    assert f">{'linux' if kind == 'pv' else 'xenpvh' if kind == 'pvh' else 'hvm'}</type>" \
        in pair.virsh(a, "dumpxml", "x").ok().out
    before = exact(a)
    assert before["b_info"]["max_grant_frames"] == 48
    count = len(a.beats("x"))
    pair.migrate(a, "x", "p2p" if kind == "pvh" else "direct", kind != "pv").ok()
    pair.runs_only_on(b, "x")
    beats_go_on(a, b, "x", count)
    after = exact(b)
    assert without_host_local(after) == without_host_local(before)
    assert "--incoming" not in b.run("ls /out/console /var/log/xen 2>/dev/null").out
    # xl can still use it.
    b.run("xl pause x && xl unpause x && xl destroy x").ok()
    pair.wait("xl's destroy is seen", lambda: "x" not in pair.virsh(b, "list", "--all", "--name").ok().out.split())


def test_guest_of_virsh_lives_on_with_xl(pair):
    """A guest that virsh started is migrated by virsh and then saved and restored by xl."""
    a, b = pair.a, pair.b
    pair.create(a, "g", "pvh")
    pair.migrate(a, "g", "direct", True).ok()
    lab_guest.wait_beats(b, "g")
    b.run("xl save g /tmp/g.save && xl restore /tmp/g.save && rm /tmp/g.save").ok()
    pair.wait("virsh lists it", lambda: "g" in pair.virsh(b, "list", "--name").ok().out.split())
    pair.migrate(b, "g", "direct", True).ok()
    pair.runs_only_on(a, "g")
