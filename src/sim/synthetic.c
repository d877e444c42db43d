/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "sim/synthetic.h"

#include <string.h>

#define MARK G_GUINT64_CONSTANT (0x636974656874796e)

void
synthetic_stamp (guint8 *page, guint64 pfn)
{
  guint64 stamp[2] = { MARK, pfn };

  memcpy (page, stamp, sizeof (stamp));
}

gboolean
synthetic_is (const guint8 *page, guint64 pfn)
{
  guint64 stamp[2] = { MARK, pfn };

  return memcmp (page, stamp, sizeof (stamp)) == 0;
}

guint8 *
synthetic_new (guint pages, guint percent)
{
  guint8 *memory = g_malloc0 ((gsize)pages * SIM_PAGE);
  g_autoptr (GRand) chance = g_rand_new_with_seed (4);

  for (guint page = 0; page < pages; page++) {
    if ((guint)g_rand_int_range (chance, 0, 100) >= percent)
      continue;
    for (gsize at = 0; at < SIM_PAGE; at += sizeof (guint32)) {
      guint32 word = g_rand_int (chance);

      memcpy (memory + (gsize)page * SIM_PAGE + at, &word, sizeof (word));
    }
  }
  return memory;
}
