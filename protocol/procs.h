/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The lists of procedures, libvirt's and xenferry's own: number, name, layout of arguments and result, policy. Enum,
 * names for the log, dispatch and the answer "unknown procedure" all come from them. Numbers: docs/wire.md,
 * Procedures.
 *
 * Policy: RO may be called on a read-only connection; FREE before authentication and before CONNECT_OPEN; OPEN
 * likewise only before CONNECT_OPEN is required; STREAM opens a stream.
 */
#pragma once

#include "remote.h"
#include "xenferry.h"

/* A call without arguments or result. */
typedef struct {
  char unused;
} xf_void;

static inline bool_t
xdr_xf_void (XDR *xdr, xf_void *nothing)
{
  return TRUE;
}

enum {
  XF_POLICY_RW = 0,
  XF_POLICY_RO = 1,     /* allowed on a read-only connection */
  XF_POLICY_UNAUTH = 2, /* allowed before authentication */
  XF_POLICY_CLOSED = 4, /* allowed before CONNECT_OPEN */
  XF_POLICY_STREAM = 8, /* opens a stream */
};

#define XF_POLICY_FREE (XF_POLICY_RO | XF_POLICY_UNAUTH | XF_POLICY_CLOSED)
#define XF_POLICY_OPEN (XF_POLICY_RO | XF_POLICY_CLOSED)

/*        number, name, arguments, result, policy */
#define XF_REMOTE_PROCEDURES(P)                                                                                        \
  P (1, CONNECT_OPEN, xf_opt_string_flags_args, xf_void, OPEN)                                                         \
  P (2, CONNECT_CLOSE, xf_void, xf_void, OPEN)                                                                         \
  P (3, CONNECT_GET_TYPE, xf_void, xf_string_ret, RO)                                                                  \
  P (4, CONNECT_GET_VERSION, xf_void, xf_u64_ret, RO)                                                                  \
  P (5, CONNECT_GET_MAX_VCPUS, xf_opt_string_args, xf_int_ret, RO)                                                     \
  P (6, NODE_GET_INFO, xf_void, xf_node_info_ret, RO)                                                                  \
  P (7, CONNECT_GET_CAPABILITIES, xf_void, xf_string_ret, RO)                                                          \
  P (9, DOMAIN_CREATE, xf_dom_args, xf_void, RW)                                                                       \
  P (10, DOMAIN_CREATE_XML, xf_string_flags_args, xf_dom_ret, RW)                                                      \
  P (11, DOMAIN_DEFINE_XML, xf_string_args, xf_dom_ret, RW)                                                            \
  P (12, DOMAIN_DESTROY, xf_dom_args, xf_void, RW)                                                                     \
  P (14, DOMAIN_GET_XML_DESC, xf_dom_flags_args, xf_string_ret, RO)                                                    \
  P (15, DOMAIN_GET_AUTOSTART, xf_dom_args, xf_int_ret, RO)                                                            \
  P (16, DOMAIN_GET_INFO, xf_dom_args, xf_info_ret, RO)                                                                \
  P (17, DOMAIN_GET_MAX_MEMORY, xf_dom_args, xf_u64_ret, RO)                                                           \
  P (18, DOMAIN_GET_MAX_VCPUS, xf_dom_args, xf_int_ret, RO)                                                            \
  P (19, DOMAIN_GET_OS_TYPE, xf_dom_args, xf_string_ret, RO)                                                           \
  P (20, DOMAIN_GET_VCPUS, xf_dom_vcpus_args, xf_vcpus_ret, RO)                                                        \
  P (21, CONNECT_LIST_DEFINED_DOMAINS, xf_int_args, xf_names_ret, RO)                                                  \
  P (22, DOMAIN_LOOKUP_BY_ID, xf_int_args, xf_dom_ret, RO)                                                             \
  P (23, DOMAIN_LOOKUP_BY_NAME, xf_string_args, xf_dom_ret, RO)                                                        \
  P (24, DOMAIN_LOOKUP_BY_UUID, xf_uuid_args, xf_dom_ret, RO)                                                          \
  P (25, CONNECT_NUM_OF_DEFINED_DOMAINS, xf_void, xf_int_ret, RO)                                                      \
  P (27, DOMAIN_REBOOT, xf_dom_flags_args, xf_void, RW)                                                                \
  P (28, DOMAIN_RESUME, xf_dom_args, xf_void, RW)                                                                      \
  P (29, DOMAIN_SET_AUTOSTART, xf_dom_int_args, xf_void, RW)                                                           \
  P (33, DOMAIN_SHUTDOWN, xf_dom_args, xf_void, RW)                                                                    \
  P (34, DOMAIN_SUSPEND, xf_dom_args, xf_void, RW)                                                                     \
  P (35, DOMAIN_UNDEFINE, xf_dom_args, xf_void, RW)                                                                    \
  P (37, CONNECT_LIST_DOMAINS, xf_int_args, xf_ids_ret, RO)                                                            \
  P (51, CONNECT_NUM_OF_DOMAINS, xf_void, xf_int_ret, RO)                                                              \
  P (59, CONNECT_GET_HOSTNAME, xf_void, xf_string_ret, RO)                                                             \
  P (60, CONNECT_SUPPORTS_FEATURE, xf_int_args, xf_int_ret, OPEN)                                                      \
  P (66, AUTH_LIST, xf_void, xf_auth_ret, FREE)                                                                        \
  P (101, NODE_GET_CELLS_FREE_MEMORY, xf_two_ints_args, xf_cells_ret, RO)                                              \
  P (102, NODE_GET_FREE_MEMORY, xf_void, xf_u64_ret, RO)                                                               \
  P (105, CONNECT_DOMAIN_EVENT_REGISTER, xf_void, xf_int_ret, RO)                                                      \
  P (106, CONNECT_DOMAIN_EVENT_DEREGISTER, xf_void, xf_int_ret, RO)                                                    \
  P (110, CONNECT_GET_URI, xf_void, xf_string_ret, RO)                                                                 \
  P (122, NODE_GET_SECURITY_MODEL, xf_void, xf_security_ret, RO)                                                       \
  P (150, DOMAIN_IS_ACTIVE, xf_dom_args, xf_int_ret, RO)                                                               \
  P (151, DOMAIN_IS_PERSISTENT, xf_dom_args, xf_int_ret, RO)                                                           \
  P (157, CONNECT_GET_LIB_VERSION, xf_void, xf_u64_ret, RO)                                                            \
  P (163, DOMAIN_GET_JOB_INFO, xf_dom_args, xf_job_info_ret, RO)                                                       \
  P (164, DOMAIN_ABORT_JOB, xf_dom_args, xf_void, RW)                                                                  \
  P (166, DOMAIN_MIGRATE_SET_MAX_DOWNTIME, xf_dom_u64_flags_args, xf_void, RW)                                         \
  P (167, CONNECT_DOMAIN_EVENT_REGISTER_ANY, xf_int_args, xf_void, RO)                                                 \
  P (168, CONNECT_DOMAIN_EVENT_DEREGISTER_ANY, xf_int_args, xf_void, RO)                                               \
  P (183, DOMAIN_HAS_MANAGED_SAVE_IMAGE, xf_dom_flags_args, xf_int_ret, RO)                                            \
  P (196, DOMAIN_CREATE_WITH_FLAGS, xf_dom_flags_args, xf_dom_ret, RW)                                                 \
  P (200, DOMAIN_GET_VCPUS_FLAGS, xf_dom_flags_args, xf_int_ret, RO)                                                   \
  P (201, DOMAIN_OPEN_CONSOLE, xf_dom_console_args, xf_void, STREAM)                                                   \
  P (202, DOMAIN_IS_UPDATED, xf_dom_args, xf_int_ret, RO)                                                              \
  P (207, DOMAIN_MIGRATE_SET_MAX_SPEED, xf_dom_u64_flags_args, xf_void, RW)                                            \
  P (212, DOMAIN_GET_STATE, xf_dom_flags_args, xf_state_ret, RO)                                                       \
  P (231, DOMAIN_UNDEFINE_FLAGS, xf_dom_flags_args, xf_void, RW)                                                       \
  P (234, DOMAIN_DESTROY_FLAGS, xf_dom_flags_args, xf_void, RW)                                                        \
  P (242, DOMAIN_MIGRATE_GET_MAX_SPEED, xf_dom_flags_args, xf_u64_ret, RO)                                             \
  P (258, DOMAIN_SHUTDOWN_FLAGS, xf_dom_flags_args, xf_void, RW)                                                       \
  P (265, DOMAIN_GET_METADATA, xf_dom_metadata_args, xf_string_ret, RO)                                                \
  P (273, CONNECT_LIST_ALL_DOMAINS, xf_list_all_args, xf_list_all_ret, RO)                                             \
  P (298, DOMAIN_GET_JOB_STATS, xf_dom_flags_args, xf_job_stats_ret, RO)                                               \
  P (302, DOMAIN_MIGRATE_BEGIN3_PARAMS, xf_begin_args, xf_begin_ret, RW)                                               \
  P (303, DOMAIN_MIGRATE_PREPARE3_PARAMS, xf_prepare_args, xf_prepare_ret, RW)                                         \
  P (304, DOMAIN_MIGRATE_PREPARE_TUNNEL3_PARAMS, xf_prepare_args, xf_cookie_ret, STREAM)                               \
  P (305, DOMAIN_MIGRATE_PERFORM3_PARAMS, xf_perform_args, xf_cookie_ret, RW)                                          \
  P (306, DOMAIN_MIGRATE_FINISH3_PARAMS, xf_finish_args, xf_finish_ret, RW)                                            \
  P (307, DOMAIN_MIGRATE_CONFIRM3_PARAMS, xf_confirm_args, xf_void, RW)                                                \
  P (316, CONNECT_DOMAIN_EVENT_CALLBACK_REGISTER_ANY, xf_event_args, xf_int_ret, RO)                                   \
  P (317, CONNECT_DOMAIN_EVENT_CALLBACK_DEREGISTER_ANY, xf_int_args, xf_void, RO)                                      \
  P (342, CONNECT_GET_DOMAIN_CAPABILITIES, xf_domcaps_args, xf_string_ret, RO)                                         \
  P (344, CONNECT_GET_ALL_DOMAIN_STATS, xf_stats_args, xf_stats_ret, RO)                                               \
  P (350, DOMAIN_DEFINE_XML_FLAGS, xf_string_flags_args, xf_dom_ret, RW)                                               \
  P (360, CONNECT_REGISTER_CLOSE_CALLBACK, xf_void, xf_void, RO)                                                       \
  P (361, CONNECT_UNREGISTER_CLOSE_CALLBACK, xf_void, xf_void, RO)                                                     \
  P (387, DOMAIN_MIGRATE_GET_MAX_DOWNTIME, xf_dom_flags_args, xf_u64_ret, RO)                                          \
  P (426, DOMAIN_GET_MESSAGES, xf_dom_flags_args, xf_messages_ret, RO)                                                 \
  P (442, DOMAIN_ABORT_JOB_FLAGS, xf_dom_flags_args, xf_void, RW)

/* SETTLE is protected by the migration's secret, and by nothing else: in managed mode two daemons have no more in
 * common. */
#define XF_XENFERRY_PROCEDURES(P)                                                                                      \
  P (1, SETTLE, xf_settle_args, xf_int_ret, FREE)                                                                      \
  P (2, LIST_MIGRATIONS, xf_void, xf_migrations_ret, OPEN)                                                             \
  P (3, RESOLVE_MIGRATION, xf_resolve_args, xf_void, CLOSED)                                                           \
  P (4, CHECK_MIGRATION, xf_check_args, xf_findings_ret, RW)                                                           \
  P (5, CHECK_INCOMING, xf_prepare_args, xf_findings_ret, RW)                                                          \
  P (6, GET_CPU_FEATURES, xf_void, xf_string_ret, RO)

#define XF_REMOTE_PROGRAM 0x20008086
#define XF_XENFERRY_PROGRAM 0x78656e66
#define XF_KEEPALIVE_PROGRAM 0x6b656570
#define XF_PROGRAM_VERSION 1

enum {
#define P(number, name, args, ret, policy) XF_PROC_##name = number,
  XF_REMOTE_PROCEDURES (P) XF_XENFERRY_PROCEDURES (P)
#undef P
};

/* Event messages (docs/wire.md, Events). */
enum {
  XF_MESSAGE_LIFECYCLE = 107, /* legacy */
  XF_MESSAGE_LIFECYCLE_CALLBACK = 318,
  XF_MESSAGE_ITERATION_CALLBACK = 359,
  XF_MESSAGE_JOB_COMPLETED_CALLBACK = 363,
};

enum { XF_KEEPALIVE_PING = 1, XF_KEEPALIVE_PONG = 2 };
