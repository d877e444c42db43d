# SPDX-License-Identifier: LGPL-2.1-or-later
"""The program `xenferry` on a simulated host."""

import json
import os
import subprocess

import sim_host
from sim_host import run

PROGRAM = os.path.join(sim_host.BUILD, "src", "cli", "xenferry")


def xenferry(host, command, *words, timeout=120):
    return run(PROGRAM, command, "--socket", host.socket_path, *words, timeout=timeout)


def xenferry_start(host, command, *words):
    """In the background; standard error is in standard output."""
    return subprocess.Popen([PROGRAM, command, "--socket", host.socket_path, *words], stdin=subprocess.DEVNULL,
                            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def xenferry_json(host, command, *words, timeout=120):
    """(exit status, what it printed)"""
    result = xenferry(host, command, "--json", *words, timeout=timeout)
    return result.rc, json.loads(result.out)
