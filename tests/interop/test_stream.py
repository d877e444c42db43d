# SPDX-License-Identifier: LGPL-2.1-or-later
"""The simulated stream is that of Xen: Xen's own checker accepts it, and a guest restored from it has the same
memory."""

import glob
import itertools
import os
import subprocess

import pytest

from sim_host import BUILD, SimHost

HELPER = os.path.join(BUILD, "src", "sim", "xenferry-sim-helper")
DATA = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "libxlmigdata", "stream")
CHECKERS = glob.glob("/usr/lib/xen-*/bin/verify-stream-v2")


def save(host, path, live):
    """Saves the only guest of @host as libxl would, to the file @path; returns the helper's report."""
    (domain,) = host.domains()
    report_read, report_write = os.pipe()
    with open(path, "wb") as stream:
        # Not at the numbers that the helper's descriptors get.
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
        passes = {line.split(maxsplit=3)[3] for line in lines if "Frames" in line}
        assert len(passes) >= 2 if live else passes == {"Frames"}
    modules = os.path.join(os.path.dirname(CHECKERS[0]), "..", "lib", "python")
    done = subprocess.run(["/usr/bin/python3", CHECKERS[0], "-i", tmp_path / "stream", "-f", "libxl"], capture_output=True,
                          env=dict(os.environ, PYTHONPATH=modules), text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    # The beginning of a stream of such a guest from real Xen (tests/xen/test_stream.py).
    with open(os.path.join(DATA, f"{kind}.header"), "rb") as golden:
        header = golden.read()
    assert (tmp_path / "stream").read_bytes()[:len(header)] == header


def test_progress_is_the_real_ones(tmp_path):
    """The progress texts of a live save in their order, as recorded on real Xen: as many passes as libxc makes for a
    guest that writes all the time, and the first one over all page numbers below 4 GiB."""
    with SimHost("a", control={"dirty-pages": 20000, "rate-mib": 100}) as host:
        host.create("g", memory_kib=128 * 1024)
        lines = save(host, tmp_path / "stream", True)
    progress = [line.split(maxsplit=3)[1:] for line in lines if line.startswith("progress")]
    words = [what for what, _ in itertools.groupby(progress, key=lambda one: one[2])]
    with open(os.path.join(DATA, "pvh-live.progress"), encoding="ascii") as golden:
        assert words == golden.read().splitlines()
    assert {total for _, total, what in progress if what == "Frames iteration 0"} == {"1044480"}
