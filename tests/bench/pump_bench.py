#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""What each stage of xenferry-pump costs: a guest's stream through it, taking turns with a pump that only moves bytes.

    pump_bench.py [--mib N] [--rounds N]       pipes and local connections; ratios to plain splice
    pump_bench.py --links                      raw, zstd and auto over a slow and a fast link (root: network namespaces
                                               with tbf between them); ratios to raw

Medians, in one run. XF_BUILD says which build."""
import argparse
import contextlib
import os
import random
import socket
import statistics
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "lib"))
import xen_stream  # noqa: E402

PUMP = os.path.join(os.environ.get("XF_BUILD", "build"), "src/pump/xenferry-pump")
BATCH = 1024


def write_stream(path, mib):
    """A PVH guest: a third of its memory zeros, a third text-like, a third noise, as 4 MiB records."""
    chance = random.Random(3)
    noise = chance.randbytes(xen_stream.PAGE * BATCH)
    words = [chance.randbytes(chance.randrange(2, 12)) for _ in range(2000)]
    text = b"".join(chance.choice(words) for _ in range(xen_stream.PAGE * BATCH // 6))
    text = (text + bytes(xen_stream.PAGE * BATCH))[:xen_stream.PAGE * BATCH]
    kinds = [bytes(xen_stream.PAGE * BATCH), text, noise]
    s = xen_stream.stream("pvh", BATCH)
    for i in range(mib // 4):
        head = xen_stream.pages([xen_stream.HOLE | pfn for pfn in range(i * BATCH, (i + 1) * BATCH)])
        body = bytearray(head) + kinds[i % 3]
        for n in range(BATCH):
            body[8 + 8 * n + 7] &= 0x0f
        s.insert_before("xc", 8, xen_stream.Record("xc", 1, bytes(body)))
    with open(path, "wb") as out:
        out.write(s.bytes())


def guard(mib):
    return ["--guard", "--type", "hvm", "--max-memory", str((mib + 64) * 1024)]


def through(path, *stages):
    """cat FILE | pump STAGE | pump STAGE ... | cat >/dev/null; @stages: option lists. Returns seconds and CPU seconds."""
    before, started = os.times(), time.monotonic()
    processes = [subprocess.Popen(["cat", path], stdout=subprocess.PIPE)]
    for options in stages:
        processes.append(subprocess.Popen([PUMP, *options], stdin=processes[-1].stdout, stdout=subprocess.PIPE))
        processes[-2].stdout.close()
    processes.append(subprocess.Popen(["cat"], stdin=processes[-1].stdout, stdout=subprocess.DEVNULL))
    processes[-2].stdout.close()
    finish(processes)
    after = os.times()
    return time.monotonic() - started, after.children_user + after.children_system - before.children_user - before.children_system


def wired(path, n, source, destination):
    """The same with @n local connections between two pumps."""
    before, started = os.times(), time.monotonic()
    pairs = [socket.socketpair() for _ in range(n)]
    outs, ins = [a.fileno() for a, _ in pairs], [b.fileno() for _, b in pairs]
    cat = subprocess.Popen(["cat", path], stdout=subprocess.PIPE)
    first = subprocess.Popen([PUMP, "--pack", "--out", ",".join(map(str, outs)), *source], pass_fds=outs, stdin=cat.stdout)
    second = subprocess.Popen([PUMP, "--unpack", "--in", ",".join(map(str, ins)), *destination], pass_fds=ins,
                              stdout=subprocess.DEVNULL)
    cat.stdout.close()
    for a, b in pairs:
        a.close()
        b.close()
    finish([cat, first, second])
    after = os.times()
    return time.monotonic() - started, after.children_user + after.children_system - before.children_user - before.children_system


def finish(processes):
    for process in processes:
        if process.wait(300) != 0:
            sys.exit(f"{process.args} ended with {process.returncode}")


def certificates(place):
    def ssl(*arguments):
        subprocess.run(["openssl", *arguments], cwd=place, check=True, capture_output=True)

    ssl("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", "key", "-out", "cert", "-days", "2", "-subj", "/CN=bench",
        "-addext", "subjectAltName=DNS:bench")
    files = [option for name, file in (("ca", "cert"), ("cert", "cert"), ("key", "key"))
             for option in (f"--tls-{name}", os.path.join(place, file))]
    return ["--tls", "client", "--tls-name", "bench", *files], ["--tls", "server", *files]


def take_turns(ways, rounds):
    """Seconds and CPU seconds of each way, medians; one round of each at a time."""
    results = {name: [] for name in ways}
    for _ in range(rounds):
        for name, way in ways.items():
            results[name].append(way())
    return {name: [statistics.median(column) for column in zip(*rows)] for name, rows in results.items()}


def table(results, mib, first):
    print(f"{'':32}{'MiB/s':>9}{'ratio':>8}{'CPU s/GiB':>11}")
    for name, (seconds, cpu) in results.items():
        print(f"{name:32}{mib / seconds:9.0f}{results[first][0] / seconds:8.2f}{cpu * 1024 / mib:11.2f}")


def stages(path, mib, rounds, place):
    client, server = certificates(place)
    raw = ["--compress", "none"]
    ways = {
        "bytes only (splice)": lambda: through(path, []),
        "guard": lambda: through(path, guard(mib)),
        "frames raw": lambda: through(path, ["--pack", *raw], ["--unpack"]),
        "frames raw, guard": lambda: through(path, ["--pack", *raw], ["--unpack", *guard(mib)]),
        "frames zstd 1": lambda: through(path, ["--pack", "--compress", "zstd"], ["--unpack"]),
        "frames auto": lambda: through(path, ["--pack"], ["--unpack"]),
        "1 connection": lambda: wired(path, 1, raw, []),
        "2 connections": lambda: wired(path, 2, raw, []),
        "4 connections": lambda: wired(path, 4, raw, []),
        "TLS, 1 connection": lambda: wired(path, 1, raw + client, server),
        "TLS, 2 connections": lambda: wired(path, 2, raw + client, server),
    }
    table(take_turns(ways, rounds), mib, "bytes only (splice)")


# ---- links ------------------------------------------------------------------------------------------------------

def ip(*arguments):
    subprocess.run(["ip", *arguments], check=True)


@contextlib.contextmanager
def link(rate):
    """Two network namespaces with a wire between them that carries @rate (as tc says it), in both directions."""
    names = [f"xfpump{os.getpid()}{side}" for side in "ab"]
    for name in names:
        ip("netns", "add", name)
    try:
        ip("link", "add", "xf0", "netns", names[0], "type", "veth", "peer", "name", "xf0", "netns", names[1])
        for i, name in enumerate(names):
            ip("-n", name, "addr", "add", f"10.99.0.{i + 1}/24", "dev", "xf0")
            ip("-n", name, "link", "set", "xf0", "up")
            ip("netns", "exec", name, "tc", "qdisc", "add", "dev", "xf0", "root", "tbf", "rate", rate, "burst", "256kb",
               "latency", "20ms")
        yield names
    finally:
        for name in names:
            ip("netns", "del", name)


def end(role, options):
    """Inside of a namespace: makes the connection and becomes the pump."""
    if role == "destination":
        with socket.create_server(("10.99.0.2", 4000)) as listener:
            print("ready", file=sys.stderr, flush=True)
            connection = listener.accept()[0]
        options = ["--unpack", "--in", str(connection.fileno()), *options]
    else:
        connection = socket.create_connection(("10.99.0.2", 4000))
        options = ["--pack", "--out", str(connection.fileno()), *options]
    connection.set_inheritable(True)
    os.execv(PUMP, [PUMP, *options])


def across(names, path, mib, compress):
    def there(name, role, *options, **files):
        return subprocess.Popen(["ip", "netns", "exec", name, sys.executable, os.path.abspath(__file__), "--end", role,
                                 *options], **files)

    destination = there(names[1], "destination", *guard(mib), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    destination.stderr.readline()
    started = time.monotonic()
    with open(path, "rb") as stream:
        source = there(names[0], "source", "--compress", compress, stdin=stream)
    finish([source, destination])
    return time.monotonic() - started, 0


def links(path, mib, rounds):
    for rate in "200mbit", "1gbit", "10gbit":
        with link(rate) as names:
            ways = {how: (lambda how=how: across(names, path, mib, how)) for how in ("none", "zstd", "auto")}
            print(f"\n{rate}")
            for name, (seconds, _) in (results := take_turns(ways, rounds)).items():
                print(f"{name:32}{mib / seconds:9.0f}{results['none'][0] / seconds:8.2f}")


def main():
    if sys.argv[1:2] == ["--end"]:
        end(sys.argv[2], sys.argv[3:])
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--mib", type=int, default=512)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--links", action="store_true")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory(dir="/dev/shm") as place:
        path = os.path.join(place, "stream")
        write_stream(path, chosen.mib)
        if chosen.links:
            links(path, chosen.mib, chosen.rounds)
        else:
            stages(path, chosen.mib, chosen.rounds, place)


if __name__ == "__main__":
    main()
