/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * xenferry's own program: what stands in the way of a migration, asked without a migration. Both calls answer with the
 * driver's findings. Their texts may be a peer's, so they are made printable and are cut to the lengths of the wire.
 * A finding that has no place is counted in the last one: a blocker is never left out without a blocker that says so.
 */
#include <string.h>

#include "remote/convert.h"
#include "remote/reply.h"

/* @text printable, in at most @max bytes; the caller owns it. */
static char *
printable (const char *text, gsize max)
{
  g_autofree char *bounded = g_strndup (text ? text : "", max);
  char *shown = xf_log_escape (bounded);

  if (strlen (shown) > max) {
    const char *end = g_utf8_find_prev_char (shown, shown + max + 1);

    shown[end ? end - shown : 0] = '\0';
  }
  return shown;
}

static xf_finding
to_wire (const XfCheckFinding *finding)
{
  return (xf_finding){
    .host = printable (finding->host, XF_FINDING_NAME_MAX),
    .resource = printable (finding->resource, XF_FINDING_NAME_MAX),
    .blocks = finding->blocks ? 1 : 0,
    .text = printable (finding->text, XF_FINDING_TEXT_MAX),
  };
}

/* The finding that stands for the findings from @first on. */
static xf_finding
the_rest (const GPtrArray *findings, guint first)
{
  const XfCheckFinding *cut = findings->pdata[first];
  guint n = findings->len - first, n_blocks = 0;
  g_autofree char *text = NULL;

  for (guint i = first; i < findings->len; i++)
    n_blocks += ((const XfCheckFinding *)findings->pdata[i])->blocks ? 1 : 0;
  text = g_strdup_printf ("%u more findings are not listed, of which %u block the migration; mend those that are "
                          "listed, and check again",
                          n, n_blocks);
  return (xf_finding){ g_strdup (cut->host ? cut->host : ""), g_strdup ("check"), n_blocks > 0,
                       g_steal_pointer (&text) };
}

static void
checked (const GPtrArray *findings, const GError *error, gpointer data)
{
  XfCall *call = data;
  xf_findings_ret ret = { 0 };
  guint n;

  if (error) {
    xf_reply_error (call, error);
    return;
  }
  n = MIN (findings->len, XF_FINDINGS_MAX);
  ret.findings.findings_len = n;
  ret.findings.findings_val = g_new0 (xf_finding, n);
  for (guint i = 0; i < n; i++)
    ret.findings.findings_val[i] = i + 1 == n && n < findings->len ? the_rest (findings, i)
                                                                   : to_wire (findings->pdata[i]);
  xf_call_reply (call, &ret);
  for (guint i = 0; i < n; i++) {
    g_free (ret.findings.findings_val[i].host);
    g_free (ret.findings.findings_val[i].resource);
    g_free (ret.findings.findings_val[i].text);
  }
  g_free (ret.findings.findings_val);
}

void
xf_handle_CHECK_MIGRATION (XfCall *call, const xf_check_args *arguments, XfRemoteClient *client)
{
  g_autoptr (GArray) params = xf_convert_params_from_wire (arguments->params.params_val, arguments->params.params_len);

  xf_driver_migrate_check (xf_driver_of (client), (const guint8 *)arguments->uuid, arguments->dconnuri, params,
                           arguments->flags, checked, call);
}

void
xf_handle_CHECK_INCOMING (XfCall *call, const xf_prepare_args *arguments, XfRemoteClient *client)
{
  g_autoptr (GArray) params = xf_convert_params_from_wire (arguments->params.params_val, arguments->params.params_len);
  g_autoptr (GBytes) cookie = xf_convert_cookie_from_wire (arguments->cookie.cookie_val, arguments->cookie.cookie_len);

  xf_driver_migrate_check_incoming (xf_driver_of (client), params, cookie, arguments->flags, checked, call);
}
