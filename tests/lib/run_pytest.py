#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Runs pytest on the given files and prints TAP, so that meson and scripts/check see each single test.

    run_pytest.py FILE... [PYTEST-OPTION...]     e.g. run_pytest.py tests/interop/test_migrate.py -k tunnelled"""

import os
import sys
import tempfile

import pytest


class Tap:
    """One TAP point per test; its output and its failure follow as comments."""

    def __init__(self, out):
        self.out = out
        self.number = 0
        self.worst = {}
        self.seconds = {}

    def say(self, text=""):
        print(text, file=self.out, flush=True)

    def comment(self, text):
        for line in text.rstrip().splitlines():
            self.say(f"# {line}")

    def pytest_collection_finish(self, session):
        self.say(f"1..{len(session.items)}")

    def pytest_collectreport(self, report):
        if report.failed:
            self.say(f"Bail out! {report.nodeid} cannot be read")
            self.comment(report.longreprtext)

    def pytest_runtest_logreport(self, report):
        # Three reports per test; set-up and tear-down count only if they fail or skip.
        self.seconds[report.nodeid] = self.seconds.get(report.nodeid, 0) + report.duration
        known = self.worst.get(report.nodeid)
        if known is None or report.failed or (report.skipped and known.passed):
            self.worst[report.nodeid] = report
        if report.when == "teardown":
            self.point(self.worst.pop(report.nodeid), report)

    def point(self, report, last):
        self.number += 1
        name = report.nodeid.split("::", 1)[-1].replace("#", " ")
        if report.skipped:
            reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else ""
            self.say(f"ok {self.number} - {name} # SKIP {reason.removeprefix('Skipped: ')}")
        elif report.failed:
            self.say(f"not ok {self.number} - {name}")
            self.comment(report.longreprtext)
        else:
            self.say(f"ok {self.number} - {name}")
        for title, text in last.sections:
            if report.failed or "stdout call" in title:
                self.comment(text)
        self.comment(f"took {self.seconds.pop(report.nodeid):.1f} s")


def main():
    # Standard output carries only TAP; pytest's own report is shown only for errors other than failed tests.
    tap = Tap(os.fdopen(os.dup(1), "w"))
    with tempfile.TemporaryFile() as report:
        os.dup2(report.fileno(), 1)
        status = pytest.main(["-p", "no:cacheprovider", "--tb=short"] + sys.argv[1:], plugins=[tap])
        sys.stdout.flush()
        if status in (0, 1):
            return 0
        report.seek(0)
        tap.comment(report.read().decode(errors="replace"))
        return int(status)


if __name__ == "__main__":
    sys.dont_write_bytecode = True
    sys.exit(main())
