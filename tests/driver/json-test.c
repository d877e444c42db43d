/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * A peer's configuration within the bounds does not block the loop for long in libxl's parser.
 */
#include <string.h>
#include <time.h>

#include "base/error.h"
#include "host.h"
#include "libxl/convert/config.h"
#include "libxl/guest/driver_private.h"
#include "libxl/convert/json_bounds.h"

/* On an idle machine it is below 100; other tests run at the same time, and sanitizers are slower. */
#ifdef __SANITIZE_ADDRESS__
#define MOST_MS 3000
#else
#define MOST_MS 400
#endif

static gint64
processor_ms (void)
{
  struct timespec now;

  clock_gettime (CLOCK_PROCESS_CPUTIME_ID, &now);
  return now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* The largest number of @unit that is within the bounds. */
static char *
fill (const char *begin, const char *unit, const char *end)
{
  guint low = 1, high = XF_JSON_MAX_PIECES + 1;
  char *text = NULL;

  while (high - low > 1) {
    guint n = (low + high) / 2;
    GString *more = g_string_new (begin);

    for (guint i = 0; i < n; i++)
      g_string_append_printf (more, "%s%s", i ? "," : "", unit);
    g_string_append (more, end);
    if (xf_json_check_bounds (more->str, NULL)) {
      low = n;
      g_free (text);
      text = g_string_free (more, FALSE);
    } else {
      high = n;
      g_string_free (more, TRUE);
    }
  }
  g_assert_nonnull (text);
  return text;
}

static const struct {
  const char *begin, *unit, *end;
} worst[] = {
  { "{\"disks\":[", "{}", "]}" },
  { "{\"nics\":[", "{\"mac\":\"00:16:3e:00:00:01\"}", "]}" },
  { "{\"b_info\":{\"vcpu_hard_affinity\":[", "[]", "]}}" },
  { "{\"b_info\":{\"vcpu_hard_affinity\":[[", "1", "]]}}" },
  { "{\"b_info\":{\"extra\":[", "\"a\"", "]}}" },
  { "{\"x\":[", "[[[[[[[[]]]]]]]]", "]}" },
  { "{\"x\":[", "true", "]}" },
  { "{\"c_info\":{", "\"\":[]", "}}" },
};

static void
test_worst (void)
{
  Host *host = host_new ();

  for (gsize i = 0; i < G_N_ELEMENTS (worst); i++) {
    g_autofree char *text = fill (worst[i].begin, worst[i].unit, worst[i].end);
    g_autoptr (GError) error = NULL;
    libxl_domain_config config;
    gint64 before = processor_ms ();

    libxl_domain_config_init (&config);
    (void)xf_config_from_json (xf_ctx_libxl (host->driver->ctx), text, &config, &error);
    g_test_message ("%s: %zu bytes, %d ms", worst[i].unit, strlen (text), (int)(processor_ms () - before));
    g_assert_cmpint (processor_ms () - before, <, MOST_MS);
    libxl_domain_config_dispose (&config);
  }
  host_free (host);
}

/* A much larger one is refused as quickly. */
static void
test_bomb (void)
{
  Host *host = host_new ();
  GString *text = g_string_new ("{\"disks\":[{}");
  g_autoptr (GError) error = NULL;
  libxl_domain_config config;
  gint64 before;

  while (text->len < 160 * 1024)
    g_string_append (text, ",{}");
  g_string_append (text, "]}");
  libxl_domain_config_init (&config);
  before = processor_ms ();
  g_assert_false (xf_config_from_json (xf_ctx_libxl (host->driver->ctx), text->str, &config, &error));
  g_assert_cmpint (processor_ms () - before, <, MOST_MS);
  g_assert_nonnull (strstr (error->message, "values"));
  libxl_domain_config_dispose (&config);
  g_string_free (text, TRUE);
  host_free (host);
}

/* libxl takes it for granted that a register of a CPUID policy has a text of 32 characters, and that an MSR has 64. */
static void
test_policies (void)
{
  static const char *const bad[] = {
    "{\"cpuid\":[{\"leaf\":7,\"subleaf\":0,\"ebx\":\"x\"}],\"msr\":[]}",
    "{\"cpuid\":[{\"leaf\":7,\"eax\":\"\"}]}",
    "{\"cpuid\":[{\"leaf\":7,\"edx\":\"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\"}],\"msr\":[]}",
    "{\"cpuid\":[{\"leaf\":7,\"edx\":\"xxxxxxxxxxxxxxxx2xxxxxxxxxxxxxxx\"}],\"msr\":[]}",
    "{\"cpuid\":[],\"msr\":[{\"index\":266,\"policy\":\"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\"}]}",
    "[{\"leaf\":7,\"ecx\":\"x\"}]",
  };
  static const char good[] = "{\"b_info\":{\"cpuid\":{\"cpuid\":[{\"leaf\":7,\"subleaf\":0,"
                             "\"ebx\":\"xxxxxxxxxxxxxxx0xxxxxxxxxxxxxxks\"}],\"msr\":[]},"
                             "\"rdm\":{\"policy\":\"strict\"}}}";
  Host *host = host_new ();
  g_autofree char *again = NULL;
  g_autoptr (GError) none = NULL;
  libxl_domain_config whole;

  libxl_domain_config_init (&whole);
  g_assert_true (xf_config_from_json (xf_ctx_libxl (host->driver->ctx), good, &whole, &none));
  again = xf_config_to_json (&whole, &none);
  g_assert_nonnull (strstr (again, "\"xxxxxxxxxxxxxxx0xxxxxxxxxxxxxxks\""));
  libxl_domain_config_dispose (&whole);
  for (gsize i = 0; i < G_N_ELEMENTS (bad); i++) {
    g_autofree char *text = g_strdup_printf ("{\"c_info\":{\"name\":\"g\"},\"b_info\":{\"cpuid\":%s}}", bad[i]);
    g_autoptr (GError) error = NULL;
    libxl_domain_config config;

    libxl_domain_config_init (&config);
    g_assert_false (xf_config_from_json (xf_ctx_libxl (host->driver->ctx), text, &config, &error));
    g_assert_error (error, XF_ERROR, XF_ERROR_XML);
    g_assert_nonnull (strstr (error->message, "CPUID policy"));
    libxl_domain_config_dispose (&config);
  }
  host_free (host);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/json/worst", test_worst);
  g_test_add_func ("/json/bomb", test_bomb);
  g_test_add_func ("/json/policies", test_policies);
  return g_test_run ();
}
