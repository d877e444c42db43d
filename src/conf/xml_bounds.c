/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "conf/xml_bounds.h"

#include <string.h>

#include "base/error.h"

typedef struct {
  guint tags, element_attributes, attributes, namespaces, references;
} Counts;

/* In an attribute a quote follows the '='; in text that is rare. */
static gboolean
is_attribute (const char *after, const char *end)
{
  while (after < end && (*after == ' ' || *after == '\t' || *after == '\n' || *after == '\r'))
    after++;
  return after < end && (*after == '"' || *after == '\'');
}

/* No tag contains a '<', so between two of them there is at most one tag. */
static void
count (Counts *counts, const char *at, const char *end)
{
  static const char namespace[] = "xmlns";
  gsize length = sizeof (namespace) - 1;

  switch (*at) {
  case '<':
    counts->tags++;
    counts->element_attributes = 0;
    break;
  case '=':
    if (is_attribute (at + 1, end)) {
      counts->element_attributes++;
      counts->attributes++;
    }
    break;
  case '&':
    counts->references++;
    break;
  case 'x':
    counts->namespaces += (gsize)(end - at) >= length && memcmp (at, namespace, length) == 0;
    break;
  }
}

static gboolean
too_many (const char *what, const char *of, guint most, GError **error)
{
  g_set_error (error, XF_ERROR, XF_ERROR_XML, "%s has more than %u %s", what, most, of);
  return FALSE;
}

gboolean
xf_xml_check_bounds (const char *text, gsize length, const char *what, GError **error)
{
  Counts counts = { 0 };

  if (length > XF_XML_MAX_SIZE) {
    g_set_error (error, XF_ERROR, XF_ERROR_XML, "%s is larger than %d bytes", what, XF_XML_MAX_SIZE);
    return FALSE;
  }
  if (!g_utf8_validate (text, (gssize)length, NULL)) {
    g_set_error (error, XF_ERROR, XF_ERROR_XML, "%s is not in UTF-8", what);
    return FALSE;
  }
  for (gsize i = 0; i < length; i++) {
    count (&counts, text + i, text + length);
    if (counts.element_attributes > XF_XML_MAX_ELEMENT_ATTRIBUTES)
      return too_many (what, "attributes in one element", XF_XML_MAX_ELEMENT_ATTRIBUTES, error);
  }
  return (counts.tags <= XF_XML_MAX_TAGS || too_many (what, "tags", XF_XML_MAX_TAGS, error))
         && (counts.attributes <= XF_XML_MAX_ATTRIBUTES || too_many (what, "attributes", XF_XML_MAX_ATTRIBUTES, error))
         && (counts.namespaces <= XF_XML_MAX_NAMESPACES
             || too_many (what, "namespace declarations", XF_XML_MAX_NAMESPACES, error))
         && (counts.references <= XF_XML_MAX_REFERENCES || too_many (what, "references", XF_XML_MAX_REFERENCES, error));
}
