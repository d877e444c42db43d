# SPDX-License-Identifier: LGPL-2.1-or-later
"""Real Xen hosts in virtual machines: boots them, runs commands in their dom0, ends them.

    with Lab() as lab:
        a, b = lab.hosts
        a.run("xl list")

    lab_host.py up        a lab that keeps running, for manual work; prints XF_LAB=DIR for the tests
    lab_host.py run a 'COMMAND'
    lab_host.py down      run and down need XF_LAB

A host has three networks: one to this machine (commands on one port, xenferryd on another), one between the hosts
(10.77.0.1 and .2) for migrations, and one between the guests' bridges (10.78.0.0/24). /share in dom0 is a folder that
both hosts and this machine share; /out is a folder of that host alone, with its consoles. /dev/vdb is one raw disk of
both hosts."""

import contextlib
import fcntl
import glob
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

import lab_image

EMULATED = ["-accel", "tcg,thread=multi,tb-size=512", "-cpu", "qemu64,+svm,+npt"]
REAL = ["-accel", "kvm", "-cpu", "host"]
XEN_ARGUMENTS = "console=com1 com1=115200,8n1 dom0_max_vcpus=1 loglvl=warning guest_loglvl=warning noreboot " \
    "spec-ctrl=no xpti=no pv-l1tf=no smap=0 watchdog=0"
DOM0_ARGUMENTS = "console=hvc0 loglevel=4 mitigations=off nokaslr audit=0 apparmor=0 panic=5"
SHARED_DISK = 64 * 1024 * 1024


class HostError(Exception):
    pass


def kvm_is_there():
    """Tries to make a virtual machine with /dev/kvm. Whether Xen runs in it only a boot shows
    (Lab.choose_accelerator)."""
    with contextlib.suppress(OSError), open("/dev/kvm", "rb+", buffering=0) as kvm:
        if fcntl.ioctl(kvm, 0xAE00) == 12:  # KVM_GET_API_VERSION
            os.close(fcntl.ioctl(kvm, 0xAE01, 0))  # KVM_CREATE_VM
            return True
    return False


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Result:
    def __init__(self, host, script, status, out):
        self.host, self.script, self.status, self.out = host, script, status, out

    def ok(self):
        assert self.status == 0, f"on {self.host}: {self.script}\nexit status {self.status}\n{self.out}"
        return self

    def failed(self, *words):
        assert self.status != 0, f"on {self.host}: {self.script}\nworked, and should not have:\n{self.out}"
        for word in words:
            assert word in self.out, f"on {self.host}: {self.script}\n{word!r} is not in:\n{self.out}"
        return self


class XenHost:
    def __init__(self, lab, number, dom0_memory=640, memory=1536):
        self.lab, self.number = lab, number
        self.name = f"xen{'ab'[number - 1]}"
        self.wire = f"10.77.0.{number}"
        self.dir = os.path.join(lab.dir, self.name)
        self.out = os.path.join(self.dir, "out")
        os.makedirs(self.out, exist_ok=True)
        self.dom0_memory, self.memory = dom0_memory, memory
        self.agent_port, self.tcp_port = free_port(), free_port()
        self.process, self.pid = None, 0

    # ---- the machine -----------------------------------------------------------------------------------------

    def nic(self, number, peer):
        here, there = f"{self.dir}/wire{number}", f"{self.lab.dir}/{peer}/wire{number}"
        return ["-netdev", f"dgram,id=n{number},local.type=unix,local.path={here},"
                           f"remote.type=unix,remote.path={there}",
                "-device", f"virtio-net-pci,netdev=n{number},mac=52:54:00:7{number}:00:0{self.number},host_mtu=32000"]

    def boot(self):
        images = self.lab.images
        peer = "xenb" if self.number == 1 else "xena"
        dom0 = f"{DOM0_ARGUMENTS} xf.host={self.number}".replace(",", ",,")
        for number in (1, 2):
            with contextlib.suppress(FileNotFoundError):
                os.unlink(f"{self.dir}/wire{number}")
        command = [
            "qemu-system-x86_64", "-name", self.name, "-M", "pc", "-smp", "1", "-m", str(self.memory), "-nodefaults",
            "-no-user-config", "-display", "none", "-no-reboot", *self.lab.accelerator,
            "-kernel", images.xen, "-initrd", f"{images.kernel} {dom0},{images.initramfs}",
            "-append", f"{XEN_ARGUMENTS} dom0_mem={self.dom0_memory}M,max:{self.dom0_memory}M",
            "-serial", f"file:{self.dir}/serial.log",
            "-drive", f"file={images.root},format=raw,if=none,id=root,read-only=on,file.locking=off",
            "-device", "virtio-blk-pci,drive=root",
            "-drive", f"file={self.lab.disk},format=raw,if=none,id=shared,cache=writeback,file.locking=off",
            "-device", "virtio-blk-pci,drive=shared",
            "-netdev", f"user,id=n0,hostfwd=tcp:127.0.0.1:{self.agent_port}-:7001,"
                       f"hostfwd=tcp:127.0.0.1:{self.tcp_port}-:16509",
            "-device", f"virtio-net-pci,netdev=n0,mac=52:54:00:70:00:0{self.number}",
            *self.nic(1, peer), *self.nic(2, peer),
            "-fsdev", f"local,id=share,path={self.lab.share},security_model=none,multidevs=remap",
            "-device", "virtio-9p-pci,fsdev=share,mount_tag=share",
            "-fsdev", f"local,id=out,path={self.out},security_model=none,multidevs=remap",
            "-device", "virtio-9p-pci,fsdev=out,mount_tag=out",
        ]
        self.started = time.monotonic()
        with open(f"{self.dir}/qemu.log", "w", encoding="utf-8") as log:
            self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                            start_new_session=True)
        self.pid = self.process.pid

    def serial(self):
        with contextlib.suppress(FileNotFoundError), open(f"{self.dir}/serial.log", encoding="utf-8", errors="replace") as log:
            return log.read()
        return ""

    def wait_ready(self, timeout=240):
        while True:
            said = self.serial()
            if re.search(r"dom0: \[.*READY", said):
                break
            with open(f"{self.dir}/qemu.log", encoding="utf-8") as log:
                emulator = log.read()
            if self.process.poll() is not None or time.monotonic() - self.started > timeout \
                    or "KVM internal error" in emulator or "Panic on CPU" in said or "Kernel panic" in said:
                raise HostError(f"{self.name} does not come up:\n{emulator[-500:]}\n{said[-3000:]}")
            time.sleep(0.1)
        self.boot_seconds = time.monotonic() - self.started
        # The emulated clock has whole seconds; a guest needs more to measure its own downtime.
        self.run(f"date -s @{time.time() + 0.02:.3f}").ok()

    def stop(self):
        if not self.process and self.pid:
            with contextlib.suppress(OSError):
                os.kill(self.pid, signal.SIGTERM)
        if self.process and self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(10)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        self.process, self.pid = None, 0

    # ---- commands --------------------------------------------------------------------------------------------

    def run(self, script, timeout=120):
        """Runs a shell script in dom0; returns a Result."""
        with socket.create_connection(("127.0.0.1", self.agent_port), timeout) as connection:
            connection.settimeout(timeout)
            connection.sendall(script.encode())
            connection.shutdown(socket.SHUT_WR)
            said = bytearray()
            try:
                while True:
                    piece = connection.recv(65536)
                    if not piece:
                        break
                    said += piece
            except TimeoutError:
                raise HostError(f"on {self.name}: not within {timeout} s: {script}\n{said.decode(errors='replace')}") \
                    from None
        match = re.search(rb"\n@@EXIT (\d+)@@$", said)
        if not match:
            raise HostError(f"on {self.name}: the connection was lost: {script}\n{said.decode(errors='replace')}")
        return Result(self.name, script, int(match.group(1)), said[:match.start()].decode(errors="replace"))

    # ---- xenferryd -------------------------------------------------------------------------------------------

    @property
    def uri(self):
        """The host's URI for a client on the test's machine."""
        return f"xen+tcp://127.0.0.1:{self.tcp_port}/system"

    @property
    def wire_uri(self):
        """The host's URI for a client or daemon on another host."""
        return f"xen+tcp://{self.wire}/system"

    def start_daemon(self, settings="", program="xenferryd"):
        """Starts xenferryd in dom0 and waits until it answers. @settings: more lines of xenferryd.conf."""
        config = f"[xenferryd]\nlisten_tcp = yes\nlog_level = debug\nmigration_host = {self.wire}\n" \
            f"pump_path = /usr/bin/xenferry-pump\npump_user =\n" \
            f"save_helper_path = /usr/bin/xenferry-save-helper\n{settings}"
        self.run(f"cat >/etc/xenferry/xenferryd.conf <<'CONF'\n{config}CONF\n"
                 f"XF_SIM_HOST=/run/points setsid {program} --config /etc/xenferry/xenferryd.conf </dev/null >>/out/xenferryd.log 2>&1 &\n"
                 "echo $! >/run/xenferryd.pid\n"
                 "for _ in $(seq 400); do\n"
                 "  kill -0 $! 2>/dev/null || break\n"
                 "  grep -q ':407D .* 0A ' /proc/net/tcp /proc/net/tcp6 && exit 0\n"
                 "  usleep 20000\n"
                 "done\n"
                 "tail -20 /out/xenferryd.log; exit 1").ok()

    def kill_daemon(self, name="KILL"):
        self.run(f"kill -{name} $(cat /run/xenferryd.pid); "
                 "while kill -0 $(cat /run/xenferryd.pid) 2>/dev/null; do usleep 20000; done").ok()

    def daemon_log(self):
        with contextlib.suppress(FileNotFoundError), open(f"{self.out}/xenferryd.log", encoding="utf-8", errors="replace") as log:
            return log.read()
        return ""

    # ---- guests ----------------------------------------------------------------------------------------------

    def domains(self):
        """Xen's own list: name -> (domid, state letters)."""
        found = {}
        for line in self.run("xl list").ok().out.splitlines()[1:]:
            words = line.split()
            if len(words) >= 6 and words[0] != "Domain-0":
                found[words[0]] = (int(words[1]), words[4])
        return found

    def destroy_all(self):
        for name in self.domains():
            self.run(f"xl destroy {name}")

    def beats(self, name):
        """All lines of the guest's counter on this host, in order, as dicts of numbers (guest_init.c)."""
        found = []
        paths = sorted(glob.glob(f"{self.out}/console/guest-{name}*.log"), key=os.path.getmtime)
        for path in paths:
            with open(path, encoding="utf-8", errors="replace") as log:
                for line in log:
                    match = re.match(rf"XF {re.escape(name)} (n=.*disk=\d+)\s*$", line.strip())
                    if match:
                        found.append({key: float(value) for key, value in
                                      (word.split("=") for word in match.group(1).split())})
        return found


class Lab:
    """Two hosts with a network between them."""

    def __init__(self, build=None):
        self.build = build or os.environ.get("XF_BUILD") or os.path.join(lab_image.TOP, "build")
        self.images = lab_image.build()
        self.accelerator = EMULATED
        self.dir = tempfile.mkdtemp(prefix="xf-xen-", dir=os.environ.get("TMPDIR", "/tmp"))
        self.share = os.path.join(self.dir, "share")
        os.makedirs(os.path.join(self.share, "guest"))
        self.disk = os.path.join(self.dir, "disk")
        with open(self.disk, "wb") as disk:
            disk.truncate(SHARED_DISK)
        for source, name in ((self.images.guest, "guest.cpio"), (self.images.kernel, "vmlinux"),
                             (self.images.packed_kernel, "vmlinuz")):
            shutil.copyfile(source, os.path.join(self.share, "guest", name))
        self.hosts = [XenHost(self, 1), XenHost(self, 2)]

    def save(self):
        """Stores what another process needs to use these hosts."""
        with open(os.path.join(self.dir, "lab.json"), "w", encoding="utf-8") as out:
            json.dump([[host.agent_port, host.tcp_port, host.pid] for host in self.hosts], out)

    @classmethod
    def standing(cls, directory):
        """The lab that `up` has started in @directory."""
        lab = cls.__new__(cls)
        lab.build = os.environ.get("XF_BUILD") or os.path.join(lab_image.TOP, "build")
        lab.dir, lab.share = directory, os.path.join(directory, "share")
        lab.hosts = []
        with open(os.path.join(directory, "lab.json"), encoding="utf-8") as text:
            for number, (agent_port, tcp_port, pid) in enumerate(json.load(text), 1):
                host = XenHost(lab, number)
                host.agent_port, host.tcp_port, host.pid = agent_port, tcp_port, pid
                lab.hosts.append(host)
        return lab

    def install(self):
        """Copies the programs of the current build into both dom0s, and restarts their daemons."""
        command = self.payload()
        for host in self.hosts:
            host.run("kill $(cat /run/xenferryd.pid 2>/dev/null) 2>/dev/null; sleep 0.3; " + command).ok()
            host.start_daemon()

    def payload(self):
        """The programs of the current build and the libraries they need, for dom0."""
        payload = os.path.join(self.share, "payload")
        os.makedirs(os.path.join(payload, "lib"), exist_ok=True)
        programs = [os.path.join(self.build, path)
                    for path in ("src/daemon/xenferryd", "src/daemon/xenferryd-points", "src/cli/xenferry",
                                 "src/pump/xenferry-pump", "src/savehelper/xenferry-save-helper",
                                 "src/savehelper/xenferry-precopy.so")]
        for program in programs:
            subprocess.run(["strip", "-o", os.path.join(payload, os.path.basename(program)), program], check=True)
        for library in lab_image.libraries_of(programs):
            shutil.copyfile(os.path.realpath(library), os.path.join(payload, "lib", os.path.basename(library)))
        return "cp -n /share/payload/lib/* /usr/lib/x86_64-linux-gnu/ && cp /share/payload/xenferry* /usr/bin/ && " \
            "mkdir -p /etc/xenferry && chmod 755 /usr/bin/xenferry*"

    def choose_accelerator(self):
        """On some machines KVM cannot run a hypervisor: tries it with the first host."""
        if not kvm_is_there():
            return
        first = self.hosts[0]
        self.accelerator = REAL
        try:
            first.boot()
            first.wait_ready(30)
        except HostError:
            self.accelerator = EMULATED
        first.stop()

    def __enter__(self):
        try:
            self.choose_accelerator()
            for host in self.hosts:
                host.boot()
            for host in self.hosts:
                host.wait_ready()
            self.install()
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return self

    def __exit__(self, *_):
        for host in self.hosts:
            host.stop()
        if os.environ.get("XF_KEEP"):
            print(f"kept: {self.dir}")
        else:
            shutil.rmtree(self.dir, ignore_errors=True)


def main(words):
    if words == ["up"]:
        lab = Lab().__enter__()
        lab.save()
        print(f"XF_LAB={lab.dir}")
        return 0
    if len(words) == 3 and words[0] == "run" and words[1] in ("a", "b"):
        done = Lab.standing(os.environ["XF_LAB"]).hosts["ab".index(words[1])].run(words[2], 600)
        print(done.out)
        return done.status
    if words == ["down"]:
        Lab.standing(os.environ["XF_LAB"]).__exit__(None, None, None)
        return 0
    print(__doc__)
    return 2


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
