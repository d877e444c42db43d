/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "conf/domain_name.h"

#include <string.h>

#include "base/error.h"
#include "conf/uuid.h"

/* Bytes of a refused name that an error shows. */
#define SHOWN_MAX 64

static gboolean
is_blank (const char *name)
{
  for (const char *at = name; *at; at = g_utf8_next_char (at)) {
    if (!g_unichar_isspace (g_utf8_get_char (at)))
      return FALSE;
  }
  return TRUE;
}

/* The control characters of ASCII and Latin-1, and the two characters of the first plane that XML does not allow. */
static gboolean
has_control (const char *name)
{
  for (const char *at = name; *at; at = g_utf8_next_char (at)) {
    gunichar c = g_utf8_get_char (at);

    if (g_unichar_iscntrl (c) || c == 0xfffe || c == 0xffff)
      return TRUE;
  }
  return FALSE;
}

static const char *
what_is_wrong (const char *name)
{
  if (!name || !*name)
    return "it is empty";
  if (strlen (name) > XF_DOMAIN_NAME_MAX)
    return "it is longer than 240 bytes";
  if (!g_utf8_validate (name, -1, NULL))
    return "it is not UTF-8";
  if (strchr (name, '/'))
    return "it contains '/'";
  if (g_str_equal (name, ".") || g_str_equal (name, ".."))
    return "it means a directory";
  if (has_control (name))
    return "it contains a control character";
  return is_blank (name) ? "it is only blanks" : NULL;
}

gboolean
xf_domain_name_check (const char *name, GError **error)
{
  const char *wrong = what_is_wrong (name);
  g_autofree char *start = NULL, *shown = NULL;

  if (!wrong)
    return TRUE;
  start = g_strndup (name ? name : "", SHOWN_MAX);
  shown = g_strescape (start, NULL);
  g_set_error (error, XF_ERROR, XF_ERROR_XML, "'%s%s' cannot be the name of a domain: %s", shown,
               name && strlen (name) > SHOWN_MAX ? "…" : "", wrong);
  return FALSE;
}

char *
xf_domain_name_shown (const char *name, const guint8 *uuid)
{
  return xf_domain_name_check (name, NULL) ? g_strdup (name) : xf_uuid_to_string (uuid);
}
