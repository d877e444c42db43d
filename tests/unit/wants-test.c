/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * What is wanted of a guest's resources: the host's text, the guest's metadata, and which of them counts.
 */
#include "conf/wants.h"

#include <string.h>

#include "base/error.h"

#define OPEN "<xf:resources xmlns:xf='" XF_WANTS_NAMESPACE "'"

static XfDomainDef *
guest (const char *metadata)
{
  g_autofree char *xml = g_strdup_printf ("<domain type='xen'><name>g</name><memory>16384</memory><vcpu>1</vcpu>"
                                          "<os><type>xenpvh</type><kernel>/k</kernel></os><metadata>%s</metadata>"
                                          "</domain>",
                                          metadata);
  g_autoptr (GError) error = NULL;
  XfDomainDef *def = xf_domain_def_parse (xml, XF_DOMAIN_PARSE_INACTIVE, &error);

  g_assert_no_error (error);
  return def;
}

static XfWants *
wants_of (const char *text, const char *metadata)
{
  XfWants *wants = xf_wants_new ();
  g_autoptr (GError) error = NULL;

  g_assert_true (xf_wants_add_text (wants, text, &error));
  g_assert_no_error (error);
  if (metadata) {
    g_autoptr (XfDomainDef) def = guest (metadata);

    g_assert_true (xf_wants_add_metadata (wants, def, &error));
    g_assert_no_error (error);
  }
  return wants;
}

static void
test_nothing_said (void)
{
  g_autoptr (XfWants) wants = wants_of (NULL, "<other xmlns='urn:other'><resource name='disk' want='?'/></other>");
  XfWantEntry entry = xf_wants_find (wants, "disk", "disk:xvda");

  g_assert_cmpint (entry.want, ==, XF_WANT_UNSAID);
  g_assert_cmpuint (entry.deadline_s, ==, 0);
  g_assert_false (wants->urgent);
}

static void
test_host (void)
{
  g_autoptr (XfWants) wants = wants_of ("disk=best-effort, numa=ignore disk:xvda=mandatory,urgent", NULL);

  g_assert_cmpint (xf_wants_find (wants, "disk", "disk:xvdb").want, ==, XF_WANT_BEST_EFFORT);
  g_assert_cmpint (xf_wants_find (wants, "disk", "disk:xvda").want, ==, XF_WANT_MANDATORY);
  g_assert_cmpint (xf_wants_find (wants, "numa", "numa").want, ==, XF_WANT_IGNORE);
  g_assert_cmpint (xf_wants_find (wants, "pool", "pool").want, ==, XF_WANT_UNSAID);
  g_assert_true (wants->urgent);
}

/* A name takes precedence over its kind, and the guest over the host; want and deadline each on its own. */
static void
test_precedence (void)
{
  g_autoptr (XfWants)
    wants = wants_of ("disk=ignore, disk:xvda=ignore, interface=mandatory, urgent", OPEN
                      " policy='careful'><xf:resource name='disk' want='best-effort' deadline='7'/>"
                      "<xf:resource name='disk:xvdb' deadline='9'/><xf:resource name='interface'/></xf:resources>");
  XfWantEntry xvda = xf_wants_find (wants, "disk", "disk:xvda"), xvdb = xf_wants_find (wants, "disk", "disk:xvdb");

  g_assert_cmpint (xvda.want, ==, XF_WANT_IGNORE);
  g_assert_cmpuint (xvda.deadline_s, ==, 7);
  g_assert_cmpint (xvdb.want, ==, XF_WANT_BEST_EFFORT);
  g_assert_cmpuint (xvdb.deadline_s, ==, 9);
  g_assert_cmpint (xf_wants_find (wants, "interface", "interface:00:16:3e:00:00:01").want, ==, XF_WANT_MANDATORY);
  g_assert_false (wants->urgent);
}

static void
test_refused_texts (void)
{
  static const char *const texts[] = { "disk", "disk=", "disk=yes", "=ignore", "urgent=ignore=x", "Disk=Ignore" };

  for (gsize i = 0; i < G_N_ELEMENTS (texts); i++) {
    g_autoptr (XfWants) wants = xf_wants_new ();
    g_autoptr (GError) error = NULL;

    g_assert_false (xf_wants_add_text (wants, texts[i], &error));
    g_assert_error (error, XF_ERROR, XF_ERROR_INVALID_ARG);
    g_assert_nonnull (strstr (error->message, texts[i]));
  }
}

/* A wish that is not understood must not be taken for none. */
static void
test_refused_metadata (void)
{
  static const char *const inside[] = {
    "><xf:resource want='ignore'/>",
    "><xf:resource name='' want='ignore'/>",
    "><xf:resource name='a b' want='ignore'/>",
    "><xf:resource name='disk' want='perhaps'/>",
    "><xf:resource name='disk' want='ignore' deadline='0'/>",
    "><xf:resource name='disk' want='ignore' deadline='601'/>",
    "><xf:resource name='disk' want='ignore' deadline='soon'/>",
    " policy='hasty'>",
  };

  for (gsize i = 0; i < G_N_ELEMENTS (inside); i++) {
    g_autofree char *metadata = g_strconcat (OPEN, inside[i], "</xf:resources>", NULL);
    g_autoptr (XfDomainDef) def = guest (metadata);
    g_autoptr (XfWants) wants = xf_wants_new ();
    g_autoptr (GError) error = NULL;

    g_assert_false (xf_wants_add_metadata (wants, def, &error));
    g_assert_error (error, XF_ERROR, XF_ERROR_XML);
    g_test_message ("%s", error->message);
  }
}

static void
test_bound (void)
{
  g_autoptr (GString) metadata = g_string_new (OPEN ">");
  g_autoptr (XfDomainDef) def = NULL;
  g_autoptr (XfWants) wants = xf_wants_new ();
  g_autoptr (GError) error = NULL;

  for (guint i = 0; i < 257; i++)
    g_string_append_printf (metadata, "<xf:resource name='disk:d%u' want='ignore'/>", i);
  g_string_append (metadata, "</xf:resources>");
  def = guest (metadata->str);
  g_assert_false (xf_wants_add_metadata (wants, def, &error));
  g_assert_error (error, XF_ERROR, XF_ERROR_XML);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/wants/nothing-said", test_nothing_said);
  g_test_add_func ("/wants/host", test_host);
  g_test_add_func ("/wants/precedence", test_precedence);
  g_test_add_func ("/wants/refused-texts", test_refused_texts);
  g_test_add_func ("/wants/refused-metadata", test_refused_metadata);
  g_test_add_func ("/wants/bound", test_bound);
  return g_test_run ();
}
