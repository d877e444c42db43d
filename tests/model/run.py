#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Has spin walk through every state of migration.pml: each variant of the protocol must be without error, and each
with one of its rules taken out must have one. TAP on standard output.

    run.py CC [DEFINE…]    only the variant with these defines, and the way to its error, if there is one
"""

import os
import re
import subprocess
import sys
import tempfile

MODEL = os.path.join(os.path.dirname(os.path.abspath(__file__)), "migration.pml")

SOUND = (
    ("managed", []),
    ("peer to peer", ["P2P"]),
    ("managed, hosts reboot", ["REBOOT"]),
    ("peer to peer, hosts reboot", ["P2P", "REBOOT"]),
    ("managed, 3 crashes of each, 3 losses", ["CRASHES=3", "LOSSES=3"]),
    ("peer to peer, 3 crashes of each, 3 losses", ["P2P", "CRASHES=3", "LOSSES=3"]),
)
# What each rule is there for.
BROKEN = (
    ("the source believes the client's confirm(cancelled)", ["TRUST_CLIENT"], "s_guest==15.*d_guest==15|s_guest==runs"),
    ("the destination writes after it has started the guest", ["WRITE_LATER"], "."),
    ("the destination destroys before its tombstone is written", ["DESTROY_FIRST"], "."),
    ("the source does not write before the guest can be suspended", ["SUSPEND_FIRST"], "."),
    ("the source does not write that all is sent", ["FORGET_SENT"], "."),
    ("a guest that has moved away is started at boot", ["REBOOT", "FORGET_DONE"], "s_guest==15.*d_guest==15|s_guest==runs"),
)


def explore(compiler, defines, directory):
    """(what pan printed, its trail as text or None)."""
    options = [f"-D{define}" for define in defines]
    spin = subprocess.run(["spin", "-a", *options, MODEL], cwd=directory, capture_output=True, text=True, check=False)
    if spin.returncode:
        raise RuntimeError(spin.stdout + spin.stderr)
    subprocess.run([*compiler, "-O2", "-w", "-DSAFETY", "-DCOLLAPSE", "-o", "pan", "pan.c"], cwd=directory, check=True)
    pan = subprocess.run(["./pan", "-m1000000", "-w24"], cwd=directory, capture_output=True, text=True, check=False)
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


def main():
    compiler = sys.argv[1].split()
    if len(sys.argv) > 2:
        with tempfile.TemporaryDirectory() as directory:
            text, trail = explore(compiler, sys.argv[2:], directory)
        print(text, trail or "")
        return
    failed = 0
    print(f"1..{len(SOUND) + len(BROKEN)}")
    rows = [(name, defines, None) for name, defines in SOUND] + [(f"found: {name}", *rest) for name, *rest in BROKEN]
    for number, (name, defines, wanted) in enumerate(rows, 1):
        with tempfile.TemporaryDirectory() as directory:
            text, _ = explore(compiler, defines, directory)
        error = re.search(r"pan:1: (.*)", text)
        good = bool(error and re.search(wanted, error.group(1))) if wanted else "errors: 0" in text
        failed += not good
        print(f"{'ok' if good else 'not ok'} {number} - {name}: {summary(text)}{', ' + error.group(1) if error else ''}",
              flush=True)
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
