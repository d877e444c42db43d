#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Summarises meson's results: reads testlog.json files, counts the TAP points of each test, lists failed tests and the
reasons for skipped ones, and prints "N passed, N failed, N skipped" as the last line.

A test that crashed, timed out or did not print all its points counts as one more failure, even if all printed points
passed."""

import argparse
import json
import re
import sys

POINT = re.compile(r"^(ok|not ok)\b\s*(\d+)?\s*-?\s*(.*)$")
PLAN = re.compile(r"^1\.\.(\d+)(\s*#\s*skip\b\s*(.*))?", re.IGNORECASE)
DETAIL_LINES = 25
DIRECTIVE = re.compile(r"#\s*skip\S*\s*(.*)$", re.IGNORECASE)


class Count:
    def __init__(self):
        self.passed, self.failures, self.skips, self.details = 0, [], [], []


def count_points(count, test, output):
    """Returns the number of points, and the number of failed ones."""
    points = failed = 0
    detail = None
    for line in output.splitlines():
        if detail is not None and line.startswith("#"):
            detail.append(line[1:])
            continue
        detail = None
        plan = PLAN.match(line)
        if plan and plan.group(2):
            count.skips.append(f"{test}: {plan.group(3) or 'all of it'}")
            points += 1
        point = POINT.match(line)
        if not point:
            continue
        points += 1
        skip = DIRECTIVE.search(point.group(3))
        name = point.group(3).split(" # ")[0].strip()
        if point.group(1) == "not ok":
            failed += 1
            detail = []
            count.failures.append(f"{test}: {name}")
            count.details.append((f"{test}: {name}", detail))
        elif skip:
            count.skips.append(f"{test}: {name}: {skip.group(1) or 'no reason given'}")
        else:
            count.passed += 1
    return points, failed


def count_test(count, label, entry):
    test = f"{label} {entry['name']}"
    result = entry["result"]
    points, failed = count_points(count, test, entry.get("stdout", ""))
    if result == "SKIP" and not points:
        count.skips.append(f"{test}: all of it")
    elif result in ("OK", "EXPECTEDFAIL") and not points:
        count.passed += 1
    elif result not in ("OK", "EXPECTEDFAIL", "SKIP") and not failed:
        count.failures.append(f"{test}: {result.lower()}, exit status {entry.get('returncode')}")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--failed-steps", type=int, default=0, help="builds that failed before any test ran")
    parser.add_argument("logs", nargs="*", help="testlog.json files")
    args = parser.parse_args()

    count = Count()
    for log in args.logs:
        try:
            with open(log, encoding="utf-8") as lines:
                for line in lines:
                    if line.strip():
                        count_test(count, log.split("/")[0], json.loads(line))
        except (OSError, ValueError, KeyError) as error:
            count.failures.append(f"{log}: {error}")
    # The output of failed tests is last, next to the result, so that the end of a long log has it.
    for name, detail in count.details:
        print(f"-- {name}")
        print("\n".join(detail[-DETAIL_LINES:]))
    for skip in count.skips:
        print(f"skipped: {skip}")
    for failure in count.failures:
        print(f"FAILED:  {failure}")
    failed = len(count.failures) + args.failed_steps
    print(f"{count.passed} passed, {failed} failed, {len(count.skips)} skipped")
    return 1 if failed or not count.passed else 0


if __name__ == "__main__":
    sys.exit(main())
