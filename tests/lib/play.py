#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""The part of scripts/run after the build: two simulated hosts to try commands on, until ^C. It shows the log of the
first host's daemon."""

import os
import signal
import sys
import time

sys.dont_write_bytecode = True

from sim_host import BUILD, SimHost, domain_xml  # noqa: E402

CLI = os.path.join(BUILD, "src", "cli", "xenferry")


def say(text=""):
    print(text, flush=True)


def explain(here, there):
    """Prints commands that can be copied to another terminal."""
    xml = os.path.join(here.dir, "guest.xml")
    with open(xml, "w", encoding="utf-8") as out:
        out.write(domain_xml("guest"))
    say(f"""A xenferryd runs on each of two simulated Xen hosts, {here.name} and {there.name}. In another terminal:

  export LIBVIRT_DEFAULT_URI='{here.uri}'
  virsh define {xml}
  virsh start guest
  virsh list --all
  {CLI} check --socket {here.socket_path} --live guest {there.uri_tcp}
  virsh migrate --live --verbose --p2p guest {there.uri_tcp}
  virsh -c '{there.uri}' list --all

The way back, at 5 MiB/s, so that there is time to look at it from a third terminal. ^C aborts it.

  virsh -c '{there.uri}' migrate --live --verbose --p2p --bandwidth 5 guest {here.uri_tcp}
  {CLI} migrations --socket {here.socket_path}
  {CLI} migrations --socket {there.socket_path} --all

Settings, log and the guests' consoles of {here.name} are in {here.dir},
those of {there.name} in {there.dir}.
^C ends both hosts with their guests, and removes these directories. The log of {here.name} follows.
""")


def follow(host):
    """Shows the daemon's log as it grows, until the daemon has ended."""
    with open(host.log_path, encoding="utf-8", errors="replace") as log:
        while host.process.poll() is None:
            sys.stdout.write(log.read())
            sys.stdout.flush()
            time.sleep(0.2)
        sys.stdout.write(log.read())
    say(f"the daemon of {host.name} has ended with status {host.process.returncode}")
    return 1


def main():
    # Other machines cannot connect.
    settings = {"log_level": os.environ.get("XF_LOG_LEVEL", "message"), "migration_listen": "127.0.0.1"}
    with SimHost("left", settings, named=True) as left, SimHost("right", settings, named=True) as right:
        explain(left, right)
        try:
            return follow(left)
        except KeyboardInterrupt:
            say()
            return 0


if __name__ == "__main__":
    # A closed terminal or a kill cleans up as ^C does.
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.default_int_handler)
    sys.exit(main())
