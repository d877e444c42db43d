/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Small helpers for file descriptors. An fd has one owner; xf_autofd closes at the end of the scope,
 * xf_steal_fd() hands over.
 */
#pragma once

#include <glib.h>

/* The size migration pipes are given: with the kernel's default of 64 KiB splice is no faster than copying,
 * with 1 MiB it is half as much again (measured with relays: 2.4 against 3.6 GB/s). */
#define XF_PIPE_SIZE (1024 * 1024)

/* Closes *@fd if it is not negative and sets it to -1. errno is kept. */
void xf_clear_fd (int *fd);

/* Returns *@fd and sets it to -1: the caller owns it now. */
int xf_steal_fd (int *fd);

#define xf_autofd __attribute__ ((cleanup (xf_clear_fd))) int

/* Makes a close-on-exec pipe, grown to XF_PIPE_SIZE where the kernel allows it (silently smaller otherwise).
 * @nonblock_end: 0 makes the read end non-blocking, 1 the write end, -1 neither. */
gboolean xf_pipe_new (int fds_out[2], int nonblock_end, GError **error);

/* A socket whose reader knows that more will come need not wake it for less than this. */
#define XF_LOW_WATER (256 * 1024)

/* Has the socket @fd wake whoever polls it only when @bytes are there, at least 1 and at most XF_LOW_WATER; its end
 * always does. *@low_water, 0 at first, is what it is already; NULL: nobody remembers. */
void xf_fd_wake_for (int fd, gsize bytes, int *low_water);

/* Sets or clears O_NONBLOCK. */
gboolean xf_fd_set_nonblocking (int fd, gboolean nonblocking, GError **error);

/* Writes all of @data to @fd, which blocks; FALSE with errno. May be called from any thread. */
gboolean xf_fd_write_all (int fd, const void *data, gsize length);

/* Writes @contents to @path so that after a crash either the old or the new file is there, complete: temporary
 * file in the same directory, fsync, rename, fsync of the directory. @mode as for open(2). Blocks on the disk. */
gboolean xf_file_replace (const char *path, const char *contents, gsize length, int mode, GError **error);
