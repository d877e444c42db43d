# SPDX-License-Identifier: LGPL-2.1-or-later
"""xenferry-pump --guard: valid streams pass unchanged; of an invalid stream nothing from the fault on is passed."""
import os
import pathlib
import re
import struct
import subprocess
import sys

import pytest

ROOT = pathlib.Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / 'tests/lib'))
import xen_stream  # noqa: E402
from xen_stream import HOLE, Record, pages  # noqa: E402

PUMP = os.environ['XF_PUMP']
PLAIN = ['--no-sandbox'] if os.environ.get('XF_SANITIZED') == 'yes' else []


def guard(data, *options, memory_kib=1024):
    return subprocess.run([PUMP, *PLAIN, '--guard', '--max-memory', str(memory_kib), '--vcpus', '2', *options], input=data,
                          capture_output=True, timeout=60)


@pytest.mark.parametrize('kind', ['pv', 'pvh', 'hvm'])
def test_good_streams_pass_unchanged(kind):
    data = xen_stream.stream(kind).bytes()
    done = guard(data, '--type', 'pv' if kind == 'pv' else 'hvm')
    assert (done.returncode, done.stderr) == (0, b'')
    assert done.stdout == data


def test_a_recorded_stream_passes():
    data = (ROOT / 'tests/fuzz/corpus/guard/hvm-live-cut').read_bytes()
    done = guard(data, '--type', 'hvm', memory_kib=65536)
    assert (done.returncode, done.stdout) == (0, data), done.stderr


def test_optional_records_pass():
    s = xen_stream.stream('pvh')
    s.insert_before('xc', 9, Record('xc', 0x80000077, b'whatever'))
    assert guard(s.bytes()).stdout == s.bytes()


def hvm(change):
    s = xen_stream.stream('hvm')
    change(s)
    return s


def body(layer, number, new):
    return lambda s: setattr(s.find(layer, number), 'body', new)


def before(layer, number, record):
    return lambda s: s.insert_before(layer, number, record)


def many_optional(s):
    for _ in range(1025):
        s.insert_before('xc', 9, Record('xc', 0x80000077))


HOSTILE = {
    'no stream': (lambda s: setattr(s, 'header', b'GET / HTTP/1.1\r\n'), 'identification'),
    'version': (lambda s: setattr(s, 'header', b'LibxlFmt' + struct.pack('>II', 3, 0)), 'version 3'),
    'legacy': (lambda s: setattr(s, 'header', b'LibxlFmt' + struct.pack('>II', 2, 2)), 'options'),
    'marker': (lambda s: setattr(s, 'image', b'\0' * 24), 'marker'),
    'image version': (lambda s: setattr(s, 'image', s.image[:12] + struct.pack('>I', 4) + s.image[16:]), 'version 4'),
    'image options': (lambda s: setattr(s, 'image', s.image[:16] + b'\0\1' + s.image[18:]), 'options'),
    'kind': (lambda s: setattr(s, 'domain', struct.pack('<IHHII', 7, 12, 0, 4, 17)), 'unknown kind'),
    'page shift': (lambda s: setattr(s, 'domain', struct.pack('<IHHII', 2, 21, 0, 4, 17)), 'page shift'),
    'unknown mandatory': (before('xc', 9, Record('xc', 99, b'x' * 8)), 'unknown libxc record 0x63'),
    'unknown of libxl': (before('xl', 3, Record('xl', 0x80000001, b'')), 'unknown libxl record'),
    'optional too long': (before('xc', 9, Record('xc', 0x80000001, b'', length=0xffffffff)), 'optional record'),
    'optional too many': (many_optional, 'number 1025'),
    'toolstack': (before('xc', 9, Record('xc', 11, b'')), 'TOOLSTACK'),
    'verify': (before('xc', 8, Record('xc', 13, b'')), 'VERIFY'),
    'checkpoint': (before('xc', 8, Record('xc', 14, b'')), 'CHECKPOINT'),
    'dirty list': (before('xc', 8, Record('xc', 15, b'x' * 8)), 'CHECKPOINT_DIRTY'),
    'checkpoint end': (before('xl', 0, Record('xl', 4, b'')), 'CHECKPOINT_END'),
    'checkpoint state': (before('xl', 0, Record('xl', 5, b'', length=0xffffffff)), 'CHECKPOINT_STATE'),
    'second image': (before('xl', 3, Record('xl', 1, b'')), 'second time'),
    'emulator first': (lambda s: s.records.insert(0, Record('xl', 3, b'x' * 16)), 'HVM|before the guest'),
    'emulator huge': (before('xl', 0, Record('xl', 3, b'', length=0xfffffff0)), 'second time'),
    'pages none': (body('xc', 1, struct.pack('<II', 0, 0) + b'\0' * 8), '0 pages'),
    'pages too many': (body('xc', 1, struct.pack('<II', 20000, 0) + b'\0' * 160000), '20000 pages'),
    'pages short': (lambda s: setattr(s.find('xc', 1), 'length', 4096), 'cannot|have data'),
    'pages long': (lambda s: setattr(s.find('xc', 1), 'length', 32 * 4096 + 8000), 'have data'),
    'record over the limit': (lambda s: setattr(s.find('xc', 1), 'length', (128 << 20) + 1), 'PAGE_DATA of'),
    'page far away': (body('xc', 1, pages([1 << 38])), '0x4000000000'),
    'hole far away': (body('xc', 1, pages([HOLE | 1 << 38])), '0x4000000000'),
    'page just over': (body('xc', 1, pages([(1 << 20) + (1 << 16) + 256])), 'names page'),
    'page type': (body('xc', 1, pages([5 << 60])), 'type 5'),
    'page table in HVM': (body('xc', 1, pages([1 << 60])), 'type 1'),
    'page reserved bits': (body('xc', 1, pages([1 << 55])), 'names page'),
    'pages before static end': (lambda s: s.remove('xc', 16), 'not where it belongs'),
    'pages after state': (before('xc', 10, Record('xc', 1, pages([1]))), 'not where it belongs'),
    'cpuid after pages': (before('xc', 8, Record('xc', 17, b'\0' * 24)), 'second time'),
    'cpuid length': (body('xc', 17, b'\0' * 25), 'CPUID_POLICY of 25'),
    'msr empty': (body('xc', 18, b''), 'MSR_POLICY of 0'),
    'static end twice': (before('xc', 1, Record('xc', 16)), 'second time'),
    'static end with a body': (body('xc', 16, b'\0' * 8), 'STATIC_DATA_END of 8'),
    'tsc length': (body('xc', 8, b'\0' * 32), 'TSC_INFO of 32'),
    'pv in hvm': (before('xc', 8, Record('xc', 7, b'\0' * 4096)), 'SHARED_INFO in the image of a HVM'),
    'params count': (body('xc', 10, struct.pack('<II', 9, 0) + b'\0' * 16), '9 parameters'),
    'params unknown': (body('xc', 10, struct.pack('<IIQQ', 1, 0, 26, 0)), 'parameter 26'),
    'params wide': (body('xc', 10, struct.pack('<IIQQ', 1, 0, 1 + (1 << 32), 0)), 'parameter 4294967297'),
    'params page': (body('xc', 10, struct.pack('<IIQQ', 1, 0, 5, 1 << 38)), 'at page'),
    'no context': (lambda s: s.remove('xc', 9), 'without a record HVM_CONTEXT'),
    'no pages': (lambda s: [s.remove('xc', 1) for _ in range(3)], 'without a record PAGE_DATA'),
    'context twice': (before('xc', 10, Record('xc', 9, b'x' * 8)), 'second time'),
    'padding': (lambda s: setattr(s.find('xl', 3), 'padding', b'\1' * 3), 'padding'),
    'key absolute': (body('xl', 2, struct.pack('<II', 2, 0) + b'/physmap/x\0y\0'), 'key'),
    'key state': (body('xl', 2, struct.pack('<II', 2, 0) + b'state\0running\0'), 'key'),
    'key hole': (body('xl', 2, struct.pack('<II', 2, 0) + b'physmap//x\0y\0'), 'key'),
    'key signs': (body('xl', 2, struct.pack('<II', 2, 0) + b'physmap/../x\0y\0'), 'key'),
    'value long': (body('xl', 2, struct.pack('<II', 2, 0) + b'physmap/a\0' + b'y' * 2000 + b'\0'), 'value'),
    'key alone': (body('xl', 2, struct.pack('<II', 2, 0) + b'physmap/a\0'), 'words'),
    'word open': (body('xl', 2, struct.pack('<II', 2, 0) + b'physmap/a\0y'), 'middle'),
    'xenstore huge': (lambda s: setattr(s.find('xl', 2), 'length', 0xffffffff), 'EMULATOR_XENSTORE_DATA of'),
    'emulator id': (body('xl', 3, struct.pack('<II', 3, 0) + b'QEVM\0\0\0\3'), 'emulator 3'),
    'emulator no qemu': (body('xl', 3, struct.pack('<II', 2, 0) + b'\x7fELF\0\0\0\3'), 'QEMU'),
    'emulator length': (lambda s: setattr(s.find('xl', 3), 'length', 0xffffffff), 'EMULATOR_CONTEXT of|longer'),
    'end with a body': (lambda s: setattr(s.find('xl', 0), 'length', 8), 'END of 8'),
    'bytes behind the end': (lambda s: setattr(s, 'tail', b'x'), 'follow'),
    'no end': (lambda s: s.remove('xl', 0), 'middle'),
    'no image end': (lambda s: s.remove('xc', 0), 'unknown|second|CHECKPOINT|X86|in the image|not where'),
}


@pytest.mark.parametrize('name', HOSTILE)
def test_hostile(name):
    change, words = HOSTILE[name]
    data = hvm(change).bytes()
    done = guard(data, '--type', 'hvm')
    assert done.returncode == 1, done.stderr
    assert re.search(words, done.stderr.decode()), done.stderr
    # The output ends before the fault, so it is not a complete stream: libxl does not accept the guest.
    assert data.startswith(done.stdout) and (len(done.stdout) < len(data) or name == 'no end')
    assert guard(done.stdout).returncode == 1


PV_HOSTILE = {
    'p2m end': (body('xc', 3, struct.pack('<II', 0, 1 << 30) + b'\0' * 8), 'X86_PV_P2M_FRAMES for'),
    'p2m order': (body('xc', 3, struct.pack('<II', 9, 3) + b'\0' * 8), 'X86_PV_P2M_FRAMES for'),
    'p2m length': (body('xc', 3, struct.pack('<II', 0, 63) + b'\0' * 16), 'for 1 frames'),
    'p2m missing': (lambda s: s.remove('xc', 3), 'before X86_PV_P2M_FRAMES'),
    'info missing': (lambda s: s.remove('xc', 2), 'before X86_PV_INFO'),
    'info width': (body('xc', 2, struct.pack('<BB6x', 16, 4)), 'width 16'),
    'vcpu': (body('xc', 4, struct.pack('<II', 2, 0) + b'x' * 8), 'vCPU 2'),
    'page over p2m': (body('xc', 1, pages([64])), 'names page 0x40'),
    'no shared info': (lambda s: s.remove('xc', 7), 'SHARED_INFO'),
    'emulator': (before('xl', 0, Record('xl', 3, b'x' * 16)), 'PV guest'),
}


@pytest.mark.parametrize('name', PV_HOSTILE)
def test_hostile_pv(name):
    change, words = PV_HOSTILE[name]
    s = xen_stream.stream('pv')
    change(s)
    done = guard(s.bytes(), '--type', 'pv')
    assert done.returncode == 1 and words in done.stderr.decode(), done.stderr


def test_the_wrong_kind_of_guest():
    assert b'definition says PV' in guard(xen_stream.stream('hvm').bytes(), '--type', 'pv').stderr


def test_a_stream_without_end_is_too_long():
    s = xen_stream.stream('hvm')
    for _ in range(40):
        s.insert_before('xc', 8, Record('xc', 1, pages(list(range(64)))))
    assert b'longer than' in guard(s.bytes(), '--total-max', '1000000').stderr


def test_cut_anywhere():
    data = xen_stream.stream('hvm', 4).bytes()
    for length in range(0, len(data), 509):
        done = guard(data[:length])
        assert done.returncode == 1 and done.stdout == data[:len(done.stdout)]
