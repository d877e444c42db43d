/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The table of CPU features: their numbers in Xen's public header arch-x86/cpufeatureset.h, the guests that Xen offers
 * them to, and which are built on which. Names are those of libvirt's domain XML where libvirt's libxl driver
 * translates them for libxl, and otherwise libxl's own.
 *
 * The header says in comments which guests see a feature; tests/unit/features-test.c compares them with this table.
 */
#include "libxl/convert/features_private.h"

static const XfFeatureRow rows[] = {
  /* word 0 */
  { 0, 0, XF_FEATURE_ALL, 0, "fpu", NULL },
  { 0, 1, XF_FEATURE_HVM, 0, "vme", NULL },
  { 0, 2, XF_FEATURE_ALL, 0, "de", NULL },
  { 0, 3, XF_FEATURE_HVM, 0, "pse", NULL },
  { 0, 4, XF_FEATURE_ALL, 0, "tsc", NULL },
  { 0, 5, XF_FEATURE_ALL, 0, "msr", NULL },
  { 0, 6, XF_FEATURE_ALL, 0, "pae", NULL },
  { 0, 7, XF_FEATURE_ALL, 0, "mce", NULL },
  { 0, 8, XF_FEATURE_ALL, 0, "cx8", "cmpxchg8" },
  { 0, 9, XF_FEATURE_ALL, XF_FEATURE_OWN, "apic", NULL },
  { 0, 11, XF_FEATURE_ALL, 0, "sep", "sysenter" },
  { 0, 12, XF_FEATURE_HVM, 0, "mtrr", NULL },
  { 0, 13, XF_FEATURE_HVM, 0, "pge", NULL },
  { 0, 14, XF_FEATURE_ALL, 0, "mca", NULL },
  { 0, 15, XF_FEATURE_ALL, 0, "cmov", NULL },
  { 0, 16, XF_FEATURE_ALL, 0, "pat", NULL },
  { 0, 17, XF_FEATURE_HVM, 0, "pse36", NULL },
  { 0, 19, XF_FEATURE_ALL, 0, "clflush", "clfsh" },
  { 0, 21, XF_FEATURE_NONE, 0, "ds", NULL },
  { 0, 22, XF_FEATURE_ALL, 0, "acpi", NULL },
  { 0, 23, XF_FEATURE_ALL, 0, "mmx", NULL },
  { 0, 24, XF_FEATURE_ALL, 0, "fxsr", NULL },
  { 0, 25, XF_FEATURE_ALL, 0, "sse", NULL },
  { 0, 26, XF_FEATURE_ALL, 0, "sse2", NULL },
  { 0, 27, XF_FEATURE_ALL, 0, "ss", NULL },
  { 0, 28, XF_FEATURE_ALL, XF_FEATURE_OWN, "ht", "htt" },
  { 0, 29, XF_FEATURE_NONE, 0, "tm", NULL },
  { 0, 31, XF_FEATURE_NONE, 0, "pbe", NULL },
  /* word 1 */
  { 1, 0, XF_FEATURE_ALL, 0, "pni", "sse3" },
  { 1, 1, XF_FEATURE_ALL, 0, "pclmuldq", "pclmulqdq" },
  { 1, 2, XF_FEATURE_NONE, 0, "dtes64", NULL },
  { 1, 3, XF_FEATURE_NONE, 0, "monitor", NULL },
  { 1, 4, XF_FEATURE_NONE, 0, "ds_cpl", "dscpl" },
  { 1, 5, XF_FEATURE_HAP, XF_FEATURE_ASKED, "vmx", NULL },
  { 1, 6, XF_FEATURE_NONE, 0, "smx", NULL },
  { 1, 7, XF_FEATURE_NONE, 0, "est", NULL },
  { 1, 8, XF_FEATURE_NONE, 0, "tm2", NULL },
  { 1, 9, XF_FEATURE_ALL, 0, "ssse3", NULL },
  { 1, 12, XF_FEATURE_ALL, 0, "fma", NULL },
  { 1, 13, XF_FEATURE_ALL, 0, "cx16", "cmpxchg16" },
  { 1, 14, XF_FEATURE_NONE, 0, "xtpr", NULL },
  { 1, 15, XF_FEATURE_NONE, 0, "pdcm", NULL },
  { 1, 17, XF_FEATURE_HAP, 0, "pcid", NULL },
  { 1, 18, XF_FEATURE_NONE, 0, "dca", NULL },
  { 1, 19, XF_FEATURE_ALL, 0, "sse4.1", NULL },
  { 1, 20, XF_FEATURE_ALL, 0, "sse4.2", NULL },
  { 1, 21, XF_FEATURE_HVM, XF_FEATURE_OWN, "x2apic", NULL },
  { 1, 22, XF_FEATURE_ALL, 0, "movbe", NULL },
  { 1, 23, XF_FEATURE_ALL, 0, "popcnt", NULL },
  { 1, 24, XF_FEATURE_HVM, 0, "tsc-deadline", NULL },
  { 1, 25, XF_FEATURE_ALL, 0, "aes", NULL },
  { 1, 26, XF_FEATURE_ALL, 0, "xsave", NULL },
  { 1, 27, XF_FEATURE_NONE, XF_FEATURE_OWN, "osxsave", NULL },
  { 1, 28, XF_FEATURE_ALL, 0, "avx", NULL },
  { 1, 29, XF_FEATURE_ALL, 0, "f16c", NULL },
  { 1, 30, XF_FEATURE_ALL, 0, "rdrand", NULL },
  { 1, 31, XF_FEATURE_ALL, XF_FEATURE_OWN, "hypervisor", NULL },
  /* word 2 */
  { 2, 11, XF_FEATURE_ALL, 0, "syscall", NULL },
  { 2, 20, XF_FEATURE_ALL, 0, "nx", NULL },
  { 2, 22, XF_FEATURE_ALL, 0, "mmxext", NULL },
  { 2, 25, XF_FEATURE_ALL, 0, "fxsr_opt", "ffxsr" },
  { 2, 26, XF_FEATURE_HAP, 0, "pdpe1gb", "page1gb" },
  { 2, 27, XF_FEATURE_ALL, 0, "rdtscp", NULL },
  { 2, 29, XF_FEATURE_ALL, 0, "lm", NULL },
  { 2, 30, XF_FEATURE_ALL, 0, "3dnowext", NULL },
  { 2, 31, XF_FEATURE_ALL, 0, "3dnow", NULL },
  /* word 3 */
  { 3, 0, XF_FEATURE_ALL, 0, "lahf_lm", "lahfsahf" },
  { 3, 1, XF_FEATURE_ALL, XF_FEATURE_OWN, "cmp_legacy", "cmplegacy" },
  { 3, 2, XF_FEATURE_HAP, XF_FEATURE_ASKED, "svm", NULL },
  { 3, 3, XF_FEATURE_NONE, 0, "extapic", NULL },
  { 3, 4, XF_FEATURE_HVM, 0, "cr8legacy", "altmovcr8" },
  { 3, 5, XF_FEATURE_ALL, 0, "abm", NULL },
  { 3, 6, XF_FEATURE_ALL, 0, "sse4a", NULL },
  { 3, 7, XF_FEATURE_ALL, 0, "misalignsse", NULL },
  { 3, 8, XF_FEATURE_ALL, 0, "3dnowprefetch", NULL },
  { 3, 9, XF_FEATURE_NONE, 0, "osvw", NULL },
  { 3, 10, XF_FEATURE_NONE, 0, "ibs", NULL },
  { 3, 11, XF_FEATURE_ALL, 0, "xop", NULL },
  { 3, 12, XF_FEATURE_NONE, 0, "skinit", NULL },
  { 3, 13, XF_FEATURE_NONE, 0, "wdt", NULL },
  { 3, 15, XF_FEATURE_NONE, 0, "lwp", NULL },
  { 3, 16, XF_FEATURE_ALL, 0, "fma4", NULL },
  { 3, 19, XF_FEATURE_NONE, 0, "nodeid_msr", "nodeid" },
  { 3, 21, XF_FEATURE_ALL, 0, "tbm", NULL },
  { 3, 22, XF_FEATURE_NONE, 0, "topoext", NULL },
  { 3, 26, XF_FEATURE_ALL, 0, "dbext", NULL },
  { 3, 29, XF_FEATURE_NONE, 0, "monitorx", NULL },
  /* word 4 */
  { 4, 0, XF_FEATURE_ALL, 0, "xsaveopt", NULL },
  { 4, 1, XF_FEATURE_ALL, 0, "xsavec", NULL },
  { 4, 2, XF_FEATURE_ALL, 0, "xgetbv1", NULL },
  { 4, 3, XF_FEATURE_HVM, 0, "xsaves", NULL },
  /* word 5 */
  { 5, 0, XF_FEATURE_ALL, 0, "fsgsbase", NULL },
  { 5, 1, XF_FEATURE_HVM, 0, "tsc_adjust", NULL },
  { 5, 2, XF_FEATURE_NONE, 0, "sgx", NULL },
  { 5, 3, XF_FEATURE_ALL, 0, "bmi1", NULL },
  { 5, 4, XF_FEATURE_ALL, XF_FEATURE_ASKED, "hle", NULL },
  { 5, 5, XF_FEATURE_ALL, 0, "avx2", NULL },
  { 5, 6, XF_FEATURE_NONE, XF_FEATURE_OWN, "fdp-excp-only", NULL },
  { 5, 7, XF_FEATURE_HVM, 0, "smep", NULL },
  { 5, 8, XF_FEATURE_ALL, 0, "bmi2", NULL },
  { 5, 9, XF_FEATURE_ALL, 0, "erms", NULL },
  { 5, 10, XF_FEATURE_HAP, 0, "invpcid", NULL },
  { 5, 11, XF_FEATURE_ALL, 0, "rtm", NULL },
  { 5, 12, XF_FEATURE_NONE, 0, "cmt", NULL },
  { 5, 13, XF_FEATURE_NONE, XF_FEATURE_OWN, "no-fpu-sel", NULL },
  { 5, 14, XF_FEATURE_HVM, XF_FEATURE_ASKED, "mpx", NULL },
  { 5, 15, XF_FEATURE_NONE, 0, "pqe", NULL },
  { 5, 16, XF_FEATURE_ALL, 0, "avx512f", NULL },
  { 5, 17, XF_FEATURE_ALL, 0, "avx512dq", NULL },
  { 5, 18, XF_FEATURE_ALL, 0, "rdseed", NULL },
  { 5, 19, XF_FEATURE_ALL, 0, "adx", NULL },
  { 5, 20, XF_FEATURE_HVM, 0, "smap", NULL },
  { 5, 21, XF_FEATURE_ALL, 0, "avx512-ifma", NULL },
  { 5, 23, XF_FEATURE_ALL, 0, "clflushopt", NULL },
  { 5, 24, XF_FEATURE_ALL, 0, "clwb", NULL },
  { 5, 25, XF_FEATURE_NONE, 0, "proc-trace", NULL },
  { 5, 26, XF_FEATURE_ALL, 0, "avx512pf", NULL },
  { 5, 27, XF_FEATURE_ALL, 0, "avx512er", NULL },
  { 5, 28, XF_FEATURE_ALL, 0, "avx512cd", NULL },
  { 5, 29, XF_FEATURE_ALL, 0, "sha", NULL },
  { 5, 30, XF_FEATURE_ALL, 0, "avx512bw", NULL },
  { 5, 31, XF_FEATURE_ALL, 0, "avx512vl", NULL },
  /* word 6 */
  { 6, 0, XF_FEATURE_ALL, 0, "prefetchwt1", NULL },
  { 6, 1, XF_FEATURE_ALL, 0, "avx512-vbmi", NULL },
  { 6, 2, XF_FEATURE_HVM, 0, "umip", NULL },
  { 6, 3, XF_FEATURE_HAP, 0, "pku", NULL },
  { 6, 4, XF_FEATURE_NONE, XF_FEATURE_OWN, "ospke", NULL },
  { 6, 6, XF_FEATURE_ALL, 0, "avx512-vbmi2", NULL },
  { 6, 7, XF_FEATURE_NONE, 0, "cet-ss", NULL },
  { 6, 8, XF_FEATURE_ALL, 0, "gfni", NULL },
  { 6, 9, XF_FEATURE_ALL, 0, "vaes", NULL },
  { 6, 10, XF_FEATURE_ALL, 0, "vpclmulqdq", NULL },
  { 6, 11, XF_FEATURE_ALL, 0, "avx512-vnni", NULL },
  { 6, 12, XF_FEATURE_ALL, 0, "avx512-bitalg", NULL },
  { 6, 14, XF_FEATURE_ALL, 0, "avx512-vpopcntdq", NULL },
  { 6, 22, XF_FEATURE_ALL, 0, "rdpid", NULL },
  { 6, 25, XF_FEATURE_ALL, 0, "cldemote", NULL },
  { 6, 27, XF_FEATURE_ALL, XF_FEATURE_ASKED, "movdiri", NULL },
  { 6, 28, XF_FEATURE_ALL, XF_FEATURE_ASKED, "movdir64b", NULL },
  { 6, 29, XF_FEATURE_NONE, 0, "enqcmd", NULL },
  /* word 7 */
  { 7, 7, XF_FEATURE_NONE, 0, "hw-pstate", NULL },
  { 7, 8, XF_FEATURE_ALL, XF_FEATURE_ASKED, "invtsc", NULL },
  { 7, 9, XF_FEATURE_NONE, 0, "cpb", NULL },
  { 7, 10, XF_FEATURE_NONE, 0, "efro", NULL },
  /* word 8 */
  { 8, 0, XF_FEATURE_ALL, 0, "clzero", NULL },
  { 8, 2, XF_FEATURE_ALL, 0, "rstr-fp-err-ptrs", NULL },
  { 8, 9, XF_FEATURE_NONE, 0, "wbnoinvd", NULL },
  { 8, 12, XF_FEATURE_ALL, 0, "ibpb", NULL },
  { 8, 14, XF_FEATURE_HVM, 0, "ibrs", NULL },
  { 8, 15, XF_FEATURE_HVM, 0, "amd-stibp", NULL },
  { 8, 16, XF_FEATURE_HVM, 0, "ibrs-always", NULL },
  { 8, 17, XF_FEATURE_HVM, 0, "stibp-always", NULL },
  { 8, 18, XF_FEATURE_HVM, 0, "ibrs-fast", NULL },
  { 8, 19, XF_FEATURE_HVM, 0, "ibrs-same-mode", NULL },
  { 8, 20, XF_FEATURE_HVM, XF_FEATURE_OWN, "no-lmsl", NULL },
  { 8, 23, XF_FEATURE_NONE, 0, "ppin", NULL },
  { 8, 24, XF_FEATURE_HVM, 0, "amd-ssbd", NULL },
  { 8, 25, XF_FEATURE_NONE, XF_FEATURE_OWN, "virt-ssbd", NULL },
  { 8, 26, XF_FEATURE_ALL, 0, "ssb-no", NULL },
  { 8, 28, XF_FEATURE_HVM, 0, "psfd", NULL },
  { 8, 29, XF_FEATURE_ALL, 0, "btc-no", NULL },
  { 8, 30, XF_FEATURE_ALL, 0, "ibpb-ret", NULL },
  /* word 9 */
  { 9, 2, XF_FEATURE_ALL, 0, "avx512-4vnniw", NULL },
  { 9, 3, XF_FEATURE_ALL, 0, "avx512-4fmaps", NULL },
  { 9, 4, XF_FEATURE_ALL, 0, "fsrm", NULL },
  { 9, 8, XF_FEATURE_ALL, XF_FEATURE_ASKED, "avx512-vp2intersect", NULL },
  { 9, 9, XF_FEATURE_NONE, 0, "srbds-ctrl", NULL },
  { 9, 10, XF_FEATURE_ALL, XF_FEATURE_OWN, "md-clear", NULL },
  { 9, 11, XF_FEATURE_NONE, XF_FEATURE_OWN, "rtm-always-abort", NULL },
  { 9, 13, XF_FEATURE_NONE, 0, "tsx-force-abort", NULL },
  { 9, 14, XF_FEATURE_ALL, 0, "serialize", NULL },
  { 9, 15, XF_FEATURE_NONE, 0, "hybrid", NULL },
  { 9, 16, XF_FEATURE_ALL, XF_FEATURE_ASKED, "tsxldtrk", NULL },
  { 9, 20, XF_FEATURE_NONE, 0, "cet-ibt", NULL },
  { 9, 23, XF_FEATURE_NONE, 0, "avx512-fp16", NULL },
  { 9, 26, XF_FEATURE_ALL, 0, "spec-ctrl", "ibrsb" },
  { 9, 27, XF_FEATURE_ALL, 0, "stibp", NULL },
  { 9, 28, XF_FEATURE_HVM, 0, "l1d-flush", NULL },
  { 9, 29, XF_FEATURE_ALL, XF_FEATURE_OWN, "arch-caps", NULL },
  { 9, 30, XF_FEATURE_NONE, 0, "core-caps", NULL },
  { 9, 31, XF_FEATURE_ALL, 0, "ssbd", NULL },
  /* word 10 */
  { 10, 4, XF_FEATURE_ALL, 0, "avx-vnni", NULL },
  { 10, 5, XF_FEATURE_ALL, 0, "avx512-bf16", NULL },
  { 10, 10, XF_FEATURE_ALL, 0, "fzrm", NULL },
  { 10, 11, XF_FEATURE_ALL, 0, "fsrs", NULL },
  { 10, 12, XF_FEATURE_ALL, 0, "fsrcs", NULL },
  /* word 11 */
  { 11, 2, XF_FEATURE_ALL, 0, "lfence+", NULL },
  { 11, 5, XF_FEATURE_ALL, XF_FEATURE_OWN, "verw-clear", NULL },
  { 11, 6, XF_FEATURE_ALL, 0, "nscb", NULL },
  { 11, 8, XF_FEATURE_NONE, 0, "auto-ibrs", NULL },
  { 11, 27, XF_FEATURE_ALL, 0, "sbpb", NULL },
  { 11, 28, XF_FEATURE_ALL, 0, "ibpb-brtype", NULL },
  { 11, 29, XF_FEATURE_ALL, 0, "srso-no", NULL },
  { 11, 30, XF_FEATURE_ALL, 0, "srso-us-no", NULL },
  { 11, 31, XF_FEATURE_NONE, 0, "srso-msr-fix", NULL },
  /* word 12 */
  { 12, 0, XF_FEATURE_NONE, 0, "intel-ppin", NULL },
  /* word 13 */
  { 13, 0, XF_FEATURE_ALL, 0, "intel-psfd", NULL },
  { 13, 1, XF_FEATURE_HVM, 0, "ipred-ctrl", NULL },
  { 13, 2, XF_FEATURE_HVM, 0, "rrsba-ctrl", NULL },
  { 13, 4, XF_FEATURE_HVM, 0, "bhi-ctrl", NULL },
  { 13, 5, XF_FEATURE_ALL, 0, "mcdt-no", NULL },
  /* word 15 */
  { 15, 18, XF_FEATURE_NONE, 0, "cet-sss", NULL },
};

const XfFeatureRow *const xf_feature_rows = rows;
const gsize xf_feature_n_rows = G_N_ELEMENTS (rows);

#define N(word, bit) ((word)*32 + (bit))

/* A feature, and one that it is built on. Only what every Xen since 4.14 enforces is here: a feature that is hidden for
 * no reason in this table is reported, and one that is not hidden must never be left out. */
static const struct {
  guint16 feature, base;
} built_on[] = {
  { N (0, 23), N (0, 0) },  /* mmx: fpu */
  { N (0, 17), N (0, 3) },  /* pse36: pse */
  { N (2, 29), N (0, 6) },  /* lm: pae */
  { N (2, 20), N (0, 6) },  /* nx: pae */
  { N (1, 24), N (0, 4) },  /* tsc_deadline: tsc */
  { N (2, 27), N (0, 4) },  /* rdtscp: tsc */
  { N (5, 1), N (0, 4) },   /* tsc_adjust: tsc */
  { N (7, 8), N (0, 4) },   /* itsc: tsc */
  { N (1, 21), N (0, 9) },  /* x2apic: apic */
  { N (1, 24), N (0, 9) },  /* tsc_deadline: apic */
  { N (3, 3), N (0, 9) },   /* extapic: apic */
  { N (2, 22), N (0, 23) }, /* mmxext: mmx */
  { N (2, 31), N (0, 23) }, /* 3dnow: mmx */
  { N (2, 25), N (0, 24) }, /* ffxsr: fxsr */
  { N (0, 25), N (0, 24) }, /* sse: fxsr */
  { N (0, 26), N (0, 25) }, /* sse2: sse */
  { N (3, 7), N (0, 25) },  /* misalignsse: sse */
  { N (1, 0), N (0, 26) },  /* sse3: sse2 */
  { N (2, 29), N (0, 26) }, /* lm: sse2 */
  { N (1, 25), N (0, 26) }, /* aesni: sse2 */
  { N (1, 1), N (0, 26) },  /* pclmulqdq: sse2 */
  { N (5, 29), N (0, 26) }, /* sha: sse2 */
  { N (6, 8), N (0, 26) },  /* gfni: sse2 */
  { N (1, 9), N (1, 0) },   /* ssse3: sse3 */
  { N (3, 6), N (1, 0) },   /* sse4a: sse3 */
  { N (1, 19), N (1, 9) },  /* sse4_1: ssse3 */
  { N (1, 20), N (1, 19) }, /* sse4_2: sse4_1 */
  { N (4, 0), N (1, 26) },  /* xsaveopt: xsave */
  { N (4, 1), N (1, 26) },  /* xsavec: xsave */
  { N (4, 2), N (1, 26) },  /* xgetbv1: xsave */
  { N (4, 3), N (1, 26) },  /* xsaves: xsave */
  { N (1, 28), N (1, 26) }, /* avx: xsave */
  { N (5, 14), N (1, 26) }, /* mpx: xsave */
  { N (6, 3), N (1, 26) },  /* pku: xsave */
  { N (3, 15), N (1, 26) }, /* lwp: xsave */
  { N (1, 12), N (1, 28) }, /* fma: avx */
  { N (3, 16), N (1, 28) }, /* fma4: avx */
  { N (1, 29), N (1, 28) }, /* f16c: avx */
  { N (5, 5), N (1, 28) },  /* avx2: avx */
  { N (3, 11), N (1, 28) }, /* xop: avx */
  { N (6, 9), N (1, 28) },  /* vaes: avx */
  { N (6, 10), N (1, 28) }, /* vpclmulqdq: avx */
  { N (1, 13), N (2, 29) }, /* cx16: lm */
  { N (1, 17), N (2, 29) }, /* pcid: lm */
  { N (3, 0), N (2, 29) },  /* lahf_lm: lm */
  { N (2, 26), N (2, 29) }, /* page1gb: lm */
  { N (2, 30), N (2, 31) }, /* 3dnowext: 3dnow */
  { N (5, 16), N (5, 5) },  /* avx512f: avx2 */
  { N (5, 17), N (5, 16) }, /* avx512dq: avx512f */
  { N (5, 21), N (5, 16) }, /* avx512_ifma: avx512f */
  { N (5, 26), N (5, 16) }, /* avx512pf: avx512f */
  { N (5, 27), N (5, 16) }, /* avx512er: avx512f */
  { N (5, 28), N (5, 16) }, /* avx512cd: avx512f */
  { N (5, 30), N (5, 16) }, /* avx512bw: avx512f */
  { N (5, 31), N (5, 16) }, /* avx512vl: avx512f */
  { N (6, 11), N (5, 16) }, /* avx512_vnni: avx512f */
  { N (6, 14), N (5, 16) }, /* avx512_vpopcntdq: avx512f */
  { N (6, 1), N (5, 30) },  /* avx512_vbmi: avx512bw */
  { N (6, 6), N (5, 30) },  /* avx512_vbmi2: avx512bw */
  { N (6, 12), N (5, 30) }, /* avx512_bitalg: avx512bw */
  { N (6, 10), N (1, 1) },  /* vpclmulqdq: pclmulqdq */
  { N (6, 9), N (1, 25) },  /* vaes: aesni */
};

const XfFeatureRow *
xf_feature_by_number (guint number)
{
  for (gsize i = 0; i < G_N_ELEMENTS (rows); i++) {
    if (xf_feature_number (&rows[i]) == number)
      return &rows[i];
  }
  return NULL;
}

gboolean
xf_feature_any_base (guint number, gboolean (*each) (guint base, gpointer data), gpointer data)
{
  for (gsize i = 0; i < G_N_ELEMENTS (built_on); i++) {
    if (built_on[i].feature == number && each (built_on[i].base, data))
      return TRUE;
  }
  return FALSE;
}
