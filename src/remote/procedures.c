/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The dispatch table, made from the list of procedures.
 */
#include "remote/remote_private.h"

#define P(number, name, args, ret, policy)                                                                             \
  static void run_##name (XfCall *call, gconstpointer arguments, gpointer client)                                      \
  {                                                                                                                    \
    xf_handle_##name (call, arguments, client);                                                                        \
  }
XF_REMOTE_PROCEDURES (P)
#undef P

#define P(number, name, args, ret, policy)                                                                             \
  { number, #name, (xdrproc_t)xdr_##args, (xdrproc_t)xdr_##ret, sizeof (args), XF_POLICY_##policy, run_##name },
static const XfProcedure procedures[] = { XF_REMOTE_PROCEDURES (P) };
#undef P

void
xf_procedures_fill (XfProgram *program_out)
{
  *program_out = (XfProgram){ XF_REMOTE_PROGRAM, XF_PROGRAM_VERSION, procedures, G_N_ELEMENTS (procedures) };
}
