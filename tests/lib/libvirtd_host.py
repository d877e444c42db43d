# SPDX-License-Identifier: LGPL-2.1-or-later
"""A simulated Xen host whose daemon is Debian's libvirtd with its own libxl driver; otherwise like SimHost.

libvirtd uses fixed directories and the machine's name. So it runs in a mount and a UTS namespace of its own: its
directories are bind-mounted, its module directory has only the Xen driver, and the host's name is a numeric address.
libvirt announces a name that contains a dot unchanged, and the other side resolves a number without a resolver."""

import os
import shutil
import subprocess
import tempfile

from sim_host import PLAIN_BUILD, SimHost

PRELOAD = os.path.join(PLAIN_BUILD, "src", "sim", "libxenferry-sim.so")
LIBVIRTD = "/usr/sbin/libvirtd"
MODULE = "libvirt_driver_libxl.so"
BOUND = ("/run/libvirt", "/var/lib/libvirt", "/var/log/libvirt", "/var/cache/libvirt", "/etc/libvirt")


def module_path():
    for directory in ("/usr/lib/x86_64-linux-gnu/libvirt/connection-driver", "/usr/lib64/libvirt/connection-driver"):
        if os.path.exists(os.path.join(directory, MODULE)):
            return os.path.join(directory, MODULE)
    return None


def why_not():
    """Why libvirtd cannot run here, or None."""
    if not os.path.exists(LIBVIRTD) or not module_path():
        return "libvirtd or its Xen driver is not installed (scripts/packages --install)"
    if os.geteuid() != 0:
        return "namespaces of its own and libvirtd's Xen driver need root"
    if not os.path.exists(PRELOAD):
        return f"{PRELOAD} is not built"
    done = subprocess.run(["unshare", "--mount", "--uts", "true"], capture_output=True, text=True, check=False)
    return None if done.returncode == 0 else f"no namespaces here: {done.stderr.strip()}"


class LibvirtdHost(SimHost):
    """Like SimHost; settings are lines of libvirtd.conf."""

    script = """set -e
for directory in %s; do
  mkdir -p "$directory" "$0$directory"
  mount --bind "$0$directory" "$directory"
done
hostname %s
LD_PRELOAD=%s exec %s --listen --config "$1" --pid-file "$0/pid"
"""

    def write_settings(self, changed):
        values = {
            "listen_tls": 0,
            "listen_tcp": 1,
            "listen_addr": f'"{self.address}"',
            "tcp_port": f'"{self.tcp_port}"',
            "auth_tcp": '"none"',
            "auth_unix_rw": '"none"',
            "auth_unix_ro": '"none"',
            "unix_sock_dir": f'"{self.dir}"',
            "log_level": 3,
            "max_clients": 5000,
            "max_client_requests": 100,
        }
        values.update(changed)
        with open(self.settings_path, "w", encoding="utf-8") as out:
            out.writelines(f"{key} = {value}\n" for key, value in values.items())
        self.socket_path = os.path.join(self.dir, "libvirt-sock")
        self.modules = tempfile.mkdtemp(prefix="modules-", dir=self.dir)
        os.symlink(module_path(), os.path.join(self.modules, MODULE))

    def launch(self):
        script = self.script % (" ".join(BOUND), self.address, PRELOAD, LIBVIRTD)
        env = dict(self.env, LIBVIRT_DRIVER_DIR=self.modules)
        with open(self.log_path, "ab") as log:
            self.process = subprocess.Popen(["unshare", "--mount", "--uts", "sh", "-c", script,
                                             os.path.join(self.dir, "root"), self.settings_path], env=env,
                                            stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True)

    def answers(self):
        return super().answers() and bool(self.virsh("list", timeout=5))

    def assert_healthy(self):
        assert self.process and self.process.poll() is None, f"libvirtd of {self.name} died:\n{self.log()[-4000:]}"

    def close(self, check=True):
        # A clean exit takes seconds and is not tested here.
        shutil.rmtree(self.modules, ignore_errors=True)
        super().close(check=False)
