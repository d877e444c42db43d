/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Writes the memory of a domain that has ended to a file: LIB_DIR/dump/NAME-TIME. libxl's function returns only after
 * the last byte, and holds its context until then. So each dump has a thread and a context of its own; the two share
 * nothing with the loop until the dump has ended. An unfinished or failed dump never has the name of a complete one.
 */
#pragma once

#include "libxl/guest/driver_private.h"

typedef struct XfDump XfDump;

/* Starts a dump of domain @domid. @name was checked as a file name. @done is called once, from the loop; if there is
 * no file, with an error that names it. */
void xf_dump_start (XfDriver *driver, guint32 domid, const char *name, XfDone done, gpointer data);

/* The driver ends: @done is called now, with an error. A file that is being written ends with the process. */
void xf_dumps_forget (XfDriver *driver);
