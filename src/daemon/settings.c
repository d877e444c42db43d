/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon/settings.h"

#include <string.h>

#include "base/error.h"
#include "conf/wants.h"

/* XF_SYSCONFDIR, XF_LIBEXECDIR: where the build installs configuration (/etc in a package) and helpers. */
#define DEFAULT_FILE XF_SYSCONFDIR "/xenferry/xenferryd.conf"
#define GROUP "xenferryd"

typedef enum {
  KEY_STRING,
  KEY_PATH, /* absolute */
  KEY_BOOLEAN,
  KEY_NUMBER,
  KEY_WORD, /* one of a list */
  KEY_GONE, /* of an older version: accepted, without effect */
} KeyType;

typedef struct {
  const char *name;
  KeyType type;
  gsize offset;
  const char *text;         /* default of strings, paths and words; NULL: unset */
  guint min, max, number;   /* bounds and default of numbers; default of booleans */
  const char *const *words; /* KEY_WORD */
  gboolean live;            /* may change while the daemon runs */
} Key;

static const char *const log_levels[] = { "error", "warning", "message", "info", "debug", NULL };
static const char *const tls_policies[] = { "never", "allow", "require", NULL };
static const char *const compression_policies[] = { "never", "allow", "always", NULL };
static const char *const checksum_policies[] = { "never", "allow", "always", "require", NULL };
static const char *const exceed_policies[] = { "allow", "abort", NULL };
static const char *const tcp_auths[] = { "none", NULL };

#define AT(field) G_STRUCT_OFFSET (XfSettings, field)

static const Key keys[] = {
  { "log_level", KEY_WORD, AT (log_level), "message", .words = log_levels, .live = TRUE },

  { "socket_dir", KEY_PATH, AT (socket_dir), "/run/libvirt" },
  { "unix_sock", KEY_PATH, AT (unix_sock) },
  { "unix_sock_ro", KEY_PATH, AT (unix_sock_ro) },
  { "legacy_sockets", KEY_BOOLEAN, AT (legacy_sockets), .number = TRUE },
  { "listen_tcp", KEY_BOOLEAN, AT (listen_tcp), .number = FALSE },
  { "tcp_address", KEY_STRING, AT (tcp_address) },
  { "tcp_port", KEY_NUMBER, AT (tcp_port), .min = 0, .max = 65535, .number = 16509 },
  { "auth_tcp", KEY_WORD, AT (auth_tcp), "none", .words = tcp_auths },
  { "max_clients", KEY_NUMBER, AT (max_clients), .min = 1, .max = 100000, .number = 5000, .live = TRUE },
  { "max_clients_per_user", KEY_NUMBER, AT (max_clients_per_user), .min = 1, .max = 100000, .number = 64,
    .live = TRUE },
  { "max_clients_per_address", KEY_NUMBER, AT (max_clients_per_address), .min = 1, .max = 100000, .number = 256,
    .live = TRUE },
  { "open_timeout", KEY_NUMBER, AT (open_timeout), .min = 1, .max = 3600, .number = 30, .live = TRUE },

  { "keepalive_interval", KEY_NUMBER, AT (keepalive_interval), .min = 0, .max = 3600, .number = 5, .live = TRUE },
  { "keepalive_count", KEY_NUMBER, AT (keepalive_count), .min = 1, .max = 1000, .number = 5, .live = TRUE },

  { "config_dir", KEY_PATH, AT (driver.config_dir), "/etc/libvirt/libxl" },
  { "state_dir", KEY_PATH, AT (driver.state_dir), "/run/xenferry" },
  { "lib_dir", KEY_PATH, AT (driver.lib_dir), "/var/lib/xenferry" },
  { "log_dir", KEY_GONE },

  { "migration_host", KEY_STRING, AT (driver.migration_host) },
  { "migration_listen", KEY_STRING, AT (driver.migration_listen) },
  { "migration_port_min", KEY_NUMBER, AT (driver.migration_port_min), .min = 1, .max = 65535, .number = 49152 },
  { "migration_port_max", KEY_NUMBER, AT (driver.migration_port_max), .min = 1, .max = 65535, .number = 49215 },
  { "accept_timeout", KEY_NUMBER, AT (driver.accept_timeout_s), .min = 1, .max = 3600, .number = 30 },
  { "connect_timeout", KEY_NUMBER, AT (driver.connect_timeout_s), .min = 1, .max = 3600, .number = 10 },
  { "dom0_min_memory", KEY_NUMBER, AT (driver.dom0_min_memory_mib), .min = 0, .max = 1 << 20, .number = 0 },
  { "finish_timeout", KEY_NUMBER, AT (driver.finish_timeout_s), .min = 1, .max = 3600, .number = 60 },
  { "peer_port", KEY_NUMBER, AT (driver.peer_port), .min = 0, .max = 65535, .number = 49151 },
  { "one_port", KEY_BOOLEAN, AT (driver.one_port), .number = TRUE },
  { "peer_uri", KEY_STRING, AT (driver.peer_uri), "xen+tcp://%s/system" },
  { "pki_dir", KEY_PATH, AT (driver.pki_dir), "/etc/pki" },
  { "tls", KEY_WORD, AT (driver.tls), "allow", .words = tls_policies },
  { "compression", KEY_WORD, AT (driver.compression), "allow", .words = compression_policies },
  { "checksums", KEY_WORD, AT (driver.checksums), "allow", .words = checksum_policies },
  { "guard", KEY_BOOLEAN, AT (driver.guard), .number = TRUE },
  { "pump_path", KEY_PATH, AT (driver.pump_path), XF_LIBEXECDIR "/xenferry/xenferry-pump" },
  { "pump_user", KEY_STRING, AT (driver.pump_user), "xenferry,nobody" },
  { "save_helper_path", KEY_PATH, AT (driver.save_helper_path), XF_LIBEXECDIR "/xenferry/xenferry-save-helper" },
  { "max_passes", KEY_NUMBER, AT (driver.max_passes), .min = 5, .max = 1000, .number = 30 },
  { "exceed_downtime", KEY_WORD, AT (driver.exceed_downtime), "allow", .words = exceed_policies },
  { "hook_dir", KEY_PATH, AT (driver.hook_dir), "/etc/libvirt/hooks" },
  { "hook_timeout", KEY_NUMBER, AT (driver.hook_timeout_s), .min = 1, .max = 3600, .number = 30 },
  { "resource_dir", KEY_PATH, AT (driver.resource_dir), "/etc/xenferry/resources.d" },
  { "resources", KEY_STRING, AT (driver.resources) },
  { "script_dir", KEY_PATH, AT (driver.script_dir), "/etc/xen/scripts" },
  { "stall_timeout", KEY_NUMBER, AT (driver.stall_timeout_s), .min = 1, .max = 3600, .number = 150 },
  { "sys_dir", KEY_PATH, AT (driver.sys_dir) }, /* for tests: not in the manual */
};

static const Key *
find_key (const char *name)
{
  for (guint i = 0; i < G_N_ELEMENTS (keys); i++) {
    if (g_str_equal (keys[i].name, name))
      return &keys[i];
  }
  return NULL;
}

/* The line that sets @name, for messages, because GKeyFile does not store it. */
static guint
line_of (const char *text, const char *name)
{
  g_auto (GStrv) lines = g_strsplit (text, "\n", -1);

  for (guint i = 0; lines[i]; i++) {
    const char *line = lines[i] + strspn (lines[i], " \t");

    if (g_str_has_prefix (line, name) && strchr ("= \t", line[strlen (name)]) && line[strlen (name)])
      return i + 1;
  }
  return 0;
}

static gboolean
set_number (const Key *key, guint *field, const char *value, GError **error)
{
  guint64 number;

  if (!g_ascii_string_to_unsigned (value, 10, key->min, key->max, &number, NULL)) {
    g_set_error (error, XF_ERROR, XF_ERROR_INVALID_ARG, "'%s' is not a number from %u to %u", value, key->min,
                 key->max);
    return FALSE;
  }
  *field = (guint)number;
  return TRUE;
}

static gboolean
set_boolean (gboolean *field, const char *value, GError **error)
{
  static const char *const yes[] = { "true", "yes", "on", "1", NULL };
  static const char *const no[] = { "false", "no", "off", "0", NULL };

  *field = g_strv_contains (yes, value);
  if (*field || g_strv_contains (no, value))
    return TRUE;
  g_set_error (error, XF_ERROR, XF_ERROR_INVALID_ARG, "'%s' is neither yes nor no", value);
  return FALSE;
}

static gboolean
set_text (const Key *key, char **field, const char *value, GError **error)
{
  if (key->type == KEY_PATH && !g_path_is_absolute (value)) {
    g_set_error (error, XF_ERROR, XF_ERROR_INVALID_ARG, "'%s' is not an absolute path", value);
    return FALSE;
  }
  if (key->type == KEY_WORD && !g_strv_contains (key->words, value)) {
    g_autofree char *words = g_strjoinv (", ", (char **)key->words);

    g_set_error (error, XF_ERROR, XF_ERROR_INVALID_ARG, "'%s' is not served; possible: %s", value, words);
    return FALSE;
  }
  g_free (*field);
  *field = *value ? g_strdup (value) : NULL;
  return TRUE;
}

static gboolean
set_key (XfSettings *settings, const Key *key, const char *value, GError **error)
{
  gpointer field = G_STRUCT_MEMBER_P (settings, key->offset);

  if (key->type == KEY_GONE) {
    g_message ("the setting '%s' has no effect any more and may be removed", key->name);
    return TRUE;
  }
  if (key->type == KEY_NUMBER)
    return set_number (key, field, value, error);
  if (key->type == KEY_BOOLEAN)
    return set_boolean (field, value, error);
  return set_text (key, field, value, error);
}

static gboolean
is_text (const Key *key)
{
  return key->type == KEY_STRING || key->type == KEY_PATH || key->type == KEY_WORD;
}

static XfSettings *
new_with_defaults (void)
{
  XfSettings *settings = g_new0 (XfSettings, 1);

  for (guint i = 0; i < G_N_ELEMENTS (keys); i++) {
    gpointer field = G_STRUCT_MEMBER_P (settings, keys[i].offset);

    if (keys[i].type == KEY_NUMBER || keys[i].type == KEY_BOOLEAN)
      *(guint *)field = keys[i].number;
    else if (is_text (&keys[i]))
      *(char **)field = g_strdup (keys[i].text);
  }
  return settings;
}

/* Settings derived from others, and settings that must fit together. */
static gboolean
settle (XfSettings *settings, GError **error)
{
  g_autoptr (XfWants) wants = xf_wants_new ();

  if (!xf_wants_add_text (wants, settings->driver.resources, error)) {
    g_prefix_error (error, "resources: ");
    return FALSE;
  }
  if (!settings->unix_sock)
    settings->unix_sock = g_build_filename (settings->socket_dir, "virtxend-sock", NULL);
  if (!settings->unix_sock_ro)
    settings->unix_sock_ro = g_strconcat (settings->unix_sock, "-ro", NULL);
  if (settings->driver.migration_port_min <= settings->driver.migration_port_max)
    return TRUE;
  g_set_error (error, XF_ERROR, XF_ERROR_INVALID_ARG, "migration_port_min %u is above migration_port_max %u",
               settings->driver.migration_port_min, settings->driver.migration_port_max);
  return FALSE;
}

static gboolean
set_all (XfSettings *settings, GKeyFile *file, const char *text, GError **error)
{
  g_auto (GStrv) names = g_key_file_get_keys (file, GROUP, NULL, NULL);

  for (guint i = 0; names && names[i]; i++) {
    const Key *key = find_key (names[i]);
    g_autofree char *value = g_key_file_get_string (file, GROUP, names[i], error);

    if (!value)
      return FALSE;
    if (!key) {
      g_set_error (error, XF_ERROR, XF_ERROR_INVALID_ARG, "line %u: there is no setting '%s'", line_of (text, names[i]),
                   names[i]);
      return FALSE;
    }
    if (!set_key (settings, key, g_strstrip (value), error)) {
      g_prefix_error (error, "line %u: %s: ", line_of (text, names[i]), names[i]);
      return FALSE;
    }
  }
  return TRUE;
}

static gboolean
check_groups (GKeyFile *file, GError **error)
{
  g_auto (GStrv) groups = g_key_file_get_groups (file, NULL);

  for (guint i = 0; groups[i]; i++) {
    if (!g_str_equal (groups[i], GROUP)) {
      g_set_error (error, XF_ERROR, XF_ERROR_INVALID_ARG, "there is no section [%s], only [" GROUP "]", groups[i]);
      return FALSE;
    }
  }
  return TRUE;
}

XfSettings *
xf_settings_parse (const char *text, const char *name, GError **error)
{
  g_autoptr (GKeyFile) file = g_key_file_new ();
  g_autoptr (XfSettings) settings = new_with_defaults ();

  if (!g_key_file_load_from_data (file, text, strlen (text), G_KEY_FILE_NONE, error) || !check_groups (file, error)
      || !set_all (settings, file, text, error) || !settle (settings, error)) {
    g_prefix_error (error, "%s: ", name);
    return NULL;
  }
  return g_steal_pointer (&settings);
}

XfSettings *
xf_settings_load (const char *path, GError **error)
{
  g_autofree char *text = NULL;
  g_autoptr (GError) local = NULL;

  if (g_file_get_contents (path ? path : DEFAULT_FILE, &text, NULL, &local))
    return xf_settings_parse (text, path ? path : DEFAULT_FILE, error);
  if (!path && g_error_matches (local, G_FILE_ERROR, G_FILE_ERROR_NOENT))
    return xf_settings_parse ("", "defaults", error);
  g_set_error (error, XF_ERROR, XF_ERROR_SYSTEM, "cannot read the configuration: %s", local->message);
  return NULL;
}

static void
reload_key (XfSettings *settings, const XfSettings *fresh, const Key *key)
{
  gpointer field = G_STRUCT_MEMBER_P (settings, key->offset);
  gconstpointer now = G_STRUCT_MEMBER_P (fresh, key->offset);
  gboolean same = is_text (key) ? g_strcmp0 (*(char **)field, *(char *const *)now) == 0
                                : *(guint *)field == *(const guint *)now;

  if (same)
    return;
  if (!key->live) {
    g_message ("%s has changed; that takes effect when the daemon starts again", key->name);
    return;
  }
  if (is_text (key)) {
    g_free (*(char **)field);
    *(char **)field = g_strdup (*(char *const *)now);
  } else {
    *(guint *)field = *(const guint *)now;
  }
  g_message ("%s has changed and is in effect", key->name);
}

void
xf_settings_reload (XfSettings *settings, const XfSettings *fresh)
{
  for (guint i = 0; i < G_N_ELEMENTS (keys); i++) {
    if (keys[i].type != KEY_GONE)
      reload_key (settings, fresh, &keys[i]);
  }
}

void
xf_settings_free (XfSettings *settings)
{
  for (guint i = 0; i < G_N_ELEMENTS (keys); i++) {
    if (is_text (&keys[i]))
      g_free (*(char **)G_STRUCT_MEMBER_P (settings, keys[i].offset));
  }
  g_free (settings);
}
