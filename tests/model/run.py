#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Lets spin explore all states of migration.pml. Each variant of the protocol must have no error; each variant with one
rule removed, or with a former behaviour, must have an error of the right kind; and so must each limit that
docs/exactly-once.md names. TAP on standard output.

    run.py CC --all        all variants, also those that take minutes
    run.py CC [DEFINE…]    only the variant with these defines, and the trail to its error, if there is one
"""

import os
import re
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor

MODEL = os.path.join(os.path.dirname(os.path.abspath(__file__)), "migration.pml")

ONCE = ["CRASHES=1", "LOSSES=1"]
RARELY = ["CRASHES=1", "LOSSES=0"]
SOUND = (
    ("managed", ONCE),
    ("peer to peer", ["P2P"]),
    ("managed, a second client", ["SECOND=1", *RARELY]),
    ("peer to peer, a second client", ["P2P", "SECOND=2", *RARELY]),
    ("peer to peer, hosts boot", ["P2P", "REBOOT", "PERSON", *RARELY]),
    ("peer to peer, destroys and writes fail", ["P2P", "FAILS=1", "DISK", *RARELY]),
    ("peer to peer, paused, hosts boot", ["P2P", "PAUSED", "REBOOT", "PERSON", *RARELY]),
    ("peer to peer, a journal is unreadable, hosts boot", ["P2P", "UNREADABLE", "REBOOT", "PERSON", *RARELY]),
    ("peer to peer, started on its former host, hosts boot", ["P2P", "START", "MOVES_ON", "REBOOT", "PERSON", *RARELY]),
    ("to a libvirtd, managed", ["TO_LIBVIRTD", "SECOND=1", "FAILS=1", "MOVES_ON", "REBOOT", "PERSON"]),
    ("to a libvirtd, peer to peer", ["TO_LIBVIRTD", "P2P", "SECOND=1", "FAILS=1", "MOVES_ON", "REBOOT", "PERSON"]),
    ("from a libvirtd, managed", ["FROM_LIBVIRTD", "SECOND=1", "FAILS=1", "DISK", "REBOOT", "PERSON"]),
    ("from a libvirtd, peer to peer", ["FROM_LIBVIRTD", "P2P", "SECOND=1", "FAILS=1", "DISK", "REBOOT", "PERSON"]),
)
# With --all: more of each event, and more kinds of events together. Takes some minutes.
SOUND_TOO = (
    ("managed, 2 crashes of each, 2 losses", []),
    ("managed, 3 crashes of each, 3 losses", ["CRASHES=3", "LOSSES=3"]),
    ("peer to peer, 3 crashes of each, 3 losses", ["P2P", "CRASHES=3", "LOSSES=3"]),
    ("managed, hosts boot, a loss", ["REBOOT", "PERSON", *ONCE]),
    ("peer to peer, hosts boot, 2 crashes of each, 2 losses", ["P2P", "REBOOT", "PERSON"]),
    ("managed, a second client twice, a loss", ["SECOND=2", *ONCE]),
    ("managed, a second client, hosts boot", ["SECOND=1", "REBOOT", "PERSON", *RARELY]),
    ("managed, destroys and writes fail, a loss", ["FAILS=1", "DISK", "PERSON", *ONCE]),
    ("peer to peer, destroys and writes fail, hosts boot", ["P2P", "FAILS=1", "DISK", "REBOOT", "PERSON", *RARELY]),
    ("peer to peer, paused, writes fail, hosts boot", ["P2P", "PAUSED", "DISK", "REBOOT", "PERSON", *RARELY]),
    ("peer to peer, the guest is migrated on, hosts boot, a loss", ["P2P", "MOVES_ON", "REBOOT", "PERSON", *ONCE]),
    ("peer to peer, a journal is unreadable, hosts boot, a loss", ["P2P", "UNREADABLE", "REBOOT", "PERSON", *ONCE]),
)

# pan's texts of the assertions: it replaces the names of migration.pml by numbers.
TWICE = r" !\(\(\(s_guest==\d+\)&&\(d_guest==\d+\)\)\)"
STALE = r" !\((d_ran|s_went_on)\)"
LAST = r"d_arrived"
NOT_AT_END = r"gone_on|ss==|js==|d_guest!=\d+\)\|\|"
NO_MOVE = r"\(ss==\d+\) \("
UNKNOWN = r"assertion violated 0 "

# The errors that each rule prevents.
BROKEN = (
    ("the source believes the client's confirm(cancelled)", ["TRUST_CLIENT"], TWICE),
    ("the destination writes after it has started the guest", ["WRITE_LATER"], LAST),
    ("the destination destroys before its tombstone is written", ["DESTROY_FIRST"], LAST + "|" + NOT_AT_END),
    ("the source does not write before the guest can be suspended", ["SUSPEND_FIRST"], NOT_AT_END),
    ("the source does not write that all is sent", ["FORGET_SENT"], TWICE),
    ("a guest that was migrated away is started at boot", ["P2P", "REBOOT", "PERSON", "FORGET_DONE", *ONCE], TWICE),
    ("any client's confirm is believed", ["SECOND=1", "OLD_CONFIRM", *ONCE], LAST),
    ("any client's confirm is believed, peer to peer", ["P2P", "SECOND=1", "OLD_CONFIRM", *ONCE], LAST),
    ("a perform for another destination is served", ["SECOND=1", "OLD_PERFORM", *ONCE], NOT_AT_END),
    ("finish is served before all is sent", ["SECOND=1", "OLD_FINISH", *ONCE], TWICE),
    ("any client's finish is served for a libvirtd", ["FROM_LIBVIRTD", "SECOND=1", "OLD_FINISH"], TWICE),
    ("finish's error is believed before the tombstone is written", ["P2P", "DISK", "OLD_PROMISE", *ONCE], TWICE),
    ("two administrators decide", ["PERSON", "REBOOT", "OLD_DECIDE"], NO_MOVE),
    ("undefined while it is not known which host has it", ["REBOOT", "PERSON", "OLD_UNDEFINE"], NOT_AT_END),
    ("a copy that the source cannot destroy counts as done, and the source boots",
     ["P2P", "FAILS=1", "REBOOT", "PERSON", "OLD_LEAVE", *ONCE], TWICE),
    ("a copy that the source cannot destroy counts as done, and it is resumed",
     ["P2P", "FAILS=1", "PERSON", "OLD_LEAVE", *ONCE], TWICE),
    ("the source gives up resuming", ["P2P", "FAILS=1", "OLD_STUCK", *ONCE], NOT_AT_END),
    ("a copy that the destination cannot destroy counts as gone", ["FAILS=1", "PERSON", "OLD_REMAINS"], TWICE),
    ("the destination gives up writing its tombstone",
     ["P2P", "DISK", "OLD_TOMBSTONE", *ONCE], LAST + "|" + NOT_AT_END),
    ("after a boot `unpausing` counts as a guest that ran", ["P2P", "REBOOT", "PERSON", "OLD_BOOT", *ONCE], LAST),
    ("a guest that may run at the source is autostarted", ["P2P", "REBOOT", "PERSON", "OLD_AUTOSTART", *ONCE], TWICE),
    ("a guest that has come back is not autostarted", ["P2P", "REBOOT", "PERSON", "OLD_KEEP_DONE", *ONCE], NOT_AT_END),
    ("an unreadable journal counts as empty", ["P2P", "UNREADABLE", "REBOOT", "PERSON", "OLD_BLIND", *ONCE], TWICE),
    ("the outcome is forgotten before the source asks", ["OLD_EXPIRES"], UNKNOWN),
    ("a paused guest is handed over before that is written",
     ["P2P", "PAUSED", "REBOOT", "PERSON", "OLD_HANDOVER", *ONCE], STALE),
    ("a guest that has ended is started on its former host, and is not given back",
     ["P2P", "REBOOT", "PERSON", "START", "OLD_START", *ONCE], TWICE),
    ("absence at a libvirtd counts as a promise", ["TO_LIBVIRTD", "MOVES_ON", "OLD_ABSENCE"], STALE),
    ("finish continues for a libvirtd that has disconnected", ["FROM_LIBVIRTD", "P2P", "OLD_CALLER"], TWICE),
    ("a restarted daemon continues for a libvirtd", ["FROM_LIBVIRTD", "OLD_GOES_ON"], TWICE),
)

# The errors that no rule prevents; docs/exactly-once.md names each.
LIMITS = (
    ("a libvirtd's connection is lost between check and unpause", ["FROM_LIBVIRTD", "P2P", "LIMIT_LOOK"], TWICE),
    ("it is lost in silence, and the libvirtd notices first", ["FROM_LIBVIRTD", "P2P", "LIMIT_SILENCE"], TWICE),
    ("it is lost before the answer to finish has arrived", ["FROM_LIBVIRTD", "P2P", "LIMIT_ANSWER"], TWICE),
    ("the daemon ends before that", ["FROM_LIBVIRTD", "P2P", "LIMIT_CRASH"], TWICE),
    ("another client calls finish at a libvirtd",
     ["TO_LIBVIRTD", "P2P", "SECOND=1", "LIMIT_FINISH", "MOVES_ON", "PERSON"], STALE),
    ("a libvirtd fails after it has started the guest", ["TO_LIBVIRTD", "P2P", "LIMIT_ERROR", "PERSON"], STALE),
    ("a libvirtd has no guest: only an administrator knows", ["TO_LIBVIRTD"], NOT_AT_END),
    ("a boot in `unpausing`: only an administrator knows", ["P2P", "REBOOT", *ONCE], NOT_AT_END),
)


def explore(compiler, defines, directory, optimise="-O1"):
    """(what pan printed, its trail as text or None)."""
    options = [f"-D{define}" for define in defines]
    spin = subprocess.run(["spin", "-a", *options, MODEL], cwd=directory, capture_output=True, text=True, check=False)
    if spin.returncode:
        raise RuntimeError(spin.stdout + spin.stderr)
    subprocess.run([*compiler, optimise, "-w", "-DSAFETY", "-DNOFAIR", "-o", "pan", "pan.c"], cwd=directory, check=True)
    pan = subprocess.run(["./pan", "-m1000000", "-w22"], cwd=directory, capture_output=True, text=True, check=False)
    if "max search depth too small" in pan.stdout or pan.returncode not in (0, 1):
        raise RuntimeError(pan.stdout + pan.stderr)
    trail = None
    if "migration.pml.trail" in os.listdir(directory):
        trail = subprocess.run(["spin", "-t", "-p", "-g", *options, "-k", "migration.pml.trail", MODEL], cwd=directory,
                               capture_output=True, text=True, check=False).stdout
    return pan.stdout, trail


def summary(text):
    states = re.search(r"(\d+) states, stored", text)
    depth = re.search(r"depth reached (\d+)", text)
    return f"{int(states.group(1))} states, depth {depth.group(1)}" if states and depth else "no summary"


def check(compiler, name, defines, wanted):
    """(the result is as wanted, message)."""
    with tempfile.TemporaryDirectory() as directory:
        # An error that is found soon takes longer to compile than to find.
        text, _ = explore(compiler, defines, directory, "-O0" if wanted else "-O1")
    error = re.search(r"pan:1: (.*)", text)
    good = bool(error and re.search(wanted, error.group(1))) if wanted else "errors: 0" in text
    return good, f"{name}: {summary(text)}{', ' + error.group(1) if error else ''}"


def main():
    compiler = sys.argv[1].split()
    everything = sys.argv[2:] == ["--all"]
    if len(sys.argv) > 2 and not everything:
        with tempfile.TemporaryDirectory() as directory:
            text, trail = explore(compiler, sys.argv[2:], directory)
        print(text, trail or "")
        return
    rows = [(name, defines, None) for name, defines in SOUND + (SOUND_TOO if everything else ())]
    rows += [(f"found: {name}", *rest) for name, *rest in BROKEN]
    rows += [(f"limit: {name}", *rest) for name, *rest in LIMITS]
    print(f"1..{len(rows)}")
    failed = 0
    with ThreadPoolExecutor(2) as pool:
        results = pool.map(lambda row: check(compiler, *row), rows)
        for number, (good, text) in enumerate(results, 1):
            failed += not good
            print(f"{'ok' if good else 'not ok'} {number} - {text}", flush=True)
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
