# SPDX-License-Identifier: LGPL-2.1-or-later
"""The stream of real Xen: Xen's own checker accepts the recording, and it begins with the golden header, as does the
simulator's (tests/interop/test_stream.py)."""

import os
import subprocess

import pytest

import lab_image

DATA = os.path.join(lab_image.TOP, "tests", "libxlmigdata", "stream")
VERIFY = "/usr/lib/xen-4.17/bin/verify-stream-v2"
ENVIRONMENT = dict(os.environ, PYTHONPATH="/usr/lib/xen-4.17/lib/python")


@pytest.mark.parametrize("kind", ["pv", "pvh", "hvm"])
def test_recorded(pair, kind):
    pair.create(pair.a, "g", kind)
    # In two steps: a 9p share cannot be written from a guest's pages.
    pair.a.run("xl save g /tmp/g.stream && cp /tmp/g.stream /share/ && rm /tmp/g.stream").ok()
    path = os.path.join(pair.lab.share, "g.stream")
    try:
        with open(path, "rb") as saved:
            # xl writes its own header and configuration before libxl's stream.
            image = saved.read()
        start = image.find(b"LibxlFmt")
        assert start > 0
        with open(path, "wb") as stream:
            stream.write(image[start:])
        done = subprocess.run(["/usr/bin/python3", VERIFY, "-i", path, "-f", "libxl"], stdout=subprocess.PIPE, env=ENVIRONMENT,
                              stderr=subprocess.STDOUT, text=True, check=False)
        assert done.returncode == 0, done.stdout
        with open(os.path.join(DATA, f"{kind}.header"), "rb") as golden:
            expected = golden.read()
        assert image[start:start + len(expected)] == expected
    finally:
        os.unlink(path)
