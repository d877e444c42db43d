/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * A fuzz target is libFuzzer's function. With replay.c it runs over a corpus, and over seeded mutations of it, as a
 * plain test; with clang's -fsanitize=fuzzer it is a fuzzer (HACKING.md).
 */
#pragma once

#include <glib.h>

int LLVMFuzzerTestOneInput (const guint8 *data, gsize size);
