#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# dom0's first process: the root file system is a read-only image that all hosts share, with an overlay in memory for
# this host's own files.
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs dev /dev
for module in virtio_pci virtio_blk crc32c_generic ext4 overlay; do modprobe $module; done
mkdir -p /lower /upper /new
mount -t ext4 -o ro /dev/vda /lower
mount -t tmpfs tmpfs /upper
mkdir /upper/changed /upper/work
mount -t overlay -o lowerdir=/lower,upperdir=/upper/changed,workdir=/upper/work root /new
mount --move /dev /new/dev
umount /proc /sys
exec switch_root /new /usr/bin/dom0-init
