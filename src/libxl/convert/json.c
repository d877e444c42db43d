/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * A configuration in libxl's own JSON, both ways.
 */
#include "libxl/convert/config.h"

/* The header needs its includer to say which yajl there is. */
#define HAVE_YAJL_YAJL_VERSION_H 1
#include <libxl_json.h>
#include <yajl/yajl_gen.h>

#include <string.h>

#include "base/error.h"
#include "libxl/convert/json_bounds.h"
#include "libxl/convert/tree.h"

/* Characters of a register and of an MSR in a CPUID policy. */
#define REGISTER_LENGTH 32
#define MSR_LENGTH 64

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

/* The length that the text of @key in a CPUID policy must have; 0: any. */
static size_t
policy_length (const char *key)
{
  static const char *const registers[] = { "eax", "ebx", "ecx", "edx", NULL };

  return g_strv_contains (registers, key) ? REGISTER_LENGTH : strcmp (key, "policy") == 0 ? MSR_LENGTH : 0;
}

/* libxl takes the length for granted: it would read and write past the end of a shorter text. @policy: whether @value
 * is a part of a CPUID policy. The bounds limit the depth. */
static gboolean
has_good_policies (yajl_val value, gboolean policy)
{
  gboolean object = YAJL_IS_OBJECT (value);
  size_t n = object ? value->u.object.len : YAJL_IS_ARRAY (value) ? value->u.array.len : 0;

  for (size_t i = 0; i < n; i++) {
    const char *key = object ? value->u.object.keys[i] : "";
    yajl_val member = object ? value->u.object.values[i] : value->u.array.values[i];
    size_t length = policy ? policy_length (key) : 0;
    const char *text = length && YAJL_IS_STRING (member) ? member->u.string : NULL;

    if (text && (strlen (text) != length || strspn (text, "01xks") != length))
      return FALSE;
    if (!has_good_policies (member, policy || strcmp (key, "cpuid") == 0))
      return FALSE;
  }
  return TRUE;
}

static gboolean
check_policies (const char *json, GError **error)
{
  yajl_val tree = xf_tree_parse (json, error);
  gboolean good = tree && has_good_policies (tree, FALSE);

  if (tree && !good)
    g_set_error (error, XF_ERROR, XF_ERROR_XML,
                 "the configuration's CPUID policy has a register or an MSR that is not %d or %d characters of '01xks'",
                 REGISTER_LENGTH, MSR_LENGTH);
  yajl_tree_free (tree);
  return good;
}

gboolean
xf_config_from_json (libxl_ctx *ctx, const char *json, libxl_domain_config *config, GError **error)
{
  if (!xf_json_check_bounds (json, error) || !check_policies (json, error))
    return FALSE;
  if (libxl_domain_config_from_json (ctx, config, json) == 0)
    return TRUE;
  g_set_error (error, XF_ERROR, XF_ERROR_XML, "the JSON is not a configuration that this libxl reads");
  return FALSE;
}
