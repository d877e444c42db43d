/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * xenferry config: the libxl configuration for a definition, which needs neither a daemon nor Xen; or the configuration
 * of a running guest, which is read directly from libxl, as in xl.
 */
#include <glib.h>
#include <libxl.h>
#include <libxl_utils.h>
#include <stdio.h>
#include <xentoollog.h>

#include "base/error.h"
#include "cli/cli.h"
#include "libxl/convert/config.h"

typedef struct {
  char *domain;
  gboolean xml;
  char **files;
} Options;

static gboolean
print (const libxl_domain_config *config, gboolean as_xml, GError **error)
{
  g_autoptr (GPtrArray) notes = g_ptr_array_new_with_free_func (g_free);
  g_autofree char *text = as_xml ? xf_config_to_xml (config, notes) : xf_config_to_json (config, error);

  if (!text)
    return FALSE;
  fputs (text, stdout);
  for (guint i = 0; i < notes->len; i++)
    fprintf (stderr, "xenferry config: note: %s\n", (char *)notes->pdata[i]);
  return TRUE;
}

static gboolean
fill_from_file (const char *path, libxl_domain_config *config, GError **error)
{
  g_autoptr (XfDomainDef) def = NULL;
  g_autofree char *xml = NULL;

  if (!g_file_get_contents (path, &xml, NULL, error))
    return FALSE;
  def = xf_domain_def_parse (xml, XF_DOMAIN_PARSE_INACTIVE, error);
  return def && xf_config_from_def (def, config, error);
}

static gboolean
ask (libxl_ctx *ctx, const char *domain, libxl_domain_config *config, GError **error)
{
  uint32_t domid;

  if (libxl_domain_qualifier_to_domid (ctx, domain, &domid) != 0) {
    g_set_error (error, XF_ERROR, XF_ERROR_NO_DOMAIN, "no domain '%s' runs here", domain);
    return FALSE;
  }
  if (libxl_retrieve_domain_configuration (ctx, domid, config, NULL) == 0)
    return TRUE;
  g_set_error (error, XF_ERROR, XF_ERROR_OPERATION_FAILED, "libxl cannot read the configuration of domain '%s'",
               domain);
  return FALSE;
}

static gboolean
fill_from_domain (const char *domain, libxl_domain_config *config, GError **error)
{
  xentoollog_logger *logger = (xentoollog_logger *)xtl_createlogger_stdiostream (stderr, XTL_ERROR, 0);
  libxl_ctx *ctx = NULL;
  gboolean filled = FALSE;

  if (libxl_ctx_alloc (&ctx, LIBXL_VERSION, 0, logger) == 0)
    filled = ask (ctx, domain, config, error);
  else
    g_set_error (error, XF_ERROR, XF_ERROR_NO_CONNECT, "cannot reach Xen here; is this a Xen host, and are you root?");
  libxl_ctx_free (ctx);
  xtl_logger_destroy (logger);
  return filled;
}

static gboolean
parse_options (int *argc, char ***argv, Options *options, GError **error)
{
  const GOptionEntry entries[] = {
    { "domain", 'd', 0, G_OPTION_ARG_STRING, &options->domain, "What this running guest has", "NAME" },
    { "xml", 'x', 0, G_OPTION_ARG_NONE, &options->xml, "Print domain XML, made from the JSON's facts", NULL },
    { G_OPTION_REMAINING, 0, 0, G_OPTION_ARG_FILENAME_ARRAY, &options->files, NULL, "FILE.xml" },
    G_OPTION_ENTRY_NULL,
  };
  g_autoptr (GOptionContext) context = g_option_context_new ("- libxl's configuration of a guest, as libxl's own JSON");

  g_option_context_add_main_entries (context, entries, NULL);
  if (!g_option_context_parse (context, argc, argv, error))
    return FALSE;
  if (!options->domain == (options->files && !options->files[1]))
    return TRUE;
  g_set_error (error, XF_ERROR, XF_ERROR_INVALID_ARG, "give one FILE.xml, or --domain NAME");
  return FALSE;
}

int
xf_cli_config (int argc, char **argv)
{
  Options options = { 0 };
  g_autoptr (GError) error = NULL;
  libxl_domain_config config;
  int status = 1;

  libxl_domain_config_init (&config);
  if (!parse_options (&argc, &argv, &options, &error))
    status = 2;
  else if ((options.domain ? fill_from_domain (options.domain, &config, &error)
                           : fill_from_file (options.files[0], &config, &error))
           && print (&config, options.xml, &error))
    status = 0;
  if (error)
    fprintf (stderr, "xenferry config: %s\n", error->message);
  libxl_domain_config_dispose (&config);
  g_free (options.domain);
  g_strfreev (options.files);
  return status;
}
