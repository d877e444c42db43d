# SPDX-License-Identifier: LGPL-2.1-or-later
"""Two xenferry-pumps and a connection between them: the output equals the input, and damaged data never looks
complete."""
import base64
import json
import os
import pathlib
import pwd
import random
import re
import select
import signal
import socket
import subprocess
import sys
import threading
import time

import pytest

ROOT = pathlib.Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / 'tests/lib'))
import xen_stream  # noqa: E402

PUMP = os.environ['XF_PUMP']
SANITIZED = os.environ.get('XF_SANITIZED') == 'yes'
PLAIN = ['--no-sandbox'] if SANITIZED else []


def pump(*options, fds=(), **more):
    return subprocess.Popen([PUMP, *PLAIN, *options], pass_fds=fds, stderr=subprocess.PIPE, **more)


def run(data, *options):
    return subprocess.run([PUMP, *PLAIN, *options], input=data, capture_output=True, timeout=60)


def memory(size=3 << 20):
    """Like a guest's: zeros, repeating text, noise; the size is not a multiple of any block."""
    noise = random.Random(7)
    out = bytearray()
    while len(out) < size:
        out += bytes(noise.randrange(1, 40000))
        out += b'the same again ' * noise.randrange(1, 2000)
        out += noise.randbytes(noise.randrange(1, 40000))
    return bytes(out[:size + 13])


@pytest.mark.parametrize('how', ['none', 'zstd', 'auto'])
@pytest.mark.parametrize('data', [b'', b'x', bytes(262144), bytes(262145), memory()], ids=len)
def test_frames_and_back(how, data):
    packed = run(data, '--pack', '--compress', how)
    assert packed.returncode == 0, packed.stderr
    back = run(packed.stdout, '--unpack')
    assert (back.returncode, back.stderr) == (0, b'')
    assert back.stdout == data


def test_zeros_do_not_travel():
    packed = run(bytes(8 << 20), '--pack', '--compress', 'none')
    assert len(packed.stdout) < 8000


def test_compression_compresses():
    data = memory()
    raw, small = (run(data, '--pack', '--compress', how) for how in ('none', 'zstd'))
    assert len(small.stdout) < len(raw.stdout) * 0.75


def test_flipped_bits_never_pass():
    data = xen_stream.stream('hvm', 8).bytes()
    for how in 'none', 'zstd':
        packed = run(data, '--pack', '--compress', how).stdout
        chance = random.Random(11)
        for _ in range(60):
            at, bit = chance.randrange(len(packed)), 1 << chance.randrange(8)
            bad = packed[:at] + bytes([packed[at] ^ bit]) + packed[at + 1:]
            done = run(bad, '--unpack', '--guard', '--max-memory', '1024')
            assert done.returncode == 1, (how, at, bit)
            assert len(done.stdout) < len(data)


def test_a_wire_cut_anywhere():
    packed = run(memory(600000), '--pack').stdout
    for length in range(0, len(packed), len(packed) // 37):
        done = run(packed[:length], '--unpack')
        assert done.returncode == 1 and b'ended before' in done.stderr


def test_frames_in_another_order():
    packed = run(memory(900000), '--pack', '--compress', 'none').stdout
    first = 32
    length = 32 + int.from_bytes(packed[first + 16:first + 20], 'little')
    dropped = packed[:first] + packed[first + length:]
    assert b'another one arrived' in run(dropped, '--unpack').stderr


def test_another_migration_is_refused():
    packed = run(b'x' * 1000, '--pack', '--id', '11' * 16).stdout
    done = run(packed, '--unpack', '--id', '12' * 16)
    assert done.returncode == 1 and b'another migration' in done.stderr
    assert run(packed, '--unpack', '--id', '11' * 16).stdout == b'x' * 1000


class Wire:
    """A source and a destination with n connections between them."""

    def __init__(self, n, source=(), destination=(), crossed=False):
        pairs = [socket.socketpair() for _ in range(n)]
        outs, ins = [a for a, _ in pairs], [b for _, b in pairs]
        if crossed:
            ins.reverse()
        names = [','.join(str(s.fileno()) for s in side) for side in (outs, ins)]
        self.source = pump('--pack', '--out', names[0], *source, fds=[s.fileno() for s in outs], stdin=subprocess.PIPE)
        self.destination = pump('--unpack', '--in', names[1], *destination, fds=[s.fileno() for s in ins],
                                stdout=subprocess.PIPE)
        for s in outs + ins:
            s.close()

    def carry(self, data):
        feeder = threading.Thread(target=self.feed, args=(data,))
        feeder.start()
        out = self.destination.stdout.read()
        feeder.join()
        return out, self.source.wait(30), self.destination.wait(30)

    def feed(self, data):
        try:
            self.source.stdin.write(data)
            self.source.stdin.close()
        except BrokenPipeError:
            pass

    def errors(self):
        return self.source.stderr.read() + self.destination.stderr.read()


@pytest.mark.parametrize('n', [1, 2, 3, 16])
def test_parallel_connections_keep_the_order(n):
    data = memory(5 << 20)
    wire = Wire(n)
    out, *codes = wire.carry(data)
    assert codes == [0, 0], wire.errors()
    assert out == data


@pytest.mark.parametrize('size', [0, 1, 262143, 262144, 262145, 3 * 262144, 3 * 262144 + 1])
def test_where_the_turns_end(size):
    data = memory(size)[:size]
    wire = Wire(3)
    assert wire.carry(data) == (data, 0, 0), wire.errors()


def test_connections_in_another_order_are_refused():
    wire = Wire(2, crossed=True)
    out, _, code = wire.carry(b'x' * 1000)
    assert (out, code) == (b'', 1)
    assert b'not in their order' in wire.errors()


def legs(process):
    """The pump's processes for the connections, one each, once they run."""
    children = pathlib.Path(f'/proc/{process.pid}/task/{process.pid}/children')
    until = time.monotonic() + 10
    while time.monotonic() < until:
        found = [int(word) for word in children.read_text().split()]
        if len(found) == 2:
            return found
        time.sleep(0.01)
    raise AssertionError('no two processes')


@pytest.mark.parametrize('side', ['source', 'destination'])
@pytest.mark.parametrize('whose', ['leg', 'starter'])
def test_the_death_of_one_of_its_processes(side, whose):
    """Whichever process dies: a stream that was cut has no END, and no process is left."""
    wire = Wire(2, source=['--rate', '4000000'])
    processes = {'source': wire.source, 'destination': wire.destination}
    both = [one for process in processes.values() for one in legs(process)]
    threading.Thread(target=wire.feed, args=(memory(64 << 20),), daemon=True).start()
    got = len(os.read(wire.destination.stdout.fileno(), 1 << 20))
    victim = processes[side]
    os.kill(legs(victim)[1] if whose == 'leg' else victim.pid, signal.SIGKILL)
    if victim is wire.source or whose == 'leg':
        got += len(wire.destination.stdout.read())
    codes = wire.source.wait(10), wire.destination.wait(10)
    assert 0 not in codes and got < 64 << 20
    if whose == 'leg':
        assert b'has died' in processes[side].stderr.read()
    until = time.monotonic() + 10
    while any(os.path.exists(f'/proc/{one}') for one in both) and time.monotonic() < until:
        time.sleep(0.01)
    assert not any(os.path.exists(f'/proc/{one}') for one in both)


def test_a_bit_flipped_on_one_of_several_connections():
    data = memory(4 << 20)
    (a, b), (c, d), (e, f) = (socket.socketpair() for _ in range(3))
    source = pump('--pack', '--compress', 'none', '--out', f'{a.fileno()},{c.fileno()}', fds=[a.fileno(), c.fileno()],
                  stdin=subprocess.PIPE)
    destination = pump('--unpack', '--in', f'{b.fileno()},{f.fileno()}', fds=[b.fileno(), f.fileno()],
                       stdout=subprocess.PIPE)
    for one in a, b, c, f:
        one.close()

    def forward():
        total = 0
        while piece := d.recv(65536):
            if total < 1000000 <= total + len(piece):
                piece = piece[:1000000 - total] + bytes([piece[1000000 - total] ^ 1]) + piece[1000001 - total:]
            total += len(piece)
            try:
                e.sendall(piece)
            except OSError:
                break
        d.close()
        e.close()

    threads = [threading.Thread(target=forward, daemon=True)]
    wire = Wire.__new__(Wire)
    wire.source, wire.destination = source, destination
    threads.append(threading.Thread(target=wire.feed, args=(data,), daemon=True))
    for thread in threads:
        thread.start()
    out = destination.stdout.read()
    assert destination.wait(20) == 1 and len(out) < len(data) and data.startswith(out)
    assert re.search(rb'connection 1: frame \d*[13579] .*checksum', destination.stderr.read())
    source.kill()
    source.wait()


def test_connections_of_two_streams_are_refused():
    wire = Wire(2, destination=['--id', 'ab' * 16])
    out, _, code = wire.carry(b'x' * 100)
    assert (out, code) == (b'', 1)


def certificates(place):
    """A CA, and certificates for a server dst.example and a client, made by openssl."""
    def ssl(*arguments):
        subprocess.run(['openssl', *arguments], cwd=place, check=True, capture_output=True)

    ssl('req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-keyout', 'ca.key', '-out', 'ca.pem', '-days', '2', '-subj',
        '/CN=test CA')
    for name in 'dst.example', 'src.example':
        (place / 'ext').write_text(f'subjectAltName=DNS:{name}\n')
        ssl('req', '-newkey', 'rsa:2048', '-nodes', '-keyout', f'{name}.key', '-out', 'request', '-subj', f'/CN={name}')
        ssl('x509', '-req', '-in', 'request', '-CA', 'ca.pem', '-CAkey', 'ca.key', '-CAcreateserial', '-days', '2', '-out',
            f'{name}.pem', '-extfile', 'ext')
    ssl('req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-keyout', 'other.key', '-out', 'other.pem', '-days', '2', '-subj',
        '/CN=src.example')


@pytest.fixture(scope='module')
def pki(tmp_path_factory):
    place = tmp_path_factory.mktemp('pki')
    certificates(place)
    return place


def tls(pki, role, name, *more):
    return ['--tls', role, '--tls-ca', f'{pki}/ca.pem', '--tls-cert', f'{pki}/{name}.pem', '--tls-key', f'{pki}/{name}.key',
            *more]


@pytest.mark.parametrize('n', [1, 2])
def test_tls(pki, n):
    data = memory()
    wire = Wire(n, tls(pki, 'client', 'src.example', '--tls-name', 'dst.example'), tls(pki, 'server', 'dst.example'))
    out, *codes = wire.carry(data)
    assert codes == [0, 0], wire.errors()
    assert out == data


def test_tls_with_the_wrong_name(pki):
    wire = Wire(1, tls(pki, 'client', 'src.example', '--tls-name', 'else.example'), tls(pki, 'server', 'dst.example'))
    assert wire.carry(b'secret' * 1000) == (b'', 1, 1)
    assert b'does not match' in wire.errors()


def test_tls_with_a_strange_certificate(pki):
    wire = Wire(1, tls(pki, 'client', 'other', '--tls-name', 'dst.example'), tls(pki, 'server', 'dst.example'))
    out, _, code = wire.carry(b'secret' * 1000)
    assert (out, code) == (b'', 1)
    assert b'ertificate' in wire.errors()


def test_tls_is_not_done_without_it(pki):
    wire = Wire(1, (), tls(pki, 'server', 'dst.example'))
    out, _, code = wire.carry(b'x' * 1000)
    assert (out, code) == (b'', 1)


def memory_of(pid):
    """All memory that the process can write, which is where secrets are."""
    out = b''
    with open(f'/proc/{pid}/maps', encoding='ascii') as maps, open(f'/proc/{pid}/mem', 'rb', buffering=0) as mem:
        for line in maps:
            span, rights = line.split()[:2]
            start, end = (int(number, 16) for number in span.split('-'))
            if rights.startswith('rw'):
                mem.seek(start)
                try:
                    out += mem.read(end - start)
                except OSError:
                    pass
    return out


def children(pid):
    with open(f'/proc/{pid}/task/{pid}/children', encoding='ascii') as pids:
        return [int(number) for number in pids.read().split()]


@pytest.mark.skipif(SANITIZED or os.geteuid() != 0, reason='needs root, and no sanitizer')
@pytest.mark.parametrize('n', [1, 2])
def test_the_guard_does_not_hold_the_key(pki, n):
    """During the handshake the process that makes it has the key, and the one that checks the image does not."""
    lines = (pki / 'dst.example.key').read_text().splitlines()
    number = base64.b64decode(''.join(lines[1:-1]))[400:432]  # a part of the private exponent
    pairs = [socket.socketpair() for _ in range(n)]
    fds = [pair[0].fileno() for pair in pairs]
    process = pump('--unpack', '--guard', '--max-memory', '4096', '--in', ','.join(map(str, fds)), '--report', '2',
                   *tls(pki, 'server', 'dst.example'), fds=fds, stdout=subprocess.PIPE)
    try:
        process.stderr.read(1)  # half a second has passed: all files are read
        assert len(children(process.pid)) == n
        for pid in children(process.pid):
            assert number in memory_of(pid) or number[::-1] in memory_of(pid)
        mine = memory_of(process.pid)
        assert mine and number not in mine and number[::-1] not in mine
    finally:
        process.kill()
        process.wait()


def test_tls_with_a_guard(pki):
    data = xen_stream.stream('pvh').bytes()
    wire = Wire(1, tls(pki, 'client', 'src.example', '--tls-name', 'dst.example'),
                [*tls(pki, 'server', 'dst.example'), '--guard', '--max-memory', '65536'])
    out, *codes = wire.carry(data)
    assert codes == [0, 0], wire.errors()
    assert out == data


def test_tls_with_a_guard_that_refuses(pki):
    wire = Wire(1, tls(pki, 'client', 'src.example', '--tls-name', 'dst.example'),
                [*tls(pki, 'server', 'dst.example'), '--guard', '--max-memory', '65536'])
    out, _, code = wire.carry(b'no stream' * 1000)
    assert (out, code) == (b'', 1)
    assert b'refused' in wire.errors()


@pytest.mark.skipif(SANITIZED or os.geteuid() != 0, reason='needs root, and no sanitizer')
def test_the_first_user_that_there_is():
    for users, code in ('no-such-user,nobody', 0), ('nobody,root', 0), ('no-such-user', 1):
        process = pump('--user', users, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        if code == 0:
            process.stdin.write(b'x')
            process.stdin.flush()
            assert process.stdout.read(1) == b'x'
            assert uid_of(process.pid) == pwd.getpwnam('nobody').pw_uid
        process.stdin.close()
        assert process.wait(10) == code


def uid_of(pid):
    with open(f'/proc/{pid}/status', encoding='ascii') as status:
        return int(re.search(r'^Uid:\s+(\d+)', status.read(), re.M).group(1))


@pytest.mark.skipif(SANITIZED or os.geteuid() != 0, reason='needs root, and no sanitizer')
def test_no_file_and_no_core():
    process = pump('--user', 'nobody', stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    process.stdin.write(b'x')
    process.stdin.flush()
    assert process.stdout.read(1) == b'x'
    with open(f'/proc/{process.pid}/limits', encoding='ascii') as limits:
        text = limits.read()
    for what in 'Max file size', 'Max core file size', 'Max processes':
        assert re.search(rf'^{what} +0 +0 ', text, re.M), text
    process.stdin.close()
    assert process.wait(10) == 0


class Paced:
    """A pump without stages between two pipes that are never full or empty, with its control and report pipes."""

    def __init__(self, *options):
        control, self.control = os.pipe()
        self.report, report = os.pipe()
        self.process = pump('--control', str(control), '--report', str(report), *options, fds=[control, report],
                            stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        os.close(control)
        os.close(report)
        threading.Thread(target=self.feed, daemon=True).start()

    def feed(self):
        try:
            while True:
                self.process.stdin.write(b'y' * 65536)
        except (BrokenPipeError, ValueError):
            pass

    def command(self, line):
        os.write(self.control, line + b'\n')

    def bytes_in(self, seconds):
        total, until = 0, time.monotonic() + seconds
        while time.monotonic() < until:
            if select.select([self.process.stdout], [], [], 0.05)[0]:
                total += len(os.read(self.process.stdout.fileno(), 1 << 20))
        return total

    def last_report(self):
        with os.fdopen(self.report) as lines:
            return json.loads(lines.read().splitlines()[-1])


def test_the_pace_changes_while_it_runs():
    paced = Paced('--rate', '2000000')
    paced.bytes_in(0.3)
    slow = paced.bytes_in(1)
    paced.command(b'rate 20000000')
    paced.bytes_in(0.5)
    fast = paced.bytes_in(1)
    paced.process.kill()
    paced.process.wait()
    # Upper bounds: a busy machine may be slower for other reasons.
    assert slow < 2600000 and fast < 25000000
    assert fast > slow


@pytest.mark.parametrize('command, words', [(b'abort', 'aborted'), (b'dance', 'unknown command'), (None, 'is gone')])
def test_abort(command, words):
    paced = Paced('--rate', '1000')
    paced.bytes_in(0.1)
    started = time.monotonic()
    if command:
        paced.command(command)
    else:
        os.close(paced.control)
    assert paced.process.wait(10) == 1
    assert time.monotonic() - started < 5
    assert words in paced.last_report()['error']


def test_the_report():
    read, write = os.pipe()
    data = xen_stream.stream('hvm').bytes()
    process = pump('--guard', '--max-memory', '1024', '--report', str(write), fds=[write], stdin=subprocess.PIPE,
                   stdout=subprocess.DEVNULL)
    os.close(write)
    process.communicate(data)
    with os.fdopen(read) as lines:
        last = json.loads(lines.read().splitlines()[-1])
    assert last['end'] is True
    assert (last['in'], last['out']) == (len(data), len(data))
    assert (last['pages'], last['data_pages'], last['passes']) == (66, 65, 2)


@pytest.mark.skipif(SANITIZED, reason='a sanitizer needs what the sandbox takes')
def test_the_sandbox():
    process = pump(stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    process.stdin.write(b'x')
    process.stdin.flush()
    assert os.read(process.stdout.fileno(), 1) == b'x'
    status = dict(line.split(':\t', 1) for line in pathlib.Path(f'/proc/{process.pid}/status').read_text().splitlines()
                  if ':\t' in line)
    assert (status['NoNewPrivs'], status['Seccomp']) == ('1', '2')
    process.stdin.close()
    assert process.wait(10) == 0


@pytest.mark.skipif(SANITIZED or os.geteuid() != 0, reason='needs root, and no sanitizer')
def test_another_user():
    process = pump('--user', 'nobody', stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    process.stdin.write(b'x')
    process.stdin.flush()
    assert os.read(process.stdout.fileno(), 1) == b'x'
    lines = pathlib.Path(f'/proc/{process.pid}/status').read_text().splitlines()
    fields = dict(line.split(':\t', 1) for line in lines if ':\t' in line)
    process.stdin.close()
    assert process.wait(10) == 0
    assert '0' not in fields['Uid'].split() and fields['Groups'].strip() == '' and int(fields['CapEff'], 16) == 0


def test_the_death_of_the_source_is_an_error_at_the_destination():
    wire = Wire(1, source=['--rate', '100000'])
    threading.Thread(target=wire.feed, args=(memory(),), daemon=True).start()
    time.sleep(0.2)
    wire.source.send_signal(signal.SIGKILL)
    wire.destination.stdout.read()
    assert wire.destination.wait(10) == 1
    assert b'ended before the stream did' in wire.destination.stderr.read()


@pytest.mark.parametrize('options', [['--guard'], ['--compress', 'lzma', '--pack'], ['--level', '77'], ['--in', ''],
                                     ['--in', '0,0'], ['--in', '987'], ['--id', 'xyz', '--pack'], ['--tls', 'server'],
                                     ['--type', 'vm', '--guard', '--max-memory', '9'], ['file'], ['--rate', '-1']],
                         ids=' '.join)
def test_wrong_usage(options):
    assert run(b'', *options).returncode in (1, 2)
