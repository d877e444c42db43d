/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Writes the memory of a domain that has ended into a file: LIB_DIR/dump/NAME-TIME. libxl's function for it returns
 * only when the last byte is written, and holds its context until then. So each dump has a thread and a context of its
 * own; the two share nothing with the loop until the dump has ended. An unfinished or failed dump never has the name
 * of a complete one.
 */
#pragma once

#include "libxl/guest/driver_private.h"

typedef struct XfDump XfDump;

/* Begins one of domain @domid; @name has been checked to be a file name. @done comes from the loop, once, with an
 * error that names the file if there is none. */
void xf_dump_start (XfDriver *driver, guint32 domid, const char *name, XfDone done, gpointer data);

/* The driver ends: @done is called now, with an error. A file that is being written ends with the process. */
void xf_dumps_forget (XfDriver *driver);
