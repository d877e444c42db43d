/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * xenferry check: everything that stands in the way of a migration, without a migration. The daemon of this host asks
 * the one of the destination; this command finds the guest and prints what both say.
 */
#include <glib.h>
#include <libvirt/libvirt.h>
#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "cli/cli.h"
#include "cli/findings.h"
#include "cli/guests.h"
#include "cli/output.h"

/* A check may run the programs of the resources on both hosts, one after another, each with a deadline of its own. */
#define CHECK_TIMEOUT_S 1800

enum { CAN_MIGRATE = 0, BLOCKED = 1, USAGE = 2, NOT_CHECKED = 3 };

typedef struct {
  char *config, *socket;
  gboolean live, tunnelled, unsafe, json;
  char *xml_path, *new_name;
  char **words; /* the guest, the destination */
} Options;

typedef struct {
  gboolean done, late;
  GPtrArray *findings;
  GError *error;
} Answer;

/* ---- asking ----------------------------------------------------------------------------------------------- */

static void
checked (GPtrArray *findings, const GError *error, gpointer data)
{
  Answer *answer = data;

  answer->done = TRUE;
  answer->findings = findings;
  answer->error = error ? g_error_copy (error) : NULL;
}

static gboolean
too_late (gpointer data)
{
  ((Answer *)data)->late = TRUE;
  return G_SOURCE_CONTINUE;
}

static gboolean
fill_params (const Options *options, XfTypedParams *params, GError **error)
{
  g_autofree char *xml = NULL;

  if (options->new_name)
    xf_typed_params_add_string (params, VIR_MIGRATE_PARAM_DEST_NAME, options->new_name);
  if (!options->xml_path)
    return TRUE;
  if (!g_file_get_contents (options->xml_path, &xml, NULL, error))
    return FALSE;
  if (strlen (xml) > XF_STRING_MAX) {
    g_set_error (error, XF_ERROR, XF_ERROR_INVALID_ARG, "'%s' has more than %d bytes, which is no domain XML",
                 options->xml_path, XF_STRING_MAX);
    return FALSE;
  }
  xf_typed_params_add_string (params, VIR_MIGRATE_PARAM_DEST_XML, xml);
  return TRUE;
}

static guint
flags_of (const Options *options)
{
  return VIR_MIGRATE_PEER2PEER | (options->live ? VIR_MIGRATE_LIVE : 0)
         | (options->tunnelled ? VIR_MIGRATE_TUNNELLED : 0) | (options->unsafe ? VIR_MIGRATE_UNSAFE : 0);
}

/* The findings, the caller's. Sets *@guest_out as soon as the guest is known. */
static GPtrArray *
ask (const Options *options, XfGuestFacts **guest_out, GError **error)
{
  g_autoptr (XfConnection) connection = NULL;
  g_autoptr (XfTypedParams) params = xf_typed_params_new ();
  Answer answer = { 0 };
  guint id;

  if (!fill_params (options, params, error))
    return NULL;
  connection = xf_connection_new_local (options->config, options->socket, error);
  if (!connection || !xf_connection_open (connection, FALSE, error))
    return NULL;
  *guest_out = xf_guests_look_up (connection, options->words[0], error);
  if (!*guest_out)
    return NULL;
  xf_connection_keep_alive (connection);
  id = g_timeout_add_seconds (CHECK_TIMEOUT_S, too_late, &answer);
  xf_findings_ask (connection, (*guest_out)->uuid, options->words[1], params, flags_of (options), checked, &answer);
  while (!answer.done && !answer.late)
    g_main_context_iteration (NULL, TRUE);
  g_source_remove (id);
  if (!answer.done)
    g_set_error (error, XF_ERROR, XF_ERROR_TIMEOUT, "the check is not over after %d s", CHECK_TIMEOUT_S);
  if (answer.error)
    g_propagate_error (error, answer.error);
  return answer.findings;
}

/* ---- printing --------------------------------------------------------------------------------------------- */

static void
print_text (const XfGuestFacts *guest, const char *uri, const GPtrArray *findings)
{
  guint n_blocks = xf_findings_n_blocks (findings), n_warnings = findings->len - n_blocks;

  if (n_blocks > 0)
    printf ("guest '%s' cannot migrate to %s: %u finding%s the migration", guest->name, uri, n_blocks,
            n_blocks > 1 ? "s block" : " blocks");
  else
    printf ("guest '%s' can migrate to %s", guest->name, uri);
  if (n_warnings > 0)
    printf (", %u warning%s", n_warnings, n_warnings > 1 ? "s" : "");
  putchar ('\n');
  xf_findings_print (stdout, findings, "");
}

static void
print_json (const Options *options, const XfGuestFacts *guest, const GPtrArray *findings, const GError *error)
{
  yajl_gen json = xf_output_new ();

  yajl_gen_map_open (json);
  xf_output_key (json, "guest");
  yajl_gen_map_open (json);
  xf_output_text (json, "name", guest ? guest->name : options->words[0]);
  if (guest)
    xf_output_uuid (json, "uuid", guest->uuid);
  yajl_gen_map_close (json);
  xf_output_text (json, "destination", options->words[1]);
  if (findings) {
    xf_output_boolean (json, "can_migrate", xf_findings_n_blocks (findings) == 0);
    xf_output_key (json, "findings");
    xf_findings_to_json (json, findings);
  } else {
    xf_output_text (json, "error", error->message);
  }
  yajl_gen_map_close (json);
  xf_output_print (json);
}

/* ---- the command ------------------------------------------------------------------------------------------ */

static gboolean
parse_options (int *argc, char ***argv, Options *options, GError **error)
{
  const GOptionEntry entries[] = {
    { "live", 'l', 0, G_OPTION_ARG_NONE, &options->live, "The guest runs during the migration", NULL },
    { "tunnelled", 't', 0, G_OPTION_ARG_NONE, &options->tunnelled, "The data travels in the management connection",
      NULL },
    { "unsafe", 'u', 0, G_OPTION_ARG_NONE, &options->unsafe, "As virsh migrate --unsafe", NULL },
    { "xml", 'x', 0, G_OPTION_ARG_FILENAME, &options->xml_path, "Domain XML for the destination", "FILE" },
    { "dname", 'n', 0, G_OPTION_ARG_STRING, &options->new_name, "The name of the guest at the destination", "NAME" },
    { "json", 'j', 0, G_OPTION_ARG_NONE, &options->json, "Print JSON", NULL },
    { "config", 'c', 0, G_OPTION_ARG_FILENAME, &options->config, "The daemon's configuration file", "FILE" },
    { "socket", 's', 0, G_OPTION_ARG_FILENAME, &options->socket, "The daemon's socket", "PATH" },
    { G_OPTION_REMAINING, 0, 0, G_OPTION_ARG_STRING_ARRAY, &options->words, NULL, "DOMAIN DESTINATION-URI" },
    G_OPTION_ENTRY_NULL,
  };
  g_autoptr (GOptionContext) context = g_option_context_new ("- what stands in the way of a migration");

  g_option_context_add_main_entries (context, entries, NULL);
  if (!g_option_context_parse (context, argc, argv, error))
    return FALSE;
  if (options->words && g_strv_length (options->words) == 2)
    return TRUE;
  g_set_error (error, XF_ERROR, XF_ERROR_INVALID_ARG,
               "give a guest (name, uuid or id) and the URI of a destination, such as xen+tcp://host-b/system");
  return FALSE;
}

/* The exit status. */
static int
check (const Options *options)
{
  g_autoptr (GPtrArray) findings = NULL;
  g_autoptr (GError) error = NULL;
  XfGuestFacts *guest = NULL;

  findings = ask (options, &guest, &error);
  if (options->json)
    print_json (options, guest, findings, error);
  else if (findings)
    print_text (guest, options->words[1], findings);
  if (error)
    fprintf (stderr, "xenferry check: %s\n", error->message);
  g_clear_pointer (&guest, xf_guests_free_facts);
  if (!findings)
    return NOT_CHECKED;
  return xf_findings_n_blocks (findings) > 0 ? BLOCKED : CAN_MIGRATE;
}

int
xf_cli_check (int argc, char **argv)
{
  Options options = { 0 };
  g_autoptr (GError) error = NULL;
  int status = USAGE;

  if (parse_options (&argc, &argv, &options, &error))
    status = check (&options);
  else
    fprintf (stderr, "xenferry check: %s\n", error->message);
  g_free (options.config);
  g_free (options.socket);
  g_free (options.xml_path);
  g_free (options.new_name);
  g_strfreev (options.words);
  return status;
}
