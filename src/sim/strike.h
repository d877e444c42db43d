/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "sim/host.h"

#define SIM_FAILURE_FORMAT "simulated failure of call %u, %s"

/* The host's directory, $XF_SIM_HOST; without that variable the process ends. */
const char *sim_dir (void);

/* Counts a call. Returns its number if it must fail, else 0. */
guint32 sim_count_call (const char *call);
