/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Functions that all layers use: how the log writes a peer's text and how often, the time of a loop iteration, and
 * listening on a kernel without IPv6.
 */
#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <netinet/in.h>
#include <stddef.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/listen.h"
#include "base/log.h"
#include "base/turn.h"

static void
test_escape (void)
{
  static const char *const cases[][2] = {
    { "plain, with \\ and ü", "plain, with \\ and ü" },
    { "a\nb\r\tc", "a\\x0ab\\x0d\\x09c" },
    { "\x1b[2J\x7f", "\\x1b[2J\\x7f" },
    { "bad \xff\xc3", "bad \\xff\\xc3" },
    { "\xc2\x9b", "\\xc2\\x9b" }, /* C1: a terminal's CSI */
    { "\xe2\x80\xae"
      "drow",
      "\\xe2\\x80\\xaedrow" }, /* text from right to left */
    { "", "" },
  };

  for (guint i = 0; i < G_N_ELEMENTS (cases); i++) {
    g_autofree char *safe = xf_log_escape (cases[i][0]);

    g_assert_cmpstr (safe, ==, cases[i][1]);
  }
}

static void
test_rate (void)
{
  XfLogRate rate = { 0 };
  guint dropped = 99;

  g_assert_true (xf_log_rate_allows (&rate, 2, &dropped));
  g_assert_cmpuint (dropped, ==, 0);
  g_assert_true (xf_log_rate_allows (&rate, 2, &dropped));
  for (guint i = 0; i < 5; i++)
    g_assert_false (xf_log_rate_allows (&rate, 2, &dropped));
  rate.began_us -= G_USEC_PER_SEC;
  g_assert_true (xf_log_rate_allows (&rate, 2, &dropped));
  g_assert_cmpuint (dropped, ==, 5);
}

static gboolean
burn (gpointer data)
{
  clock_t until = clock () + GPOINTER_TO_UINT (data) * CLOCKS_PER_SEC / 1000;

  xf_turn_note ("BURN");
  while (clock () < until)
    continue;
  return G_SOURCE_REMOVE;
}

static gboolean
asleep (gpointer data)
{
  g_usleep (300 * 1000);
  return G_SOURCE_REMOVE;
}

static gboolean
over (gpointer data)
{
  *(gboolean *)data = TRUE;
  return G_SOURCE_REMOVE;
}

static void
turn_with (GSourceFunc what, guint milliseconds)
{
  gboolean done = FALSE;

  g_idle_add (what, GUINT_TO_POINTER (milliseconds));
  g_timeout_add (milliseconds + 1, over, &done);
  while (!done)
    g_main_context_iteration (NULL, TRUE);
  g_main_context_iteration (NULL, FALSE);
}

static void
test_turn (void)
{
  xf_turn_watch (NULL);
  turn_with (asleep, 300);
  g_assert_cmpint (xf_turn_longest_us (), <, 100 * 1000);
  g_test_expect_message (G_LOG_DOMAIN, G_LOG_LEVEL_WARNING, "*its last call was BURN*");
  turn_with (burn, 150);
  g_test_assert_expected_messages ();
  g_assert_cmpint (xf_turn_longest_us (), >=, 145 * 1000);
}

static void
test_listen (void)
{
  g_autoptr (GError) error = NULL;
  xf_autofd all = xf_listen_tcp (NULL, 0, 1, &error);
  xf_autofd one = xf_listen_tcp ("127.0.0.1", 0, 1, &error);

  g_assert_no_error (error);
  g_assert_cmpuint (xf_listen_port (all), >, 0);
  g_assert_cmpuint (xf_listen_port (one), >, 0);
  g_assert_cmpint (xf_listen_tcp ("no address", 0, 1, &error), ==, -1);
  g_assert_nonnull (strstr (error->message, "no address"));
}

/* As on a kernel without IPv6: each IPv6 socket of this process is refused. */
static void
take_ipv6_away (void)
{
  struct sock_filter filter[] = {
    BPF_STMT (BPF_LD | BPF_W | BPF_ABS, offsetof (struct seccomp_data, nr)),
    BPF_JUMP (BPF_JMP | BPF_JEQ | BPF_K, __NR_socket, 0, 3),
    BPF_STMT (BPF_LD | BPF_W | BPF_ABS, offsetof (struct seccomp_data, args[0])),
    BPF_JUMP (BPF_JMP | BPF_JEQ | BPF_K, AF_INET6, 0, 1),
    BPF_STMT (BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EAFNOSUPPORT),
    BPF_STMT (BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
  };
  struct sock_fprog program = { G_N_ELEMENTS (filter), filter };

  g_assert_cmpint (prctl (PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), ==, 0);
  g_assert_cmpint (prctl (PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program), ==, 0);
}

static void
test_without_ipv6 (void)
{
  struct sockaddr_storage bound = { 0 };
  socklen_t length = sizeof (bound);
  g_autoptr (GError) error = NULL;
  xf_autofd fd = -1;

  if (!g_test_subprocess ()) {
    g_test_trap_subprocess (NULL, 10 * G_USEC_PER_SEC, 0);
    g_test_trap_assert_passed ();
    return;
  }
  take_ipv6_away ();
  g_assert_cmpint (socket (AF_INET6, SOCK_STREAM, 0), ==, -1);
  fd = xf_listen_tcp (NULL, 0, 1, &error);
  g_assert_no_error (error);
  g_assert_cmpint (getsockname (fd, (struct sockaddr *)&bound, &length), ==, 0);
  g_assert_cmpint (bound.ss_family, ==, AF_INET);
  g_assert_cmpint (xf_listen_tcp ("::1", 0, 1, &error), ==, -1);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/base/log/escape", test_escape);
  g_test_add_func ("/base/log/rate", test_rate);
  g_test_add_func ("/base/turn", test_turn);
  g_test_add_func ("/base/listen", test_listen);
  g_test_add_func ("/base/listen/without-ipv6", test_without_ipv6);
  return g_test_run ();
}
