/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * xenferry: commands that virsh does not have. One row per subcommand.
 */
#include <glib.h>
#include <locale.h>
#include <stdio.h>
#include <string.h>

#include "cli/cli.h"

static const struct {
  const char *name;
  const char *arguments;
  const char *summary;
  int (*run) (int argc, char **argv);
} commands[] = {
  { "check", "DOMAIN DESTINATION-URI", "everything that stands in the way of a migration", xf_cli_check },
  { "config", "FILE.xml | --domain NAME", "libxl's configuration of a guest, as libxl's JSON", xf_cli_config },
  { "cpu-level", "[URI…]", "the CPU features that this host and others have in common, as domain XML",
    xf_cli_cpu_level },
  { "evacuate", "DESTINATION-URI…", "moves every running guest off this host", xf_cli_evacuate },
  { "migrations", "[--all] | --resolve ID here|there", "migrations under way, and the host or decision each waits for",
    xf_cli_migrations },
};

static int
usage (FILE *out, int status)
{
  fprintf (out, "usage: xenferry COMMAND …\n\n");
  for (gsize i = 0; i < G_N_ELEMENTS (commands); i++)
    fprintf (out, "  %s %s\n      %s\n", commands[i].name, commands[i].arguments, commands[i].summary);
  fprintf (out, "\nSee xenferry COMMAND --help for the options.\n");
  return status;
}

int
main (int argc, char **argv)
{
  setlocale (LC_ALL, "");
  if (argc < 2)
    return usage (stderr, 2);
  if (g_str_equal (argv[1], "--help") || g_str_equal (argv[1], "-h"))
    return usage (stdout, 0);
  for (gsize i = 0; i < G_N_ELEMENTS (commands); i++) {
    if (g_str_equal (commands[i].name, argv[1]))
      return commands[i].run (argc - 1, argv + 1);
  }
  fprintf (stderr, "xenferry: there is no command '%s'\n", argv[1]);
  return usage (stderr, 2);
}
