/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Runs a program beside the main loop: bytes for its standard input, what it writes to its standard output, the reason
 * why it failed. For programs of the administrator, which may do anything: read nothing, write without an end, start
 * other processes, never end.
 *
 * The program gets a process group of its own. At its deadline, and when the object is freed before the program has
 * ended, the whole group is killed; a process that has left the group is not. A program that ends in time may leave
 * other processes behind, as long as they do not keep its standard output open.
 *
 * The program is waited for through a pidfd (Linux 5.3): SIGCHLD is libxl's (libxl/xen/ctx.h).
 */
#pragma once

#include <glib.h>

typedef struct XfChild XfChild;

/* Everything is copied. */
typedef struct {
  const char *const *argv; /* NULL-terminated; the first is the path of the program */
  const char *const *env;  /* NAME=VALUE, NULL-terminated, beside PATH and LC_ALL=C, which is all it gets; or NULL */
  GBytes *input;           /* for its standard input; NULL: none. It need not read it. */
  gsize output_max;        /* more bytes on its standard output are an error; 0: /dev/null, and no output */
  guint deadline_ms;
} XfChildJob;

/* @output: what it has written, or NULL if @error is set, or if output_max is 0. An error has the path of the program,
 * its exit status or the signal that ended it, and the first line of its standard error: XF_ERROR_SYSTEM if it could
 * not be run, XF_ERROR_TIMEOUT after the deadline, else XF_ERROR_OPERATION_FAILED. Both are valid until the function
 * returns. */
typedef void (*XfChildDone) (GBytes *output, const GError *error, gpointer data);

/* Starts the program. @done is called once, from the loop, also if it cannot be run. The caller frees the object, in
 * @done or later. */
XfChild *xf_child_new (const XfChildJob *job, XfChildDone done, gpointer data);

/* The last 4 KiB that the program has written to its standard error, as one printable line; the caller frees it. */
char *xf_child_errors (const XfChild *child);

/* A program that still runs is killed, with its group. @done is not called afterwards. NULL is allowed. */
void xf_child_free (XfChild *child);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (XfChild, xf_child_free)
