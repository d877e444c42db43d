#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""The cost of each stage of xenferry-pump: a guest's stream through it, in turn with a pump that only copies bytes.

    pump_bench.py [--mib N] [--rounds N]       pipes and local connections; ratios to plain splice
    pump_bench.py --links                      raw, zstd and auto over a slow and a fast link (root: network namespaces
                                               with tbf between them); ratios to raw

Medians, in one run. XF_BUILD names the build directory."""
import argparse
import contextlib
import ctypes
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
    """A PVH guest: a third of its memory is zeros, a third like text, a third noise, in 4 MiB records."""
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
    """cat FILE | pump STAGE | pump STAGE ... | cat >/dev/null; @stages: option lists."""
    started = time.monotonic()
    processes = [subprocess.Popen(["cat", path], stdout=subprocess.PIPE)]
    for options in stages:
        processes.append(subprocess.Popen([PUMP, *options], stdin=processes[-1].stdout, stdout=subprocess.PIPE))
        processes[-2].stdout.close()
    processes.append(subprocess.Popen(["cat"], stdin=processes[-1].stdout, stdout=subprocess.DEVNULL))
    processes[-2].stdout.close()
    return finish(processes, started)


def wired(path, n, source, destination):
    """The same with @n local connections between two pumps."""
    started = time.monotonic()
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
    return finish([cat, first, second], started)


def adopt():
    """Makes this process the parent of a pump's processes that outlive it, so that their CPU time is counted."""
    ctypes.CDLL(None).prctl(36, 1, 0, 0, 0)


def finish(processes, started):
    """Waits for @processes and their children. Seconds, CPU seconds of all, those in user space, and CPU seconds of the
    pumps' busiest process."""
    names, spent, user, busiest, seconds = {process.pid: process for process in processes}, 0, 0, 0, None
    with contextlib.suppress(ChildProcessError):
        while True:
            pid, status, usage = os.wait4(-1, 0)
            spent += usage.ru_utime + usage.ru_stime
            user += usage.ru_utime
            process = names.pop(pid, None)
            if not process or process.args[0] == PUMP:
                busiest = max(busiest, usage.ru_utime + usage.ru_stime)
            if process:
                process.returncode = os.waitstatus_to_exitcode(status)
                if process.returncode != 0:
                    sys.exit(f"{process.args} ended with {process.returncode}")
            if not names and seconds is None:
                seconds = time.monotonic() - started
    return seconds, spent, user, busiest


def certificates(place):
    def ssl(*arguments):
        subprocess.run(["openssl", *arguments], cwd=place, check=True, capture_output=True)

    ssl("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", "key", "-out", "cert", "-days", "2", "-subj", "/CN=bench",
        "-addext", "subjectAltName=DNS:bench")
    files = [option for name, file in (("ca", "cert"), ("cert", "cert"), ("key", "key"))
             for option in (f"--tls-{name}", os.path.join(place, file))]
    return ["--tls", "client", "--tls-name", "bench", *files], ["--tls", "server", *files]


def take_turns(ways, rounds):
    """The results of finish() for each variant, medians; one round of each in turn."""
    results = {name: [] for name in ways}
    for _ in range(rounds):
        for name, way in ways.items():
            results[name].append(way())
    return {name: [statistics.median(column) for column in zip(*rows)] for name, rows in results.items()}


def table(results, mib, first):
    print(f"{'':32}{'MiB/s':>9}{'ratio':>8}{'CPU s/GiB':>11}{'busiest process s/GiB':>23}")
    for name, (seconds, cpu, _, busiest) in results.items():
        print(f"{name:32}{mib / seconds:9.0f}{results[first][0] / seconds:8.2f}{cpu * 1024 / mib:11.2f}"
              f"{busiest * 1024 / mib:23.2f}")


def openssl_rate():
    """AES-256-GCM on one processor, with records of TLS's size, in MiB/s."""
    told = subprocess.run(["openssl", "speed", "-mr", "-seconds", "1", "-bytes", "16384", "-evp", "aes-256-gcm"],
                          capture_output=True, text=True, check=True).stdout
    return float(told.strip().splitlines()[-1].rsplit(":", 1)[1]) / (1 << 20)


def tls_sums(results, mib):
    """The cost of TLS alone, and how it scales with connections: with enough processors the busiest process limits the
    rate."""
    plain, one, two = (results[name] for name in ("1 connection", "TLS, 1 connection", "TLS, 2 connections"))
    openssl = openssl_rate()
    # Both ends do the work, so one end does half; a third of the stream is zeros, which are not sent.
    per_core = 2 * mib * 2 / 3 / max(one[2] - plain[2], 1e-3)
    print(f"\nTLS alone, one end, one processor: {per_core:.0f} MiB/s; openssl speed aes-256-gcm, 16 KiB: {openssl:.0f} MiB/s;"
          f" ratio {per_core / openssl:.2f}")
    print(f"TLS, 2 connections : 1, by the busiest process: {one[3] / two[3]:.2f}; in this run on {os.cpu_count()} processors:"
          f" {one[0] / two[0]:.2f}")


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
        "TLS, 4 connections": lambda: wired(path, 4, raw + client, server),
        "zstd, 1 connection": lambda: wired(path, 1, ["--compress", "zstd"], []),
        "zstd, 2 connections": lambda: wired(path, 2, ["--compress", "zstd"], []),
    }
    results = take_turns(ways, rounds)
    table(results, mib, "bytes only (splice)")
    tls_sums(results, mib)


# ---- links ------------------------------------------------------------------------------------------------------

def ip(*arguments):
    subprocess.run(["ip", *arguments], check=True)


@contextlib.contextmanager
def link(rate):
    """Two network namespaces with a link between them of @rate (in tc's format), in both directions."""
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
    """Runs in a namespace: makes the connection and becomes the pump."""
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
    return finish([source, destination], started)


def links(path, mib, rounds):
    for rate in "200mbit", "1gbit", "10gbit":
        with link(rate) as names:
            ways = {how: (lambda how=how: across(names, path, mib, how)) for how in ("none", "zstd", "auto")}
            print(f"\n{rate}")
            for name, (seconds, *_) in (results := take_turns(ways, rounds)).items():
                print(f"{name:32}{mib / seconds:9.0f}{results['none'][0] / seconds:8.2f}")


def main():
    if sys.argv[1:2] == ["--end"]:
        end(sys.argv[2], sys.argv[3:])
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--mib", type=int, default=512)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--links", action="store_true")
    chosen = parser.parse_args()
    adopt()
    with tempfile.TemporaryDirectory(dir="/dev/shm") as place:
        path = os.path.join(place, "stream")
        write_stream(path, chosen.mib)
        if chosen.links:
            links(path, chosen.mib, chosen.rounds)
        else:
            stages(path, chosen.mib, chosen.rounds, place)


if __name__ == "__main__":
    main()
