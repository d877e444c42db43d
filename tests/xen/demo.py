#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""scripts/demo --xen, after the build: two real Xen hosts, a running guest and three migrations, seen on its
consoles."""

import subprocess
import sys
import time

sys.dont_write_bytecode = True

import lab_guest  # noqa: E402
import lab_host  # noqa: E402

GUEST = "traveller"


def say(text=""):
    print(text, flush=True)


def virsh(host, *words):
    said = " ".join(word.replace(host.uri, host.name) for word in words)
    say(f"  {host.name} $ virsh {said}")
    done = subprocess.run(["virsh", "-c", host.uri, *words], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                          check=False)
    if done.returncode != 0:
        sys.exit(done.stdout)


def follow(host, lines, since):
    beats = lab_guest.wait_beats(host, GUEST, more=lines, since=since)[since:]
    for beat in beats[:lines]:
        left = "" if host.number == 1 else " " * 44
        say(f"    {left}{GUEST}: {int(beat['n']):4d}   stood still {beat['gap']:.0f} ms")
    return beats


def main():
    say("two real Xen hosts boot in virtual machines (the first time their images are made, which takes a minute)")
    with lab_host.Lab() as lab:
        a, b = lab.hosts
        say(f"{a.name} and {b.name} are up after {a.boot_seconds:.0f} s and {b.boot_seconds:.0f} s: "
            + a.run("xl info xen_version").ok().out.strip())
        path = f"{lab.dir}/{GUEST}.xml"
        with open(path, "w", encoding="utf-8") as out:
            out.write(lab_guest.xml(GUEST, "pvh"))
        virsh(a, "create", path)
        say(f"    {'console on ' + a.name:44}console on {b.name}")
        follow(a, 3, 0)
        source, target = a, b
        for words in (["--live"], ["--live", "--p2p"], ["--live", "--p2p", "--tunnelled"]):
            managed = "--p2p" not in words
            began = time.monotonic()
            seen = len(target.beats(GUEST))
            virsh(source, "migrate", *words, GUEST, target.uri if managed else target.wire_uri)
            say(f"    moved to {target.name} in {time.monotonic() - began:.1f} s")
            follow(target, 3, seen)
            source.run(f"rm -f /out/console/guest-{GUEST}*.log")
            source, target = target, source
    return 0


if __name__ == "__main__":
    sys.exit(main())
