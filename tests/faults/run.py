#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""The fault table, as TAP: each cell is a migration on two simulated hosts with one or two faults.

    run.py single|double|second [-j N] [-k WORDS]... [--list]"""

import argparse
import multiprocessing
import os
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "lib"))

from cell import run_cell  # noqa: E402
import cells  # noqa: E402


def work(job):
    number, cell = job
    start = time.monotonic()
    error, said = run_cell(cell, number)
    return cell, error, said, time.monotonic() - start


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("table", choices=("single", "double", "second"))
    parser.add_argument("-j", type=int, default=8)
    parser.add_argument("-k", action="append", default=[])
    parser.add_argument("--list", action="store_true")
    options = parser.parse_args()
    table = [cell for cell in getattr(cells, options.table)() if all(words in str(cell) for words in options.k)]
    if options.list:
        for cell in table:
            print(cell)
        return 0
    print(f"1..{len(table)}", flush=True)
    failed = 0
    with multiprocessing.Pool(options.j, maxtasksperchild=1) as pool:
        # In the order in which they end: the slow ones are last.
        for point, (cell, error, said, seconds) in enumerate(pool.imap_unordered(work, enumerate(table)), 1):
            failed += error is not None
            print(f"{'not ok' if error else 'ok'} {point} - {cell}", flush=True)
            print(f"# {seconds:.1f} s; " + (error or said).replace("\n", "\n# "))
            if error:
                print("# " + said.replace("\n", "\n# "), flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
