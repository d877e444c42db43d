/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * What a daemon does with the migrations that the previous one has left: each row of the tables in
 * docs/exactly-once.md, an entry in the journal and a domain in each state that Xen can show; and after a boot.
 */
#include <glib/gstdio.h>
#include <libvirt/libvirt.h>
#include <string.h>

#include "base/error.h"
#include "conf/cookie.h"
#include "host.h"
#include "libxl/journal/journal.h"

static const guint8 uuid[XF_UUID_LENGTH] = "0123456789abcdef", id[XF_UUID_LENGTH] = "fedcba9876543210";
static const char secret[] = "5ec2e7";

typedef enum { ABSENT, BUILDING, PAUSED, SUSPENDED, RUNNING, N_FOUND } Found;

static const char *const found_words[] = { "absent", "building", "paused", "suspended", "running" };

/* ---- a peer whose answers the test sets ------------------------------------------------------------------- */

typedef struct {
  XfVerdict verdict;
  int state;       /* of look_up; -1: absent */
  gboolean silent; /* it does not answer */
  guint asked;
  XfPurpose purpose; /* of the last question */
} Peers;

typedef struct {
  Peers *peers;
  XfVerdictDone settled;
  XfPeerState looked_up;
  gpointer data;
  guint id;
} Question;

static gboolean
answer (gpointer data)
{
  Question *question = data;
  const Peers *peers = question->peers;
  g_autoptr (GError) error = peers->silent ? g_error_new_literal (XF_ERROR, XF_ERROR_NO_CONNECT, "no answer") : NULL;

  question->id = 0;
  if (question->settled)
    question->settled (peers->verdict, error, question->data);
  else
    question->looked_up (peers->state, error, question->data);
  return G_SOURCE_REMOVE;
}

static XfPeer *
ask (Peers *peers, XfVerdictDone settled, XfPeerState looked_up, gpointer data)
{
  Question *question = g_new0 (Question, 1);

  *question = (Question){ peers, settled, looked_up, data, 0 };
  question->id = g_idle_add (answer, question);
  peers->asked++;
  return (XfPeer *)question;
}

static XfPeer *
peer_settle (gpointer peers, const char *uri, guint timeout_s, const guint8 *migration, const char *its_secret,
             XfPurpose purpose, XfVerdictDone done, gpointer data)
{
  ((Peers *)peers)->purpose = purpose;
  g_assert_cmpstr (uri, ==, "xen+tcp://b:49151/system");
  g_assert_cmpstr (its_secret, ==, secret);
  g_assert_cmpmem (migration, XF_UUID_LENGTH, id, XF_UUID_LENGTH);
  return ask (peers, done, NULL, data);
}

static XfPeer *
peer_look_up (gpointer peers, const char *uri, guint timeout_s, const guint8 *guest, XfPeerState done, gpointer data)
{
  g_assert_cmpmem (guest, XF_UUID_LENGTH, uuid, XF_UUID_LENGTH);
  return ask (peers, NULL, done, data);
}

static void
peer_close (XfPeer *peer)
{
  Question *question = (Question *)peer;

  g_clear_handle_id (&question->id, g_source_remove);
  g_free (question);
}

static const XfPeerOps ops = { .settle = peer_settle, .look_up = peer_look_up, .close = peer_close };

/* ---- what the previous daemon has left -------------------------------------------------------------------- */

typedef struct {
  Host *host;
  Peers peers;
  guint32 domid; /* 0: none */
  char *xml;
  XfJournalEntry *entry;
  int told; /* set by a callback */
} Fixture;

static guint32
find_domain (Host *host)
{
  g_autoptr (GArray) ids = host_domains (host->dir);

  return ids->len ? g_array_index (ids, guint32, 0) : 0;
}

static char *
entry_path (Fixture *fixture, XfSide side)
{
  g_autofree char *text = xf_uuid_to_string (id);
  g_autofree char *file = g_strdup_printf ("%s.%s.json", text, side == XF_SIDE_SOURCE ? "source" : "destination");

  return g_build_filename (fixture->host->dir, "lib", "migrations", file, NULL);
}

/* A guest, running or defined or both, on a host whose daemon does not run. */
static void
leave_guest (Fixture *fixture, gboolean persistent)
{
  Host *host = fixture->host;

  fixture->xml = host_xml ("g", uuid, NULL);
  if (persistent) {
    xf_domain_ref_free (xf_driver_domain_define (host->driver, fixture->xml, 0, NULL));
    g_assert_true (host_start (host, uuid, 0, NULL));
  } else {
    g_assert_true (host_create (host, fixture->xml, 0, NULL));
  }
  fixture->domid = find_domain (host);
  host_stop_driver (host);
}

/* @received: a guest that is being received has no status file, and nothing in libxl's userdata. */
static void
leave_found (Fixture *fixture, Found found, gboolean received)
{
  Host *host = fixture->host;
  SimBlock *block;

  if (received) {
    g_autofree char *status = g_build_filename (host->dir, "run", "30313233-3435-3637-3839-616263646566.status", NULL);
    g_autofree char *userdata = g_strdup_printf ("%s/domains/%u/userdata-libvirt-xml", host->dir, fixture->domid);

    g_assert_cmpint (g_unlink (status), ==, 0);
    g_assert_cmpint (g_unlink (userdata), ==, 0);
  }
  if (found == ABSENT) {
    host_domain_destroy (host->dir, fixture->domid);
    fixture->domid = 0;
    return;
  }
  if (found == SUSPENDED)
    host_ask_until (host, "g", SIM_ASK_SUSPEND, SIM_SUSPENDED);
  block = host_block_map (host->dir, fixture->domid);
  if (found == BUILDING)
    block->state = SIM_BUILDING;
  if (found == BUILDING || found == PAUSED)
    block->paused = TRUE;
  if (found == SUSPENDED)
    g_assert_cmpint (block->state, ==, SIM_SUSPENDED);
  host_kick (block);
  host_block_unmap (block);
}

/* Writes the entry's file as the previous daemon would have left it. */
static void
write_entry (Fixture *fixture)
{
  g_autofree char *path = entry_path (fixture, fixture->entry->side);
  g_autoptr (GBytes) text = xf_journal_entry_format (fixture->entry);
  gsize length;
  const char *bytes = g_bytes_get_data (text, &length);

  g_assert_true (g_file_set_contents (path, bytes, (gssize)length, NULL));
}

static void
leave_entry (Fixture *fixture, XfSide side, const char *state)
{
  XfJournalEntry *entry = fixture->entry = g_new0 (XfJournalEntry, 1);

  entry->side = side;
  memcpy (entry->id, id, XF_UUID_LENGTH);
  memcpy (entry->uuid, uuid, XF_UUID_LENGTH);
  entry->state = g_strdup (state);
  entry->final = g_str_equal (state, "cancelled") || g_str_equal (state, "done");
  entry->name = g_strdup ("g");
  entry->domid = fixture->domid ? (gint64)fixture->domid : -1;
  entry->boot_id = g_strdup ("this-boot");
  entry->peer = g_strdup ("b");
  entry->cap = -1;
  entry->ask_uri = g_strdup ("xen+tcp://b:49151/system");
  entry->secret = g_strdup (secret);
  entry->xml = side == XF_SIDE_DESTINATION ? g_strdup (fixture->xml) : NULL;
  entry->changed_s = g_get_real_time () / G_USEC_PER_SEC;
  write_entry (fixture);
}

static void
set_up (Fixture *fixture, gconstpointer data)
{
  Host *host = fixture->host = host_new ();

  host->config.boot_id = g_strdup ("this-boot");
  host->config.accept_timeout_s = 1;
  host->config.finish_timeout_s = 1;
  host->peers = &ops;
  host->peers_data = &fixture->peers;
  host_restart_driver (host);
}

static void
tear_down (Fixture *fixture, gconstpointer data)
{
  host_free (fixture->host);
  xf_journal_entry_free (fixture->entry);
  g_free (fixture->xml);
}

/* ---- the guest on the host -------------------------------------------------------------------------------- */

/* Xen's state: "running", "paused", "suspended" or "absent". */
static const char *
guest_on_host (Fixture *fixture)
{
  guint32 domid = find_domain (fixture->host);
  SimBlock *block = domid ? host_block_map (fixture->host->dir, domid) : NULL;
  const char *word = !block                          ? "absent"
                     : block->state == SIM_SUSPENDED ? "suspended"
                     : block->paused                 ? "paused"
                                                     : "running";

  host_block_unmap (block);
  return word;
}

static gboolean
entry_exists (Fixture *fixture, XfSide side)
{
  g_autofree char *path = entry_path (fixture, side);

  return g_file_test (path, G_FILE_TEST_EXISTS);
}

static gboolean
entry_says (Fixture *fixture, XfSide side, const char *what)
{
  g_autofree char *path = entry_path (fixture, side), *text = NULL;

  return g_file_get_contents (path, &text, NULL, NULL) && strstr (text, what);
}

static gboolean
is_listed (Fixture *fixture)
{
  return host_count_listed (fixture->host, VIR_CONNECT_LIST_DOMAINS_ACTIVE) == 1;
}

/* ---- the source's rows ------------------------------------------------------------------------------------ */

typedef struct {
  const char *state;
  Found found;
  gboolean persistent, silent;
  XfVerdict verdict;
  guint asked;      /* at least */
  const char *then; /* the guest's state afterwards */
  gboolean stays;   /* the journal still has an entry */
} SourceRow;

#define RUNS XF_VERDICT_RUNS
#define WILL_NOT XF_VERDICT_WILL_NOT_RUN

static const SourceRow source_rows[] = {
  { "sending", ABSENT, FALSE, FALSE, RUNS, 0, "absent", FALSE },
  { "sending", PAUSED, FALSE, FALSE, RUNS, 0, "paused", FALSE },
  { "sending", SUSPENDED, FALSE, FALSE, RUNS, 0, "running", FALSE },
  { "sending", RUNNING, FALSE, FALSE, RUNS, 0, "running", FALSE },
  { "sent", ABSENT, FALSE, FALSE, RUNS, 0, "absent", FALSE },
  { "sent", ABSENT, TRUE, FALSE, RUNS, 1, "absent", TRUE }, /* "done": it stays defined */
  { "sent", ABSENT, TRUE, FALSE, WILL_NOT, 1, "absent", FALSE },
  { "sent", PAUSED, FALSE, FALSE, RUNS, 0, "paused", FALSE },
  { "sent", SUSPENDED, FALSE, FALSE, RUNS, 1, "absent", FALSE },
  { "sent", SUSPENDED, TRUE, FALSE, RUNS, 1, "absent", TRUE },
  { "sent", SUSPENDED, FALSE, FALSE, WILL_NOT, 1, "running", FALSE },
  { "sent", SUSPENDED, FALSE, TRUE, WILL_NOT, 1, "suspended", TRUE },
  { "sent", RUNNING, FALSE, FALSE, RUNS, 0, "running", FALSE },
  { "rolling back", ABSENT, FALSE, FALSE, RUNS, 0, "absent", FALSE },
  { "rolling back", PAUSED, FALSE, FALSE, RUNS, 0, "paused", FALSE },
  { "rolling back", SUSPENDED, FALSE, FALSE, RUNS, 0, "running", FALSE },
  { "rolling back", RUNNING, FALSE, FALSE, RUNS, 0, "running", FALSE },
  { "destroying", ABSENT, FALSE, FALSE, RUNS, 0, "absent", FALSE },
  { "destroying", ABSENT, TRUE, FALSE, RUNS, 0, "absent", TRUE },
  { "destroying", PAUSED, FALSE, FALSE, RUNS, 0, "absent", FALSE },
  { "destroying", SUSPENDED, FALSE, FALSE, RUNS, 0, "absent", FALSE },
  { "destroying", RUNNING, FALSE, FALSE, RUNS, 0, "running", FALSE },
};

static void
test_source (Fixture *fixture, gconstpointer data)
{
  const SourceRow *row = data;

  leave_guest (fixture, row->persistent);
  leave_found (fixture, row->found, FALSE);
  leave_entry (fixture, XF_SIDE_SOURCE, row->state);
  fixture->peers = (Peers){ .verdict = row->verdict, .silent = row->silent };
  host_start_driver (fixture->host);
  host_wait (fixture->peers.asked >= row->asked);
  host_wait (g_str_equal (guest_on_host (fixture), row->then));
  host_wait (entry_exists (fixture, XF_SIDE_SOURCE) == row->stays);
  host_idle (50);
  g_assert_cmpstr (guest_on_host (fixture), ==, row->then);
  g_assert_true ((fixture->peers.asked > 0) == (row->asked > 0));
  g_assert_true (is_listed (fixture) == !g_str_equal (row->then, "absent"));
  if (row->stays && !row->silent)
    g_assert_true (entry_says (fixture, XF_SIDE_SOURCE, "\"done\""));
}

/* ---- the destination's rows ------------------------------------------------------------------------------- */

typedef struct {
  const char *state;
  Found found;
  const char *then;
  const char *end; /* in the journal */
  gboolean deadline;
} DestRow;

static const DestRow dest_rows[] = {
  { "prepared", ABSENT, "absent", "cancelled" },
  { "prepared", BUILDING, "absent", "cancelled" },
  { "prepared", PAUSED, "absent", "cancelled" },
  { "prepared", SUSPENDED, "suspended", "running" },
  { "prepared", RUNNING, "running", "running" },
  { "restored", ABSENT, "absent", "cancelled" },
  { "restored", PAUSED, "absent", "cancelled", .deadline = TRUE }, /* until finish is called */
  { "restored", SUSPENDED, "suspended", "running" },
  { "restored", RUNNING, "running", "running" },
  { "unpausing", ABSENT, "absent", "running" },
  { "unpausing", PAUSED, "running", "running" },
  { "unpausing", SUSPENDED, "suspended", "running" },
  { "unpausing", RUNNING, "running", "running" },
  { "cancelled", ABSENT, "absent", "cancelled" },
  { "cancelled", BUILDING, "absent", "cancelled" },
  { "cancelled", PAUSED, "absent", "cancelled" },
  { "cancelled", RUNNING, "running", "cancelled" },
};

#define UNANSWERED 99

static void
settled (XfVerdict verdict, const GError *error, gpointer data)
{
  int *answer_out = data;

  *answer_out = error ? UNANSWERED : (int)verdict;
}

/* The answer to a source that asks: XF_VERDICT_*, or UNANSWERED for an error. */
static int
settle_for (Fixture *fixture, const char *with, XfPurpose purpose)
{
  fixture->told = -1;
  xf_driver_settle (fixture->host->driver, id, with, purpose, settled, &fixture->told);
  g_assert_cmpint (fixture->told, ==, -1);
  host_wait (fixture->told != -1);
  return fixture->told;
}

static int
settle (Fixture *fixture, const char *with)
{
  return settle_for (fixture, with, XF_PURPOSE_KNOW);
}

static void
test_dest (Fixture *fixture, gconstpointer data)
{
  const DestRow *row = data;
  g_autofree char *end = g_strdup_printf ("\"%s\"", row->end);
  XfVerdict verdict = g_str_equal (row->end, "cancelled") ? XF_VERDICT_WILL_NOT_RUN
                      : g_str_equal (row->then, "absent") ? XF_VERDICT_HAS_RUN
                                                          : XF_VERDICT_RUNS;

  leave_guest (fixture, FALSE);
  leave_found (fixture, row->found, TRUE);
  leave_entry (fixture, XF_SIDE_DESTINATION, row->state);
  host_start_driver (fixture->host);
  if (row->deadline) {
    host_idle (300);
    g_assert_cmpstr (guest_on_host (fixture), ==, "paused");
    g_assert_cmpuint (host_count_listed (fixture->host, 0), ==, 0);
  }
  host_wait (g_str_equal (guest_on_host (fixture), row->then));
  host_wait (entry_says (fixture, XF_SIDE_DESTINATION, end));
  host_wait (entry_says (fixture, XF_SIDE_DESTINATION, "\"final\": true"));
  g_assert_true (is_listed (fixture) == !g_str_equal (row->then, "absent"));
  g_assert_cmpint (settle (fixture, secret), ==, verdict);
  g_assert_cmpint (settle (fixture, "5ec2e8"), ==, UNANSWERED);
  g_assert_cmpint (settle (fixture, ""), ==, UNANSWERED);
  /* The next daemon gives the same answer. */
  host_restart_driver (fixture->host);
  g_assert_cmpstr (guest_on_host (fixture), ==, row->then);
  g_assert_cmpint (settle (fixture, secret), ==, verdict);
}

/* The domain that rename-restart has kept has the guest's uuid and does not run: it is not the received copy. */
static void
test_preserved (Fixture *fixture, gconstpointer data)
{
  SimBlock *block;

  leave_guest (fixture, FALSE);
  leave_found (fixture, RUNNING, TRUE);
  host_ask_until (fixture->host, "g", SIM_ASK_CRASH, SIM_SHUTDOWN);
  block = host_block_map (fixture->host->dir, fixture->domid);
  g_strlcpy (block->name, "g-20260102T0304Z", sizeof (block->name));
  host_block_unmap (block);
  leave_entry (fixture, XF_SIDE_DESTINATION, "prepared");
  host_start_driver (fixture->host);
  host_wait (entry_says (fixture, XF_SIDE_DESTINATION, "\"cancelled\""));
  g_assert_cmpint (settle (fixture, secret), ==, XF_VERDICT_WILL_NOT_RUN);
  g_assert_cmpuint (host_count_listed (fixture->host, 0), ==, 0);
  g_assert_cmpuint (host_count_domains (fixture->host), ==, 1);
}

/* ---- other cases ------------------------------------------------------------------------------------------ */

static void
finished (const XfMigrateResult *result, const GError *error, gpointer data)
{
  int *answer_out = data;

  *answer_out = error ? error->code : -2;
}

static int
finish_of (Fixture *fixture, const guint8 *migration)
{
  static const char client;
  g_autoptr (XfTypedParams) params = xf_typed_params_new ();
  g_autoptr (XfCookie) cookie = xf_cookie_new ("g", uuid, "a");
  g_autoptr (GBytes) bytes = NULL;

  if (migration)
    xf_cookie_set_peer (cookie, migration);
  cookie->sent = TRUE;
  bytes = migration ? xf_cookie_format (cookie) : NULL;
  fixture->told = -1;
  xf_typed_params_add_string (params, VIR_MIGRATE_PARAM_DEST_NAME, "g");
  xf_driver_migrate_finish (fixture->host->driver, &client, params, bytes, VIR_MIGRATE_LIVE, FALSE, finished,
                            &fixture->told);
  host_wait (fixture->told != -1);
  return fixture->told;
}

static int
finish (Fixture *fixture)
{
  return finish_of (fixture, id);
}

/* If a daemon ended with `restored`, the next one still honours a finish. */
static void
test_restored_and_finish (Fixture *fixture, gconstpointer data)
{
  leave_guest (fixture, FALSE);
  leave_found (fixture, PAUSED, TRUE);
  leave_entry (fixture, XF_SIDE_DESTINATION, "restored");
  host_start_driver (fixture->host);
  g_assert_cmpuint (host_count_listed (fixture->host, 0), ==, 0);
  /* Its client is gone: finish must name the migration. */
  g_assert_cmpint (finish_of (fixture, NULL), ==, XF_ERROR_OPERATION_INVALID);
  g_assert_cmpint (finish_of (fixture, uuid), ==, XF_ERROR_OPERATION_INVALID);
  g_assert_cmpstr (guest_on_host (fixture), ==, "paused");
  g_assert_cmpint (finish (fixture), ==, -2);
  g_assert_cmpstr (guest_on_host (fixture), ==, "running");
  g_assert_true (is_listed (fixture));
  g_assert_cmpint (settle (fixture, secret), ==, XF_VERDICT_RUNS);
}

/* A daemon that is asked before finish is called never honours a finish. */
static void
test_restored_and_asked (Fixture *fixture, gconstpointer data)
{
  leave_guest (fixture, FALSE);
  leave_found (fixture, PAUSED, TRUE);
  leave_entry (fixture, XF_SIDE_DESTINATION, "restored");
  host_start_driver (fixture->host);
  g_assert_cmpint (settle (fixture, secret), ==, XF_VERDICT_WILL_NOT_RUN);
  g_assert_true (entry_says (fixture, XF_SIDE_DESTINATION, "\"cancelled\""));
  g_assert_cmpint (finish (fixture), !=, -2);
  host_wait (g_str_equal (guest_on_host (fixture), "absent"));
}

/* After a boot nothing of a received guest is left. */
static void
test_restored_and_booted (Fixture *fixture, gconstpointer data)
{
  leave_guest (fixture, FALSE);
  leave_found (fixture, ABSENT, TRUE);
  leave_entry (fixture, XF_SIDE_DESTINATION, "restored");
  g_free (fixture->host->config.boot_id);
  fixture->host->config.boot_id = g_strdup ("next-boot");
  host_start_driver (fixture->host);
  g_assert_cmpint (settle (fixture, secret), ==, XF_VERDICT_WILL_NOT_RUN);
}

/* Stores the definition that finish promised although the daemon ended before that, and the guest has ended since. */
static void
test_arrived_and_persistent (Fixture *fixture, gconstpointer data)
{
  leave_guest (fixture, FALSE);
  leave_found (fixture, ABSENT, TRUE);
  leave_entry (fixture, XF_SIDE_DESTINATION, "unpausing");
  fixture->entry->flags = VIR_MIGRATE_PERSIST_DEST;
  write_entry (fixture);
  host_start_driver (fixture->host);
  g_assert_cmpuint (host_count_listed (fixture->host, VIR_CONNECT_LIST_DOMAINS_PERSISTENT), ==, 1);
}

/* The source's host booted while the guest was being migrated: autostart waits for the answer. */
static void
boot_with_autostart (Fixture *fixture, XfVerdict verdict, gboolean silent)
{
  Host *host = fixture->host;

  fixture->xml = host_xml ("g", uuid, NULL);
  xf_domain_ref_free (xf_driver_domain_define (host->driver, fixture->xml, 0, NULL));
  g_assert_true (xf_driver_domain_set_autostart (host->driver, uuid, TRUE, NULL));
  host_stop_driver (host);
  leave_entry (fixture, XF_SIDE_SOURCE, "sent");
  g_free (host->config.boot_id);
  host->config.boot_id = g_strdup ("next-boot");
  fixture->peers = (Peers){ .verdict = verdict, .silent = silent };
  host_start_driver (host);
  xf_driver_autostart (host->driver);
}

static void
test_autostart_runs_there (Fixture *fixture, gconstpointer data)
{
  boot_with_autostart (fixture, XF_VERDICT_RUNS, FALSE);
  host_wait (entry_says (fixture, XF_SIDE_SOURCE, "\"done\""));
  host_idle (100);
  g_assert_cmpstr (guest_on_host (fixture), ==, "absent");
  /* The next boot does not start it either. */
  host_stop_driver (fixture->host);
  g_free (fixture->host->config.boot_id);
  fixture->host->config.boot_id = g_strdup ("third-boot");
  host_start_driver (fixture->host);
  xf_driver_autostart (fixture->host->driver);
  host_idle (100);
  g_assert_cmpstr (guest_on_host (fixture), ==, "absent");
  /* An administrator may force it; then it is a guest of this host again. */
  g_assert_false (host_start (fixture->host, uuid, 0, NULL));
  g_assert_true (host_start (fixture->host, uuid, VIR_DOMAIN_START_FORCE_BOOT, NULL));
  host_wait (!entry_exists (fixture, XF_SIDE_SOURCE));
}

static void
test_autostart_will_not_run (Fixture *fixture, gconstpointer data)
{
  boot_with_autostart (fixture, XF_VERDICT_WILL_NOT_RUN, FALSE);
  host_wait (g_str_equal (guest_on_host (fixture), "running"));
  host_wait (!entry_exists (fixture, XF_SIDE_SOURCE));
}

static void
test_autostart_waits (Fixture *fixture, gconstpointer data)
{
  boot_with_autostart (fixture, XF_VERDICT_WILL_NOT_RUN, TRUE);
  host_wait (fixture->peers.asked >= 2);
  g_assert_cmpstr (guest_on_host (fixture), ==, "absent");
  fixture->peers.silent = FALSE;
  host_wait (g_str_equal (guest_on_host (fixture), "running"));
}

/* An unreadable journal file may say that the guest runs elsewhere: a boot does not start it; an administrator may. */
static void
test_autostart_unreadable (Fixture *fixture, gconstpointer data)
{
  Host *host = fixture->host;
  g_autofree char *path = entry_path (fixture, XF_SIDE_SOURCE);
  g_autoptr (GError) error = NULL;

  fixture->xml = host_xml ("g", uuid, NULL);
  xf_domain_ref_free (xf_driver_domain_define (host->driver, fixture->xml, 0, NULL));
  g_assert_true (xf_driver_domain_set_autostart (host->driver, uuid, TRUE, NULL));
  host_stop_driver (host);
  g_assert_true (g_file_set_contents (path, "{", -1, NULL));
  g_free (host->config.boot_id);
  host->config.boot_id = g_strdup ("next-boot");
  host_start_driver (host);
  xf_driver_autostart (host->driver);
  host_idle (300);
  g_assert_cmpstr (guest_on_host (fixture), ==, "absent");
  g_assert_true (host_start (host, uuid, 0, &error));
  g_assert_no_error (error);
}

/* A peer without a journal is asked for the guest's state. */
typedef struct {
  int state;
  const char *then;
} Look;

static const Look looks[] = {
  { VIR_DOMAIN_RUNNING, "absent" },
  { VIR_DOMAIN_SHUTOFF, "suspended" }, /* libvirt also reports this for a guest that it is receiving */
  { VIR_DOMAIN_PAUSED, "suspended" },
  { -1, "suspended" }, /* it may have run there, and have been migrated on or ended */
};

static void
test_look_up (Fixture *fixture, gconstpointer data)
{
  const Look *look = data;

  leave_guest (fixture, FALSE);
  leave_found (fixture, SUSPENDED, FALSE);
  leave_entry (fixture, XF_SIDE_SOURCE, "sent");
  g_clear_pointer (&fixture->entry->secret, g_free);
  write_entry (fixture);
  fixture->peers = (Peers){ .state = look->state };
  host_start_driver (fixture->host);
  host_wait (fixture->peers.asked > 0);
  host_wait (g_str_equal (guest_on_host (fixture), look->then));
  host_idle (50);
  g_assert_cmpstr (guest_on_host (fixture), ==, look->then);
}

/* The source of a guest asks without an answer: the guest's message says so, and an administrator may decide. */
static void
test_person (Fixture *fixture, gconstpointer data)
{
  gboolean here = data != NULL;
  g_auto (GStrv) messages = NULL;
  g_autoptr (GPtrArray) list = NULL;
  const XfMigrationInfo *info;
  int reason;

  leave_guest (fixture, FALSE);
  leave_found (fixture, SUSPENDED, FALSE);
  leave_entry (fixture, XF_SIDE_SOURCE, "sent");
  fixture->peers.silent = TRUE;
  host_start_driver (fixture->host);
  host_wait (fixture->peers.asked > 0);
  host_idle (50);
  g_assert_cmpint (host_state (fixture->host, uuid, &reason), ==, VIR_DOMAIN_PAUSED);
  g_assert_cmpint (reason, ==, VIR_DOMAIN_PAUSED_MIGRATION);
  messages = xf_driver_domain_messages (fixture->host->driver, uuid, NULL);
  g_assert_nonnull (messages[0]);
  g_assert_nonnull (strstr (messages[0], "no answer"));
  g_assert_nonnull (strstr (messages[0], "virsh resume"));
  list = xf_driver_migrations (fixture->host->driver);
  g_assert_cmpuint (list->len, ==, 1);
  info = list->pdata[0];
  g_assert_cmpstr (info->state, ==, "settling");
  g_assert_cmpstr (info->reason, ==, "no answer");
  if (here)
    g_assert_true (host_call (fixture->host, xf_driver_domain_resume, uuid, NULL));
  else
    g_assert_true (host_destroy (fixture->host, uuid, NULL));
  g_assert_cmpstr (guest_on_host (fixture), ==, here ? "running" : "absent");
  host_wait (!entry_exists (fixture, XF_SIDE_SOURCE));
  /* The destination gets the decision when it can be reached. */
  host_wait (fixture->peers.purpose == (here ? XF_PURPOSE_HERE : XF_PURPOSE_THERE));
  host_idle (50); /* it does not answer */
  fixture->peers.asked = 0;
  fixture->peers.silent = FALSE;
  fixture->peers.verdict = here ? WILL_NOT : RUNS;
  host_wait (fixture->peers.asked == 1);
  host_idle (1500);
  g_assert_cmpuint (fixture->peers.asked, ==, 1);
}

static char told[512];

static void
decided (const GError *error, gpointer data)
{
  g_strlcpy (told, error ? error->message : "done", sizeof (told));
}

/* The first decision counts, both while it is being written and while it is carried out. */
static void
test_two_persons (Fixture *fixture, gconstpointer data)
{
  gboolean here = data != NULL;
  XfDriver *driver;

  leave_guest (fixture, FALSE);
  leave_found (fixture, SUSPENDED, FALSE);
  leave_entry (fixture, XF_SIDE_SOURCE, "sent");
  fixture->peers.silent = TRUE;
  host_start_driver (fixture->host);
  driver = fixture->host->driver;
  host_wait (fixture->peers.asked > 0);
  host_idle (50);
  if (here)
    xf_driver_domain_resume (driver, uuid, decided, NULL);
  else
    xf_driver_domain_destroy (driver, uuid, 0, decided, NULL);
  g_assert_false (here ? host_destroy (fixture->host, uuid, NULL)
                       : host_call (fixture->host, xf_driver_domain_resume, uuid, NULL));
  host_wait (told[0]);
  g_assert_cmpstr (told, ==, "done");
  told[0] = '\0';
  host_wait (!entry_exists (fixture, XF_SIDE_SOURCE));
  g_assert_cmpstr (guest_on_host (fixture), ==, here ? "running" : "absent");
}

/* ---- a guest that cannot be resumed ----------------------------------------------------------------------- */

typedef enum { BY_ITSELF, BY_RESUME, BY_DESTROY, BY_OTHERS, BY_RESTART } Ending;

static const struct StuckRow {
  const char *name;
  Ending ending;
  const char *then;
} stuck_rows[] = {
  { "by-itself", BY_ITSELF, "running" },     { "virsh-resume", BY_RESUME, "running" },
  { "virsh-destroy", BY_DESTROY, "absent" }, { "xl-destroy", BY_OTHERS, "absent" },
  { "restart", BY_RESTART, "running" },
};

static void
check_told (Fixture *fixture)
{
  g_auto (GStrv) messages = xf_driver_domain_messages (fixture->host->driver, uuid, NULL);
  g_autoptr (GPtrArray) list = xf_driver_migrations (fixture->host->driver);
  const XfMigrationInfo *info = list->pdata[0];

  g_assert_nonnull (messages[0]);
  g_assert_nonnull (strstr (messages[0], "could not be resumed"));
  g_assert_nonnull (strstr (messages[0], "virsh destroy"));
  g_assert_cmpuint (list->len, ==, 1);
  g_assert_cmpstr (info->state, ==, "stuck");
  g_assert_nonnull (strstr (info->reason, "libxl"));
}

/* The only copy is here; an administrator cannot decide otherwise. */
static void
check_not_there (Fixture *fixture)
{
  xf_driver_migration_resolve (fixture->host->driver, id, FALSE, decided, NULL);
  host_wait (told[0]);
  g_assert_nonnull (strstr (told, "virsh destroy"));
  told[0] = '\0';
  g_assert_cmpstr (guest_on_host (fixture), ==, "suspended");
}

static void
end_stuck (Fixture *fixture, Ending ending)
{
  Host *host = fixture->host;

  switch (ending) {
  case BY_ITSELF:
    break;
  case BY_RESUME:
    g_assert_true (host_call (host, xf_driver_domain_resume, uuid, NULL));
    g_assert_cmpstr (guest_on_host (fixture), ==, "running");
    break;
  case BY_DESTROY:
    g_assert_true (host_destroy (host, uuid, NULL));
    g_assert_cmpstr (guest_on_host (fixture), ==, "absent");
    break;
  case BY_OTHERS:
    host_domain_destroy (host->dir, fixture->domid);
    break;
  case BY_RESTART:
    host_stop_driver (host);
    g_assert_true (entry_says (fixture, XF_SIDE_SOURCE, "rolling back"));
    g_assert_cmpstr (guest_on_host (fixture), ==, "suspended");
    host_start_driver (host);
    break;
  }
}

/* The resume is repeated until the guest runs or is gone; an administrator may act; then the entry is dropped. */
static void
test_stuck (Fixture *fixture, gconstpointer data)
{
  const struct StuckRow *row = data;
  g_autoptr (GError) error = NULL;

  leave_guest (fixture, FALSE);
  leave_found (fixture, SUSPENDED, FALSE);
  leave_entry (fixture, XF_SIDE_SOURCE, "sending");
  host_set_control (fixture->host, "fail=resume\n");
  host_start_driver (fixture->host);
  host_wait (entry_says (fixture, XF_SIDE_SOURCE, "rolling back"));
  check_told (fixture);
  /* A resume by an administrator reports why it fails. */
  g_assert_false (host_call (fixture->host, xf_driver_domain_resume, uuid, &error));
  g_assert_nonnull (strstr (error->message, "could not be resumed"));
  check_told (fixture);
  check_not_there (fixture);
  host_set_control (fixture->host, "");
  end_stuck (fixture, row->ending);
  host_wait (g_str_equal (guest_on_host (fixture), row->then));
  host_wait (!entry_exists (fixture, XF_SIDE_SOURCE));
  host_wait (is_listed (fixture) == !g_str_equal (row->then, "absent"));
}

/* ---- peers without a journal, and boots ------------------------------------------------------------------- */

/* A libvirtd takes its guest back when its connection is gone: its copy here must not run. If it arrived paused, finish
 * may have been answered, and it is kept. */
static const struct LibvirtdRow {
  const char *state;
  gint64 flags;
  const char *then;
} libvirtd_rows[] = {
  { "restored", 0, "absent" },
  { "unpausing", 0, "absent" },
  { "unpausing", VIR_MIGRATE_PAUSED, "paused" },
  { "running", VIR_MIGRATE_PAUSED, "paused" },
};

static void
test_from_libvirtd (Fixture *fixture, gconstpointer data)
{
  const struct LibvirtdRow *row = data;

  leave_guest (fixture, FALSE);
  leave_found (fixture, PAUSED, TRUE);
  leave_entry (fixture, XF_SIDE_DESTINATION, row->state);
  g_clear_pointer (&fixture->entry->secret, g_free);
  fixture->entry->flags = row->flags;
  write_entry (fixture);
  host_start_driver (fixture->host);
  host_wait (g_str_equal (guest_on_host (fixture), row->then));
  host_idle (50);
  g_assert_cmpstr (guest_on_host (fixture), ==, row->then);
  g_assert_true (is_listed (fixture) == g_str_equal (row->then, "paused"));
  host_wait (!entry_exists (fixture, XF_SIDE_DESTINATION));
}

static void
boot (Fixture *fixture)
{
  leave_found (fixture, ABSENT, TRUE);
  g_free (fixture->host->config.boot_id);
  fixture->host->config.boot_id = g_strdup ("next-boot");
}

/* Whether the guest ran before the boot is not known, so the source gets no answer until an administrator decides. */
static void
test_unpausing_and_booted (Fixture *fixture, gconstpointer data)
{
  gboolean here = data != NULL;

  leave_guest (fixture, FALSE);
  leave_entry (fixture, XF_SIDE_DESTINATION, "unpausing");
  boot (fixture);
  host_start_driver (fixture->host);
  g_assert_cmpint (settle (fixture, secret), ==, UNANSWERED);
  host_restart_driver (fixture->host);
  g_assert_cmpint (settle (fixture, secret), ==, UNANSWERED);
  xf_driver_migration_resolve (fixture->host->driver, id, here, decided, NULL);
  host_wait (told[0]);
  g_assert_cmpstr (told, ==, "done");
  told[0] = '\0';
  g_assert_cmpint (settle (fixture, secret), ==, here ? XF_VERDICT_HAS_RUN : XF_VERDICT_WILL_NOT_RUN);
}

/* The decision at its source counts too, unless this host knows the answer. */
static void
test_told_of_decision (Fixture *fixture, gconstpointer data)
{
  gboolean here = data != NULL; /* at the source */

  leave_guest (fixture, FALSE);
  leave_entry (fixture, XF_SIDE_DESTINATION, "unpausing");
  boot (fixture);
  host_start_driver (fixture->host);
  g_assert_cmpint (settle (fixture, secret), ==, UNANSWERED);
  g_assert_cmpint (settle_for (fixture, "5ec2e8", XF_PURPOSE_HERE), ==, UNANSWERED);
  g_assert_cmpint (settle (fixture, secret), ==, UNANSWERED);
  g_assert_cmpint (settle_for (fixture, secret, here ? XF_PURPOSE_HERE : XF_PURPOSE_THERE), ==,
                   here ? WILL_NOT : XF_VERDICT_HAS_RUN);
  g_assert_cmpint (settle_for (fixture, secret, here ? XF_PURPOSE_THERE : XF_PURPOSE_HERE), ==,
                   here ? WILL_NOT : XF_VERDICT_HAS_RUN);
  host_restart_driver (fixture->host);
  g_assert_cmpint (settle (fixture, secret), ==, here ? WILL_NOT : XF_VERDICT_HAS_RUN);
}

/* The source's decision does not make a guest that waits for finish arrived, nor destroys it. */
static void
test_restored_and_told (Fixture *fixture, gconstpointer data)
{
  fixture->host->config.finish_timeout_s = 60;
  host_restart_driver (fixture->host);
  leave_guest (fixture, FALSE);
  leave_found (fixture, PAUSED, TRUE);
  leave_entry (fixture, XF_SIDE_DESTINATION, "restored");
  host_start_driver (fixture->host);
  g_assert_cmpint (settle_for (fixture, secret, XF_PURPOSE_THERE), ==, UNANSWERED);
  g_assert_cmpstr (guest_on_host (fixture), ==, "paused");
  g_assert_cmpint (settle_for (fixture, secret, XF_PURPOSE_HERE), ==, WILL_NOT);
  host_wait (g_str_equal (guest_on_host (fixture), "absent"));
}

/* A guest that has ended here is started on its former host: then this host no longer starts it. */
static void
test_given_back (Fixture *fixture, gconstpointer data)
{
  Host *host = fixture->host;
  g_autoptr (GError) error = NULL;

  leave_guest (fixture, TRUE);
  leave_found (fixture, ABSENT, FALSE);
  leave_entry (fixture, XF_SIDE_DESTINATION, "running");
  fixture->entry->final = TRUE;
  write_entry (fixture);
  host_start_driver (host);
  g_assert_true (xf_driver_domain_set_autostart (host->driver, uuid, TRUE, NULL));
  /* A question without a start changes nothing. */
  g_assert_cmpint (settle (fixture, secret), ==, XF_VERDICT_HAS_RUN);
  g_assert_true (host_start (host, uuid, 0, NULL));
  g_assert_cmpint (settle_for (fixture, secret, XF_PURPOSE_START), ==, RUNS);
  g_assert_true (host_destroy (host, uuid, NULL));
  g_assert_cmpint (settle_for (fixture, secret, XF_PURPOSE_START), ==, XF_VERDICT_HAS_RUN);
  g_assert_true (entry_says (fixture, XF_SIDE_DESTINATION, "\"given-back\": true"));
  g_assert_false (host_start (host, uuid, 0, &error));
  g_assert_nonnull (strstr (error->message, "--force-boot"));
  g_assert_false (host_create (host, fixture->xml, 0, NULL));
  host_stop_driver (host);
  g_free (host->config.boot_id);
  host->config.boot_id = g_strdup ("next-boot");
  host_start_driver (host);
  xf_driver_autostart (host->driver);
  host_idle (100);
  g_assert_cmpstr (guest_on_host (fixture), ==, "absent");
  g_assert_true (host_start (host, uuid, VIR_DOMAIN_START_FORCE_BOOT, NULL));
  host_wait (entry_says (fixture, XF_SIDE_DESTINATION, "\"given-back\": false"));
  g_assert_cmpint (settle_for (fixture, secret, XF_PURPOSE_START), ==, RUNS);
}

/* A guest that was to stay paused has not run. */
static void
test_paused_and_booted (Fixture *fixture, gconstpointer data)
{
  leave_guest (fixture, FALSE);
  leave_entry (fixture, XF_SIDE_DESTINATION, "unpausing");
  fixture->entry->flags = VIR_MIGRATE_PAUSED;
  write_entry (fixture);
  boot (fixture);
  host_start_driver (fixture->host);
  g_assert_cmpint (settle (fixture, secret), ==, XF_VERDICT_WILL_NOT_RUN);
}

/* libxl's configuration of the domain is enough to run it. */
static void
test_without_xml (Fixture *fixture, gconstpointer data)
{
  gboolean restored = data != NULL;

  leave_guest (fixture, FALSE);
  leave_found (fixture, PAUSED, TRUE);
  leave_entry (fixture, XF_SIDE_DESTINATION, restored ? "restored" : "unpausing");
  g_free (fixture->entry->xml);
  fixture->entry->xml = g_strdup ("<domain>");
  write_entry (fixture);
  host_start_driver (fixture->host);
  if (restored)
    g_assert_cmpint (finish (fixture), ==, -2);
  host_wait (g_str_equal (guest_on_host (fixture), "running"));
  host_wait (is_listed (fixture));
  g_assert_cmpint (settle (fixture, secret), ==, XF_VERDICT_RUNS);
}

/* The copy that a migrated guest left behind is destroyed, and never listed. */
static void
test_left_copy (Fixture *fixture, gconstpointer data)
{
  leave_guest (fixture, TRUE);
  leave_found (fixture, SUSPENDED, FALSE);
  leave_entry (fixture, XF_SIDE_SOURCE, "done");
  host_start_driver (fixture->host);
  g_assert_cmpuint (host_count_listed (fixture->host, VIR_CONNECT_LIST_DOMAINS_ACTIVE), ==, 0);
  host_wait (g_str_equal (guest_on_host (fixture), "absent"));
  g_assert_true (entry_exists (fixture, XF_SIDE_SOURCE));
}

/* ---- the start of a guest that was migrated --------------------------------------------------------------- */

static const struct MovedRow {
  XfVerdict verdict;
  gboolean silent, libvirtd;
  int state; /* of look_up */
  guint flags;
  gboolean starts;
} moved_rows[] = {
  { .verdict = XF_VERDICT_RUNS },
  { .verdict = XF_VERDICT_HAS_RUN, .starts = TRUE },
  { .verdict = XF_VERDICT_WILL_NOT_RUN, .starts = TRUE },
  { .silent = TRUE },
  { .silent = TRUE, .flags = VIR_DOMAIN_START_FORCE_BOOT, .starts = TRUE },
  { .verdict = XF_VERDICT_RUNS, .flags = VIR_DOMAIN_START_FORCE_BOOT, .starts = TRUE },
  { .libvirtd = TRUE, .state = VIR_DOMAIN_RUNNING },
  { .libvirtd = TRUE, .state = VIR_DOMAIN_PAUSED },
  { .libvirtd = TRUE, .state = VIR_DOMAIN_SHUTOFF }, /* it may have been migrated on */
  { .libvirtd = TRUE, .state = -1 },
  { .libvirtd = TRUE, .state = -1, .flags = VIR_DOMAIN_START_FORCE_BOOT, .starts = TRUE },
};

static void
leave_done (Fixture *fixture, gboolean libvirtd)
{
  g_clear_pointer (&fixture->entry, xf_journal_entry_free);
  leave_entry (fixture, XF_SIDE_SOURCE, "done");
  if (libvirtd)
    g_clear_pointer (&fixture->entry->secret, g_free);
  write_entry (fixture);
}

static void
test_moved (Fixture *fixture, gconstpointer data)
{
  const struct MovedRow *row = data;
  g_autoptr (GError) error = NULL;

  leave_guest (fixture, TRUE);
  leave_found (fixture, ABSENT, FALSE);
  leave_done (fixture, row->libvirtd);
  fixture->peers = (Peers){ .verdict = row->verdict, .silent = row->silent, .state = row->state };
  host_start_driver (fixture->host);
  g_assert_true (host_start (fixture->host, uuid, row->flags, &error) == row->starts);
  if (!row->libvirtd && !row->flags)
    g_assert_cmpint (fixture->peers.purpose, ==, XF_PURPOSE_START);
  host_wait (entry_exists (fixture, XF_SIDE_SOURCE) == !row->starts);
  if (!row->starts)
    g_assert_nonnull (strstr (error->message, "--force-boot"));
  g_clear_error (&error);
  if (row->starts)
    g_assert_true (host_destroy (fixture->host, uuid, NULL));
  /* The same with create. */
  host_stop_driver (fixture->host);
  leave_done (fixture, row->libvirtd);
  host_start_driver (fixture->host);
  g_assert_true (host_create (fixture->host, fixture->xml, row->flags, NULL) == row->starts);
}

static void
begun (const XfMigrateResult *result, const GError *error, gpointer data)
{
  g_assert_no_error (error);
  *(int *)data = 1;
}

/* Its definition may be copied to another host; the daemon still knows where the guest is. */
static void
test_moved_and_offline (Fixture *fixture, gconstpointer data)
{
  static const char client;
  g_autoptr (XfTypedParams) params = xf_typed_params_new ();

  leave_guest (fixture, TRUE);
  leave_found (fixture, ABSENT, FALSE);
  leave_done (fixture, FALSE);
  fixture->peers = (Peers){ .verdict = RUNS };
  host_start_driver (fixture->host);
  xf_driver_migrate_begin (fixture->host->driver, uuid, &client, params, VIR_MIGRATE_OFFLINE | VIR_MIGRATE_PERSIST_DEST,
                           begun, &fixture->told);
  host_wait (fixture->told == 1);
  xf_driver_client_gone (fixture->host->driver, &client);
  host_idle (50);
  g_assert_false (host_start (fixture->host, uuid, 0, NULL));
  g_assert_true (entry_exists (fixture, XF_SIDE_SOURCE));
}

/* A guest that was throttled gets its cap back, whatever happens to its migration. */
static void
test_capped (Fixture *fixture, gconstpointer data)
{
  SimBlock *block;

  leave_guest (fixture, FALSE);
  block = host_block_map (fixture->host->dir, fixture->domid);
  block->cap = 20;
  host_block_unmap (block);
  leave_entry (fixture, XF_SIDE_SOURCE, "sending");
  fixture->entry->cap = 150;
  write_entry (fixture);
  host_start_driver (fixture->host);
  block = host_block_map (fixture->host->dir, fixture->domid);
  g_assert_cmpuint (block->cap, ==, 150);
  host_block_unmap (block);
}

/* A file of an unknown format is not changed, and is reported. */
static void
test_unreadable (Fixture *fixture, gconstpointer data)
{
  g_autofree char *path = entry_path (fixture, XF_SIDE_SOURCE), *left = NULL;
  g_autofree char *half = g_strconcat (path, ".new", NULL);
  g_autoptr (GPtrArray) list = NULL;
  const XfMigrationInfo *info;

  host_stop_driver (fixture->host);
  g_assert_true (g_file_set_contents (path, "{ \"format\": 2 }", -1, NULL));
  g_assert_true (g_file_set_contents (half, "{", -1, NULL));
  g_test_expect_message ("xf-libxl", G_LOG_LEVEL_WARNING, "*left alone*format*");
  host_start_driver (fixture->host);
  g_test_assert_expected_messages ();
  list = xf_driver_migrations (fixture->host->driver);
  g_assert_cmpuint (list->len, ==, 1);
  info = list->pdata[0];
  g_assert_nonnull (strstr (info->reason, path));
  g_assert_true (g_file_get_contents (path, &left, NULL, NULL));
  g_assert_cmpstr (left, ==, "{ \"format\": 2 }");
  g_assert_false (g_file_test (half, G_FILE_TEST_EXISTS));
}

static void
add_rows (void)
{
  for (gsize i = 0; i < G_N_ELEMENTS (source_rows); i++) {
    const SourceRow *row = &source_rows[i];
    g_autofree char *path = g_strdup_printf ("/recover/source/%s/%s/%zu", row->state, found_words[row->found], i);

    g_test_add (path, Fixture, row, set_up, test_source, tear_down);
  }
  for (gsize i = 0; i < G_N_ELEMENTS (dest_rows); i++) {
    g_autofree char *path = g_strdup_printf ("/recover/destination/%s/%s", dest_rows[i].state,
                                             found_words[dest_rows[i].found]);

    g_test_add (path, Fixture, &dest_rows[i], set_up, test_dest, tear_down);
  }
  for (gsize i = 0; i < G_N_ELEMENTS (looks); i++) {
    g_autofree char *path = g_strdup_printf ("/recover/look-up/%d", looks[i].state);

    g_test_add (path, Fixture, &looks[i], set_up, test_look_up, tear_down);
  }
  for (gsize i = 0; i < G_N_ELEMENTS (libvirtd_rows); i++) {
    g_autofree char *path = g_strdup_printf ("/recover/from-libvirtd/%s/%zu", libvirtd_rows[i].state, i);

    g_test_add (path, Fixture, &libvirtd_rows[i], set_up, test_from_libvirtd, tear_down);
  }
  for (gsize i = 0; i < G_N_ELEMENTS (stuck_rows); i++) {
    g_autofree char *path = g_strdup_printf ("/recover/stuck/%s", stuck_rows[i].name);

    g_test_add (path, Fixture, &stuck_rows[i], set_up, test_stuck, tear_down);
  }
  for (gsize i = 0; i < G_N_ELEMENTS (moved_rows); i++) {
    g_autofree char *path = g_strdup_printf ("/recover/moved/%zu", i);

    g_test_add (path, Fixture, &moved_rows[i], set_up, test_moved, tear_down);
  }
}

int
main (int argc, char **argv)
{
  static const struct {
    const char *path;
    void (*run) (Fixture *fixture, gconstpointer data);
    gconstpointer data;
  } tests[] = {
    { "/recover/restored-and-finish", test_restored_and_finish, NULL },
    { "/recover/restored-and-asked", test_restored_and_asked, NULL },
    { "/recover/restored-and-booted", test_restored_and_booted, NULL },
    { "/recover/arrived-and-persistent", test_arrived_and_persistent, NULL },
    { "/recover/autostart/runs-there", test_autostart_runs_there, NULL },
    { "/recover/autostart/will-not-run", test_autostart_will_not_run, NULL },
    { "/recover/autostart/waits", test_autostart_waits, NULL },
    { "/recover/autostart/unreadable", test_autostart_unreadable, NULL },
    { "/recover/person/here", test_person, "here" },
    { "/recover/person/there", test_person, NULL },
    { "/recover/two-persons/here", test_two_persons, "here" },
    { "/recover/two-persons/there", test_two_persons, NULL },
    { "/recover/unpausing-and-booted/here", test_unpausing_and_booted, "here" },
    { "/recover/unpausing-and-booted/there", test_unpausing_and_booted, NULL },
    { "/recover/told-of-decision/here", test_told_of_decision, "here" },
    { "/recover/told-of-decision/there", test_told_of_decision, NULL },
    { "/recover/restored-and-told", test_restored_and_told, NULL },
    { "/recover/given-back", test_given_back, NULL },
    { "/recover/paused-and-booted", test_paused_and_booted, NULL },
    { "/recover/without-xml/restored", test_without_xml, "restored" },
    { "/recover/without-xml/unpausing", test_without_xml, NULL },
    { "/recover/left-copy", test_left_copy, NULL },
    { "/recover/moved-and-offline", test_moved_and_offline, NULL },
    { "/recover/capped", test_capped, NULL },
    { "/recover/unreadable", test_unreadable, NULL },
  };

  g_test_init (&argc, &argv, NULL);
  /* The tests check the consequences of a warning, not its text. */
  g_log_set_always_fatal (G_LOG_FATAL_MASK | G_LOG_LEVEL_CRITICAL);
  add_rows ();
  for (gsize i = 0; i < G_N_ELEMENTS (tests); i++)
    g_test_add (tests[i].path, Fixture, tests[i].data, set_up, tests[i].run, tear_down);
  g_test_add ("/recover/preserved", Fixture, NULL, set_up, test_preserved, tear_down);
  return g_test_run ();
}
