/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The members of an evacuation, for its files, in the order of their work: evacuate.c (the command), evacuate_survey.c
 * (which guests there are, what each destination has for them, what blocks them), evacuate_plan.c (which guest goes
 * where, and when), evacuate_run.c (the migrations), evacuate_report.c (text and JSON).
 *
 * The daemon decides whether a guest may move, and ensures that one host runs it; nothing here is needed for that. A
 * plan that is wrong costs time and no guest.
 */
#pragma once

#include "cli/connection.h"
#include "cli/guests.h"

#define XF_EVACUATE_JOBS_MAX 64

typedef struct {
  char *uri;
  char *host;       /* of the URI, for messages */
  char *down;       /* why nothing can go there; NULL: it can */
  guint64 free_kib; /* when it was asked */
  gint64 room_kib;  /* what is left of that after the guests of the plan */
  guint silent;     /* checks in a row that it has not answered */
  gboolean doubted; /* the last migration to it has failed: the next guest is checked again first */
} XfDestination;

typedef enum {
  XF_WAY_NONE, /* blocked */
  XF_WAY_LIVE,
  XF_WAY_SUSPENDED, /* only without --live */
} XfWay;

typedef enum {
  XF_MOVE_WAITS, /* planned, or not looked at yet */
  XF_MOVE_RUNS,
  XF_MOVE_DONE,    /* the guest runs at the destination */
  XF_MOVE_STAYS,   /* blocked, failed, aborted, or not begun */
  XF_MOVE_UNKNOWN, /* the connection to the daemon was lost in the middle */
  XF_MOVE_GONE,    /* the guest is no longer on this host, without a migration that succeeded */
} XfMoveState;

/* Why a guest did not go to a destination. */
typedef struct {
  guint destination; /* its index; XF_NO_DESTINATION: not because of one */
  char *host, *resource, *text;
} XfMoveReason;

#define XF_NO_DESTINATION G_MAXUINT

typedef struct {
  XfGuestFacts *guest;
  XfWay *ways;        /* to each destination */
  gboolean *tried;    /* a migration to it has failed */
  GPtrArray *reasons; /* of XfMoveReason */
  XfMoveState state;
  guint destination; /* XF_NO_DESTINATION: none */
  gboolean alone;    /* after the others, with no other migration beside it */
  gboolean tight;    /* the plan has no room for it there; the destination decides */
  gboolean aborted;
  gint64 began_us;
  double seconds; /* of the migration that succeeded */
} XfMove;

typedef struct {
  XfConnection *connection;
  guint jobs;
  gboolean last_alone, allow_suspend, tunnelled, tls, dry_run, json;

  GArray *destinations; /* of XfDestination */
  GPtrArray *moves;     /* of XfMove, owned: every guest that was seen */
  gboolean interrupted;
  guint n_left; /* guests that run on this host at the end */
  gboolean left_known;
  GMainLoop *loop; /* while migrations run */
  guint n_running;
} XfEvacuation;

static inline XfDestination *
xf_evacuate_destination (const XfEvacuation *evacuation, guint i)
{
  return &g_array_index (evacuation->destinations, XfDestination, i);
}

void xf_evacuate_add_reason (XfMove *move, guint destination, const char *host, const char *resource, const char *text);

/* evacuate_survey.c */

/* Asks each destination for its free memory. FALSE: none can be reached. */
gboolean xf_evacuate_survey_destinations (XfEvacuation *evacuation, GError **error);

/* Adds a move for each running guest that has none yet, and asks for each how it can go to each destination. *@n_out:
 * how many were added. */
gboolean xf_evacuate_survey_guests (XfEvacuation *evacuation, guint *n_out, GError **error);

/* The flags of a migration of @move, @live or not. */
guint xf_evacuate_flags (const XfEvacuation *evacuation, const XfMove *move, gboolean live);

/* evacuate_plan.c: pure. */

/* Chooses the destination of every move that waits and has none; moves for which there is none stay. Sorts the moves
 * into the order in which they begin. */
void xf_evacuate_plan (XfEvacuation *evacuation);

/* The next destination for one guest: the best of those not tried. FALSE: there is none. */
gboolean xf_evacuate_choose (XfEvacuation *evacuation, XfMove *move);

/* evacuate_run.c */

/* Carries out the plan; returns when no migration runs any more. */
void xf_evacuate_run (XfEvacuation *evacuation);

/* From now on no migration begins, and those that run are aborted. */
void xf_evacuate_interrupt (XfEvacuation *evacuation);

/* evacuate_report.c */

/* The guests of a plan can all move. */
gboolean xf_evacuate_can_all (const XfEvacuation *evacuation);

/* A line of progress: standard output, or standard error if that has JSON. */
void xf_evacuate_say (const XfEvacuation *evacuation, const char *format, ...) G_GNUC_PRINTF (2, 3);
void xf_evacuate_print_plan (const XfEvacuation *evacuation);
void xf_evacuate_print_end (const XfEvacuation *evacuation);
void xf_evacuate_print_json (const XfEvacuation *evacuation);
