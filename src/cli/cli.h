/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The subcommands of `xenferry`. Each gets its own arguments, its name first, and returns the exit status: 0 done,
 * 1 failed (with the reason on standard error), 2 wrong usage. check and evacuate divide 1 further, see their files.
 */
#pragma once

int xf_cli_check (int argc, char **argv);
int xf_cli_cpu_level (int argc, char **argv);
int xf_cli_config (int argc, char **argv);
int xf_cli_evacuate (int argc, char **argv);
int xf_cli_migrations (int argc, char **argv);
