/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "savehelper/goal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

/* Changes with every change of Page, so that a daemon and a helper of different builds never misread each other. */
#define MAGIC 0x3130746573666578ULL

typedef _Atomic uint64_t Value;

typedef struct {
  Value magic; /* written last */
  Value owner; /* the daemon's pid */
  Value downtime_ms, passes, abort, rate;
  Value is_used, is_aborted, done, left, expected_ms, decided_ms;
} Page;

struct XfGoal {
  Page *page;
  char *path; /* NULL: another process has created the file */
  XfPolicy policy;
};

static char *
path_of (const char *dir, uint32_t domid)
{
  char *path;

  return asprintf (&path, "%s/%u", dir, domid) < 0 ? NULL : path;
}

/* Takes @fd; @path too if it succeeds. */
static XfGoal *
new_mapped (int fd, char *path)
{
  XfGoal *goal = calloc (1, sizeof (*goal));
  void *page = mmap (NULL, sizeof (Page), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  int saved = errno;

  close (fd);
  if (!goal || page == MAP_FAILED) {
    if (page != MAP_FAILED)
      munmap (page, sizeof (Page));
    free (goal);
    errno = saved;
    return NULL;
  }
  goal->page = page;
  goal->path = path;
  return goal;
}

static int
create_file (const char *dir, const char *path)
{
  int fd;

  if (mkdir (dir, 0700) < 0 && errno != EEXIST)
    return -1;
  (void)unlink (path);
  fd = open (path, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
  if (fd >= 0 && ftruncate (fd, sizeof (Page)) < 0) {
    int saved = errno;

    close (fd);
    errno = saved;
    return -1;
  }
  return fd;
}

XfGoal *
xf_goal_create (const char *dir, uint32_t domid)
{
  char *path = path_of (dir, domid);
  int fd = path ? create_file (dir, path) : -1;
  XfGoal *goal = fd >= 0 ? new_mapped (fd, path) : NULL;

  if (!goal) {
    free (path);
    return NULL;
  }
  goal->page->owner = (uint64_t)getpid ();
  goal->page->expected_ms = UINT64_MAX;
  goal->page->magic = MAGIC;
  return goal;
}

void
xf_goal_set (XfGoal *goal, const XfPolicyLimits *limits)
{
  goal->page->passes = limits->passes;
  goal->page->abort = limits->abort;
  goal->page->rate = limits->rate;
  goal->page->downtime_ms = limits->downtime_ms;
}

void
xf_goal_read (const XfGoal *goal, XfGoalReport *report_out)
{
  *report_out = (XfGoalReport){
    .is_used = goal->page->is_used,
    .is_aborted = goal->page->is_aborted,
    .passes = goal->page->done,
    .left = goal->page->left,
    .expected_ms = goal->page->expected_ms,
    .downtime_ms = goal->page->decided_ms,
  };
}

XfGoal *
xf_goal_open (const char *dir, uint32_t domid)
{
  char *path = path_of (dir, domid);
  int fd = path ? open (path, O_RDWR | O_NOFOLLOW | O_CLOEXEC) : -1;
  struct stat info;
  XfGoal *goal;

  free (path);
  if (fd < 0)
    return NULL;
  if (fstat (fd, &info) < 0 || info.st_size != sizeof (Page)) {
    close (fd);
    return NULL;
  }
  goal = new_mapped (fd, NULL);
  if (goal && (goal->page->magic != MAGIC || goal->page->owner != (uint64_t)getppid ())) {
    xf_goal_free (goal);
    return NULL;
  }
  return goal;
}

static XfPolicyDecision
decide_after (XfGoal *goal, const XfPolicyLimits *limits, uint32_t passes, int64_t left)
{
  XfPolicyDecision decision = xf_policy_after_pass (&goal->policy, limits, passes, left);

  goal->page->left = left >= 0 ? (uint64_t)left : goal->policy.pass_pages;
  goal->page->expected_ms = goal->policy.expected_ms;
  goal->page->decided_ms = limits->downtime_ms;
  goal->page->done = passes;
  goal->page->is_aborted = decision == XF_POLICY_ABORT;
  return decision;
}

XfPolicyDecision
xf_goal_decide (XfGoal *goal, uint32_t passes, int64_t dirty, int64_t (*left) (void *data), void *data)
{
  XfPolicyLimits limits = {
    .downtime_ms = goal->page->downtime_ms,
    .passes = goal->page->passes,
    .abort = goal->page->abort != 0,
    .rate = goal->page->rate,
  };

  goal->page->is_used = 1;
  if (dirty >= 0)
    return xf_policy_before_pass (&goal->policy, &limits, passes, (uint64_t)dirty);
  return decide_after (goal, &limits, passes, left (data));
}

void
xf_goal_free (XfGoal *goal)
{
  if (!goal)
    return;
  munmap (goal->page, sizeof (Page));
  if (goal->path)
    (void)unlink (goal->path);
  free (goal->path);
  free (goal);
}
