/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The protocol of a migration, for spin: source, destination, the actors that drive them and those that interfere. Each
 * may crash at any step, each connection may be lost, calls may arrive late. docs/exactly-once.md describes it.
 *
 * source.pml and destination.pml are a xenferry, libvirtd.pml is a libvirtd as either side, actors.pml all others.
 *
 *   S_TO (a, b), D_TO (a, b)   moves of the two state machines. tests/model/names-test.c compares them, name by name
 *                              and move by move, with the tables of src/libxl.
 *   js, jd                     the state in each side's journal
 *   s_guest, d_guest           the guest in Xen on each host, which no crash of a daemon changes
 *   d_arrived, d_ran, s_went_on   unknown to the daemons: the properties use them
 *
 * Who drives:
 *   (nothing)        managed: a client drives both sides
 *   -DP2P            peer to peer: the source drives the destination, and dies with it
 *   -DTO_LIBVIRTD    the destination is a libvirtd; -DFROM_LIBVIRTD: the source is one
 * Events, each bounded:
 *   -DCRASHES=n, -DLOSSES=n   of each daemon; of connections
 *   -DREBOOT         a host may boot once, which ends its guests; the guests are set to autostart
 *   -DSECOND=n       a second client calls phases at any time, n times, also on the first one's connection
 *   -DPERSON         an administrator decides what no daemon can, and tries to resume what must not run
 *   -DFAILS=n        a domain cannot be destroyed, n times on each host
 *   -DDISK           the destination's disk cannot be written for a while, and a failed write may be on disk
 *   -DPAUSED         the guest is to arrive paused
 *   -DMOVES_ON       the guest ends at the destination, or moves on from there
 *   -DUNREADABLE     the source's journal may be unreadable at a start of its daemon
 * Further switches remove a rule or bring a former behaviour back; they are described where they are used. run.py has
 * all of them, and spin must find an error with each.
 *
 * Checked: never two running copies (CHECK, at each start of one); no copy runs with a memory older than its disk
 * (STALE_S, STALE_D); no copy is destroyed that may be the last (LAST_S, LAST_D); and when nothing more can happen,
 * with all daemons up and connected, exactly one copy runs and both sides are final (at_the_end). An answer that is an
 * error and makes the source ask again is not a step here, so that an endless wait ends there, too.
 *
 * Deadlines are steps that may happen at any time. The network behaves after LOSSES faults and the daemons live after
 * CRASHES crashes each, so that every run ends.
 */
#ifdef SUSPEND_FIRST /* the source writes nothing until the guest is suspended */
#undef SUSPEND_FIRST
#define SUSPEND_FIRST true
#define WRITE_SENDING_EARLY false
#else
#define SUSPEND_FIRST false
#define WRITE_SENDING_EARLY true
#endif
#ifndef CRASHES
#define CRASHES 2
#endif
#ifndef LOSSES
#define LOSSES 2
#endif
#if !defined(TO_LIBVIRTD) && !defined(FROM_LIBVIRTD)
#define XENFERRIES
#endif
#ifdef PAUSED
#define IS_PAUSED true
#else
#define IS_PAUSED false
#endif

mtype = {
  nothing,
  describing, begun, connecting, sending, draining, sent, settling, deciding, destroying,          /* the source */
  rolling_back, resuming, stuck, done,
  filtering, checking, reserving, preparing, prepared, connected, receiving, restored, activating, /* the destination */
  unpausing, arriving, cancelling, revoking, releasing, failed, running,
  recording, committing, stopping, removing, cancelled,                                            /* both */
  unknown,                                                                /* an entry that cannot be continued */
  given_back,                                                             /* it has ended there, and starts only here */
  absent, runs, suspended, paused,                                        /* Xen */
  begin, perform, confirm, confirm_cancelled, confirm_promised,           /* calls of the source */
  prepare, finish, finish_cancelled,                                      /* calls of the destination */
  ok, error, lost, will_not_run                                           /* answers */
};

mtype ss = nothing, ds = nothing;           /* the state in each daemon */
mtype js = nothing, jd = nothing;           /* the state on its disk */
mtype s_guest = runs, d_guest = absent;     /* the guest in Xen */
bool s_up = true, d_up = true;

mtype data = nothing;                       /* the data connection: nothing, receiving, sent or lost */

/* A call stays when its caller has disconnected: it arrives late. An answer does not stay. */
mtype s_call = nothing, s_answer = nothing, d_call = nothing, d_answer = nothing;
bool s_conn = true, d_conn = true;

bool asked = false;                         /* settle, on a connection of its own */
mtype settled = nothing;

bool client_dead = false, client_over = false;
byte s_crashes = 0, d_crashes = 0, losses = 0;
bool s_rebooted = false, d_rebooted = false;

bool d_arrived = false; /* the guest was handed over to the destination's host */
bool d_ran = false;     /* it has run there: its disk is newer than the source's copy */
bool s_went_on = false; /* it continued at the source: its disk is newer than the destination's copy */

bool told_sent = false;  /* perform was answered: clients may have the cookie that says that all is sent */
bool also_finish = false; /* the second client's finish waits at the destination */
bool elsewhere = false;  /* the source sends to another host */
mtype want = nothing;    /* an administrator's decision: runs (here) or absent */
mtype tells = nothing;   /* the source reports a decision that it has carried out */
bool wants_back = false; /* an administrator starts the migrated guest at the source: the destination is asked */
#ifdef OLD_DECIDE
mtype want_too = nothing;
#endif
byte s_fails = 0, d_fails = 0;
bool s_defined = true;
bool s_blind = false;    /* the source's journal is unreadable */
bool gone_on = false;    /* the guest has left the destination, because it ended or was migrated on */
bool disk_bad = false, disk_was_bad = false;
bool d_asked = false;    /* prepare is not answered yet */
bool may_say = false;    /* the destination's disk may say `unpausing` */
bool other_boot = false; /* of jd: written before the host's last boot */

inline CHECK () { assert (!(s_guest == runs && d_guest == runs)) }
inline STALE_S () { assert (!d_ran); s_went_on = true }
inline STALE_D () { assert (!s_went_on); d_ran = true; d_arrived = true }
inline LAST_S () { assert (s_guest != runs && d_arrived) }
inline LAST_D () { assert (d_guest == paused && !d_arrived && (s_guest != absent || s_rebooted || gone_on)) }
inline S_TO (from, to) { assert (ss == from); ss = to }
inline D_TO (from, to) { assert (ds == from); ds = to }
inline s_reply (what) { s_answer = (s_conn -> what : nothing); s_call = nothing }
inline d_reply (what) { d_answer = (d_conn -> what : nothing); d_call = nothing }
inline break_data () { if :: data == receiving || data == sent -> data = lost :: else fi }

#define FINISH_CALLED (d_call == finish || also_finish)
#define S_BACK (ss == stopping || ss == rolling_back || ss == resuming || ss == stuck)
#define S_IS_OVER (ss == nothing || ss == cancelled || ss == done)
#define D_IS_OVER (ds == nothing || ds == cancelled || ds == failed)

/* The end of a daemon, and what is lost with it. */
inline s_dies ()
{
  s_up = false; ss = nothing; settled = nothing; s_call = nothing; s_answer = nothing; s_conn = false; want = nothing;
  tells = nothing; wants_back = false;
  if :: data == receiving -> data = lost :: else fi /* data that was written completely arrives */
#ifdef P2P
  ;
  client_dead = true; d_conn = false; d_answer = nothing
#endif
}

inline d_dies ()
{
  d_up = false; ds = nothing; d_asked = false; d_call = nothing; d_answer = nothing; d_conn = false; also_finish = false;
  if :: asked -> asked = false; settled = (ss == settling -> lost : nothing) :: else fi;
  break_data ()
}

#include "source.pml"
#include "destination.pml"
#include "libvirtd.pml"
#include "actors.pml"
