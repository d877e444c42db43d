# SPDX-License-Identifier: LGPL-2.1-or-later
"""The simulated stream is Xen's: Xen's own checker accepts it, and a guest restored from it has the same memory."""

import glob
import os
import subprocess

import pytest

from sim_host import BUILD, SimHost

HELPER = os.path.join(BUILD, "src", "sim", "xenferry-sim-helper")
CHECKERS = glob.glob("/usr/lib/xen-*/bin/verify-stream-v2")


def save(host, path, live):
    """Saves the only guest of @host as libxl would, into the file @path; returns the helper's report."""
    (domain,) = host.domains()
    report_read, report_write = os.pipe()
    with open(path, "wb") as stream:
        # Out of the way of the numbers that the helper expects them at.
        high = [os.dup2(fd, number) for fd, number in ((report_write, 60), (stream.fileno(), 61))]

        def place():
            os.dup2(high[0], 3)
            os.dup2(high[1], 4)

        done = subprocess.run([HELPER, "save", host.sim_dir, domain["domid"], "4", "1" if live else "0"], env=host.env,
                              close_fds=False, preexec_fn=place, timeout=60, check=False)
    for fd in (report_write, *high):
        os.close(fd)
    with os.fdopen(report_read) as report:
        lines = report.read().splitlines()
    assert done.returncode == 0
    return lines


@pytest.mark.skipif(not CHECKERS, reason="xen-utils with verify-stream-v2 is not installed (scripts/packages --install)")
@pytest.mark.parametrize("live", [True, False], ids=["live", "not-live"])
@pytest.mark.parametrize("kind", ["pv", "pvh", "hvm"])
def test_xen_accepts_the_stream(tmp_path, kind, live):
    with SimHost("a") as host:
        host.create("g", memory_kib=16 * 1024, kind=kind)
        lines = save(host, tmp_path / "stream", live)
        assert lines[-1] == "result 0"
        assert "suspended" in lines
        passes = {line.split()[1] for line in lines if line.startswith("progress")}
        assert len(passes) >= (2 if live else 1)
    modules = os.path.join(os.path.dirname(CHECKERS[0]), "..", "lib", "python")
    done = subprocess.run(["/usr/bin/python3", CHECKERS[0], "-i", tmp_path / "stream", "-f", "libxl"], capture_output=True,
                          env=dict(os.environ, PYTHONPATH=modules), text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    assert (tmp_path / "stream").read_bytes()[:8] == b"LibxlFmt"
