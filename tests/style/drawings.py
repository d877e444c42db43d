#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""The drawings match the code: ARCHITECTURE.md's layers are those of layers.py, its lists of moves are the tables of
states, and each drawing of a state machine, there and in the comment at the top of its header, has each state. TAP on
standard output.

    drawings.py SOURCE-ROOT PRINT-SOURCE PRINT-DESTINATION
"""

import os
import re
import subprocess
import sys

import layers

PAGE = "ARCHITECTURE.md"
HEADERS = {"source": "src/libxl/source/source.h", "destination": "src/libxl/dest/dest.h"}
MOVE = re.compile(r"^(\w+: [a-z ]+? -> [a-z]+(?: [a-z]+)*)(?:  .*)?$", re.M)


def read(root, name):
    with open(os.path.join(root, name), encoding="utf-8") as file:
        return file.read()


def drawing_after(text, heading):
    """The first fenced block below a heading; empty if there is none."""
    section = re.split(rf"^#+ {heading}\n", text, maxsplit=1, flags=re.M)[-1]
    return section.split("```\n")[1] if "```\n" in section else ""


def layers_drawn(text):
    """The folders of each row of the drawing, the topmost row first."""
    rows = [line.strip().split("  ")[0].split() for line in drawing_after(text, "Layers").splitlines()]
    return [sorted(name.rstrip("/").replace("driver.h", "driver") for name in row) for row in rows if row]


def compare(drawn, coded, where):
    yield from (f"'{name}' is not in {where}" for name in coded if name not in drawn)
    yield from (f"'{name}' is in {where}, but not in the code" for name in drawn if name not in coded)


def check_layers(text):
    drawn = [" ".join(row) for row in layers_drawn(text)]
    coded = [" ".join(sorted(line.split())) for line in reversed(layers.LAYERS.splitlines())]
    yield from compare(drawn, coded, PAGE)
    if sorted(drawn) == sorted(coded) and drawn != coded:
        yield f"{PAGE} has another order: {', '.join(drawn)}"


def check_moves(text, side, moves):
    drawn = [move for move in MOVE.findall(text) if move.startswith(side + ": ")]
    yield from compare(drawn, moves, PAGE)
    yield from (f"'{move}' is twice in {PAGE}" for move in sorted({move for move in drawn if drawn.count(move) > 1}))


def check_states(drawing, moves, where):
    states = sorted({state for move in moves for state in move.split(": ")[1].split(" -> ")})
    yield from (f"the drawing of {where} has no state '{state}'" for state in states
                if not re.search(rf"(?<!\w){state}(?!\w)", drawing))


def main():
    root, printers = os.path.realpath(sys.argv[1]), dict(zip(HEADERS, sys.argv[2:4]))
    text = read(root, PAGE)
    points = [("the layers are those of layers.py", list(check_layers(text)))]
    for side, header in HEADERS.items():
        out = subprocess.run([printers[side]], capture_output=True, text=True, check=True).stdout
        moves = out.splitlines()
        points.append((f"the {len(moves)} moves of the {side} are those of the code", list(check_moves(text, side, moves))))
        wrong = list(check_states(drawing_after(text, side.capitalize()), moves, f"{PAGE}, {side.capitalize()}"))
        wrong += check_states(read(root, header).split("*/")[0], moves, header)
        points.append((f"both drawings of the {side} have every state", wrong))
    return layers.report(points)


if __name__ == "__main__":
    sys.exit(main())
