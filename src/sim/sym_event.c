/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Domain death and shutdown: a process that changes a domain's state touches a file in DIR/events. Each context with
 * watches has an inotify descriptor on that folder, and then checks the domains that it watches.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <unistd.h>

#include "base/fd.h"
#include "sim/sim.h"

/* The simulator's libxl_evgen_domain_death, which is opaque to applications. */
typedef struct {
  guint32 domid;
  guint8 uuid[16];
  libxl_ev_user user;
  gboolean shutdown_reported, death_reported;
} SimWatch;

static libxl_event *
event_for (const SimWatch *watch, libxl_event_type type)
{
  libxl_event *event = calloc (1, sizeof (*event));

  libxl_event_init (event);
  event->type = type;
  event->domid = watch->domid;
  memcpy (event->domuuid.uuid, watch->uuid, 16);
  event->for_user = watch->user;
  return event;
}

/* Like libxl, it reports a shutdown once per watch. */
static void
check (SimCtx *sim, SimWatch *watch, GPtrArray *events)
{
  SimBlock *block = host_block_map (sim_dir (), watch->domid);

  if ((!block || block->state == SIM_DYING) && !watch->death_reported) {
    watch->death_reported = TRUE;
    g_ptr_array_add (events, event_for (watch, LIBXL_EVENT_TYPE_DOMAIN_DEATH));
  } else if (block && (block->state == SIM_SHUTDOWN || block->state == SIM_SUSPENDED) && !watch->shutdown_reported) {
    libxl_event *event = event_for (watch, LIBXL_EVENT_TYPE_DOMAIN_SHUTDOWN);

    watch->shutdown_reported = TRUE;
    event->u.domain_shutdown.shutdown_reason = block->shutdown_reason;
    g_ptr_array_add (events, event);
  }
  host_block_unmap (block);
}

static void
something_happened (SimCtx *sim, gpointer data)
{
  char buffer[4096];
  g_autoptr (GPtrArray) events = g_ptr_array_new ();

  while (read (sim->inotify_fd, buffer, sizeof (buffer)) > 0)
    ;
  sim_lock ();
  for (guint i = 0; i < sim->watches->len; i++)
    check (sim, sim->watches->pdata[i], events);
  sim_unlock ();
  for (guint i = 0; i < events->len; i++)
    sim_event (sim, events->pdata[i]);
}

static void
listen_to_host (SimCtx *sim)
{
  g_autofree char *path = g_build_filename (sim_dir (), "events", NULL);

  if (sim->inotify)
    return;
  sim->inotify_fd = inotify_init1 (IN_NONBLOCK | IN_CLOEXEC);
  inotify_add_watch (sim->inotify_fd, path, IN_MODIFY | IN_CREATE);
  sim->inotify = sim_source_add (sim, sim->inotify_fd, something_happened, NULL);
}

int
libxl_evenable_domain_death (libxl_ctx *ctx, uint32_t domid, libxl_ev_user user, libxl_evgen_domain_death **out)
{
  SimCtx *sim = sim_ctx (ctx);
  SimBlock *block;
  SimWatch *watch;

  if (sim_fails (ctx, __func__))
    return ERROR_FAIL;
  block = host_block_map (sim_dir (), domid);
  if (!block)
    return ERROR_DOMAIN_NOTFOUND;
  watch = g_new0 (SimWatch, 1);
  watch->domid = domid;
  watch->user = user;
  memcpy (watch->uuid, block->uuid, 16);
  /* A suspend from before the watch is not reported. */
  watch->shutdown_reported = block->state == SIM_SUSPENDED;
  host_block_unmap (block);
  sim_lock ();
  g_ptr_array_add (sim->watches, watch);
  listen_to_host (sim);
  sim_unlock ();
  host_notify (sim_dir (), domid); /* the domain may have ended already */
  if (out)
    *out = (libxl_evgen_domain_death *)watch;
  return 0;
}

void
libxl_evdisable_domain_death (libxl_ctx *ctx, libxl_evgen_domain_death *evgen)
{
  SimCtx *sim = sim_ctx (ctx);

  if (!evgen)
    return;
  sim_lock ();
  g_ptr_array_remove_fast (sim->watches, evgen);
  sim_unlock ();
  g_free (evgen);
}

void
sim_watches_free (SimCtx *sim)
{
  sim_source_remove (sim, sim->inotify);
  sim->inotify = NULL;
  xf_clear_fd (&sim->inotify_fd);
  for (guint i = 0; i < sim->watches->len; i++)
    g_free (sim->watches->pdata[i]);
  g_ptr_array_set_size (sim->watches, 0);
}
