/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Building, saving, restoring and ending domains.
 */
#include <libxl_utils.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "sim/sim.h"

/* A named point in a call; it fails there if the control file says so. */
static int
point (libxl_ctx *ctx, const char *name, const char *where)
{
  host_pause_at (sim_dir (), name, where);
  if (!host_control_point (sim_dir (), name, "fail", where))
    return 0;
  host_trace (sim_dir (), "failed-at %s %s", name, where);
  sim_error (ctx, "domain '%s': told to fail at %s", name, where);
  return ERROR_FAIL;
}

/* The result of a call that has done its work; it is a failure if the control file says so. */
static int
after (libxl_ctx *ctx, const char *name, const char *where, int rc)
{
  if (rc != 0 || !host_control_point (sim_dir (), name, "fail-after", where))
    return rc;
  host_trace (sim_dir (), "failed-after %s %s", name, where);
  sim_error (ctx, "domain '%s': told to fail after %s", name, where);
  return ERROR_FAIL;
}

/* ---- making ----------------------------------------------------------------------------------------------- */

static int
check_files (libxl_ctx *ctx, const libxl_domain_config *config)
{
  const char *const files[] = { config->b_info.kernel, config->b_info.ramdisk };

  if (!host_control_number (sim_dir (), config->c_info.name, "check-files", 0))
    return 0;
  for (gsize i = 0; i < G_N_ELEMENTS (files); i++) {
    if (files[i] && !g_file_test (files[i], G_FILE_TEST_EXISTS)) {
      sim_error (ctx, "cannot open '%s'", files[i]);
      return ERROR_FAIL;
    }
  }
  return 0;
}

/* libxl makes the domain in its pool, and attaches its devices at the end. */
static int
check_host (libxl_ctx *ctx, const libxl_domain_config *config)
{
  if (!sim_has_pool (config->c_info.pool_name)) {
    sim_error (ctx, "Invalid cpupool name or id '%s'", config->c_info.pool_name);
    return ERROR_INVAL;
  }
  for (int i = 0; i < config->num_pcidevs; i++) {
    if (!sim_has_pci (&config->pcidevs[i])) {
      sim_error (ctx, "PCI device is not assignable");
      return ERROR_FAIL;
    }
  }
  return 0;
}

static gboolean
name_is_taken (const char *name)
{
  g_autoptr (GArray) ids = host_domains (sim_dir ());
  gboolean taken = FALSE;

  for (guint i = 0; i < ids->len && !taken; i++) {
    SimBlock *block = host_block_map (sim_dir (), g_array_index (ids, guint32, i));

    taken = block && block->state != SIM_DYING && strcmp (block->name, name) == 0;
    host_block_unmap (block);
  }
  return taken;
}

static int
build (libxl_ctx *ctx, libxl_domain_config *config, uint32_t *domid_out)
{
  guint64 kib = config->b_info.max_memkb;
  char *json;

  if (!config->c_info.name || kib == LIBXL_MEMKB_DEFAULT || kib < 1024) {
    sim_error (ctx, "the domain has no name or no memory");
    return ERROR_INVAL;
  }
  if (name_is_taken (config->c_info.name)) {
    sim_error (ctx, "domain with name \"%s\" already exists.", config->c_info.name);
    return ERROR_INVAL;
  }
  if (check_files (ctx, config) != 0 || check_host (ctx, config) != 0)
    return ERROR_FAIL;
  if (host_free_kib (sim_dir ()) < kib) {
    sim_error (ctx, "not enough memory for domain '%s'", config->c_info.name);
    return ERROR_NOMEM;
  }
  if (libxl_uuid_is_nil (&config->c_info.uuid))
    libxl_uuid_generate (&config->c_info.uuid);
  json = libxl_domain_config_to_json (ctx, config);
  *domid_out = host_domain_new (sim_dir (), config->c_info.name, config->c_info.uuid.uuid, config->c_info.type,
                                kib * 1024 / SIM_PAGE, config->b_info.max_vcpus ? config->b_info.max_vcpus : 1, json);
  free (json);
  return *domid_out ? 0 : ERROR_FAIL;
}

int
libxl_domain_create_new (libxl_ctx *ctx, libxl_domain_config *config, uint32_t *domid, const libxl_asyncop_how *how,
                         const libxl_asyncprogress_how *console_how)
{
  guint32 id = 0, number = sim_fails (ctx, __func__);
  int rc;

  if (number)
    return sim_failed (ctx, how, number, ERROR_FAIL);
  rc = point (ctx, config->c_info.name, "create");
  if (rc == 0)
    rc = build (ctx, config, &id);
  if (rc == 0 && !host_guest_start (sim_dir (), id)) {
    sim_error (ctx, "domain '%s': its process could not be started", config->c_info.name);
    host_domain_destroy (sim_dir (), id);
    rc = ERROR_FAIL;
  }
  if (rc == 0)
    *domid = id;
  return sim_done (ctx, how, after (ctx, config->c_info.name, "create", rc));
}

static int
restored (libxl_ctx *ctx, guint32 domid, int rc, gpointer data)
{
  uint32_t *domid_out = data;
  SimBlock *block;

  if (rc == 0 && !host_guest_start (sim_dir (), domid))
    rc = ERROR_FAIL;
  if (rc != 0) {
    host_domain_destroy (sim_dir (), domid); /* as libxl does */
    return rc;
  }
  *domid_out = domid;
  block = host_block_map (sim_dir (), domid);
  rc = block ? after (ctx, block->name, "restore-create", 0) : 0;
  host_block_unmap (block);
  return rc;
}

int
libxl_domain_create_restore (libxl_ctx *ctx, libxl_domain_config *config, uint32_t *domid, int restore_fd,
                             int send_back_fd, const libxl_domain_restore_params *params, const libxl_asyncop_how *how,
                             const libxl_asyncprogress_how *console_how)
{
  guint32 id = 0, number = sim_fails (ctx, __func__);
  int rc;

  if (number)
    return sim_failed (ctx, how, number, ERROR_FAIL);
  rc = point (ctx, config->c_info.name, "restore-create");
  if (rc == 0)
    rc = build (ctx, config, &id);
  if (rc != 0)
    return sim_done (ctx, how, rc);
  return sim_run_helper (ctx, how, "restore", id, restore_fd, FALSE, restored, domid);
}

/* ---- moving ----------------------------------------------------------------------------------------------- */

static int
saved (libxl_ctx *ctx, guint32 domid, int rc, gpointer data)
{
  SimBlock *block = host_block_map (sim_dir (), domid);

  /* A helper that was killed has not switched these off. */
  if (block) {
    block->log_dirty = 0;
    if (block->ask == SIM_ASK_SUSPEND)
      block->ask = SIM_ASK_NOTHING;
    rc = after (ctx, block->name, "suspend", rc);
  }
  host_block_unmap (block);
  return rc;
}

int
libxl_domain_suspend (libxl_ctx *ctx, uint32_t domid, int fd, int flags, const libxl_asyncop_how *how)
{
  guint32 number = sim_fails (ctx, __func__);
  SimBlock *block;
  gboolean running;

  if (number)
    return sim_failed (ctx, how, number, ERROR_FAIL);
  block = host_block_map (sim_dir (), domid);
  running = block && block->state == SIM_RUNNING;
  host_block_unmap (block);
  if (!running) {
    sim_error (ctx, "domain %u does not run and cannot be suspended", domid);
    return sim_done (ctx, how, block ? ERROR_FAIL : ERROR_DOMAIN_NOTFOUND);
  }
  return sim_run_helper (ctx, how, "save", domid, fd, flags & LIBXL_SUSPEND_LIVE, saved, NULL);
}

/* A plain change of a domain: @change_block returns libxl's code. @call: the application's call. */
static int
change (libxl_ctx *ctx, uint32_t domid, const libxl_asyncop_how *how, const char *call, const char *where,
        int (*change_block) (libxl_ctx *ctx, SimBlock *block))
{
  guint32 number = sim_fails (ctx, call);
  SimBlock *block;
  int rc = ERROR_DOMAIN_NOTFOUND;

  if (number)
    return sim_failed (ctx, how, number, ERROR_FAIL);
  block = host_block_map (sim_dir (), domid);
  if (block) {
    rc = block->state == SIM_DYING ? ERROR_FAIL : where ? point (ctx, block->name, where) : 0;
    if (rc == 0)
      rc = change_block (ctx, block);
    if (where)
      rc = after (ctx, block->name, where, rc);
  }
  host_block_unmap (block);
  return sim_done (ctx, how, rc);
}

static int
resume_block (libxl_ctx *ctx, SimBlock *block)
{
  if (block->state != SIM_SUSPENDED) {
    sim_error (ctx, "Dom %u not suspended", block->domid);
    return ERROR_FAIL;
  }
  block->ask = SIM_ASK_NOTHING;
  block->state = SIM_RUNNING;
  host_kick (block);
  host_trace (sim_dir (), "resumed %s %u", block->name, block->domid);
  host_notify (sim_dir (), block->domid);
  return 0;
}

int
libxl_domain_resume (libxl_ctx *ctx, uint32_t domid, int suspend_cancel, const libxl_asyncop_how *how)
{
  return change (ctx, domid, how, __func__, "resume", resume_block);
}

/* ---- pausing and asking ----------------------------------------------------------------------------------- */

static int
pause_block (libxl_ctx *ctx, SimBlock *block)
{
  host_set_paused (sim_dir (), block, TRUE);
  return 0;
}

static int
unpause_block (libxl_ctx *ctx, SimBlock *block)
{
  host_set_paused (sim_dir (), block, FALSE);
  return 0;
}

int
libxl_domain_pause (libxl_ctx *ctx, uint32_t domid, const libxl_asyncop_how *how)
{
  return change (ctx, domid, how, __func__, "pause", pause_block);
}

int
libxl_domain_unpause (libxl_ctx *ctx, uint32_t domid, const libxl_asyncop_how *how)
{
  return change (ctx, domid, how, __func__, "unpause", unpause_block);
}

static int
ask_shutdown (libxl_ctx *ctx, SimBlock *block)
{
  block->ask = SIM_ASK_SHUTDOWN;
  host_kick (block);
  return 0;
}

static int
ask_reboot (libxl_ctx *ctx, SimBlock *block)
{
  block->ask = SIM_ASK_REBOOT;
  host_kick (block);
  return 0;
}

int
libxl_domain_shutdown (libxl_ctx *ctx, uint32_t domid, const libxl_asyncop_how *how)
{
  return change (ctx, domid, how, __func__, NULL, ask_shutdown);
}

int
libxl_domain_reboot (libxl_ctx *ctx, uint32_t domid, const libxl_asyncop_how *how)
{
  return change (ctx, domid, how, __func__, NULL, ask_reboot);
}

int
libxl_send_trigger (libxl_ctx *ctx, uint32_t domid, libxl_trigger trigger, uint32_t vcpuid,
                    const libxl_asyncop_how *how)
{
  switch (trigger) {
  case LIBXL_TRIGGER_POWER:
    return change (ctx, domid, how, __func__, NULL, ask_shutdown);
  case LIBXL_TRIGGER_RESET:
    return change (ctx, domid, how, __func__, NULL, ask_reboot);
  default:
    return sim_done (ctx, how, ERROR_NI);
  }
}

int
libxl_domain_destroy (libxl_ctx *ctx, uint32_t domid, const libxl_asyncop_how *how)
{
  guint32 number = sim_fails (ctx, __func__);
  SimBlock *block;
  int rc;

  if (number)
    return sim_failed (ctx, how, number, ERROR_FAIL);
  block = host_block_map (sim_dir (), domid);
  rc = block ? point (ctx, block->name, "destroy") : ERROR_DOMAIN_NOTFOUND;
  if (rc == 0 && !host_domain_destroy (sim_dir (), domid))
    rc = ERROR_DOMAIN_NOTFOUND;
  rc = block ? after (ctx, block->name, "destroy", rc) : rc;
  host_block_unmap (block);
  return sim_done (ctx, how, rc);
}

static int
write_core (libxl_ctx *ctx, const SimBlock *block, const char *file)
{
  guint8 *memory = host_memory_map (sim_dir (), block, FALSE);
  gboolean written = memory && g_file_set_contents (file, (const char *)memory, block->n_pages * SIM_PAGE, NULL);

  if (memory)
    munmap (memory, block->n_pages * SIM_PAGE);
  if (!written)
    sim_error (ctx, "Core dumping domain to %s", file);
  else
    host_trace (sim_dir (), "dumped %s %u", block->name, block->domid);
  return written ? 0 : ERROR_FAIL;
}

/* Like libxl's, it returns when everything is written, also with @how. */
int
libxl_domain_core_dump (libxl_ctx *ctx, uint32_t domid, const char *file, const libxl_asyncop_how *how)
{
  guint32 number = sim_fails (ctx, __func__);
  SimBlock *block;
  int rc;

  if (number)
    return sim_failed (ctx, how, number, ERROR_FAIL);
  block = host_block_map (sim_dir (), domid);
  rc = block ? point (ctx, block->name, "dump") : ERROR_DOMAIN_NOTFOUND;
  if (rc == 0)
    rc = write_core (ctx, block, file);
  rc = block ? after (ctx, block->name, "dump", rc) : rc;
  host_block_unmap (block);
  return sim_done (ctx, how, rc);
}

/* ---- configuration and userdata --------------------------------------------------------------------------- */

int
sim_configuration (libxl_ctx *ctx, guint32 domid, libxl_domain_config *config)
{
  g_autofree char *path = host_path (sim_dir (), "domains/%u/config.json", domid), *json = NULL;

  if (!g_file_get_contents (path, &json, NULL, NULL))
    return ERROR_DOMAIN_NOTFOUND;
  return libxl_domain_config_from_json (ctx, config, json);
}

int
libxl_retrieve_domain_configuration (libxl_ctx *ctx, uint32_t domid, libxl_domain_config *config,
                                     const libxl_asyncop_how *how)
{
  guint32 number = sim_fails (ctx, __func__);

  if (number)
    return sim_failed (ctx, how, number, ERROR_FAIL);
  return sim_done (ctx, how, sim_configuration (ctx, domid, config));
}

int
libxl_userdata_store (libxl_ctx *ctx, uint32_t domid, const char *id, const uint8_t *data, int length)
{
  g_autofree char *path = host_path (sim_dir (), "domains/%u/userdata-%s", domid, id);

  if (sim_fails (ctx, __func__))
    return ERROR_FAIL;
  return g_file_set_contents (path, (const char *)data, length, NULL) ? 0 : ERROR_FAIL;
}

int
libxl_userdata_retrieve (libxl_ctx *ctx, uint32_t domid, const char *id, uint8_t **data, int *length)
{
  g_autofree char *path = host_path (sim_dir (), "domains/%u/userdata-%s", domid, id), *text = NULL;
  gsize size = 0;

  if (sim_fails (ctx, __func__))
    return ERROR_FAIL;
  if (!g_file_get_contents (path, &text, &size, NULL))
    size = 0;
  if (data) {
    *data = size ? malloc (size) : NULL;
    if (size)
      memcpy (*data, text, size);
  }
  if (length)
    *length = size;
  return 0;
}

/* ---- names ------------------------------------------------------------------------------------------------ */

static int
rename_block (libxl_ctx *ctx, SimBlock *block, const char *name)
{
  g_autofree char *path = host_path (sim_dir (), "domains/%u/config.json", block->domid);
  libxl_domain_config config;
  char *json = NULL;
  gboolean written = FALSE;

  libxl_domain_config_init (&config);
  if (sim_configuration (ctx, block->domid, &config) == 0) {
    free (config.c_info.name);
    config.c_info.name = strdup (name);
    json = libxl_domain_config_to_json (ctx, &config);
    written = json && g_file_set_contents (path, json, -1, NULL);
  }
  free (json);
  libxl_domain_config_dispose (&config);
  if (!written)
    return ERROR_FAIL;
  g_strlcpy (block->name, name, sizeof (block->name));
  return 0;
}

int
libxl_domain_rename (libxl_ctx *ctx, uint32_t domid, const char *old_name, const char *new_name)
{
  SimBlock *block;
  int rc;

  if (sim_fails (ctx, __func__))
    return ERROR_FAIL;
  if (name_is_taken (new_name))
    return ERROR_INVAL;
  block = host_block_map (sim_dir (), domid);
  rc = block ? rename_block (ctx, block, new_name) : ERROR_DOMAIN_NOTFOUND;
  host_block_unmap (block);
  return rc;
}

/* Like libxl's, it writes the new uuid to a place in xenstore, and Xen keeps the old one. */
int
libxl_domain_preserve (libxl_ctx *ctx, uint32_t domid, libxl_domain_create_info *info, const char *suffix,
                       libxl_uuid uuid)
{
  g_autofree char *name = g_strconcat (info->name, suffix, NULL);
  SimBlock *block;
  int rc;

  if (sim_fails (ctx, __func__))
    return ERROR_FAIL;
  if (name_is_taken (name))
    return ERROR_INVAL;
  block = host_block_map (sim_dir (), domid);
  rc = block ? point (ctx, block->name, "preserve") : ERROR_DOMAIN_NOTFOUND;
  if (rc == 0)
    rc = rename_block (ctx, block, name);
  host_block_unmap (block);
  return rc;
}
