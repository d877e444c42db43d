/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * CPU features: which a guest may see on its host, which another host lacks, and how a guest is started with less than
 * its host has, so that it can run on several hosts. docs/cpu-features.md explains it.
 *
 * A host is described by a short text, which also travels in cookies:
 *
 *   1fcbfbff-…-00000100:hvm,pv,hap,shadow     words of features in hexadecimal, then what this Xen can do
 *
 * The words are those that libxl reports (hw_cap), in the order and with the numbers of Xen's public header
 * arch-x86/cpufeatureset.h. libxl reports eight. The features of the header's other words (for example ibpb, md-clear
 * and all bits of MSR_ARCH_CAPS) are out of reach: the table knows their names, but no host tells whether it has them,
 * so they are never missing. The vendor and the model of the CPU are out of reach too.
 *
 * A text may have fewer words, or no ':'. What is not there is unknown, and never counts as missing. Words after the
 * table's last, and names after ':' that are not known, are ignored. Anything else is an error (XF_ERROR_INVALID_ARG)
 * that says whose text is wrong and where. So a text may come from a peer.
 *
 * All functions but the first are pure. None of them keeps what it gets.
 */
#pragma once

#include <glib.h>
#include <libxl.h>

/* The text of the host of @ctx; the caller frees it. NULL: Xen does not report its properties. */
char *xf_features_of_host (libxl_ctx *ctx);

/* The same from what libxl has reported. */
char *xf_features_of_physinfo (const libxl_physinfo *info);

/* @source_words: of the host on which the guest has started; if it has arrived by migration, the level
 * (xf_features_baseline) of all hosts that it has run on since. It sees no more than that, and must be able to go back.
 *
 * Names of what the guest of @config may see on the source and does not find on the destination: "hvm", "pv" or "hap"
 * if that Xen cannot run such a guest, then features by the names that <feature name='…'/> has in domain XML. Empty:
 * nothing is missing. The caller frees the array, which frees the names (g_ptr_array_unref).
 *
 * A guest may see what Xen offers to guests of its type by default, and what its configuration asks for, if the source
 * has it; without what its configuration turns off, and what is built on that. What Xen provides or hides whatever the
 * hardware (x2apic, osxsave and others) never counts. NULL (@error): a text is malformed, or libxl cannot write the
 * configuration. */
GPtrArray *xf_features_missing (const char *source_words, const char *destination_words,
                                const libxl_domain_config *config, GError **error);

/* The level of all @hosts (NULL-terminated, at least one): the text of what each of them has. A word that one of them
 * does not say is not in the result, and neither is any word after it. The caller frees it. NULL (@error): a text is
 * malformed, the error says which; or there is no host. */
char *xf_features_baseline (const char *const *hosts, GError **error);

/* Turns off in @config what its guest would see on @host, where it is to start, and @level lacks. What is off already,
 * and everything else, stays as it is. On an error the caller can still dispose of @config, but not use it. Errors: a
 * malformed text; the configuration asks for a feature that @level lacks, which the error names
 * (XF_ERROR_CONFIG_UNSUPPORTED); this libxl cannot turn off a feature (the same). */
gboolean xf_features_to_cpuid (const char *level, const char *host, libxl_domain_config *config, GError **error);

/* The element <cpu> of domain XML that does the same, for guests of every type: it turns off what Xen on @host offers
 * by default and @level lacks. @host: NULL for all that any Xen may offer, for a definition that several hosts start.
 * The caller frees it. NULL (@error): a text is malformed. */
char *xf_features_level_xml (const char *level, const char *host, GError **error);

/* Turns a feature off or on in libxl's list. @name: of domain XML or of libxl. FALSE: libxl has no feature of that
 * name. */
gboolean xf_features_set (libxl_cpuid_policy_list *list, const char *name, gboolean on);

/* Calls @each with every feature of @list that is off or on and has a name in domain XML, in the order of the table.
 * FALSE: the list has more than that. */
gboolean xf_features_each (const libxl_cpuid_policy_list *list,
                           void (*each) (const char *name, gboolean on, gpointer data), gpointer data);
