/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cli/findings.h"

#include <string.h>

#include "base/error.h"
#include "cli/output.h"
#include "procs.h"
#include "remote/convert.h"

typedef struct {
  XfFindingsDone done;
  gpointer data;
} Question;

static GPtrArray *
from_wire (const xf_findings_ret *wire)
{
  GPtrArray *findings = g_ptr_array_new_with_free_func (xf_check_finding_free);

  for (guint i = 0; i < wire->findings.findings_len; i++) {
    const xf_finding *one = &wire->findings.findings_val[i];

    g_ptr_array_add (findings, xf_check_finding_new (one->host, one->resource, one->blocks != 0, one->text));
  }
  return findings;
}

static void
replied (gconstpointer ret, const GError *error, gpointer data)
{
  g_autofree Question *question = data;
  g_autoptr (GError) older = NULL;

  if (error
      && (g_str_has_prefix (error->message, "unknown procedure")
          || g_str_has_prefix (error->message, "Cannot find program")))
    older = g_error_new_literal (
      XF_ERROR, XF_ERROR_NO_SUPPORT,
      "the daemon of this host cannot check a migration, because it is older than this command; "
      "restart xenferryd");
  question->done (ret ? from_wire (ret) : NULL, older ? older : error, question->data);
}

void
xf_findings_ask (XfConnection *connection, const guint8 *uuid, const char *uri, const XfTypedParams *params,
                 guint flags, XfFindingsDone done, gpointer data)
{
  Question *question = g_new0 (Question, 1);
  g_autofree char *dconnuri = g_strdup (uri);
  xf_check_args args = { .dconnuri = dconnuri, .flags = flags };
  g_autofree xf_param *wire = xf_convert_params_to_wire (params, &args.params.params_len);

  *question = (Question){ done, data };
  args.params.params_val = wire;
  memcpy (args.uuid, uuid, sizeof (args.uuid));
  xf_connection_start (connection,
                       XF_CONNECTION_CALL (XF_XENFERRY_PROGRAM, CHECK_MIGRATION, xf_check_args, xf_findings_ret), &args,
                       replied, question);
}

guint
xf_findings_n_blocks (const GPtrArray *findings)
{
  guint n = 0;

  for (guint i = 0; i < findings->len; i++)
    n += ((const XfCheckFinding *)findings->pdata[i])->blocks ? 1 : 0;
  return n;
}

/* ---- output ----------------------------------------------------------------------------------------------- */

static gboolean
is_of (const GPtrArray *findings, guint i, const char *host)
{
  return g_str_equal (((const XfCheckFinding *)findings->pdata[i])->host, host);
}

/* Those of @host from @first on, the blockers before the warnings. */
static void
print_host (FILE *out, const GPtrArray *findings, guint first, const char *host, const char *indent)
{
  for (int blocks = TRUE; blocks >= FALSE; blocks--) {
    for (guint i = first; i < findings->len; i++) {
      const XfCheckFinding *finding = findings->pdata[i];

      if (is_of (findings, i, host) && (finding->blocks != FALSE) == blocks)
        fprintf (out, "%s  %s  %s: %s\n", indent, blocks ? "blocks " : "warning", finding->resource, finding->text);
    }
  }
}

void
xf_findings_print (FILE *out, const GPtrArray *findings, const char *indent)
{
  for (guint i = 0; i < findings->len; i++) {
    const char *host = ((const XfCheckFinding *)findings->pdata[i])->host;
    guint first = 0;

    while (!is_of (findings, first, host))
      first++;
    if (first < i)
      continue;
    fprintf (out, "%son host %s:\n", indent, *host ? host : "(unnamed)");
    print_host (out, findings, i, host, indent);
  }
}

void
xf_findings_to_json (yajl_gen json, const GPtrArray *findings)
{
  yajl_gen_array_open (json);
  for (guint i = 0; i < findings->len; i++) {
    const XfCheckFinding *finding = findings->pdata[i];

    yajl_gen_map_open (json);
    xf_output_text (json, "host", finding->host);
    xf_output_text (json, "resource", finding->resource);
    xf_output_boolean (json, "blocks", finding->blocks);
    xf_output_text (json, "text", finding->text);
    yajl_gen_map_close (json);
  }
  yajl_gen_array_close (json);
}
