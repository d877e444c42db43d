/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Stands for libxl's save helper. Its mode and its arguments are those of Xen 4.17. FAKE_POLICY in the environment:
 * libxl has a policy of its own.
 */
#include <glib.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <xenctrl.h>
#include <xenguest.h>

static int
own_policy (struct precopy_stats stats, void *data)
{
  return XGS_POLICY_STOP_AND_COPY;
}

int
main (int argc, char **argv)
{
  static struct save_callbacks callbacks;

  printf ("%s, preload %s, next %s\n", argv[1], getenv ("LD_PRELOAD") ? "yes" : "no",
          getenv ("XENFERRY_SAVE_HELPER") ? "yes" : "no");
  if (strcmp (argv[1], "--save-domain") != 0 || argc < 8)
    return 0;
  callbacks.precopy_policy = getenv ("FAKE_POLICY") ? own_policy : NULL;
  callbacks.data = getenv ("FAKE_DATA") ? &callbacks : NULL;
  return xc_domain_save (NULL, atoi (argv[2]), (uint32_t)atoi (argv[4]), (uint32_t)atoi (argv[5]), &callbacks,
                         atoi (argv[7]), atoi (argv[3]));
}
