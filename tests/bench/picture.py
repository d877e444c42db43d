#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""A chart of one migration, as SVG: the rate, the data that is left, the rate at which the guest dirties memory, its
passes and its downtime; all from virsh domjobinfo, twenty times per second.

    picture.py [--mib N] [--bandwidth MIB] [--output FILE] [OPTION-OF-VIRSH-MIGRATE...]"""

import argparse
import os
import re
import sys
import time

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "lib"))

from sim_host import two_hosts  # noqa: E402

EVERY_S = 0.05
WIDTH, HEIGHT, LEFT, TOP, GAP = 900, 130, 90, 50, 40


def watch(a, b, options):
    """[(seconds, statistics)], the total time, the downtime in seconds."""
    import libvirt  # pylint: disable=import-outside-toplevel

    connection = a.connect()
    domain = connection.lookupByName("g")
    client = a.migrate_start("g", b, "--live", *options)
    samples, start = [], time.monotonic()
    while client.poll() is None:
        try:
            stats = domain.jobStats()
        except libvirt.libvirtError:
            break
        if stats.get("type"):
            samples.append((time.monotonic() - start, stats))
        time.sleep(EVERY_S)
    assert client.wait() == 0, client.stderr.read()
    seconds = time.monotonic() - start
    told = b.virsh("domjobinfo", "g", "--completed").ok().out
    connection.close()
    return samples, seconds, int(re.search(r"Total downtime:\s+(\d+)", told).group(1)) / 1000


def line(points, most, seconds, top):
    spots = " ".join(f"{LEFT + x / seconds * WIDTH:.1f},{top + HEIGHT - y / most * HEIGHT:.1f}" for x, y in points)
    return f'<polyline points="{spots}" fill="none" stroke="#1f5fa8" stroke-width="1.5"/>'


def chart(title, unit, points, seconds, number):
    top = TOP + number * (HEIGHT + GAP)
    most = max([value for _, value in points] + [1e-9]) * 1.05
    parts = [f'<text x="{LEFT}" y="{top - 8}" font-weight="bold">{title}</text>',
             f'<rect x="{LEFT}" y="{top}" width="{WIDTH}" height="{HEIGHT}" fill="none" stroke="#999"/>']
    for share in (0, 0.5, 1):
        y = top + HEIGHT - share * HEIGHT
        parts.append(f'<text x="{LEFT - 8}" y="{y + 4}" text-anchor="end">{most * share:.3g} {unit}</text>')
    return parts + [line(points, most, seconds, top)]


def draw(samples, seconds, downtime, title):
    rates = [(x, (stats["data_processed"] - before["data_processed"]) / max(x - at, 1e-3) / (1 << 20))
             for (at, before), (x, stats) in zip(samples[:-4], samples[4:])]
    left = [(x, stats.get("memory_remaining", 0) / (1 << 20)) for x, stats in samples]
    dirty = [(x, stats.get("memory_dirty_rate", 0) * 4096 / (1 << 20)) for x, stats in samples]
    bottom = TOP + 3 * (HEIGHT + GAP) - GAP
    parts = [f'<svg xmlns="http://www.w3.org/2000/svg" width="{LEFT + WIDTH + 40}" height="{bottom + 50}" '
             'font-family="sans-serif" font-size="12">', '<rect width="100%" height="100%" fill="white"/>',
             f'<text x="{LEFT}" y="20" font-size="15">{title}</text>']
    stood = LEFT + (1 - downtime / seconds) * WIDTH
    parts.append(f'<rect x="{stood:.1f}" y="{TOP}" width="{LEFT + WIDTH - stood:.1f}" height="{bottom - TOP}" '
                 'fill="#d33" opacity="0.2"/>')
    seen = 0
    for x, stats in samples:
        if stats.get("memory_iteration", 0) > seen:
            seen = stats["memory_iteration"]
            at = LEFT + x / seconds * WIDTH
            parts.append(f'<line x1="{at:.1f}" x2="{at:.1f}" y1="{TOP}" y2="{bottom}" stroke="#bbb" stroke-dasharray="3"/>'
                         f'<text x="{at + 3:.1f}" y="{bottom + 14}" fill="#777">pass {seen}</text>')
    parts += chart("on the wire", "MiB/s", rates, seconds, 0) + chart("left to send", "MiB", left, seconds, 1)
    parts += chart("made dirty", "MiB/s", dirty, seconds, 2)
    parts.append(f'<text x="{LEFT + WIDTH}" y="{bottom + 34}" text-anchor="end">{seconds:.1f} s; the guest stands still for '
                 f'{downtime * 1000:.0f} ms (red)</text></svg>')
    return "\n".join(parts) + "\n"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--mib", type=int, default=256)
    parser.add_argument("--bandwidth", type=int, default=64)
    parser.add_argument("--output", default="migration.svg")
    options, more = parser.parse_known_args()
    with two_hosts(control={"hash": 0, "fill-percent": 100, "dirty-pages": 6000}) as (a, b):
        a.create("g", memory_kib=options.mib * 1024)
        words = ["--bandwidth", str(options.bandwidth), *more]
        samples, seconds, downtime = watch(a, b, words)
    with open(options.output, "w", encoding="utf-8") as out:
        out.write(draw(samples, seconds, downtime, f"{options.mib} MiB guest: virsh migrate --live {' '.join(words)}"))
    print(f"{options.output}: {len(samples)} samples, {seconds:.1f} s, downtime {downtime * 1000:.0f} ms")
    return 0


if __name__ == "__main__":
    sys.exit(main())
