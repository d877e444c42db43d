/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Conversion between the driver's values and the wire's. To the wire: the result borrows names and strings from its
 * source, so only arrays are freed, and never with xdr_free(). From the wire: copies, unless a comment says otherwise.
 */
#pragma once

#include "base/typed_params.h"
#include "driver.h"
#include "procs.h"

/* Borrows the name. */
xf_domain xf_convert_dom (const XfDomainRef *ref);

/* Borrows the name: never pass the result to xf_domain_ref_free(). */
XfDomainRef xf_convert_ref (const xf_domain *dom);

/* An array of *@n_out parameters, to be freed with g_free(); strings are borrowed. @params NULL: none. */
xf_param *xf_convert_params_to_wire (const XfTypedParams *params, guint *n_out);

/* The caller owns the result. */
XfTypedParams *xf_convert_params_from_wire (const xf_param *params, guint n);

/* NULL and zero bytes both mean an empty cookie. To the wire: borrowed; from the wire: copied. */
GBytes *xf_convert_cookie_from_wire (const char *bytes, guint length);
char *xf_convert_cookie_to_wire (GBytes *cookie, guint *length_out);
