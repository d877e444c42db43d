# SPDX-License-Identifier: LGPL-2.1-or-later
"""A simulated Xen host with a xenferryd of its own, for tests, the demo and the benchmarks.

A host's files are in one temporary directory: the simulated hypervisor (guests, consoles, trace, control file),
sockets, settings, definitions, logs. Two hosts never share a port: each locks a range of ports until it ends.

    with SimHost("a") as a, SimHost("b") as b:
        a.create("g")
        a.migrate("g", b, "--live", mode="tunnelled").ok()
        assert b.state("g") == "running"
"""

import contextlib
import fcntl
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import termios
import time
import uuid as uuid_module

SOURCE = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BUILD = os.path.abspath(os.environ.get("XF_BUILD", os.path.join(SOURCE, "build")))
# A library that is preloaded into other programs must not be built with a sanitizer.
PLAIN_BUILD = os.path.abspath(os.environ.get("XF_PLAIN_BUILD", BUILD))
MODES = ("direct", "p2p", "tunnelled")

# Below the kernel's ephemeral ports, so that the port of an outgoing connection is never one of these.
FIRST_PORT, SLOT_PORTS, SLOTS = 20480, 96, 120


class Result:
    """The output and status of a command; true if the status is 0."""

    def __init__(self, argv, rc, out, err, seconds):
        self.argv, self.rc, self.out, self.err, self.seconds = argv, rc, out, err, seconds

    def __bool__(self):
        return self.rc == 0

    def __repr__(self):
        return f"{' '.join(self.argv)}: status {self.rc} after {self.seconds:.2f} s\n{self.out}{self.err}"

    def ok(self):
        assert self.rc == 0, repr(self)
        return self

    def failed(self, text, *more):
        """Asserts that the command failed, with @text and all of @more in its error."""
        assert self.rc != 0, f"was expected to fail: {self!r}"
        for text in (text, *more):
            assert text.lower() in self.err.lower(), f"'{text}' is not in the error: {self!r}"
        return self


def run(*argv, timeout=60, env=None, stdin=None):
    start = time.monotonic()
    try:
        done = subprocess.run(argv, capture_output=True, text=True, timeout=timeout, env=env, input=stdin, check=False)
        rc, out, err = done.returncode, done.stdout, done.stderr
    except subprocess.TimeoutExpired as error:
        rc, out, err = -1, "", f"still running after {error.timeout} s"
    return Result([str(word) for word in argv], rc, out, err, time.monotonic() - start)


def wait_until(check, what, timeout=10.0, pause=0.02):
    """Returns the first true value of check(); fails with @what (a text, or a function that returns one)."""
    end = time.monotonic() + timeout
    while True:
        value = check()
        if value:
            return value
        if time.monotonic() > end:
            raise AssertionError(f"not within {timeout} s: {what() if callable(what) else what}")
        time.sleep(pause)


# Log lines of an error that must never occur. The log marks GLib's CRITICAL with "error" and an error that ends the
# daemon with "fatal", and uses these marks for nothing else.
WRONG = re.compile(r"Z (?:error|fatal) |AddressSanitizer|LeakSanitizer|UndefinedBehaviorSanitizer|runtime error:"
                   r"|\*\* ERROR|[Aa]ssertion (?:`|'|failed)|stack smashing|(?:malloc|realloc|free)\(\): ")


class PortSlot:
    """A range of TCP ports that no other test uses. The lock is a socket in the abstract namespace: its scope is the
    network namespace, like that of the ports, so tests in a chroot on this machine see it too."""

    def __init__(self):
        for slot in range(SLOTS):
            self.lock = socket.socket(socket.AF_UNIX)
            try:
                self.lock.bind(f"\0xenferry-test-ports-{slot}")
            except OSError:
                self.lock.close()
                continue
            self.first = FIRST_PORT + slot * SLOT_PORTS
            self.last = self.first + SLOT_PORTS - 1
            if self.free():
                return
            self.lock.close()
        raise RuntimeError("no free range of TCP ports")

    def free(self):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", self.first))
            except OSError:
                return False
        return True

    def close(self):
        self.lock.close()


def domain_xml(name, uuid=None, memory_kib=64 * 1024, kind="pvh", extra="", devices="", vcpus=1):
    """The XML of a small guest of one of the three kinds. Its kernel is a file that exists, and is never read."""
    types = {
        "pv": ("linux", "xenpv", ""),
        "pvh": ("xenpvh", "xenpvh", ""),
        "hvm": ("hvm", "xenfv", "<loader type='rom'>/usr/lib/xen-4.17/boot/hvmloader</loader>"),
    }
    os_type, machine, loader = types[kind]
    return f"""<domain type='xen'>
  <name>{name}</name>
  <uuid>{uuid or uuid_module.uuid4()}</uuid>
  <memory unit='KiB'>{memory_kib}</memory>
  <currentMemory unit='KiB'>{memory_kib}</currentMemory>
  <vcpu>{vcpus}</vcpu>
  <os>
    <type arch='x86_64' machine='{machine}'>{os_type}</type>
    {loader}<kernel>/bin/sh</kernel>
    <cmdline>console=hvc0</cmdline>
  </os>
  <on_poweroff>destroy</on_poweroff>
  <on_reboot>restart</on_reboot>
  <on_crash>destroy</on_crash>
  {extra}
  <devices>
    <console type='pty'><target type='xen' port='0'/></console>
    {devices}
  </devices>
</domain>
"""


class SimHost:
    """One host. @settings: lines of xenferryd.conf that differ from this class's; @address: the address of its TCP
    socket and of its migration ports; @named: @name is the host's name, instead of the machine's."""

    daemon_path = os.path.join(BUILD, "src", "daemon", "xenferryd-sim")
    tool_path = os.path.join(BUILD, "src", "sim", "xenferry-sim")

    def __init__(self, name, settings=None, address="127.0.0.1", start=True, control=None, named=False):
        self.name, self.address = name, address
        self.dir = tempfile.mkdtemp(prefix=f"xenferry-{name}-")
        self.ports = PortSlot()
        self.tcp_port = self.ports.first
        self.sim_dir = os.path.join(self.dir, "host")
        self.settings_path = os.path.join(self.dir, "xenferryd.conf")
        self.log_path = os.path.join(self.dir, "xenferryd.log")
        self.socket_path = os.path.join(self.dir, "sock")
        self.process = None
        self.failed_before = 0  # failures in the trace from an earlier fail_nth()
        self.client_env = dict(os.environ, LC_ALL="C.UTF-8")
        self.env = dict(self.client_env, XF_SIM_HOST=self.sim_dir)
        if named:
            self.env["XF_SIM_NAME"] = name
        for directory in ("host", "definitions", "state", "lib"):
            os.mkdir(os.path.join(self.dir, directory))
        # What the kernel and Xen's package provide on a host.
        os.makedirs(os.path.join(self.sim_dir, "sys/class/net/xenbr0/bridge"))
        os.mkdir(os.path.join(self.sim_dir, "scripts"))
        for script in ("vif-bridge", "block"):
            os.close(os.open(os.path.join(self.sim_dir, "scripts", script), os.O_CREAT | os.O_WRONLY, 0o755))
        self.write_settings(settings or {})
        # Hashes cost time; most tests use them, benchmarks do not.
        self.always = dict({"hash": 1}, **(control or {}))
        self.control()
        if start:
            try:
                self.start()
            except BaseException:
                self.close(check=False)
                raise

    # ---- the daemon ------------------------------------------------------------------------------------------

    def write_settings(self, changed):
        values = {
            "log_level": "debug",
            "socket_dir": self.dir,
            "unix_sock": self.socket_path,
            "unix_sock_ro": self.socket_path + "-ro",
            "legacy_sockets": "no",
            "listen_tcp": "yes",
            "tcp_address": self.address,
            "tcp_port": self.tcp_port,
            "migration_host": self.address,
            "peer_port": self.ports.first + 1,
            "migration_port_min": self.ports.first + 2,
            "migration_port_max": self.ports.last,
            "config_dir": os.path.join(self.dir, "definitions"),
            "state_dir": os.path.join(self.dir, "state"),
            "lib_dir": os.path.join(self.dir, "lib"),
            "hook_dir": os.path.join(self.dir, "hooks"),
            "sys_dir": os.path.join(self.sim_dir, "sys"),
            "script_dir": os.path.join(self.sim_dir, "scripts"),
            "pump_path": os.path.join(BUILD, "src/pump/xenferry-pump"),
            "save_helper_path": os.path.join(BUILD, "src/savehelper/xenferry-save-helper"),
        }
        values.update(changed)
        with open(self.settings_path, "w", encoding="utf-8") as out:
            out.write("[xenferryd]\n")
            out.writelines(f"{key} = {value}\n" for key, value in values.items())

    def launch(self):
        """Starts the daemon and does not wait for it."""
        assert not self.process, f"{self.name} already runs"
        with open(self.log_path, "ab") as log:
            self.process = subprocess.Popen([self.daemon_path, "--config", self.settings_path], env=self.env,
                                            stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True)

    def start(self):
        self.launch()
        wait_until(self.answers, lambda: f"the daemon of {self.name} answers\n{self.log()[-4000:]}", timeout=30)
        return self

    def answers(self):
        assert self.process.poll() is None, \
            f"xenferryd of {self.name} ended with status {self.process.returncode}:\n{self.log()[-4000:]}"
        for family, where in ((socket.AF_UNIX, self.socket_path), (self.tcp_family(), (self.address, self.tcp_port))):
            with socket.socket(family, socket.SOCK_STREAM) as probe:
                try:
                    probe.connect(where)
                except OSError:
                    return False
        return True

    def tcp_family(self):
        return socket.AF_INET6 if ":" in self.address else socket.AF_INET

    def signal(self, number):
        os.kill(self.process.pid, number)

    def kill(self):
        """kill -9: the daemon ends at once, its guests keep running."""
        self.signal(signal.SIGKILL)
        self.process.wait(timeout=10)
        self.process = None

    def stop(self):
        """Ends the daemon in order; fails if it does not end or ends with an error."""
        self.signal(signal.SIGTERM)
        status = self.process.wait(timeout=20)
        self.process = None
        assert status == 0, f"xenferryd of {self.name} ended with status {status}:\n{self.log()[-6000:]}"

    def boot(self, start=True):
        """The whole host boots: its daemon is killed, its guests and its state directory (a tmpfs) are gone, and the
        boot has another id."""
        if self.process:
            self.kill()
        self.sim("boot")
        shutil.rmtree(os.path.join(self.dir, "state"))
        os.mkdir(os.path.join(self.dir, "state"))
        if start:
            self.start()

    def restart(self):
        if self.process:
            self.stop()
        self.start()

    def log(self):
        with open(self.log_path, encoding="utf-8", errors="replace") as log:
            return log.read()

    def assert_healthy(self):
        """The daemon runs, and its log has no error of a sanitizer or of GLib."""
        assert self.process, f"xenferryd of {self.name} does not run"
        self.assert_not_dead()
        self.assert_clean_log()

    def assert_not_dead(self):
        """The daemon runs, or the test has ended it."""
        assert self.process is None or self.process.poll() is None, \
            f"xenferryd of {self.name} ended with status {self.process.returncode}:\n{self.log()[-6000:]}"

    def assert_clean_log(self):
        log = self.log()
        wrong = WRONG.search(log)
        assert not wrong, f"{self.name}: '{wrong.group()}' in its log:\n{log[max(wrong.start() - 1000, 0):][:6000]}"
        lost = self.traced("stream-lost")
        assert not lost, f"{self.name}: {lost}"

    def __enter__(self):
        return self

    def __exit__(self, kind, value, trace):
        if kind is not None:
            print(f"---- {self.name}: the end of its log\n{self.log()[-6000:]}")
        self.close(check=kind is None)

    def check_end(self):
        """A daemon that the test has not ended still runs and ends in order; the logs of all daemons of this host have
        no errors."""
        self.assert_not_dead()
        if self.process:
            self.go_on()
            self.assert_clean_log()
            self.stop()
        self.assert_clean_log()

    def close(self, check=True):
        try:
            if check:
                self.check_end()
        finally:
            if self.process and self.process.poll() is None:
                self.kill()
            if os.path.isdir(os.path.join(self.sim_dir, "domains")):
                run(self.tool_path, self.sim_dir, "destroy-all")
            for pid in self.processes():
                with contextlib.suppress(OSError):
                    os.kill(pid, signal.SIGKILL)
            self.ports.close()
            if not os.environ.get("XF_KEEP"):
                shutil.rmtree(self.dir, ignore_errors=True)

    # ---- clients ---------------------------------------------------------------------------------------------

    @property
    def uri(self):
        return f"xen+unix:///system?socket={self.socket_path}"

    @property
    def uri_ro(self):
        return f"xen+unix:///system?socket={self.socket_path}-ro"

    @property
    def uri_tcp(self):
        host = f"[{self.address}]" if ":" in self.address else self.address
        return f"xen+tcp://{host}:{self.tcp_port}/system"

    def virsh(self, *args, uri=None, timeout=60):
        return run("virsh", "-q", "-c", uri or self.uri, *args, timeout=timeout, env=self.client_env)

    def virsh_start(self, *args):
        """virsh in the background, in its own process group."""
        return subprocess.Popen(["virsh", "-c", self.uri, *args], env=self.client_env, stdin=subprocess.DEVNULL,
                                stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True)

    def virsh_on_tty(self, *args):
        """virsh in the background on a terminal of its own; returns it and a function that types into the terminal.
        virsh reads Ctrl-C from its terminal, not as a signal."""
        master, slave = os.openpty()

        def take_terminal():
            os.setsid()
            fcntl.ioctl(slave, termios.TIOCSCTTY, 0)

        process = subprocess.Popen(["virsh", "-c", self.uri, *args], env=self.client_env, stdin=slave, stdout=slave,
                                   stderr=slave, preexec_fn=take_terminal)
        os.close(slave)
        return process, lambda keys: os.write(master, keys)

    def connect(self, read_only=False):
        """An open python-libvirt connection."""
        import libvirt  # pylint: disable=import-outside-toplevel

        libvirt.registerErrorHandler(lambda context, error: None, None)
        return (libvirt.openReadOnly if read_only else libvirt.open)(self.uri_ro if read_only else self.uri)

    # ---- guests, through the daemon --------------------------------------------------------------------------

    def write_xml(self, text, label="xml"):
        path = os.path.join(self.dir, f"{label}-{uuid_module.uuid4()}.xml")
        with open(path, "w", encoding="utf-8") as out:
            out.write(text)
        return path

    def create(self, name, persistent=False, paused=False, **xml):
        """Starts a guest; returns its uuid."""
        uuid = xml.pop("uuid", None) or str(uuid_module.uuid4())
        path = self.write_xml(domain_xml(name, uuid=uuid, **xml), name)
        if persistent:
            self.virsh("define", path).ok()
            self.virsh("start", name, *(["--paused"] if paused else [])).ok()
        else:
            self.virsh("create", path, *(["--paused"] if paused else [])).ok()
        return uuid

    def define(self, name, **xml):
        uuid = xml.pop("uuid", None) or str(uuid_module.uuid4())
        self.virsh("define", self.write_xml(domain_xml(name, uuid=uuid, **xml), name)).ok()
        return uuid

    def state(self, name):
        """The state as virsh names it; None if there is no such guest."""
        result = self.virsh("domstate", name)
        return result.out.strip() if result else None

    def names(self, *options, uri=None):
        """Names of the guests that match the options, without Domain-0."""
        found = self.virsh("list", "--name", *options, uri=uri).ok().out.split()
        return sorted(name for name in found if name != "Domain-0")

    def migrate_args(self, name, other, *options, mode="direct", migrate_uri=None):
        where = [f"--{word}" for word in {"direct": (), "p2p": ("p2p",), "tunnelled": ("p2p", "tunnelled")}[mode]]
        uri = other if isinstance(other, str) else other.uri_tcp
        return ["migrate", *where, *options, name, uri, *([migrate_uri] if migrate_uri else [])]

    def migrate(self, name, other, *options, mode="direct", migrate_uri=None, timeout=90):
        return self.virsh(*self.migrate_args(name, other, *options, mode=mode, migrate_uri=migrate_uri),
                          timeout=timeout)

    def migrate_start(self, name, other, *options, mode="direct", migrate_uri=None):
        return self.virsh_start(*self.migrate_args(name, other, *options, mode=mode, migrate_uri=migrate_uri))

    # ---- the simulated hypervisor ----------------------------------------------------------------------------

    def control(self, **values):
        """Replaces the control file: faults and rates (src/sim/host.h). Underscores stand for hyphens."""
        values = dict(self.always, **values)
        text = "".join(f"{key.replace('_', '-')}={value}\n" for key, value in values.items())
        path = os.path.join(self.sim_dir, "control")
        with open(path + ".new", "w", encoding="ascii") as out:
            out.write(text)
        os.rename(path + ".new", path)

    def fail_at(self, point):
        """From now on the step with that name fails in the hypervisor or its helper."""
        self.control(fail=point)

    def fail_after(self, call):
        """From now on that call does its work and then fails."""
        self.control(fail_after=call)

    def die_at(self, point):
        """From now on a helper that reaches that point dies there."""
        self.control(die=point)

    # ---- stops and kills of the daemon, by name ---------------------------------------------------------------

    @staticmethod
    def fault_point(where, transition=None):
        """@where alone: a point of xf_watch_point(). With @transition, such as "sending -> rolling back": @where is a
        state machine, "source", "destination" or "peer-to-peer", or "*"."""
        if transition is None:
            return where
        return ":".join([where, "->".join(state.strip().replace(" ", "-") for state in transition.split("->"))])

    def stop_at(self, where, transition=None, **control):
        """The daemon stops (SIGSTOP) there, once; wait_stopped() waits for that, go_on() continues it. @control: more
        of the control file, which this call replaces."""
        self.control(stop=self.fault_point(where, transition), **control)

    def kill_at(self, where, transition=None, **control):
        """The daemon is killed (SIGKILL) there; wait_killed() waits for that."""
        self.control(die=self.fault_point(where, transition), **control)

    def is_stopped(self):
        """All threads of the daemon are stopped."""
        assert self.process.poll() is None, \
            f"xenferryd of {self.name} ended with status {self.process.returncode}:\n{self.log()[-4000:]}"
        threads = f"/proc/{self.process.pid}/task"
        for thread in os.listdir(threads):
            with contextlib.suppress(FileNotFoundError, ProcessLookupError), \
                    open(f"{threads}/{thread}/stat", encoding="ascii", errors="replace") as status:
                if status.read().rpartition(")")[2].split()[0] != "T":
                    return False
        return True

    def wait_stopped(self, timeout=20):
        """Returns the point where it stopped, "destination:receiving->restored"."""
        wait_until(self.is_stopped, lambda: f"{self.name} stops; its trace: {self.trace()[-8:]}", timeout)
        return self.traced(" stopped at ")[-1].split()[-1]

    def go_on(self):
        self.signal(signal.SIGCONT)

    def wait_killed(self, timeout=20):
        status = self.process.wait(timeout=timeout)
        assert status == -signal.SIGKILL, f"xenferryd of {self.name} ended with status {status}:\n{self.log()[-4000:]}"
        self.process = None

    # ---- calls of libxl that fail, by number -------------------------------------------------------------------

    def fail_nth(self, n, **control):
        """Only the @n-th call from now on fails (docs/simulator.md); 0: none. @control: more of the control file, which
        this call replaces. failed_call() names the call that failed."""
        if n:
            self.failed_before += len(self.failures())
        self.control(fail_nth=n, **control)
        self.reset_calls()

    def do_with_failure(self, n, deed):
        """Runs @deed while the @n-th call from now on fails. Returns its result and the call that failed, or None if
        there were fewer calls."""
        self.fail_nth(n)
        result = deed()
        reached = self.calls() >= n
        self.fail_nth(0)
        failures = self.failures()
        # There may be a failure without `reached`: a poll may make the n-th call after the calls were counted.
        assert failures or not reached
        assert all(f" failed call {n} " in line for line in failures), failures
        return result, self.failed_call()

    def calls(self):
        """The number of calls since fail_nth() or reset_calls()."""
        return int(self.sim("calls"))

    def reset_calls(self):
        self.sim("calls", "reset")

    def failures(self):
        """The lines of the trace for calls that failed since the last fail_nth() with a number."""
        return self.traced(" failed call ")[self.failed_before:]

    def failed_call(self):
        """The last call that failed, "libxl_domain_suspend"; None: no call has failed."""
        lines = self.failures()
        return lines[-1].split(maxsplit=4)[-1] if lines else None

    # ---- the trace -----------------------------------------------------------------------------------------

    def trace(self):
        """The trace: the hypervisor's record of events on this host, a list of lines."""
        with contextlib.suppress(FileNotFoundError), \
                open(os.path.join(self.sim_dir, "trace"), encoding="utf-8", errors="replace") as trace:
            return trace.read().splitlines()
        return []

    def traced(self, *words):
        """The lines of the trace that contain all of @words."""
        return [line for line in self.trace() if all(word in line for word in words)]

    def sim(self, *args):
        return run(self.tool_path, self.sim_dir, *args, env=self.env).ok().out

    def domains(self):
        """The domains of the hypervisor, which the daemon may not know: a list of dictionaries."""
        rows = [line.split() for line in self.sim("list").splitlines() if line.strip()]
        return [dict(word.split("=", 1) for word in row if "=" in word) for row in rows]

    def memory_hashes(self, what, name):
        """Hashes of that guest's memory in the trace, oldest first; @what: suspended (before the last pass) or restored
        (complete, before it runs)."""
        pattern = re.compile(rf" {what} {re.escape(name)} sha256 ([0-9a-f]+)$")
        return [found.group(1) for line in self.trace() if (found := pattern.search(line))]

    def heartbeats(self, name):
        """The values that the guest has printed on its console on this host, in order."""
        with contextlib.suppress(FileNotFoundError), \
                open(os.path.join(self.sim_dir, "console", f"{name}.log"), encoding="ascii", errors="replace") as log:
            return [int(number) for number in re.findall(r"heartbeat (\d+)\b.*\n", log.read())]
        return []

    # ---- leaks -----------------------------------------------------------------------------------------------

    def processes(self):
        """The processes whose environment names this host, without the daemon."""
        found = []
        mark = f"XF_SIM_HOST={self.sim_dir}".encode()
        for entry in os.listdir("/proc"):
            if not entry.isdigit() or (self.process and int(entry) == self.process.pid) or int(entry) == os.getpid():
                continue
            with contextlib.suppress(OSError), open(f"/proc/{entry}/environ", "rb") as environ:
                if mark in environ.read().split(b"\0"):
                    found.append(int(entry))
        return found

    def fds(self):
        """The daemon's open descriptors, as a sorted list of descriptions."""
        found = []
        for entry in os.listdir(f"/proc/{self.process.pid}/fd"):
            with contextlib.suppress(OSError):
                target = os.readlink(f"/proc/{self.process.pid}/fd/{entry}")
                found.append(re.sub(r"\[\d+\]", "[]", target))
        return sorted(found)

    def listening_ports(self):
        """The listening ports of this host's migration range."""
        found = set()
        for table in ("/proc/net/tcp", "/proc/net/tcp6"):
            with contextlib.suppress(FileNotFoundError), open(table, encoding="ascii") as lines:
                for line in list(lines)[1:]:
                    words = line.split()
                    port = int(words[1].rsplit(":", 1)[1], 16)
                    if words[3] == "0A" and self.ports.first + 1 < port <= self.ports.last:
                        found.add(port)
        return sorted(found)

    def files(self):
        """The daemon's files, relative to the host's directory, without logs, tests' own files and the journal's
        entries of completed migrations."""
        over = {os.path.join("lib", "migrations", entry["file"]) for entry in self.journal() if entry["final"]}
        found = set()
        for top in ("definitions", "state", "lib"):
            for path, _, names in os.walk(os.path.join(self.dir, top)):
                found |= {os.path.relpath(os.path.join(path, name), self.dir) for name in names}
        return sorted(found - over)

    def journal(self):
        """The entries of the journal on disk, each with its file's name."""
        directory, entries = os.path.join(self.dir, "lib", "migrations"), []
        for name in sorted(os.listdir(directory) if os.path.isdir(directory) else []):
            with contextlib.suppress(FileNotFoundError), open(os.path.join(directory, name), encoding="utf-8") as file:
                if name.endswith(".json"):
                    entries.append(dict(json.load(file), file=name))
        return entries

    def snapshot(self, calm=0.3):
        """The daemon's resources, once they have not changed for @calm seconds: after a client disconnects or a guest
        is destroyed, the daemon needs another iteration of its loop."""
        end, last = time.monotonic() + 10.0, self.held()
        since = time.monotonic()
        while time.monotonic() - since < calm and time.monotonic() < end:
            time.sleep(0.02)
            now = self.held()
            if now != last:
                last, since = now, time.monotonic()
        return last

    def held(self):
        return {"fds": self.fds(), "ports": self.listening_ports(), "processes": len(self.processes()),
                "files": self.files()}

    def assert_no_leak(self, before, timeout=5.0):
        """The resources are again as in @before, a snapshot(): descriptors, ports, helper processes, files."""
        difference = {}

        def same():
            difference.clear()
            now = self.held()
            difference.update({key: (before[key], now[key]) for key in before if before[key] != now[key]})
            return not difference

        wait_until(same, lambda: f"{self.name} as before; (before, now) differ: {difference}", timeout)


def assert_heartbeat(name, source, destination, least=1):
    """The counter continues from @source to @destination: no number repeated or missing, at least @least there."""
    wait_until(lambda: len(destination.heartbeats(name)) >= least, f"{name} beats on {destination.name}")
    before, after = source.heartbeats(name), destination.heartbeats(name)
    numbers = before + after
    assert numbers == list(range(numbers[0], numbers[0] + len(numbers))), \
        f"{name}'s heartbeat has a gap or a repeat: {before[-5:]} then {after[:5]}"


@contextlib.contextmanager
def two_hosts(settings=None, control=None, **options):
    with SimHost("a", settings, control=control, **options) as a, \
            SimHost("b", settings, control=control, **options) as b:
        yield a, b


def assert_same_memory(name, source, destination, new_name=None):
    """The memory is equal: the hash at the source after the last pass is the hash at the destination before the guest
    runs there."""
    left, came = source.memory_hashes("suspended", name), destination.memory_hashes("restored", new_name or name)
    assert left and came, f"no hashes in the traces: {left}, {came}"
    assert left[-1] == came[-1], f"{name}'s memory differs: {left[-1]} on {source.name}, {came[-1]} on {destination.name}"
