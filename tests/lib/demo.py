#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""The part of scripts/demo after the build: two simulated hosts, one guest, one migration."""

import signal
import subprocess
import sys
import time

sys.dont_write_bytecode = True

from sim_host import SimHost, assert_heartbeat, wait_until  # noqa: E402

GUEST, MEMORY_MIB, BANDWIDTH_MIB = "traveller", 256, 80


def say(text=""):
    print(text, flush=True)


def command(*words):
    """Prints a virsh command line; the caller runs it and shows its output."""
    say("  $ virsh " + " ".join(words))
    sys.stdout.write("    ")
    sys.stdout.flush()


def beats(host):
    return host.heartbeats(GUEST)


def show(host, numbers):
    say(f"  heartbeat on {host.name}: " + " ".join(str(number) for number in numbers))


def statistics(host):
    """The raw numbers of domjobinfo for the completed migration."""
    lines = host.virsh("domjobinfo", GUEST, "--completed", "--rawstats").ok().out.splitlines()
    pairs = (line.split(":", 1) for line in lines if ":" in line)
    return {key.strip(): value.strip() for key, value in pairs}


def move(source, destination):
    options = ["migrate", "--live", "--p2p", "--tunnelled", "--verbose", "--bandwidth", str(BANDWIDTH_MIB), GUEST,
               destination.uri_tcp]
    command("-c", source.name, *options)
    start = time.monotonic()
    status = subprocess.run(["virsh", "-q", "-c", source.uri, *options], env=source.client_env, check=False,
                            stderr=sys.stdout).returncode
    say()
    if status:
        raise AssertionError(f"virsh ended with status {status}\n{source.log()[-2000:]}\n{destination.log()[-2000:]}")
    return time.monotonic() - start


def main():
    start = time.monotonic()
    # Other machines cannot connect. hash=0: hashes of the memory would be computed while the guest is suspended.
    settings = {"migration_listen": "127.0.0.1"}
    with SimHost("left", settings, control={"hash": 0}) as left, SimHost("right", settings, control={"hash": 0}) as right:
        say(f"Two simulated Xen hosts, left and right, a xenferryd on each (ready in {time.monotonic() - start:.1f} s).")
        left.create(GUEST, memory_kib=MEMORY_MIB * 1024)
        say(f"A guest of {MEMORY_MIB} MiB runs on left. It counts on its console and writes to its memory all the time.")
        wait_until(lambda: len(beats(left)) >= 5, "the guest counts")
        show(left, beats(left)[-5:])
        say(f"It is migrated to right through the management connection, at {BANDWIDTH_MIB} MiB/s so that"
            " the progress can be seen:")
        seconds = move(left, right)
        wait_until(lambda: len(beats(right)) >= 5, "the guest continues")
        show(left, beats(left)[-3:])
        show(right, beats(right)[:5])
        assert_heartbeat(GUEST, left, right)
        assert left.state(GUEST) is None and right.state(GUEST) == "running"
        say("  no number is missing or repeated: the guest has its memory, and runs only on right.")
        told = statistics(right)
        say(f"{GUEST} migrated: {int(told['data_processed']) / (1 << 20):.1f} MiB in {told['memory_iteration']} passes,"
            f" {seconds:.1f} s, downtime {told['downtime']} ms")
    return 0


if __name__ == "__main__":
    # A closed terminal or a kill cleans up as ^C does.
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda *unused: sys.exit(130))
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)
    except AssertionError as error:
        say(f"the demo failed: {error}")
        sys.exit(1)
