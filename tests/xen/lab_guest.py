# SPDX-License-Identifier: LGPL-2.1-or-later
"""The test guest's definitions, as domain XML for xenferryd and as xl's own configuration; and the lines of its counter
(guest_init.c), which show whether a migration was correct."""

import os
import time

MEMORY_MIB = {"pv": 128, "pvh": 128, "hvm": 144}
ARGUMENTS = "console=hvc0 loglevel=4 mitigations=off audit=0 panic=1"
BRIDGE_ADDRESS = "10.78.0.50"


def arguments(name, kind, disk, network, options):
    console = f"console=ttyS0 {ARGUMENTS}" if kind == "hvm" else ARGUMENTS
    words = [console, f"xf.name={name}"]
    if disk:
        words.append("xf.disk=1")
    if network:
        words.append(f"xf.ip={BRIDGE_ADDRESS}")
    return " ".join(words + [f"xf.{key}={value}" for key, value in options.items()])


def xml(name, kind, memory=None, disk=False, network=False, **options):
    """Domain XML as a user would write it for virsh. Options are passed to the guest's init."""
    machine = {"pv": "<type arch='x86_64' machine='xenpv'>linux</type>",
               "pvh": "<type arch='x86_64' machine='xenpvh'>xenpvh</type>",
               "hvm": "<type arch='x86_64' machine='xenfv'>hvm</type>"}[kind]
    devices = ""
    if disk:
        devices += "<disk type='block' device='disk'><driver name='phy' type='raw'/><source dev='/dev/vdb'/>" \
            "<target dev='xvda' bus='xen'/><shareable/></disk>"
    if network:
        devices += "<interface type='bridge'><mac address='00:16:3e:77:00:10'/><source bridge='xenbr0'/>" \
            "<script path='vif-bridge'/></interface>"
    if kind == "hvm":
        devices += "<serial type='pty'><target port='0'/></serial><video><model type='vga'/></video>"
    else:
        devices += "<console type='pty'><target type='xen' port='0'/></console>"
    features = "<features><acpi/><apic/></features>" if kind == "hvm" else ""
    return f"""<domain type='xen'>
  <name>{name}</name>
  <memory unit='MiB'>{memory or MEMORY_MIB[kind]}</memory>
  <vcpu>1</vcpu>
  <os>{machine}<kernel>/share/guest/vmlinu{'z' if kind == 'hvm' else 'x'}</kernel><initrd>/share/guest/guest.cpio</initrd>
    <cmdline>{arguments(name, kind, disk, network, options)}</cmdline></os>
  {features}
  <on_poweroff>destroy</on_poweroff><on_reboot>restart</on_reboot><on_crash>preserve</on_crash>
  <devices>{devices}</devices>
</domain>
"""


def xl_config(name, kind, memory=None, disk=False, network=False, extra="", **options):
    """The same guest as a configuration file for xl."""
    lines = [f'name = "{name}"', f'type = "{kind}"', f"memory = {memory or MEMORY_MIB[kind]}", "vcpus = 1",
             f'kernel = "/share/guest/vmlinu{"z" if kind == "hvm" else "x"}"', 'ramdisk = "/share/guest/guest.cpio"',
             f'extra = "{arguments(name, kind, disk, network, options)}"', 'on_crash = "preserve"']
    if disk:
        lines.append('disk = [ "format=raw, vdev=xvda, access=rw, target=/dev/vdb" ]')
    if network:
        lines.append('vif = [ "bridge=xenbr0, mac=00:16:3e:77:00:10, script=vif-bridge" ]')
    if kind == "hvm":
        lines += ['serial = "pty"', "vnc = 0", 'vga = "none"']
    return "\n".join(lines + [extra]) + "\n"


def put(lab, name, text):
    """Writes a file that each dom0 can read; returns its path there."""
    with open(os.path.join(lab.share, name), "w", encoding="utf-8") as out:
        out.write(text)
    return f"/share/{name}"


def wait_beats(host, name, more=2, timeout=90, since=0):
    """Waits for @more lines of the guest on @host after its first @since; returns all lines."""
    end = time.monotonic() + timeout
    while True:
        beats = host.beats(name)
        if len(beats) >= since + more:
            return beats
        if (end - time.monotonic()) % 5 < 0.1:
            assert "c" not in host.domains().get(name, (0, ""))[1], f"{name} has crashed on {host.name}"
        assert time.monotonic() < end, f"{name} is silent on {host.name} ({len(beats)} lines): {host.domains()}"
        time.sleep(0.1)
