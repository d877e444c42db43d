#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""All C files are formatted as clang-format does it with .clang-format. TAP on standard output, one point per folder.

    format.py SOURCE-ROOT CLANG-FORMAT
"""

import os
import re
import subprocess
import sys

# Other versions read .clang-format differently.
VERSION = 14


def folders(root):
    """(folder, its C files) for src/ and tests/."""
    for top in ("src", "tests"):
        for base, _, names in sorted(os.walk(os.path.join(root, top))):
            paths = [os.path.join(base, name) for name in sorted(names) if name.endswith((".c", ".h"))]
            if paths:
                yield os.path.relpath(base, root), paths


def complaints(root, tool, paths):
    out = subprocess.run([tool, "--dry-run", *paths], cwd=root, capture_output=True, text=True, check=True).stderr
    return sorted({os.path.relpath(path, root) + f", line {line}" for path, line in
                   re.findall(r"^(/[^:\n]+):(\d+):\d+: warning: ", out, re.M)})


def main():
    root, tool = os.path.realpath(sys.argv[1]), sys.argv[2]
    version = subprocess.run([tool, "--version"], capture_output=True, text=True, check=True).stdout
    if f"version {VERSION}." not in version:
        print(f"1..0 # SKIP {version.strip()} is not version {VERSION}")
        return 0
    found = list(folders(root))
    failed = 0
    print(f"1..{len(found)}")
    for number, (folder, paths) in enumerate(found, 1):
        wrong = complaints(root, tool, paths)
        failed += bool(wrong)
        print(f"{'not ok' if wrong else 'ok'} {number} - {folder}: {len(paths)} files")
        for line in wrong:
            print(f"# {line}: clang-format -i changes it")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
