/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Steps that look at storage, in threads of their own: a path on a server that does not answer holds its thread, and
 * never the loop. A thread has nothing but the input of its step. The limit is the process's, whatever the number of
 * drivers in it: threads that wait in the kernel cannot be ended.
 */
#include "libxl/resource/kind.h"

typedef struct {
  XfResource *resource; /* NULL: the step was stopped. The loop's */
  XfBlocking func;
  XfBlocked finish;
  gpointer input;
  GDestroyNotify free_input;
  GError *error;
} Work;

/* A thread that waits for storage that does not answer cannot be ended: there are only so many of them. What finds none
 * free waits until one ends, at most as long as its step may take. */
#define THREADS_MAX 64
static guint n_threads;
static GQueue waiting = G_QUEUE_INIT; /* of Work */

static void start_waiting (void);

static void
work_free (Work *work)
{
  if (work->free_input)
    work->free_input (work->input);
  g_clear_error (&work->error);
  g_free (work);
}

static gboolean
work_ended (gpointer data)
{
  Work *work = data;
  XfResource *resource = work->resource;

  n_threads--;
  start_waiting ();
  if (resource) {
    resource->work = NULL;
    if (work->finish)
      work->finish (resource, work->input, work->error);
    else
      xf_resource_done (resource, work->error);
  }
  work_free (work);
  return G_SOURCE_REMOVE;
}

static gpointer
work_run (gpointer data)
{
  Work *work = data;

  work->error = work->func (work->input);
  g_idle_add_full (G_PRIORITY_DEFAULT, work_ended, work, NULL);
  return NULL;
}

static void
work_start (Work *work)
{
  GThread *thread = g_thread_try_new ("resource", work_run, work, &work->error);

  n_threads++;
  if (thread)
    g_thread_unref (thread);
  else
    g_idle_add_full (G_PRIORITY_DEFAULT, work_ended, work, NULL);
}

static void
start_waiting (void)
{
  Work *work;

  while (n_threads < THREADS_MAX && (work = g_queue_pop_head (&waiting)))
    work_start (work);
}

void
xf_resource_in_thread (XfResource *resource, XfBlocking func, XfBlocked finish, gpointer input,
                       GDestroyNotify free_input)
{
  Work *work = g_new0 (Work, 1);

  *work = (Work){ .resource = resource, .func = func, .finish = finish, .input = input, .free_input = free_input };
  resource->work = work;
  g_queue_push_tail (&waiting, work);
  start_waiting ();
}

void
xf_resource_stop_thread (XfResource *resource)
{
  Work *work = g_steal_pointer (&resource->work);

  if (!work)
    return;
  work->resource = NULL;
  if (g_queue_remove (&waiting, work))
    work_free (work);
}

gpointer
xf_resource_thread_input (const XfResource *resource)
{
  const Work *work = resource->work;

  return work ? work->input : NULL;
}
