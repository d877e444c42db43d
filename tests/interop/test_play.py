# SPDX-License-Identifier: LGPL-2.1-or-later
"""scripts/run without the build: the commands that it prints work as they stand, and ^C leaves nothing behind."""

import os
import re
import signal
import subprocess
import sys

from sim_host import SOURCE, run, wait_until


def test_play_prints_commands_that_work(tmp_path):
    out = tmp_path / "out"
    with open(out, "wb") as file:
        play = subprocess.Popen([sys.executable, os.path.join(SOURCE, "tests/lib/play.py")], stdout=file, stderr=file,
                                start_new_session=True)
    try:
        wait_until(lambda: "The log of left follows" in out.read_text(), out.read_text, timeout=60)
        text = out.read_text()
        commands = re.findall(r"^  ((?:export|virsh) .*)$", text, re.M)
        assert len(commands) == 6, text
        done = run("sh", "-e", "-c", "\n".join(commands)).ok()
        assert re.search(r"guest +running", done.out.split(" Id ")[-1]), done
    finally:
        play.send_signal(signal.SIGINT)
    assert play.wait(timeout=60) == 0, out.read_text()
    for directory in re.findall(r"are in (/\S+?)[,.]$", text, re.M):
        assert not os.path.exists(directory), directory
