/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "libxl/migrate/plan.h"

#include <libvirt/libvirt.h>

#include "base/error.h"

typedef struct {
  const char *name;
  gsize offset;   /* offset in XfMigratePlan */
  gssize setting; /* the host's policy, a word in XfDriverConfig; NONE: not configurable, the policy below applies */
  XfDataPolicy else_policy;
  guint asked_by;   /* flags of a migration that request it */
  gboolean tunnels; /* works through a tunnel */
} Feature;

#define PLAN(field) G_STRUCT_OFFSET (XfMigratePlan, field)
#define SETTING(field) ((gssize)G_STRUCT_OFFSET (XfDriverConfig, field))
#define NONE (-1)
#define IN_FRAMES (VIR_MIGRATE_TLS | VIR_MIGRATE_PARALLEL | VIR_MIGRATE_COMPRESSED)

static const Feature features[] = {
  { "ticket", PLAN (ticket), NONE, XF_POLICY_IS_ALWAYS, 0, FALSE },
  { "frames", PLAN (frames), SETTING (checksums), XF_POLICY_IS_ALLOW, IN_FRAMES, TRUE },
  { "zstd", PLAN (zstd), SETTING (compression), XF_POLICY_IS_ALLOW, VIR_MIGRATE_COMPRESSED, TRUE },
  { "parallel", PLAN (parallel), NONE, XF_POLICY_IS_ALLOW, VIR_MIGRATE_PARALLEL, FALSE },
  { "tls", PLAN (tls), SETTING (tls), XF_POLICY_IS_ALLOW, VIR_MIGRATE_TLS, FALSE },
};

#define N_FEATURES G_N_ELEMENTS (features)

static gboolean
check_known (const XfCookie *cookie, GError **error)
{
  const char *known[N_FEATURES + 1] = { NULL };

  for (guint i = 0; i < N_FEATURES; i++)
    known[i] = features[i].name;
  return !cookie || !cookie->is_xenferry || xf_cookie_check_features (cookie, known, error);
}

static XfDataPolicy
policy (const XfDriverConfig *settings, const Feature *feature)
{
  static const char *const words[] = { "never", "allow", "always", "require" };
  const char *word = feature->setting == NONE ? NULL : G_STRUCT_MEMBER (char *, settings, feature->setting);

  for (guint i = 0; word && i < G_N_ELEMENTS (words); i++) {
    if (g_str_equal (word, words[i]))
      return i;
  }
  return feature->else_policy;
}

/* ---- the source ------------------------------------------------------------------------------------------- */

/* An option that the client names is a requirement. */
static XfFeatureNeed
need_of (XfDataPolicy what, gboolean asked)
{
  if (asked || what == XF_POLICY_IS_REQUIRE)
    return XF_FEATURE_REQUIRED;
  return what == XF_POLICY_IS_ALWAYS ? XF_FEATURE_OPTIONAL : XF_FEATURE_OFFERED;
}

gboolean
xf_migrate_plan_offer (const XfDriverConfig *settings, const XfMigrateParams *params, XfCookie *cookie, GError **error)
{
  gboolean tunnelled = params->flags & VIR_MIGRATE_TUNNELLED;

  for (guint i = 0; i < N_FEATURES; i++) {
    XfDataPolicy what = policy (settings, &features[i]);
    gboolean asked = params->flags & features[i].asked_by, fits = !tunnelled || features[i].tunnels;

    if (asked && what == XF_POLICY_IS_NEVER) {
      g_set_error (error, XF_ERROR, XF_ERROR_DENIED,
                   "the configuration of this host forbids '%s' for migrations, which the client has requested",
                   features[i].name);
      return FALSE;
    }
    if (tunnelled && what == XF_POLICY_IS_REQUIRE && !fits) {
      g_set_error (
        error, XF_ERROR, XF_ERROR_DENIED,
        "the configuration of this host requires '%s' for migrations, which a tunnelled migration does not support",
        features[i].name);
      return FALSE;
    }
    if (what != XF_POLICY_IS_NEVER && fits)
      xf_cookie_add_feature (cookie, features[i].name, need_of (what, asked));
  }
  return TRUE;
}

static const XfFeature *
find (const XfCookie *cookie, const char *name)
{
  for (guint i = 0; cookie && cookie->is_xenferry && i < cookie->features->len; i++) {
    const XfFeature *feature = &g_array_index (cookie->features, XfFeature, i);

    if (g_str_equal (feature->name, name))
      return feature;
  }
  return NULL;
}

gboolean
xf_migrate_plan_accept (const XfCookie *offer, const XfCookie *answer, XfMigratePlan *plan_out, GError **error)
{
  *plan_out = (XfMigratePlan){ 0 };
  if (!check_known (answer, error))
    return FALSE;
  for (guint i = 0; i < N_FEATURES; i++) {
    const XfFeature *offered = find (offer, features[i].name), *chosen = find (answer, features[i].name);
    gboolean use = chosen && chosen->need == XF_FEATURE_REQUIRED;

    if (offered && offered->need == XF_FEATURE_REQUIRED && !use) {
      g_set_error (error, XF_ERROR, XF_ERROR_OPERATION_UNSUPPORTED,
                   "the destination does not support '%s', which is required here", features[i].name);
      return FALSE;
    }
    if (use && !offered) {
      g_set_error (error, XF_ERROR, XF_ERROR_INTERNAL, "the destination has chosen '%s', which was not offered",
                   features[i].name);
      return FALSE;
    }
    G_STRUCT_MEMBER (gboolean, plan_out, features[i].offset) = use;
  }
  return TRUE;
}

/* ---- the destination -------------------------------------------------------------------------------------- */

static gboolean
choose (XfDataPolicy what, const XfFeature *offered, const char *name, gboolean *use_out, GError **error)
{
  *use_out = FALSE;
  if (offered && offered->need == XF_FEATURE_REQUIRED && what == XF_POLICY_IS_NEVER) {
    g_set_error (error, XF_ERROR, XF_ERROR_DENIED,
                 "the source requires '%s' for the migration's data, which this host's configuration forbids", name);
    return FALSE;
  }
  if (!offered && what == XF_POLICY_IS_REQUIRE) {
    g_set_error (error, XF_ERROR, XF_ERROR_DENIED,
                 "this host's configuration requires '%s' for migrations, which the source does not support", name);
    return FALSE;
  }
  *use_out = offered && what != XF_POLICY_IS_NEVER
             && (offered->need != XF_FEATURE_OFFERED || what >= XF_POLICY_IS_ALWAYS);
  return TRUE;
}

gboolean
xf_migrate_plan_choose (const XfDriverConfig *settings, const XfCookie *offer, gboolean tunnelled,
                        XfMigratePlan *plan_out, GError **error)
{
  *plan_out = (XfMigratePlan){ 0 };
  if (!check_known (offer, error))
    return FALSE;
  for (guint i = 0; i < N_FEATURES; i++) {
    gboolean *use = &G_STRUCT_MEMBER (gboolean, plan_out, features[i].offset);

    if (!choose (policy (settings, &features[i]), find (offer, features[i].name), features[i].name, use, error))
      return FALSE;
  }
  /* A feature that needs frames enables them, if the source knows them. */
  if ((plan_out->zstd || plan_out->tls || plan_out->parallel) && find (offer, "frames"))
    plan_out->frames = TRUE;
  if (tunnelled)
    plan_out->ticket = plan_out->parallel = plan_out->tls = FALSE;
  if (plan_out->frames)
    return TRUE;
  if (plan_out->tls) {
    g_set_error (error, XF_ERROR, XF_ERROR_DENIED, "encrypted data needs frames, which the source does not support");
    return FALSE;
  }
  plan_out->zstd = plan_out->parallel = FALSE;
  return TRUE;
}

void
xf_migrate_plan_tell (const XfMigratePlan *plan, XfCookie *cookie)
{
  for (guint i = 0; i < N_FEATURES; i++) {
    if (G_STRUCT_MEMBER (gboolean, plan, features[i].offset))
      xf_cookie_add_feature (cookie, features[i].name, XF_FEATURE_REQUIRED);
  }
}
