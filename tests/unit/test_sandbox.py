# SPDX-License-Identifier: LGPL-2.1-or-later
"""The system calls that a pump can make if it is taken over: each test makes one in its name while it waits for data.

A call ends the process at once unless the data path needs it. x86-64 only, as root."""
import ctypes
import os
import platform
import signal
import subprocess
import time

import pytest

PUMP = os.environ['XF_PUMP']
pytestmark = pytest.mark.skipif(os.environ.get('XF_SANITIZED') == 'yes' or os.geteuid() != 0
                                or platform.machine() != 'x86_64', reason='needs root and x86-64, and no sanitizer')

GETREGS, SETREGS, SINGLESTEP, ATTACH, DETACH = 12, 13, 9, 16, 17
NAMES = ('r15 r14 r13 r12 rbp rbx r11 r10 r9 r8 rax rcx rdx rsi rdi orig_rax rip cs eflags rsp ss fs_base gs_base ds es '
         'fs gs').split()
ARGUMENTS = 'rdi rsi rdx r10 r8 r9'.split()
libc = ctypes.CDLL(None, use_errno=True)
libc.ptrace.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p]


class Registers(ctypes.Structure):
    _fields_ = [(name, ctypes.c_uint64) for name in NAMES]


def ptrace(request, pid, data=None):
    if libc.ptrace(request, pid, None, data) < 0:
        raise OSError(ctypes.get_errno(), f'ptrace {request}')


def waits_in_poll(pid):
    try:
        with open(f'/proc/{pid}/syscall', encoding='ascii') as words:
            return words.read().startswith('7 ')
    except OSError:
        return False


def call(number, *arguments):
    """Lets a pump that waits for data make this call. Returns the result, or the signal that ended the process."""
    process = subprocess.Popen([PUMP, '--user', 'nobody'], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    pid = process.pid
    try:
        process.stdin.write(b'x')
        process.stdin.flush()
        assert os.read(process.stdout.fileno(), 1) == b'x'
        until = time.monotonic() + 10
        while not waits_in_poll(pid):
            assert time.monotonic() < until
            time.sleep(0.001)
        ptrace(ATTACH, pid)
        os.waitpid(pid, 0)
        registers = Registers()
        ptrace(GETREGS, pid, ctypes.addressof(registers))
        # The waiting call is itself a syscall instruction, which is used again.
        registers.rip -= 2
        registers.rax, registers.orig_rax = number, (1 << 64) - 1
        for name, value in zip(ARGUMENTS, arguments + (0,) * 6):
            setattr(registers, name, value & (1 << 64) - 1)
        ptrace(SETREGS, pid, ctypes.addressof(registers))
        ptrace(SINGLESTEP, pid)
        _, status = os.waitpid(pid, 0)
        if os.WIFSIGNALED(status):
            return signal.Signals(os.WTERMSIG(status))
        ptrace(GETREGS, pid, ctypes.addressof(registers))
        return ctypes.c_int64(registers.rax).value
    finally:
        process.kill()
        process.stdin.close()
        process.stdout.close()
        process.wait()


FORBIDDEN = {
    'open': (2, 0, 0), 'openat': (257, -100, 0, 0), 'openat2': (437, -100, 0), 'creat': (85, 0), 'unlink': (87, 0),
    'stat': (4, 0), 'fstatat': (262, -100, 0), 'readlink': (89, 0), 'chdir': (80, 0), 'mount': (165, 0), 'open_by_handle_at': (304, 0),
    'socket': (41, 1, 1, 0), 'connect': (42, 1), 'bind': (49, 1), 'accept': (43, 1), 'socketpair': (53, 1),
    'setsockopt SO_REUSEADDR': (54, 0, 1, 2), 'setsockopt TCP_NODELAY': (54, 0, 6, 1),
    'execve': (59, 0), 'execveat': (322, 0), 'fork': (57,), 'vfork': (58,), 'clone': (56, 0), 'clone3': (435, 0),
    'kill': (62, -1, 0), 'tgkill': (234, 1, 1, 0), 'ptrace': (101, 0), 'process_vm_readv': (310, 1),
    'mmap that can be run': (9, 0, 4096, 5, 0x22, -1), 'mprotect': (10, 0, 4096, 5), 'memfd_create': (319, 0),
    'ioctl TIOCSTI': (16, 0, 0x5412), 'ioctl of xen': (16, 0, 0x305000), 'prctl': (157, 4, 1), 'seccomp': (317, 1),
    'setuid': (105, 0), 'setresuid': (117, 0), 'capset': (126, 0), 'unshare': (272, 0), 'setns': (308, 0),
    'bpf': (321, 0), 'io_uring_setup': (425, 1), 'userfaultfd': (323, 0), 'perf_event_open': (298, 0),
    'keyctl': (250, 0), 'dup': (32, 0), 'pipe': (22, 0), 'getdents': (217, 0), 'setrlimit': (160, 0),
    'a call of 32 bit numbering': (0x40000000 | 1, 1),
}


@pytest.mark.parametrize('name', FORBIDDEN)
def test_what_it_cannot_do(name):
    assert call(*FORBIDDEN[name]) == signal.SIGSYS


@pytest.mark.parametrize('name, number, arguments, right', [
    ('getpid', 39, (), lambda result: result > 0),
    ('mmap', 9, (0, 4096, 3, 0x22, -1), lambda result: result > 0),
    ('more memory than it may have', 9, (0, 1 << 30, 3, 0x22, -1), lambda result: result == -12),
    # Standard input is not a connection (ENOTSOCK): the result shows that the call was allowed.
    ('setsockopt TCP_ULP', 54, (0, 6, 31), lambda result: result == -88),
    ('setsockopt SO_RCVLOWAT', 54, (0, 1, 18), lambda result: result == -88),
    ('setsockopt SOL_TLS', 54, (0, 282, 1), lambda result: result == -88),
], ids=lambda value: value if isinstance(value, str) else '')
def test_what_it_needs(name, number, arguments, right):
    result = call(number, *arguments)
    assert not isinstance(result, signal.Signals) and right(result), result
