/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Any bytes as domain XML. Valid XML is written and read again, and must not change.
 */
#include "conf/domain_def.h"
#include "fuzz.h"

int
LLVMFuzzerTestOneInput (const guint8 *data, gsize size)
{
  g_autofree char *text = g_strndup ((const char *)data, size), *first = NULL, *second = NULL;
  g_autoptr (GError) error = NULL;
  g_autoptr (XfDomainDef) def = xf_domain_def_parse (text, XF_DOMAIN_PARSE_INACTIVE, &error), again = NULL;

  g_assert ((def == NULL) == (error != NULL));
  if (!def)
    return 0;
  first = xf_domain_def_format (def, XF_DOMAIN_FORMAT_SECURE | XF_DOMAIN_FORMAT_INACTIVE, NULL);
  again = xf_domain_def_parse (first, XF_DOMAIN_PARSE_INACTIVE, &error);
  g_assert_no_error (error);
  second = xf_domain_def_format (again, XF_DOMAIN_FORMAT_SECURE | XF_DOMAIN_FORMAT_INACTIVE, NULL);
  g_assert_cmpstr (first, ==, second);
  return 0;
}
