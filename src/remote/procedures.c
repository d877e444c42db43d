/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The dispatch tables, made from the lists of procedures.
 */
#include "remote/remote_private.h"

#define P(number, name, args, ret, policy)                                                                             \
  static void run_##name (XfCall *call, gconstpointer arguments, gpointer client)                                      \
  {                                                                                                                    \
    xf_handle_##name (call, arguments, client);                                                                        \
  }
XF_REMOTE_PROCEDURES (P)
XF_XENFERRY_PROCEDURES (P)
#undef P

#define P(number, name, args, ret, policy)                                                                             \
  { number, #name, #args, (xdrproc_t)xdr_##args, (xdrproc_t)xdr_##ret, sizeof (args), XF_POLICY_##policy, run_##name },
static const XfProcedure remote_procedures[] = { XF_REMOTE_PROCEDURES (P) };
static const XfProcedure xenferry_procedures[] = { XF_XENFERRY_PROCEDURES (P) };
#undef P

const XfProgram xf_programs[XF_N_PROGRAMS] = {
  { XF_REMOTE_PROGRAM, XF_PROGRAM_VERSION, remote_procedures, G_N_ELEMENTS (remote_procedures) },
  { XF_XENFERRY_PROGRAM, XF_PROGRAM_VERSION, xenferry_procedures, G_N_ELEMENTS (xenferry_procedures) },
};
