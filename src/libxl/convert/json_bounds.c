/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "libxl/convert/json_bounds.h"

#include <string.h>
#include <yajl/yajl_parse.h>

#include "base/error.h"

#define GOES_ON 1
#define STOP 0

typedef struct {
  guint depth, pieces;
  guint keys[XF_JSON_MAX_DEPTH + 1]; /* of the maps that are open */
  const char *too_many;              /* the exceeded limit, or NULL */
  guint most;
} Bounds;

static int
more (Bounds *bounds, guint pieces)
{
  bounds->pieces += pieces;
  if (bounds->pieces <= XF_JSON_MAX_PIECES)
    return GOES_ON;
  bounds->too_many = "values";
  bounds->most = XF_JSON_MAX_PIECES / 2;
  return STOP;
}

static int
null (void *data)
{
  return more (data, 1);
}

static int
boolean (void *data, int value)
{
  return more (data, 1);
}

static int
number (void *data, const char *text, size_t length)
{
  return more (data, 2);
}

static int
string (void *data, const unsigned char *text, size_t length)
{
  return more (data, 2);
}

static int
key (void *data, const unsigned char *text, size_t length)
{
  Bounds *bounds = data;

  if (++bounds->keys[bounds->depth] <= XF_JSON_MAX_KEYS)
    return more (bounds, 2);
  bounds->too_many = "keys in one map";
  bounds->most = XF_JSON_MAX_KEYS;
  return STOP;
}

static int
begin (void *data)
{
  Bounds *bounds = data;

  if (bounds->depth == XF_JSON_MAX_DEPTH) {
    bounds->too_many = "levels";
    bounds->most = XF_JSON_MAX_DEPTH;
    return STOP;
  }
  bounds->keys[++bounds->depth] = 0;
  return more (bounds, 3);
}

static int
end (void *data)
{
  ((Bounds *)data)->depth--;
  return GOES_ON;
}

gboolean
xf_json_check_bounds (const char *json, GError **error)
{
  static const yajl_callbacks callbacks = { .yajl_null = null,
                                            .yajl_boolean = boolean,
                                            .yajl_number = number,
                                            .yajl_string = string,
                                            .yajl_start_map = begin,
                                            .yajl_map_key = key,
                                            .yajl_end_map = end,
                                            .yajl_start_array = begin,
                                            .yajl_end_array = end };
  Bounds bounds = { 0 };
  gsize length = strlen (json);
  yajl_handle parser;
  gboolean good;

  if (length > XF_JSON_MAX_SIZE) {
    g_set_error (error, XF_ERROR, XF_ERROR_XML, "the JSON is larger than %d bytes", XF_JSON_MAX_SIZE);
    return FALSE;
  }
  parser = yajl_alloc (&callbacks, NULL, &bounds);
  good = yajl_parse (parser, (const unsigned char *)json, length) == yajl_status_ok
         && yajl_complete_parse (parser) == yajl_status_ok;
  yajl_free (parser);
  if (good)
    return TRUE;
  if (bounds.too_many)
    g_set_error (error, XF_ERROR, XF_ERROR_XML, "the JSON has more than %u %s", bounds.most, bounds.too_many);
  else
    g_set_error (error, XF_ERROR, XF_ERROR_XML, "the configuration is not well-formed JSON");
  return FALSE;
}
