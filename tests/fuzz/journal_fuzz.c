/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Any bytes as a file of the journal. A valid entry is written and read again, and must not change.
 */
#include <string.h>

#include "fuzz.h"
#include "libxl/journal/journal.h"

int
LLVMFuzzerTestOneInput (const guint8 *data, gsize size)
{
  g_autofree char *text = g_strndup ((const char *)data, size);
  g_autoptr (GError) error = NULL;
  g_autoptr (XfJournalEntry) entry = xf_journal_entry_parse ((const char *)data, size, &error), again = NULL;
  g_autoptr (GBytes) first = NULL, second = NULL;
  guint8 uuid[XF_UUID_LENGTH];

  g_assert ((entry == NULL) == (error != NULL));
  (void)xf_journal_entry_guess (text, strlen (text), uuid);
  if (!entry)
    return 0;
  first = xf_journal_entry_format (entry);
  again = xf_journal_entry_parse (g_bytes_get_data (first, NULL), g_bytes_get_size (first), &error);
  g_assert_no_error (error);
  second = xf_journal_entry_format (again);
  g_assert_true (g_bytes_equal (first, second));
  return 0;
}
