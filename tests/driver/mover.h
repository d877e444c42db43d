/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * One migration on one simulated host, phase by phase: as the source, whose data is recorded, and as the destination,
 * to which the recorded data is sent.
 */
#pragma once

#include "host.h"

extern const guint8 mover_uuid[XF_UUID_LENGTH];
extern const int mover_client; /* its address is the token */

typedef struct {
  int listener;
  guint16 port;
  GThread *thread;
  GByteArray *data;
} MoverReceiver;

typedef struct {
  Host *host;
  const char *inside; /* more elements of the guest's XML */
  guint flags;        /* of prepare and finish, besides VIR_MIGRATE_LIVE */
  MoverReceiver receiver;
  GThread *sender;
  gboolean done;
  GError *error;
  char *uri;
} Mover;

void mover_set_up (Mover *mover, gconstpointer data);
void mover_tear_down (Mover *mover, gconstpointer data);

/* The callback of a phase: sets done, error and uri. */
void mover_done (const XfMigrateResult *result, const GError *error, gpointer data);

/* Runs the loop until the phase under way has ended; its error stays in the mover. */
void mover_wait_end (Mover *mover);

/* The same for a phase that must succeed. */
void mover_wait (Mover *mover);

/* The source's phases. */
void mover_begin (Mover *mover);
void mover_perform (Mover *mover);
void mover_stop_receiving (Mover *mover);

/* Records the stream of a guest, which is destroyed then. */
void mover_record (Mover *mover);

/* The destination's: asks for prepare; sends what was recorded; asks for finish. */
void mover_ask_prepare (Mover *mover);
void mover_prepare (Mover *mover);
void mover_send (Mover *mover);
void mover_ask_finish (Mover *mover, gboolean cancelled);

/* Ends what mover_send() and mover_record() have left. */
void mover_forget (Mover *mover);

/* TRUE if the one domain of the host runs. */
gboolean mover_runs (Mover *mover);
