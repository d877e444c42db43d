/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * A configuration in libxl's own JSON, both ways.
 */
#include "libxl/convert/config.h"

/* The header needs its includer to say which yajl there is. */
#define HAVE_YAJL_YAJL_VERSION_H 1
#include <libxl_json.h>
#include <yajl/yajl_gen.h>

#include "base/error.h"
#include "libxl/convert/json_bounds.h"

/* libxl_domain_config_to_json() would need a context, only to report errors. */
char *
xf_config_to_json (const libxl_domain_config *config, GError **error)
{
  yajl_gen generator = yajl_gen_alloc (NULL);
  const unsigned char *text;
  size_t length;
  char *json = NULL;

  yajl_gen_config (generator, yajl_gen_beautify, 1);
  yajl_gen_config (generator, yajl_gen_indent_string, "  ");
  /* The generator does not change its argument, but is not declared so. */
  if (libxl_domain_config_gen_json (generator, (libxl_domain_config *)config) == yajl_gen_status_ok
      && yajl_gen_get_buf (generator, &text, &length) == yajl_gen_status_ok)
    json = g_strndup ((const char *)text, length);
  else
    g_set_error (error, XF_ERROR, XF_ERROR_INTERNAL, "libxl cannot write the configuration of '%s' as JSON",
                 config->c_info.name ? config->c_info.name : "?");
  yajl_gen_free (generator);
  return json;
}

gboolean
xf_config_from_json (libxl_ctx *ctx, const char *json, libxl_domain_config *config, GError **error)
{
  if (!xf_json_check_bounds (json, error))
    return FALSE;
  if (libxl_domain_config_from_json (ctx, config, json) == 0)
    return TRUE;
  g_set_error (error, XF_ERROR, XF_ERROR_XML, "the JSON is not a configuration that this libxl reads");
  return FALSE;
}
