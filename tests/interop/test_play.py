# SPDX-License-Identifier: LGPL-2.1-or-later
"""scripts/run without the build: the printed commands work, and ^C leaves nothing behind."""

import os
import re
import signal
import socket
import subprocess
import sys

from sim_host import SOURCE, run, wait_until


def listening(directory):
    """The addresses on which the daemon with the settings in @directory listens."""
    with open(os.path.join(directory, "xenferryd.conf"), encoding="utf-8") as file:
        ports = {int(line.split("=")[1]) for line in file if line.startswith(("tcp_port", "peer_port"))}
    found, seen = set(), set()
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        with open(table, encoding="ascii") as lines:
            for words in list(map(str.split, lines))[1:]:
                address, port = words[1].rsplit(":", 1)
                if words[3] == "0A" and int(port, 16) in ports:
                    found.add(socket.inet_ntoa(bytes.fromhex(address)[::-1]) if len(address) == 8 else address)
                    seen.add(int(port, 16))
    assert len(ports) == 2 and seen == ports, (ports, seen)
    return found


def test_play_prints_commands_that_work(tmp_path):
    out = tmp_path / "out"
    with open(out, "wb") as file:
        play = subprocess.Popen([sys.executable, os.path.join(SOURCE, "tests/lib/play.py")], stdout=file, stderr=file,
                                start_new_session=True)
    try:
        wait_until(lambda: "The log of left follows" in out.read_text(), out.read_text, timeout=60)
        text = out.read_text()
        commands = re.findall(r"^  ((?:export|virsh|/\S+/xenferry) .*)$", text, re.M)
        assert len(commands) == 10, text
        done = run("sh", "-e", "-c", "\n".join(commands[:7])).ok()
        assert "guest 'guest' can migrate to" in done.out, done
        assert re.search(r"guest +running", done.out.split(" Id ")[-1]), done
        back = [command.replace("--bandwidth 5 ", "--bandwidth 100 ") for command in commands]
        done = run("sh", "-e", "-c", "\n".join(back[:1] + back[7:])).ok()
        assert "guest" in done.out, done
        directories = re.findall(r"are in (/\S+?)[,.]$|^those of right in (/\S+?)[.]$", text, re.M)
        for directory in map("".join, directories):
            assert listening(directory) == {"127.0.0.1"}, directory
    finally:
        play.send_signal(signal.SIGINT)
    assert play.wait(timeout=60) == 0, out.read_text()
    for directory in re.findall(r"are in (/\S+?)[,.]$", text, re.M):
        assert not os.path.exists(directory), directory
