/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * A check without a migration, at the source: this host's checks, then those of the daemon at the destination, with
 * what begin and prepare of a peer-to-peer migration would send. What fails first does not hide the rest.
 *
 *   surveying the guest ─► opening the connection ─► recognising a xenferry ─► asking it
 */
#include <libvirt/libvirt.h>

#include "base/error.h"
#include "conf/cookie.h"
#include "conf/migrate_uri.h"
#include "libxl/guest/driver_private.h"
#include "libxl/guest/look.h"
#include "libxl/migrate/check.h"
#include "libxl/migrate/migrations.h"
#include "libxl/migrate/plan.h"
#include "libxl/source/source.h"
#include "libxl/source/survey.h"

typedef struct {
  XfDriver *driver;
  XfCheck *check;
  XfMigrateParams params;
  char *dconnuri, *host; /* the destination */
  char *name, *xml;      /* the guest's; xml NULL: it cannot be described */
  XfCookie *cookie;
  XfSurvey *survey;
  char *unsaid;
  XfPeer *peer;
} Outgoing;

static void
outgoing_free (gpointer data)
{
  Outgoing *out = data;

  xf_survey_free (out->survey);
  if (out->peer)
    out->driver->peers->close (out->peer);
  xf_migrate_params_clear (&out->params);
  xf_cookie_free (out->cookie);
  g_free (out->dconnuri);
  g_free (out->host);
  g_free (out->name);
  g_free (out->xml);
  g_free (out->unsaid);
  g_free (out);
}

static void
end (Outgoing *out, const GError *error)
{
  xf_check_end (out->check, error);
  outgoing_free (out);
}

static void
add_error (Outgoing *out, const char *what, const GError *error)
{
  xf_check_add_error (out->check, out->driver->hostname, what, error);
}

/* ---- the destination -------------------------------------------------------------------------------------- */

static void
incoming_checked (const GPtrArray *findings, const GError *error, gpointer data)
{
  Outgoing *out = data;

  xf_check_add_all (out->check, findings);
  add_error (out, "destination", error);
  end (out, NULL);
}

static void
ask_xenferry (Outgoing *out)
{
  g_autoptr (XfTypedParams) params = xf_typed_params_new ();
  g_autoptr (GBytes) cookie = xf_cookie_format (out->cookie);

  xf_typed_params_add_string (params, VIR_MIGRATE_PARAM_DEST_XML, out->xml);
  if (out->params.destination_name)
    xf_typed_params_add_string (params, VIR_MIGRATE_PARAM_DEST_NAME, out->params.destination_name);
  if (out->params.persistent_xml)
    xf_typed_params_add_string (params, VIR_MIGRATE_PARAM_PERSIST_XML, out->params.persistent_xml);
  out->driver->peers->check (out->peer, params, cookie, xf_migrate_params_destination_flags (&out->params, FALSE),
                             incoming_checked, out);
}

/* A libvirtd has no such call. */
static void
judge_libvirtd (Outgoing *out)
{
  g_autoptr (GError) unfit = NULL, lost = NULL;

  (void)xf_migrate_params_fit_libvirtd (&out->params, out->host, &unfit);
  add_error (out, "options", unfit);
  if (out->unsaid && !(out->params.flags & VIR_MIGRATE_UNSAFE))
    lost = xf_migrate_unsaid_error (out->name, out->host, out->unsaid);
  add_error (out, "configuration", lost);
  xf_check_add (out->check, out->host, "destination", FALSE,
                "the daemon there is a libvirtd, whose own checks happen only in a migration");
  end (out, NULL);
}

static void
recognised (gboolean supported, const GError *error, gpointer data)
{
  Outgoing *out = data;

  if (error && error->code == XF_ERROR_NO_CONNECT) {
    add_error (out, "destination", error);
    end (out, NULL);
  } else if (error || !supported || !out->driver->peers->check) {
    judge_libvirtd (out);
  } else {
    ask_xenferry (out);
  }
}

static void
opened (XfPeer *peer, const GError *error, gpointer data)
{
  Outgoing *out = data;

  if (error) {
    add_error (out, "destination", error);
    end (out, NULL);
    return;
  }
  out->driver->peers->supports_feature (out->peer, XF_FEATURE_XENFERRY, recognised, out);
}

/* Pending calls have been answered with an error. */
static void
closed (const GError *error, gpointer data)
{
}

static void
ask_destination (Outgoing *out)
{
  const XfDriver *driver = out->driver;

  if (!driver->peers) {
    end (out, NULL);
    return;
  }
  out->peer = driver->peers->open (driver->peers_data, out->dconnuri, driver->config.connect_timeout_s, opened, closed,
                                   out);
}

/* ---- this host -------------------------------------------------------------------------------------------- */

static void
surveyed (const XfSurveyResult *result, const GError *error, gpointer data)
{
  Outgoing *out = data;

  xf_check_add_resources (out->check, out->driver->hostname, result->findings);
  if (error && !result->findings)
    add_error (out, "configuration", error);
  out->unsaid = g_strdup (result->unsaid);
  out->cookie->config = g_strdup (result->config);
  out->cookie->facts = result->facts ? g_hash_table_ref (result->facts) : NULL;
  g_clear_pointer (&out->survey, xf_survey_free);
  ask_destination (out);
}

static gboolean
read_request (Outgoing *out, const char *dconnuri, const XfTypedParams *typed, guint flags, GError **error)
{
  g_auto (XfConnectUri) uri = { 0 };

  if (!xf_migrate_params_parse (&out->params, typed, flags | VIR_MIGRATE_PEER2PEER, error)
      || !xf_connect_uri_parse (dconnuri, &uri, error))
    return FALSE;
  out->dconnuri = g_strdup (dconnuri);
  out->host = xf_connect_uri_describe (&uri);
  return TRUE;
}

/* What begin refuses at once. */
static void
check_guest (Outgoing *out, XfGuest *guest)
{
  g_autoptr (GError) unable = NULL, busy = NULL, forbidden = NULL, wrong = NULL;

  xf_look_again (guest);
  if (!xf_migrate_source_check (out->driver, guest, &out->params, &unable))
    add_error (out, "guest", unable);
  (void)xf_job_may_begin (guest, &busy);
  add_error (out, "guest", busy);
  (void)xf_migrate_plan_offer (&out->driver->config, &out->params, out->cookie, &forbidden);
  add_error (out, "options", forbidden);
  out->xml = xf_migrate_source_make_xml (guest, &out->params, &wrong);
  add_error (out, "xml", wrong);
}

void
xf_driver_migrate_check (XfDriver *driver, const guint8 *uuid, const char *dconnuri, const XfTypedParams *typed,
                         guint flags, XfCheckDone done, gpointer data)
{
  Outgoing *out = g_new0 (Outgoing, 1);
  g_autoptr (GError) error = NULL;
  guint8 id[XF_UUID_LENGTH];
  XfGuest *guest;

  out->driver = driver;
  out->check = xf_check_new (driver, outgoing_free, out, done, data);
  guest = xf_guest_find_or_error (driver, uuid, &error);
  if (!guest || !read_request (out, dconnuri, typed, flags, &error)) {
    end (out, error);
    return;
  }
  out->name = g_strdup (guest->name);
  xf_uuid_generate (id);
  out->cookie = xf_migrate_cookie_new (driver, guest->name, guest->uuid, id);
  check_guest (out, guest);
  if (!out->xml)
    end (out, NULL);
  else if (guest->domid > 0)
    out->survey = xf_survey_new (driver, guest, NULL, out->host, out->xml, &out->params, surveyed, out);
  else
    ask_destination (out);
}
