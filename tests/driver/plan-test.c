/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The data options that two hosts agree on: each policy of both sides with each request, by a rule that is written here
 * a second time, in another form; and the ticket.
 */
#include "base/secret.h"
#include "libxl/migrate/plan.h"

#include <libvirt/libvirt.h>
#include <string.h>

#include "base/error.h"

static char policies[][8] = { "never", "allow", "always", "require" };

enum { NEVER, ALLOW, ALWAYS, REQUIRE };

static XfCookie *
cookie_new (void)
{
  static const guint8 id[XF_UUID_SIZE] = { 1 };
  XfCookie *cookie = xf_cookie_new ("g", id, "h");

  xf_cookie_set_peer (cookie, id);
  return cookie;
}

/* The cookie as the other side reads it. */
static XfCookie *
sent (const XfCookie *cookie)
{
  g_autoptr (GBytes) bytes = xf_cookie_format (cookie);
  XfCookie *read = xf_cookie_parse (bytes, NULL);

  g_assert_nonnull (read);
  return read;
}

/* The whole negotiation. Returns FALSE if either side ended it with an error. */
static gboolean
agree (XfDriverConfig *source, XfDriverConfig *destination, guint flags, XfMigratePlan *there, XfMigratePlan *here)
{
  XfMigrateParams params = { .flags = flags };
  g_autoptr (XfCookie) offer = cookie_new (), offered = NULL, answer = cookie_new (), answered = NULL;

  if (!xf_migrate_plan_offer (source, &params, offer, NULL))
    return FALSE;
  offered = sent (offer);
  if (!xf_migrate_plan_choose (destination, offered, flags & VIR_MIGRATE_TUNNELLED, there, NULL))
    return FALSE;
  xf_migrate_plan_tell (there, answer);
  answered = sent (answer);
  return xf_migrate_plan_accept (offer, answered, here, NULL);
}

/* TLS: never against required is an error; otherwise it is used if either side or the user wants it. */
static void
test_tls (void)
{
  for (guint s = 0; s <= REQUIRE; s++) {
    for (guint d = 0; d <= REQUIRE; d++) {
      for (guint asked = 0; asked < 2; asked++) {
        XfDriverConfig source = { .tls = policies[s] }, destination = { .tls = policies[d] };
        XfMigratePlan there, here;
        gboolean good = agree (&source, &destination, asked ? VIR_MIGRATE_TLS : 0, &there, &here);
        gboolean must = asked || s == REQUIRE || d == REQUIRE, may_not = s == NEVER || d == NEVER;
        gboolean wished = must || s == ALWAYS || d == ALWAYS;

        g_test_message ("source %s, destination %s%s", policies[s], policies[d], asked ? ", asked for" : "");
        g_assert_true (good == !(must && may_not));
        if (!good)
          continue;
        g_assert_cmpmem (&there, sizeof (there), &here, sizeof (here));
        g_assert_true (there.tls == (wished && !may_not));
        g_assert_true (there.frames == there.tls);
        g_assert_true (there.ticket);
      }
    }
  }
}

static void
test_compression (void)
{
  for (guint s = 0; s <= ALWAYS; s++) {
    for (guint d = 0; d <= ALWAYS; d++) {
      for (guint flags = 0; flags < 4; flags++) {
        XfDriverConfig source = { .compression = policies[s] }, destination = { .compression = policies[d] };
        guint bits = (flags & 1 ? VIR_MIGRATE_COMPRESSED : 0) | (flags & 2 ? VIR_MIGRATE_TUNNELLED : 0);
        XfMigratePlan there, here;
        gboolean good = agree (&source, &destination, bits, &there, &here);
        gboolean asked = flags & 1, may_not = s == NEVER || d == NEVER;

        g_assert_true (good == !(asked && may_not));
        if (!good)
          continue;
        g_assert_cmpmem (&there, sizeof (there), &here, sizeof (here));
        g_assert_true (there.zstd == (!may_not && (asked || s == ALWAYS || d == ALWAYS)));
        g_assert_true (there.frames == there.zstd);
        g_assert_true (there.ticket == !(flags & 2));
      }
    }
  }
}

/* Frames without TLS and compression: checksums. */
static void
test_checksums (void)
{
  for (guint s = 0; s <= REQUIRE; s++) {
    for (guint d = 0; d <= REQUIRE; d++) {
      XfDriverConfig source = { .checksums = policies[s] }, destination = { .checksums = policies[d] };
      XfMigratePlan there, here;
      gboolean may_not = s == NEVER || d == NEVER, must = s == REQUIRE || d == REQUIRE;
      gboolean good = agree (&source, &destination, 0, &there, &here);

      g_assert_true (good == !(must && may_not));
      if (good)
        g_assert_true (there.frames == here.frames && there.frames == (!may_not && (s >= ALWAYS || d >= ALWAYS)));
    }
  }
}

/* A peer without these features, or one that is not a xenferry. */
static void
test_without (void)
{
  XfDriverConfig config = { 0 };
  XfMigrateParams params = { 0 }, wants = { .flags = VIR_MIGRATE_PARALLEL };
  g_autoptr (XfCookie) nothing = cookie_new (), offer = cookie_new (), insists = cookie_new ();
  g_autoptr (GError) error = NULL;
  XfMigratePlan plan;

  g_assert_true (xf_migrate_plan_choose (&config, NULL, FALSE, &plan, NULL));
  g_assert_false (plan.ticket || plan.frames);
  g_assert_true (xf_migrate_plan_choose (&config, nothing, FALSE, &plan, NULL));
  g_assert_false (plan.ticket || plan.frames);
  g_assert_true (xf_migrate_plan_offer (&config, &params, offer, NULL));
  g_assert_true (xf_migrate_plan_accept (offer, NULL, &plan, NULL));
  g_assert_false (plan.ticket || plan.frames);
  g_assert_true (xf_migrate_plan_offer (&config, &wants, insists, NULL));
  g_assert_false (xf_migrate_plan_accept (insists, nothing, &plan, &error));
  g_assert_nonnull (strstr (error->message, "'frames'"));
}

/* A destination may choose only what it was offered. */
static void
test_chosen_unasked (void)
{
  XfDriverConfig never = { .tls = policies[NEVER] };
  XfMigrateParams params = { 0 };
  g_autoptr (XfCookie) offer = cookie_new (), answer = cookie_new ();
  g_autoptr (GError) error = NULL;
  XfMigratePlan plan;

  g_assert_true (xf_migrate_plan_offer (&never, &params, offer, NULL));
  xf_cookie_add_feature (answer, "tls", XF_FEATURE_REQUIRED);
  g_assert_false (xf_migrate_plan_accept (offer, answer, &plan, &error));
  g_assert_nonnull (strstr (error->message, "'tls'"));
}

static void
test_ticket (void)
{
  XfTicket ticket = { .token = { 1, 2, 3, 250 }, .index = 3, .count = 16 }, read;
  guint8 bytes[XF_TICKET_SIZE], token[XF_TICKET_TOKEN];
  g_autofree char *text = xf_hex_format (ticket.token, sizeof (ticket.token));

  xf_ticket_put (&ticket, bytes);
  g_assert_true (xf_ticket_begins (bytes) && xf_ticket_get (bytes, &read));
  g_assert_cmpmem (&ticket, sizeof (ticket), &read, sizeof (read));
  for (guint i = 0; i < 16; i++) { /* all but the token are checked here */
    guint8 changed[XF_TICKET_SIZE];

    memcpy (changed, bytes, sizeof (bytes));
    changed[i] ^= 0x80;
    g_assert_false (xf_ticket_get (changed, &read));
  }
  g_assert_true (xf_hex_parse (text, token, sizeof (token)));
  g_assert_cmpmem (token, sizeof (token), ticket.token, sizeof (ticket.token));
  g_assert_true (xf_secret_equal (token, ticket.token, sizeof (token)));
  token[15] ^= 1;
  g_assert_false (xf_secret_equal (token, ticket.token, sizeof (token)));
  g_assert_false (xf_hex_parse (text + 1, token, sizeof (token)));
  g_assert_false (xf_hex_parse ("0102030405060708090a0b0c0d0e0fxx", token, sizeof (token)));
  g_assert_false (xf_hex_parse (NULL, token, sizeof (token)));
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/plan/tls", test_tls);
  g_test_add_func ("/plan/compression", test_compression);
  g_test_add_func ("/plan/checksums", test_checksums);
  g_test_add_func ("/plan/without", test_without);
  g_test_add_func ("/plan/chosen-unasked", test_chosen_unasked);
  g_test_add_func ("/plan/ticket", test_ticket);
  return g_test_run ();
}
