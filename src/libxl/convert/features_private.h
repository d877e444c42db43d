/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * What the files about CPU features share: the table of features, and libxl's policy list by the table's numbers.
 */
#pragma once

#include "libxl/convert/features.h"

/* Words with names. libxl reports the first eight of a host (libxl_hwcap). */
#define XF_FEATURE_WORDS 16
#define XF_FEATURE_BITS (XF_FEATURE_WORDS * 32)

/* The guests to which Xen offers a feature. HAP: those of HVM and PVH whose memory is not managed with shadow paging.
 */
typedef enum { XF_FEATURE_NONE, XF_FEATURE_HAP, XF_FEATURE_HVM, XF_FEATURE_ALL } XfFeatureGuests;

/* A guest sees it only if its configuration asks for it. */
#define XF_FEATURE_ASKED 1
/* Xen provides it, or shows or hides it, whatever the hardware and the configuration say: it is never compared. */
#define XF_FEATURE_OWN 2

typedef struct {
  guint8 word, bit;
  guint8 guests; /* XfFeatureGuests */
  guint8 flags;
  const char *name;  /* in domain XML */
  const char *libxl; /* libxl's name if it differs, or NULL */
} XfFeatureRow;

/* The table, ordered by word and bit, and its end. */
extern const XfFeatureRow *const xf_feature_rows;
extern const gsize xf_feature_n_rows;

static inline guint
xf_feature_number (const XfFeatureRow *row)
{
  return row->word * 32u + row->bit;
}

/* NULL: there is no such row. */
const XfFeatureRow *xf_feature_by_number (guint number);

/* TRUE if @each is TRUE for one of the features that @number is built on. Xen hides a feature if one of those is off.
 */
gboolean xf_feature_any_base (guint number, gboolean (*each) (guint base, gpointer data), gpointer data);

/* What a policy list says of each feature, by its number: '0' off, '1' on, 'k' and 's' as on the host, 'x' nothing. */
typedef struct {
  char said[XF_FEATURE_BITS];
  gboolean more; /* it says more than that */
} XfFeaturePolicy;

/* FALSE: libxl cannot write the list as JSON. */
gboolean xf_feature_policy_read (const libxl_cpuid_policy_list *list, XfFeaturePolicy *policy_out);

/* Turns the feature off or on. FALSE: this libxl cannot. */
gboolean xf_feature_policy_set (libxl_cpuid_policy_list *list, const XfFeatureRow *row, gboolean on);
