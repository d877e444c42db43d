#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Each function of src/ that is not static is used by another file of src/ or of the tests. A function that only its
own file uses should be static; a function that no file uses should be removed. TAP on standard output, one point per
folder.

    unused.py SOURCE-ROOT BUILD-ROOT
"""

import json
import os
import re
import subprocess
import sys

import layers

# Prefixes of our names: the simulated host also has those of libraries.
OURS = re.compile(r"(xf|sim|host)_")


def all_objects(build):
    """(source, object) of each file that is compiled, tests included, and has been built."""
    with open(os.path.join(build, "compile_commands.json"), encoding="utf-8") as file:
        for command in json.load(file):
            source, obj = (os.path.normpath(os.path.join(command["directory"], command[key])) for key in ("file", "output"))
            if os.path.exists(obj):
                yield source, obj


def unused(root, build):
    """(folder, message)"""
    source_of = {obj: source for source, obj in all_objects(build)}
    out = subprocess.run(["nm", "-P", "-A", *source_of], capture_output=True, text=True, check=True).stdout
    defined, used = {}, set()
    for line in out.splitlines():
        obj, symbol, kind = line.split()[:3]
        source = source_of[obj.rstrip(":")]
        if kind in "Uwv":
            used.add(symbol)
        elif kind in "TDBR" and symbol != "main" and source.startswith(os.path.join(root, "src")):
            defined[symbol] = source
    for symbol, source in sorted(defined.items()):
        if symbol not in used and OURS.match(symbol):
            yield layers.folder_of(root, source), f"{os.path.relpath(source, root)}: only its own file uses {symbol}"


def main():
    root, build = (os.path.realpath(path) for path in sys.argv[1:3])
    found = list(unused(root, build))
    return layers.report([(f"what {folder} offers is used", [what for where, what in found if where == folder])
                          for folder in sorted(layers.RANK, key=layers.RANK.get) if folder != "protocol"])


if __name__ == "__main__":
    sys.exit(main())
