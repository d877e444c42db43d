#!/bin/sh
# Usage: generate.sh RPCGEN FILE.x: the XDR functions of FILE.x. rpcgen writes the path of its input into the include
# line, but the header lies beside the output.
set -eu
"$1" -M -c "$2" | sed 's|^#include ".*/|#include "|'
