/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Throttling: a guest that writes faster than the network transfers never gets a short last pass. With
 * --auto-converge, or if a maximum downtime was set, its vCPUs are capped, a little more after each pass that would
 * still take too long; the guest dirties less memory, and the last pass is shorter. The former cap is in the journal
 * before it is changed, and is restored when the guest is asked to suspend, at the end of a migration that fails
 * before, or at the daemon's next start. The destination never applies the throttling cap: the guest's configuration
 * was read before.
 */
#include "libxl/source/private.h"

#include <libvirt/libvirt.h>
#include <libxl.h>

/* Alone libxl makes at most five passes: there is no time for small steps. Percent of the guest's CPU time. */
#define INITIAL 50
#define INCREMENT 20
#define MOST 99

int
xf_migrate_source_set_cap (XfCtx *ctx, guint32 domid, int percent)
{
  libxl_domain_sched_params sched;
  int rc;

  libxl_domain_sched_params_init (&sched);
  sched.sched = LIBXL_SCHEDULER_UNKNOWN;
  sched.cap = percent;
  rc = libxl_domain_sched_params_set (xf_ctx_libxl (ctx), domid, &sched);
  libxl_domain_sched_params_dispose (&sched);
  return rc;
}

static gboolean
set_cap (XfMigrateSource *source, int cap)
{
  int rc = xf_migrate_source_set_cap (source->ctx, source->guest->domid, cap);

  if (rc != 0)
    g_warning ("%s: the scheduler does not accept a cap of %d %% (libxl error %d)", source->sm.id, cap, rc);
  return rc == 0;
}

static int
present_cap (XfMigrateSource *source)
{
  libxl_domain_sched_params sched;
  int cap = -1;

  libxl_domain_sched_params_init (&sched);
  if (libxl_domain_sched_params_get (xf_ctx_libxl (source->ctx), source->guest->domid, &sched) == 0)
    cap = MAX (sched.cap, 0);
  libxl_domain_sched_params_dispose (&sched);
  return cap;
}

/* Percent of one CPU; 0 would be no cap. */
static int
cap_of (const XfMigrateSource *source)
{
  int whole = source->entry->cap > 0 ? (int)source->entry->cap : (int)source->guest->def->vcpus * 100;

  return MAX (whole * (int)(100 - source->throttle) / 100, 1);
}

static void
apply (XfMigrateSource *source)
{
  if (!set_cap (source, cap_of (source)))
    return;
  g_info ("%s: its vCPUs are capped by %u %%", source->sm.id, source->throttle);
}

/* The former cap is on disk now; the migration may have ended meanwhile. */
static void
cap_written (const GError *error, gpointer data)
{
  XfMigrateSource *source = data;

  if (error)
    g_warning ("%s: the guest is not slowed down: %s", source->sm.id, error->message);
  else if (source->sm.state == SENDING && source->throttle)
    apply (source);
}

static void
throttle_more (XfMigrateSource *source)
{
  const XfMigrateParams *params = &source->params;
  guint initial = params->converge_initial ? (guint)params->converge_initial : INITIAL;
  guint increment = params->converge_increment ? (guint)params->converge_increment : INCREMENT;
  int had;

  if (source->throttle) {
    source->throttle = MIN (source->throttle + increment, MOST);
    apply (source);
    return;
  }
  had = present_cap (source);
  if (had < 0)
    return;
  source->throttle = MIN (initial, MOST);
  source->entry->cap = had;
  xf_journal_write (source->driver->journal, source->entry, xf_migrate_source_states[SENDING].name, cap_written,
                    source);
}

void
xf_migrate_source_another_pass (XfMigrateSource *source)
{
  guint64 wanted_ms = xf_migrate_source_wanted_downtime (source);

  if (!(source->params.flags & VIR_MIGRATE_LIVE) || source->stand != XF_STAND_RUNS || source->request != XF_REQUEST_NONE
      || source->sm.state != SENDING)
    return;
  if (!wanted_ms || source->progress.iteration < 2 || source->throttle == MOST)
    return;
  if (source->progress.expected_ms > wanted_ms)
    throttle_more (source);
}

void
xf_migrate_source_unthrottle (XfMigrateSource *source)
{
  if (!source->entry || source->entry->cap < 0 || source->guest->domid < 0 || !source->ctx)
    return;
  if (set_cap (source, (int)source->entry->cap))
    g_info ("%s: the former cap of its vCPUs is restored", source->sm.id);
  source->entry->cap = -1;
  source->throttle = 0;
}

static gboolean
lift (gpointer data)
{
  XfMigrateSource *source = data;

  source->lift_id = 0;
  if (source->sm.state == SENDING)
    xf_migrate_source_unthrottle (source);
  return G_SOURCE_REMOVE;
}

/* With a hundredth of a processor a guest does not suspend within the minute that libxl gives it. */
void
xf_migrate_source_let_answer (XfMigrateSource *source)
{
  if (!source->lift_id)
    source->lift_id = g_idle_add_full (G_PRIORITY_HIGH, lift, source, NULL);
}
