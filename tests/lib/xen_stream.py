# SPDX-License-Identifier: LGPL-2.1-or-later
"""Xen migration streams as lists of records, so that a test can break one thing and write the rest unchanged.

stream(kind) is complete and valid; a Record's length is its body's unless it is set. As a program it writes the seeds
of the fuzzer: xen_stream.py DIRECTORY; cut FILE SEED reduces a recorded stream to its first pages.
"""
import dataclasses
import struct
import sys

LIBXL_HEADER = b'LibxlFmt' + struct.pack('>II', 2, 0)
LIBXC_HEADER = b'\xff' * 8 + b'XENF' + struct.pack('>IHHI', 3, 0, 0, 0)
PAGE = 4096
MEMORY_PAGES = 64
HOLE = 0xf << 60


@dataclasses.dataclass
class Record:
    layer: str
    type: int
    body: bytes = b''
    length: int = None
    padding: bytes = None

    def bytes(self):
        padding = b'\0' * (-len(self.body) % 8) if self.padding is None else self.padding
        return struct.pack('<II', self.type, len(self.body) if self.length is None else self.length) + self.body + padding


class Stream:
    def __init__(self, kind):
        self.header, self.image, self.tail = LIBXL_HEADER, LIBXC_HEADER, b''
        self.domain = struct.pack('<IHHII', 1 if kind == 'pv' else 2, 12, 0, 4, 17)
        self.records = []

    def add(self, layer, number, body=b''):
        self.records.append(Record(layer, number, body))

    def find(self, layer, number):
        return next(r for r in self.records if (r.layer, r.type) == (layer, number))

    def insert_before(self, layer, number, record):
        self.records.insert(self.records.index(self.find(layer, number)), record)

    def remove(self, layer, number):
        self.records.remove(self.find(layer, number))

    def bytes(self):
        out = [self.header]
        for record in self.records:
            out.append(record.bytes())
            if (record.layer, record.type) == ('xl', 1):
                out += [self.image, self.domain]
        return b''.join(out) + self.tail


def pages(entries, fill=b'\x5a'):
    with_data = sum(1 for e in entries if e >> 60 < 13)
    return struct.pack('<II', len(entries), 0) + struct.pack(f'<{len(entries)}Q', *entries) + fill * (PAGE * with_data)


def stream(kind, n=MEMORY_PAGES):
    """kind: pv, pvh or hvm."""
    s = Stream(kind)
    s.add('xl', 1)
    if kind == 'pv':
        s.add('xc', 2, struct.pack('<BB6x', 8, 4))
    s.add('xc', 17, b'\1' * 48)
    s.add('xc', 18, b'\2' * 16)
    s.add('xc', 16)
    if kind == 'pv':
        frames = (n + 511) // 512
        s.add('xc', 3, struct.pack('<II', 0, n - 1) + b'\0' * (8 * frames))
    s.add('xc', 1, pages(list(range(n // 2))))
    s.add('xc', 1, pages(list(range(n // 2, n - 1)) + [HOLE | (n - 1)], b'\0'))
    s.add('xc', 1, pages([3, 5]))
    s.add('xc', 8, struct.pack('<IIQII', 0, 2000000, 0, 0, 0))
    if kind == 'pv':
        s.add('xc', 7, b'\0' * 4096)
        s.add('xc', 4, struct.pack('<II', 0, 0) + b'\3' * 61)
    else:
        s.add('xc', 9, b'\4' * 2504)
        s.add('xc', 10, struct.pack('<II', 2, 0) + struct.pack('<QQQQ', 1, 0xfeffc, 17, 0xfefff))
    s.add('xc', 0)
    if kind == 'hvm':
        s.add('xl', 2, struct.pack('<II', 2, 0) + b'physmap/f0/start\0f0000000\0')
        s.add('xl', 3, struct.pack('<II', 2, 0) + b'QEVM\0\0\0\3' + b'\7' * 101)
    s.add('xl', 0)
    return s


def cut(data, keep=2):
    """A recorded stream with only the first pages of the first list that has data; other records are unchanged."""
    out, at, kept = [data[:16], data[16:24], data[24:64]], 64, False
    while at < len(data):
        number, length = struct.unpack_from('<II', data, at)
        body = data[at + 8:at + 8 + length]
        at += 8 + length + -length % 8
        if number == 1 and len(body) > 8:
            if kept:
                continue
            count, kept = struct.unpack_from('<I', body)[0], True
            body = pages(list(struct.unpack_from(f'<{count}Q', body, 8))[:keep], b'\0')
        out.append(Record('', number, body).bytes())
        if number == 0 and at + 8 >= len(data):
            break
    return b''.join(out)


if __name__ == '__main__':
    if sys.argv[1] == 'cut':
        with open(sys.argv[2], 'rb') as recorded, open(sys.argv[3], 'wb') as seed:
            seed.write(cut(recorded.read()))
    else:
        for name in 'pv', 'pvh', 'hvm':
            with open(f'{sys.argv[1]}/{name}', 'wb') as seed:
                seed.write(stream(name, 4).bytes())
