#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Includes and calls between the folders of src/ go down. A folder may use the folders in the lines above its own line
of LAYERS, and none in its own line. SIDES divides the folders further: a folder of one side never uses one of another,
except through src/driver.h. Calls through pointers are not seen; a lower folder calls a higher one that way. TAP on
standard output, one point per folder.

    layers.py SOURCE-ROOT BUILD-ROOT              checks the tree and its objects
    layers.py --self SOURCE-ROOT BUILD-ROOT CC…   inserts a wrong include and a wrong call into each folder
"""

import json
import os
import re
import subprocess
import sys
import tempfile

# `driver` is the files src/driver.*, `protocol` the folder beside src/. A folder in a folder is named with its path.
LAYERS = """base
savehelper
conf protocol pump sim
rpc driver
libxl/xen libxl/convert libxl/journal
libxl/guest
libxl/resource
libxl/act libxl/info libxl/transport
libxl/migrate
libxl/source libxl/dest
libxl/phases
libxl/boot
libxl
remote
daemon
cli"""
SIDES = ("protocol rpc remote daemon", "libxl", "pump", "sim")

RANK = {folder: rank for rank, line in enumerate(LAYERS.splitlines()) for folder in line.split()}
# The simulated host defines functions of libraries, most of them Xen's: a call of these is a call of the library.
STAND_INS = re.compile(r"(libxl|xc|xs)_|open64$")
INCLUDE = re.compile(r'^#include "([^"]+)"', re.M)
CONTRACT = re.compile(r"\b(xf_\w+) \(")


def side(folder):
    """The side that a folder belongs to; None: all of them may use it, or it uses all."""
    top = folder.split("/")[0]
    return next((number for number, names in enumerate(SIDES) if top in names.split()), None)


def is_wrong(a, b):
    if a == b:
        return False
    if a not in RANK or b not in RANK or RANK[b] >= RANK[a]:
        return True
    return None not in (side(a), side(b)) and side(a) != side(b)


def folder_of(root, path):
    """The folder of a source file: its path below src/; a file in src/ itself is a folder of its own."""
    path = os.path.relpath(path, root)
    if path.startswith("src/"):
        return os.path.dirname(path[4:]) or os.path.basename(path).split(".")[0]
    return os.path.dirname(path)


def sources(root):
    for top in ("src", "protocol"):
        for base, _, names in os.walk(os.path.join(root, top)):
            yield from (os.path.join(base, name) for name in names if name.endswith((".c", ".h")))


def target_of(root, name):
    """The file of an include: a name without a folder is a file of src/, or a layout of protocol/."""
    if "/" in name or os.path.exists(os.path.join(root, "src", name)):
        return folder_of(root, os.path.join(root, "src", name))
    return "protocol"


def includes(root):
    """(from, to, message) of each include."""
    for path in sources(root):
        with open(path, encoding="utf-8") as file:
            for name in INCLUDE.findall(file.read()):
                yield folder_of(root, path), target_of(root, name), f"{os.path.relpath(path, root)} includes {name}"


def objects(root, build):
    """(source, object) of each file that is compiled from src/ and protocol/."""
    with open(os.path.join(build, "compile_commands.json"), encoding="utf-8") as file:
        for command in json.load(file):
            source = os.path.normpath(os.path.join(command["directory"], command["file"]))
            if source.startswith(build + "/"):  # generated: belongs to the folder it is generated for
                source = os.path.join(root, os.path.relpath(source, build))
            if folder_of(root, source) in RANK or source.startswith(os.path.join(root, "src")):
                yield source, os.path.normpath(os.path.join(command["directory"], command["output"]))


def symbols(pairs):
    """Defined: symbol -> source; used: (source, symbol)."""
    source_of = {obj: source for source, obj in pairs}
    defined, used = {}, []
    out = subprocess.run(["nm", "-P", "-A", *source_of], capture_output=True, text=True, check=True).stdout
    for line in out.splitlines():
        obj, symbol, kind = line.split()[:3]
        source = source_of[obj.rstrip(":")]
        if kind in "TDBRV" and symbol != "main":
            defined[symbol] = source
        elif kind == "U":
            used.append((source, symbol))
    return defined, used


def contract(root):
    with open(os.path.join(root, "src", "driver.h"), encoding="utf-8") as file:
        return set(CONTRACT.findall(file.read()))


def calls(root, defined, used):
    """(from, to, message) of each reference to a symbol of another file."""
    promised = contract(root)
    for source, symbol in used:
        if symbol not in defined or STAND_INS.match(symbol):
            continue
        a, b = folder_of(root, source), folder_of(root, defined[symbol])
        if symbol in promised and side(a) != side(b):
            b = "driver"
        what = f"{os.path.relpath(source, root)} uses {symbol} of {os.path.relpath(defined[symbol], root)}"
        yield a, b, what


def report(points):
    print(f"1..{len(points)}")
    for number, (title, wrong) in enumerate(points, 1):
        print(f"{'not ok' if wrong else 'ok'} {number} - {title}")
        for line in wrong:
            print(f"# {line}")
    return 1 if any(wrong for _, wrong in points) else 0


def check(root, build):
    arrows = [*includes(root), *calls(root, *symbols(objects(root, build)))]
    folders = {folder_of(root, path) for path in sources(root)}
    points = [("each folder has its place in the table, and each place a folder", sorted(folders ^ set(RANK)))]
    for folder in sorted(RANK, key=RANK.get):
        wrong = sorted({what for a, b, what in arrows if a == folder and is_wrong(a, b)})
        points.append((f"{folder} uses only what is below it ({sum(a == folder != b for a, b, _ in arrows)} arrows)", wrong))
    if len(arrows) < 1000:
        points.append(("the arrows of the tree are found", [f"only {len(arrows)}"]))
    return report(points)


def new_file(root, folder):
    return os.path.join(root, "protocol" if folder == "protocol" else os.path.join("src", folder), "inserted.c")


def header_of(folder):
    return {"driver": "driver.h", "protocol": "procs.h"}.get(folder, f"{folder}/x.h")


def notices_include(folder, header):
    """TRUE if an include in a new file of the folder is found."""
    with tempfile.TemporaryDirectory() as fake:
        os.makedirs(os.path.dirname(new_file(fake, folder)))
        for path, text in ((os.path.join(fake, "src", "driver.h"), ""), (new_file(fake, folder), f'#include "{header}"\n')):
            os.makedirs(os.path.dirname(path), exist_ok=True)
            with open(path, "w", encoding="utf-8") as file:
                file.write(text)
        return any(is_wrong(a, b) for a, b, _ in includes(fake))


def notices_call(root, cc, folder, defined, symbol):
    """TRUE if a call in a new object of the folder is found."""
    with tempfile.TemporaryDirectory() as fake:
        source, obj = os.path.join(fake, "inserted.c"), os.path.join(fake, "inserted.o")
        with open(source, "w", encoding="utf-8") as file:
            file.write(f"extern void {symbol} (void);\nvoid inserted (void);\nvoid inserted (void) {{ {symbol} (); }}\n")
        subprocess.run([*cc, "-w", "-c", source, "-o", obj], check=True)
        _, used = symbols([(new_file(root, folder), obj)])
        return any(is_wrong(a, b) for a, b, _ in calls(root, defined, used))


def check_self(root, build, cc):
    defined, promised = symbols(objects(root, build))[0], contract(root)
    symbol_of = {folder_of(root, source): symbol for symbol, source in sorted(defined.items())
                 if symbol not in promised and not STAND_INS.match(symbol)}
    points = []
    for folder in sorted(RANK, key=RANK.get):
        wrong, tried = [], 0
        for other in filter(lambda other: is_wrong(folder, other), RANK):
            tried += 1
            if not notices_include(folder, header_of(other)):
                wrong.append(f"an include of {header_of(other)} is not noticed")
            if other in symbol_of and not notices_call(root, cc, folder, defined, symbol_of[other]):
                wrong.append(f"a call of {symbol_of[other]} of {other} is not noticed")
        if tried:  # the top has no layer above it
            points.append((f"what is inserted into {folder} is noticed ({tried} wrong arrows)", wrong))
    return report(points)


if __name__ == "__main__":
    arguments = [argument for argument in sys.argv[1:] if argument != "--self"]
    roots = [os.path.realpath(path) for path in arguments[:2]]
    sys.exit(check_self(*roots, arguments[2:]) if "--self" in sys.argv[1:2] else check(*roots))
