# SPDX-License-Identifier: LGPL-2.1-or-later
"""Makes the files from which a real Xen host in a virtual machine boots, from Debian packages: the hypervisor, dom0's
kernel, initramfs and root file system, and a test guest. Packages are downloaded and unpacked, never installed; each
file is cached by a hash of its inputs.

    images = build()        images.xen, images.kernel, images.initramfs, images.root, images.guest ...

The cache is $XF_XEN_CACHE, else ~/.cache/xenferry-xen; deleting it costs a minute."""

import contextlib
import fcntl
import glob
import hashlib
import lzma
import os
import re
import shutil
import subprocess
import tempfile
import types

HERE = os.path.dirname(os.path.abspath(__file__))
TOP = os.path.dirname(os.path.dirname(HERE))
XEN_BIN = "usr/lib/xen-4.17/bin"
XEN_BOOT = "usr/lib/xen-4.17/boot"
LIB = "usr/lib/x86_64-linux-gnu"

# Programs from Xen's private folder for dom0; libxl has that path compiled in.
XEN_TOOLS = ["xl", "xenstored", "xenconsoled", "xenconsole", "libxl-save-helper", "xen-init-dom0", "xentop"]
XENSTORE_TOOLS = ["xenstore-read", "xenstore-write", "xenstore-ls", "xenstore-list", "xenstore-rm", "xenstore-exists",
                  "xenstore-watch", "xenstore"]
# Full tools where busybox's have fewer options: the hotplug scripts need them, and `date` accepts fractions.
MACHINE_TOOLS = ["/bin/bash", "/usr/bin/flock", "/bin/ip", "/sbin/ip", "/sbin/bridge", "/usr/bin/stat",
                 "/usr/bin/logger", "/bin/date", "/usr/bin/virsh", "/usr/bin/timeout", "/sbin/losetup"]
DOM0_EARLY_MODULES = ["virtio_pci", "virtio_blk", "crc32c_generic", "ext4", "overlay"]
DOM0_MODULES = ["virtio_net", "9p", "9pnet_virtio", "xen-evtchn", "xen-gntdev", "xen-gntalloc", "xen-privcmd", "xenfs",
                "xen-blkback", "xen-netback", "bridge", "tun", "loop", "sch_tbf"]
GUEST_MODULES = ["net/xen-netfront", "block/xen-blkfront"]
# The device model opens these by name.
QEMU_FILES = ["/usr/share/seabios/bios-256k.bin", "/usr/share/seabios/bios.bin", "/usr/share/seabios/vgabios-stdvga.bin",
              "/usr/share/seabios/vgabios-cirrus.bin", "/usr/share/qemu/kvmvapic.bin", "/usr/share/qemu/linuxboot_dma.bin",
              "/usr/share/qemu/linuxboot.bin", "/usr/share/qemu/multiboot.bin", "/usr/share/qemu/pvh.bin",
              "/usr/share/qemu/keymaps"]


class LabError(Exception):
    pass


def run(*command, **options):
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False, **options)
    if done.returncode != 0:
        raise LabError(f"{' '.join(command)}: exit status {done.returncode}\n{done.stdout[-2000:]}")
    return done.stdout


def cache_dir():
    path = os.environ.get("XF_XEN_CACHE") or os.path.join(
        os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache"), "xenferry-xen")
    os.makedirs(path, exist_ok=True)
    return path


# ---- packages ------------------------------------------------------------------------------------------------


def wanted_packages():
    names = run(os.path.join(TOP, "scripts/packages"), "xen-host").split()
    # Debian's kernel has its version in its name; the package without one depends on the newest.
    kernel = re.search(r"Depends: (linux-image-\S+)", run("apt-cache", "depends", "linux-image-amd64"))
    if not kernel:
        raise LabError("linux-image-amd64 depends on no kernel; are the package lists there (apt-get update)?")
    return names + [kernel.group(1)]


def fetch(cache):
    """Downloads the packages and those of their dependencies that this machine lacks. Returns their files."""
    debs = os.path.join(cache, "debs")
    os.makedirs(os.path.join(debs, "partial"), exist_ok=True)
    apt = ["apt-get", "-y", "-q", "--no-install-recommends", "--reinstall", "-o", "Debug::NoLocking=1",
           "-o", f"Dir::Cache::archives={debs}"]
    try:
        names = wanted_packages()
        listed = run(*apt, "--print-uris", "install", *names)
    except LabError:
        run("apt-get", "-q", "update")
        names = wanted_packages()
        listed = run(*apt, "--print-uris", "install", *names)
    # Lines are: 'URI' FILE SIZE HASH; files that are already in the archive are not listed, so the list is kept.
    index = os.path.join(debs, "files-" + hashlib.sha256(" ".join(names).encode()).hexdigest()[:12])
    files = set(re.findall(r"^'\S+' (\S+\.deb) ", listed, re.MULTILINE))
    with contextlib.suppress(FileNotFoundError), open(index, encoding="ascii") as known:
        files |= set(known.read().split())
    run(*apt, "--download-only", "install", *names)
    files = {name for name in files if os.path.exists(os.path.join(debs, name))}
    with open(index, "w", encoding="ascii") as out:
        out.write("\n".join(sorted(files)) + "\n")
    return [os.path.join(debs, name) for name in sorted(files)]


# ---- a root tree ---------------------------------------------------------------------------------------------


class Tree:
    """A file system that is built from unpacked packages and, where they lack a file, from this machine."""

    def __init__(self, path, unpacked):
        self.path, self.unpacked = path, unpacked
        self.programs = []

    def at(self, path):
        return os.path.join(self.path, path.lstrip("/"))

    def find(self, path):
        for top in (self.unpacked, "/"):
            found = os.path.join(top, path.lstrip("/"))
            if os.path.exists(found):
                return os.path.realpath(found)
        raise LabError(f"{path} is neither in the packages nor on this machine")

    def put(self, source, target, mode=0o755):
        os.makedirs(os.path.dirname(self.at(target)), exist_ok=True)
        shutil.copyfile(source, self.at(target))
        os.chmod(self.at(target), mode)

    def program(self, path, target=None):
        source = self.find(path)
        self.put(source, target or path)
        self.programs.append(source)

    def write(self, target, text, mode=0o644):
        os.makedirs(os.path.dirname(self.at(target)), exist_ok=True)
        with open(self.at(target), "w", encoding="utf-8") as out:
            out.write(text)
        os.chmod(self.at(target), mode)

    def link(self, to, target):
        os.makedirs(os.path.dirname(self.at(target)), exist_ok=True)
        with contextlib.suppress(FileExistsError):
            os.symlink(to, self.at(target))

    def libraries(self):
        """Copies the libraries of the programs, from the packages first."""
        for library in libraries_of(self.programs, os.path.join(self.unpacked, LIB)):
            target = f"usr/lib64/{os.path.basename(library)}" if "ld-linux" in library \
                else f"{LIB}/{os.path.basename(library)}"
            self.put(os.path.realpath(library), target)
        # pthread_cancel() loads this by name and aborts without it.
        for name in ("libgcc_s.so.1", "libnss_files.so.2"):
            self.put(self.find(f"/lib/x86_64-linux-gnu/{name}"), f"{LIB}/{name}")

    def modules(self, kernel, names, top=""):
        for name in names:
            listed = run("/sbin/modprobe", "-d", self.unpacked, "-S", kernel, "--show-depends", name)
            for path in re.findall(r"^insmod (\S+)", listed, re.MULTILINE):
                self.put(path, top + os.path.relpath(path, self.unpacked).replace("lib/", "usr/lib/", 1), 0o644)
        for name in ("modules.builtin", "modules.order"):
            self.put(os.path.join(self.unpacked, "lib/modules", kernel, name), f"usr/lib/modules/{kernel}/{name}", 0o644)
        run("/sbin/depmod", "-b", self.at("usr"), kernel)


def libraries_of(programs, first=""):
    found = set()
    environment = dict(os.environ, LD_LIBRARY_PATH=first)
    for program in programs:
        done = subprocess.run(["ldd", program], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
                              check=False, env=environment)
        for line in done.stdout.splitlines():
            match = re.search(r"(?:=>\s+)?(/\S+) \(0x", line)
            if match:
                found.add(match.group(1))
    return sorted(found)


def usr_merge(tree):
    for name in ("bin", "sbin", "lib", "lib64"):
        os.makedirs(tree.at(f"usr/{name}"), exist_ok=True)
        tree.link(f"usr/{name}", name)


def busybox(tree, besides=()):
    tree.program("/bin/busybox", "usr/bin/busybox")
    for name in run(tree.find("/bin/busybox"), "--list").split():
        if name not in besides and name != "busybox":
            tree.link("busybox", f"usr/bin/{name}")


def compile_static(source, target):
    run("gcc", "-O2", "-static", "-Wall", "-Wextra", "-o", target, os.path.join(HERE, source))


def pack(tree, target):
    listing = subprocess.run(["find", "."], cwd=tree.path, stdout=subprocess.PIPE, check=True).stdout
    with open(target, "wb") as out:
        subprocess.run(["cpio", "-o", "-H", "newc", "-R", "0:0", "--quiet"], cwd=tree.path, input=listing, stdout=out,
                       check=True)


# ---- the images ----------------------------------------------------------------------------------------------


def decompress_kernel(source, target):
    """Decompresses it here; under emulation that takes seconds."""
    with open(source, "rb") as packed:
        image = packed.read()
    start = image.find(b"\xfd7zXZ\x00")
    if start < 0:
        raise LabError(f"{source}: not compressed with xz")
    with open(target, "wb") as out:
        out.write(lzma.LZMADecompressor().decompress(image[start:]))


def make_initramfs(work, unpacked, kernel, target):
    tree = Tree(os.path.join(work, "initramfs"), unpacked)
    usr_merge(tree)
    busybox(tree)
    tree.modules(kernel, DOM0_EARLY_MODULES)
    for name in ("proc", "sys", "dev", "run", "root"):
        os.makedirs(tree.at(name), exist_ok=True)
    tree.put(os.path.join(HERE, "dom0_early.sh"), "init")
    pack(tree, target)


def make_root(work, unpacked, kernel, target):
    tree = Tree(os.path.join(work, "root"), unpacked)
    usr_merge(tree)
    busybox(tree, besides={os.path.basename(path) for path in MACHINE_TOOLS} | {"brctl"})
    for path in MACHINE_TOOLS:
        tree.program(path, "usr/bin/" + os.path.basename(path))
    for name in XEN_TOOLS:
        tree.program(f"{XEN_BIN}/{name}")
        tree.link(f"/{XEN_BIN}/{name}", f"usr/bin/{name}")
    for name in XENSTORE_TOOLS:
        tree.program(f"/usr/bin/{name}")
    for path in glob.glob(os.path.join(unpacked, XEN_BOOT, "*")):
        tree.put(path, f"{XEN_BOOT}/{os.path.basename(path)}")
    tree.program("/usr/libexec/xen-qemu-system-i386")
    for path in QEMU_FILES:
        source = tree.find(path)
        if os.path.isdir(source):
            shutil.copytree(source, tree.at(path), dirs_exist_ok=True)
        else:
            tree.put(source, path, 0o644)
    shutil.copytree(os.path.join(unpacked, "etc/xen"), tree.at("etc/xen"), symlinks=True, dirs_exist_ok=True)
    tree.write("etc/xen/xl.conf", 'autoballoon="off"\nlockfile="/run/lock/xl"\n')
    tree.libraries()
    tree.modules(kernel, DOM0_MODULES)
    tree.write("etc/passwd", "root:x:0:0:root:/root:/bin/bash\n")
    tree.write("etc/group", "root:x:0:\n")
    tree.write("etc/nsswitch.conf", "hosts: files\npasswd: files\ngroup: files\n")
    tree.write("etc/hosts", "127.0.0.1 localhost\n10.77.0.1 xena\n10.77.0.2 xenb\n")
    compile_static("agent.c", tree.at("usr/bin/agent"))
    tree.put(os.path.join(HERE, "dom0_init.sh"), "usr/bin/dom0-init")
    for name in ("proc", "sys", "dev", "run", "tmp", "root", "share", "out", "var/lib/xen/dump", "var/lib/xenstored",
                 "var/log/xen", "etc/ld.so.conf.d"):
        os.makedirs(tree.at(name), exist_ok=True)
    # libxl locks below /var/run, which must be /run itself.
    tree.link("/run", "var/run")
    tree.link("/run/lock", "var/lock")
    tree.write("etc/ld.so.conf", f"/{LIB}\n")
    run("/sbin/ldconfig", "-r", tree.path)
    run("/sbin/mke2fs", "-q", "-t", "ext4", "-O", "^has_journal", "-m", "0", "-d", tree.path, target, "1g")


def make_guest(work, unpacked, kernel, target):
    tree = Tree(os.path.join(work, "guest"), unpacked)
    for name in ("proc", "sys", "dev", "modules"):
        os.makedirs(tree.at(name), exist_ok=True)
    compile_static("guest_init.c", tree.at("init"))
    for name in ("poweroff", "reboot"):
        tree.link("/init", f"sbin/{name}")
    for name in GUEST_MODULES:
        tree.put(os.path.join(unpacked, "lib/modules", kernel, "kernel/drivers", name + ".ko"),
                 f"modules/{os.path.basename(name)}.ko", 0o644)
    pack(tree, target)


def make_all(debs, target):
    with tempfile.TemporaryDirectory(dir=os.path.dirname(target)) as work:
        unpacked = os.path.join(work, "unpacked")
        for deb in debs:
            run("dpkg", "-x", deb, unpacked)
        kernel = os.listdir(os.path.join(unpacked, "lib/modules"))[0]
        run("/sbin/depmod", "-b", unpacked, kernel)
        out = os.path.join(work, "out")
        os.makedirs(out)
        with open(os.path.join(out, "xen"), "wb") as xen:
            subprocess.run(["zcat", glob.glob(os.path.join(unpacked, "boot/xen-*-amd64.gz"))[0]], stdout=xen, check=True)
        shutil.copyfile(os.path.join(unpacked, f"boot/vmlinuz-{kernel}"), os.path.join(out, "vmlinuz"))
        decompress_kernel(os.path.join(out, "vmlinuz"), os.path.join(out, "vmlinux"))
        make_initramfs(work, unpacked, kernel, os.path.join(out, "initramfs"))
        make_root(work, unpacked, kernel, os.path.join(out, "root.ext4"))
        make_guest(work, unpacked, kernel, os.path.join(out, "guest.cpio"))
        os.rename(out, target)


def key_of(debs):
    digest = hashlib.sha256("\n".join(os.path.basename(deb) for deb in debs).encode())
    for name in ("lab_image.py", "agent.c", "guest_init.c", "dom0_early.sh", "dom0_init.sh"):
        with open(os.path.join(HERE, name), "rb") as source:
            digest.update(source.read())
    return digest.hexdigest()[:16]


def build():
    """Returns the paths of the images; makes those that are not in the cache."""
    cache = cache_dir()
    with open(os.path.join(cache, "lock"), "w", encoding="ascii") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        debs = fetch(cache)
        target = os.path.join(cache, "images-" + key_of(debs))
        if not os.path.isdir(target):
            for old in glob.glob(os.path.join(cache, "images-*")):
                shutil.rmtree(old, ignore_errors=True)
            make_all(debs, target)
    return types.SimpleNamespace(
        xen=f"{target}/xen", kernel=f"{target}/vmlinux", packed_kernel=f"{target}/vmlinuz",
        initramfs=f"{target}/initramfs", root=f"{target}/root.ext4", guest=f"{target}/guest.cpio")


if __name__ == "__main__":
    print(build())
