/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Prints the moves of one side's table of states, for drawings.py. Built once for each side.
 */
#ifdef XF_DESTINATION
#include "libxl/dest/private.h"
#define STATES xf_migrate_dest_states
#define SIDE "destination"
#else
#include "libxl/source/private.h"
#define STATES xf_migrate_source_states
#define SIDE "source"
#endif

int
main (void)
{
  for (guint from = 0; from < N_STATES; from++) {
    for (guint to = 0; to < N_STATES; to++) {
      if (STATES[from].next & XF_SM_TO (to))
        g_print (SIDE ": %s -> %s\n", STATES[from].name, STATES[to].name);
    }
  }
  return 0;
}
