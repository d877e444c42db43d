#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Process 1 of a test host's dom0: starts Xen's services, then waits for commands (agent.c). It prints to the
# hypervisor's console; the test's machine waits for "dom0: READY". The host's number is on the command line.
export PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root TERM=dumb LC_ALL=C
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mkdir -p /dev/pts /dev/shm
mount -t devpts -o gid=0,mode=620,ptmxmode=666 devpts /dev/pts
mount -t tmpfs tmpfs /dev/shm
mount -t tmpfs tmpfs /run
mount -t tmpfs tmpfs /tmp
ln -sf /proc/self/fd /dev/fd
for n in 0:stdin 1:stdout 2:stderr; do ln -sf "/proc/self/fd/${n%:*}" "/dev/${n#*:}"; done
mkdir -p /run/lock /run/xen /run/xenstored
exec </dev/null >/dev/console 2>&1

say () { echo "dom0: [$(cut -d' ' -f1 /proc/uptime)] $*"; }

number=$(sed -n 's/.*xf\.host=\([0-9]*\).*/\1/p' /proc/cmdline)
hostname "xen$(echo "$number" | tr 12 ab)"
# Under emulation a guest may stall for a minute; that is not an error of its kernel.
echo 0 >/proc/sys/kernel/hung_task_timeout_secs
for module in virtio_net 9p 9pnet_virtio xen-evtchn xen-gntdev xen-gntalloc xen-privcmd xenfs xen-blkback xen-netback \
              bridge tun loop; do
  modprobe $module || say "no module $module"
done
mount -t xenfs xenfs /proc/xen
options=trans=virtio,version=9p2000.L,msize=262144
mount -t 9p -o $options,cache=none share /share || say "no /share"
mount -t 9p -o $options,cache=none out /out || say "no /out"

# eth0: the test's machine; eth1: the network between the hosts; eth2: the network between the guests' bridges
ip link set lo up
ip link set eth0 up
ip addr add 10.0.2.15/24 dev eth0
ip link set eth1 mtu 32000 up
ip addr add "10.77.0.$number/24" dev eth1
ip link add xenbr0 type bridge stp_state 0 forward_delay 0
ip link set eth2 master xenbr0 up
ip addr add "10.78.0.$number/24" dev xenbr0
ip link set xenbr0 up
say network

XENSTORED_ROOTDIR=/run/xenstored xenstored --pid-file /run/xenstored.pid
for _ in $(seq 200); do xenstore-read -s / >/dev/null 2>&1 && break; usleep 50000; done
/usr/lib/xen-4.17/bin/xen-init-dom0 || say "xen-init-dom0 failed"
mkdir -p /out/console
xenconsoled --log=all --log-dir=/out/console --pid-file /run/xenconsoled.pid
agent 7001 &
xl list && say READY
while :; do wait; sleep 1; done
