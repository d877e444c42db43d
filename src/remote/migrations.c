/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * xenferry's own program: a source asks for the outcome of a migration; a person reads the journal and decides.
 */
#include <string.h>

#include "remote/reply.h"

static void
settled (XfVerdict verdict, const GError *error, gpointer data)
{
  xf_reply_int_or (data, verdict, error);
}

void
xf_handle_SETTLE (XfCall *call, const xf_settle_args *arguments, XfRemoteClient *client)
{
  int purpose = arguments->purpose;

  if (purpose < XF_PURPOSE_KNOW || purpose > XF_PURPOSE_THERE) {
    g_autoptr (GError)
      error = g_error_new (XF_ERROR, XF_ERROR_INVALID_ARG, "unknown purpose %d of a question", purpose);

    settled (XF_VERDICT_RUNS, error, call);
    return;
  }
  xf_driver_settle (xf_driver_of (client), (const guint8 *)arguments->id, arguments->secret, (XfPurpose)purpose,
                    settled, call);
}

/* @peer, @reason: storage for the optional strings. */
static xf_migration
to_wire (const XfMigrationInfo *info, xf_string *peer, xf_string *reason)
{
  static char nothing[] = "";
  xf_migration wire = {
    .is_source = info->is_source,
    .is_final = info->is_final,
    .guest = info->guest ? info->guest : nothing,
    .state = info->state ? info->state : nothing,
    .changed = info->changed_s,
  };

  *peer = info->peer;
  *reason = info->reason;
  wire.peer = info->peer ? peer : NULL;
  wire.reason = info->reason ? reason : NULL;
  memcpy (wire.id, info->id, XF_UUID_LENGTH);
  return wire;
}

void
xf_handle_LIST_MIGRATIONS (XfCall *call, const xf_void *arguments, XfRemoteClient *client)
{
  g_autoptr (GPtrArray) list = xf_driver_migrations (xf_driver_of (client));
  g_autofree xf_migration *wire = g_new (xf_migration, list->len);
  g_autofree xf_string *texts = g_new (xf_string, 2 * list->len);
  xf_migrations_ret ret = { 0 };

  for (guint i = 0; i < list->len; i++)
    wire[i] = to_wire (list->pdata[i], &texts[2 * i], &texts[2 * i + 1]);
  ret.migrations.migrations_len = list->len;
  ret.migrations.migrations_val = wire;
  xf_call_reply (call, &ret);
}

void
xf_handle_RESOLVE_MIGRATION (XfCall *call, const xf_resolve_args *arguments, XfRemoteClient *client)
{
  xf_driver_migration_resolve (xf_driver_of (client), (const guint8 *)arguments->id, arguments->here != 0,
                               xf_reply_done, call);
}
