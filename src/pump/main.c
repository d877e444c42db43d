/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * xenferry-pump: a migration stream between file descriptors, through the stages that its arguments name
 * (docs/xenferry-pump.8.md). Order: arguments, certificates, sandbox, handshakes, bytes. No byte of a peer is read
 * before the sandbox.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/secret.h"
#include "pump/legs.h"
#include "pump/sandbox.h"
#include "pump/tls.h"

#define MEMORY_FACTOR 16 /* a stream has at most this many times the guest's memory, plus SLACK */
#define SLACK (G_GUINT64_CONSTANT (1) << 30)

typedef struct {
  char *in, *out, *type, *compress, *id, *user, *tls, *ca, *certificate, *key, *name;
  gboolean guard, pack, unpack, no_sandbox;
  gint64 max_memory_kib, total_max, rate;
  int vcpus, level, control, report;
} Options;

static void
options_clear (Options *o)
{
  char **texts[] = { &o->in,  &o->out, &o->type,        &o->compress, &o->id,  &o->user,
                     &o->tls, &o->ca,  &o->certificate, &o->key,      &o->name };

  for (gsize i = 0; i < G_N_ELEMENTS (texts); i++)
    g_clear_pointer (texts[i], g_free);
}

static gboolean
wrong (GError **error, const char *what)
{
  g_set_error (error, XF_ERROR, XF_ERROR_INVALID_ARG, "%s", what);
  return FALSE;
}

static gboolean
parse (Options *o, int *argc, char ***argv, GError **error)
{
  GOptionEntry entries[] = {
    { "in", 0, 0, G_OPTION_ARG_STRING, &o->in, "The descriptors of the input (0)", "FD[,FD...]" },
    { "out", 0, 0, G_OPTION_ARG_STRING, &o->out, "Where it goes (1)", "FD[,FD...]" },
    { "control", 0, 0, G_OPTION_ARG_INT, &o->control, "Commands: rate BYTES, abort", "FD" },
    { "report", 0, 0, G_OPTION_ARG_INT, &o->report, "Counters, a JSON line each half second", "FD" },
    { "guard", 0, 0, G_OPTION_ARG_NONE, &o->guard, "Check that it is a migration stream that libxl may see", NULL },
    { "type", 0, 0, G_OPTION_ARG_STRING, &o->type, "guard: the guest is pv or hvm (PVH too)", "TYPE" },
    { "max-memory", 0, 0, G_OPTION_ARG_INT64, &o->max_memory_kib, "guard: the most memory it may have", "KIB" },
    { "vcpus", 0, 0, G_OPTION_ARG_INT, &o->vcpus, "guard: the most vCPUs it may have", "N" },
    { "total-max", 0, 0, G_OPTION_ARG_INT64, &o->total_max, "guard: the longest stream (16 times its memory)",
      "BYTES" },
    { "pack", 0, 0, G_OPTION_ARG_NONE, &o->pack, "Frames with checksums go out", NULL },
    { "unpack", 0, 0, G_OPTION_ARG_NONE, &o->unpack, "The input consists of frames", NULL },
    { "compress", 0, 0, G_OPTION_ARG_STRING, &o->compress, "pack: none, zstd or auto (auto)", "HOW" },
    { "level", 0, 0, G_OPTION_ARG_INT, &o->level, "pack: zstd's level (1)", "1-19" },
    { "id", 0, 0, G_OPTION_ARG_STRING, &o->id, "pack, unpack: the migration's id, 32 hexadecimal digits", "ID" },
    { "rate", 0, 0, G_OPTION_ARG_INT64, &o->rate, "At most so many bytes a second go out", "BYTES" },
    { "tls", 0, 0, G_OPTION_ARG_STRING, &o->tls, "server: for the input; client: for the output", "ROLE" },
    { "tls-ca", 0, 0, G_OPTION_ARG_FILENAME, &o->ca, "Who may sign the other side's certificate", "FILE" },
    { "tls-cert", 0, 0, G_OPTION_ARG_FILENAME, &o->certificate, "Our certificate", "FILE" },
    { "tls-key", 0, 0, G_OPTION_ARG_FILENAME, &o->key, "Its key", "FILE" },
    { "tls-name", 0, 0, G_OPTION_ARG_STRING, &o->name, "client: the name in the server's certificate", "HOST" },
    { "user", 0, 0, G_OPTION_ARG_STRING, &o->user, "Run as this user", "NAME" },
    { "no-sandbox", 0, 0, G_OPTION_ARG_NONE, &o->no_sandbox, "For debuggers and sanitizers only", NULL },
    { NULL },
  };
  g_autoptr (GOptionContext) context = g_option_context_new (NULL);

  g_option_context_add_main_entries (context, entries, NULL);
  if (!g_option_context_parse (context, argc, argv, error))
    return FALSE;
  if (*argc > 1)
    return wrong (error, "there are no arguments besides options");
  if (o->guard && (o->max_memory_kib <= 0 || o->max_memory_kib > G_GINT64_CONSTANT (1) << 40))
    return wrong (error, "--guard needs --max-memory");
  if (o->level < 1 || o->level > 19)
    return wrong (error, "--level is from 1 to 19");
  if (o->rate < 0 || o->total_max < 0 || o->vcpus < 0)
    return wrong (error, "a number is negative");
  if (o->tls && !((strcmp (o->tls, "server") == 0 && o->unpack) || (strcmp (o->tls, "client") == 0 && o->pack)))
    return wrong (error, "--tls is server with --unpack or client with --pack");
  return TRUE;
}

static gboolean
open_channels (XfPass *pass, XfTurns *turns, const char *list, gboolean output, GError **error)
{
  g_auto (GStrv) numbers = g_strsplit (list, ",", XF_FRAME_CONNECTIONS_MAX + 1);

  for (guint i = 0; numbers[i]; i++) {
    guint64 fd;

    if (i == XF_FRAME_CONNECTIONS_MAX || !g_ascii_string_to_unsigned (numbers[i], 10, 0, 1 << 20, &fd, NULL))
      return wrong (error, "--in and --out are up to 16 descriptors");
    if (!xf_channel_init (&turns->channels[i], &pass->loop, (int)fd, output, error))
      return FALSE;
    turns->n = i + 1;
  }
  return turns->n > 0 || wrong (error, "--in or --out is empty");
}

static gboolean
make_guard (XfPass *pass, const Options *o, GError **error)
{
  XfGuardLimits limits = { .max_pages = o->max_memory_kib / 4, .vcpus = o->vcpus, .total_max = o->total_max };

  if (!o->guard)
    return TRUE;
  if (o->type && strcmp (o->type, "pv") != 0 && strcmp (o->type, "hvm") != 0)
    return wrong (error, "--type is pv or hvm");
  limits.guest = !o->type ? XF_GUARD_ANY : o->type[0] == 'p' ? XF_GUARD_PV : XF_GUARD_HVM;
  if (limits.total_max == 0)
    limits.total_max = (guint64)o->max_memory_kib * 1024 * MEMORY_FACTOR + SLACK;
  pass->guard = xf_guard_new (&limits);
  return TRUE;
}

static gboolean
parse_id (const char *text, guint8 id_out[XF_FRAME_ID_SIZE], GError **error)
{
  memset (id_out, 0, XF_FRAME_ID_SIZE);
  return !text || xf_hex_parse (text, id_out, XF_FRAME_ID_SIZE) || wrong (error, "--id is 32 hexadecimal digits");
}

static gboolean
parse_compress (const char *text, XfFrameCompress *compress_out, GError **error)
{
  static const char *const words[] = { [XF_FRAME_RAW] = "none", [XF_FRAME_ZSTD] = "zstd", [XF_FRAME_AUTO] = "auto" };

  for (guint how = 0; how < G_N_ELEMENTS (words); how++) {
    *compress_out = (XfFrameCompress)how;
    if (strcmp (words[how], text) == 0)
      return TRUE;
  }
  return wrong (error, "--compress is none, zstd or auto");
}

/* The descriptors that stay open: the stream's ends, commands, reports, the legs. */
static gboolean
enter_sandbox (XfPass *pass, const Options *o, GError **error)
{
  int keep[4 * XF_FRAME_CONNECTIONS_MAX + 2];
  guint n = 0;

  for (guint i = 0; i < pass->in.n; i++)
    keep[n++] = pass->in.channels[i].fd;
  for (guint i = 0; i < pass->out.n; i++)
    keep[n++] = pass->out.channels[i].fd;
  if (pass->legs_in)
    n += xf_legs_descriptors (pass->legs_in, keep + n);
  if (pass->legs_out)
    n += xf_legs_descriptors (pass->legs_out, keep + n);
  if (pass->loop.control >= 0)
    keep[n++] = pass->loop.control;
  if (pass->loop.report >= 0)
    keep[n++] = pass->loop.report;
  xf_sandbox_close_others (keep, n);
  return o->no_sandbox || xf_sandbox_enter (o->user, error);
}

/* The parameters of a process that has connections itself. */
typedef struct {
  const Options *options;
  gboolean server;
  XfFramePlace place;
  XfFrameCompress compress;
} Work;

/* Runs the stages between @pass's input and output, from the sandbox to the last byte. */
static gboolean
run_stages (XfPass *pass, const Work *work, const XfFramePlace *place, gboolean pack, gboolean unpack, GError **error)
{
  const Options *o = work->options;
  XfChannel *in = &pass->in.channels[0], *out = &pass->out.channels[0], *secret = work->server ? in : out;
  g_autoptr (XfTls) tls = NULL;

  /* Only in the process that needs the key. */
  if (o->tls && (work->server ? unpack : pack)
      && !(tls = xf_tls_new (work->server, o->ca, o->certificate, o->key, o->name, error)))
    return FALSE;
  if (pack)
    pass->writer = xf_frame_writer_new (out, place, work->compress, work->options->level);
  if (unpack)
    pass->reader = xf_frame_reader_new (in, place);
  pass->buffer = g_malloc (XF_PASS_BUFFER);
  if (!enter_sandbox (pass, work->options, error) || (tls && !xf_tls_handshake (tls, secret, error))
      || !xf_pass_run (pass, error))
    return FALSE;
  if (out->tls)
    xf_tls_session_end (out->tls);
  return TRUE;
}

static gboolean
run_leg (XfPass *leg, guint index, guint count, gpointer data, GError **error)
{
  const Work *work = data;
  XfFramePlace place = work->place;

  place.index = index;
  place.count = count;
  return run_stages (leg, work, &place, leg->in.channels[0].inner, leg->out.channels[0].inner, error);
}

/* The process that checks a guest's image has no key in its memory: a connection that is decrypted is a leg, even if it
 * is the only one. */
static gboolean
start_legs (XfPass *pass, Work *work, GError **error)
{
  if ((pass->in.n > 1 || (work->server && pass->guard))
      && !(pass->legs_in = xf_legs_start (&pass->in, FALSE, 0, run_leg, work, error)))
    return FALSE;
  return pass->out.n == 1
         || (pass->legs_out = xf_legs_start (&pass->out, TRUE, work->options->rate, run_leg, work, error));
}

static gboolean
run (XfPass *pass, const Options *o, GError **error)
{
  Work work = { .options = o, .server = o->tls && strcmp (o->tls, "server") == 0, .place = { .count = 1 } };

  if (!open_channels (pass, &pass->in, o->in ? o->in : "0", FALSE, error)
      || !open_channels (pass, &pass->out, o->out ? o->out : "1", TRUE, error))
    return FALSE;
  if ((pass->in.n > 1 && !o->unpack) || (pass->out.n > 1 && !o->pack))
    return wrong (error, "only frames travel on several connections: --pack, --unpack");
  if (!make_guard (pass, o, error) || !parse_id (o->id, work.place.id, error)
      || !parse_compress (o->compress ? o->compress : "auto", &work.compress, error)
      || !start_legs (pass, &work, error))
    return FALSE;
  return run_stages (pass, &work, &work.place, o->pack && !pass->legs_out, o->unpack && !pass->legs_in, error);
}

int
main (int argc, char **argv)
{
  g_autoptr (GError) error = NULL;
  Options options = { .control = -1, .report = -1, .level = 1 };
  XfPass pass = { 0 };
  gboolean ok;

  signal (SIGPIPE, SIG_IGN);
  if (!parse (&options, &argc, &argv, &error)) {
    fprintf (stderr, "xenferry-pump: %s\n", error->message);
    options_clear (&options);
    return 2;
  }
  xf_loop_init (&pass.loop, options.control, options.report, options.rate, NULL);
  ok = run (&pass, &options, &error);
  if (!ok)
    fprintf (stderr, "xenferry-pump: %s\n", error->message);
  xf_loop_report_end (&pass.loop, error);
  xf_pass_clear (&pass);
  options_clear (&options);
  return ok ? 0 : 1;
}
