/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Directories of an administrator's files.
 */
#pragma once

#include <glib.h>

/* The names in @path (may be NULL), in their order by strcmp(); none if there is no such directory. The caller frees
 * the array. */
GPtrArray *xf_dir_names (const char *path);
