#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Run by `meson install`: puts the example FILE into DIRECTORY as the configuration, unless there is one already. A
# configuration that is there belongs to the administrator.
set -eu
file=$1
directory=${DESTDIR-}$2
installed=$directory/xenferryd.conf

if [ -e "$installed" ] || [ -L "$installed" ]; then
  echo "Keeping $installed"
  exit 0
fi
echo "Installing $file to $directory"
mkdir -p "$directory"
install -m 644 "$file" "$installed"
