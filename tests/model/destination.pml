/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * A xenferry as destination: src/libxl/dest/, and what src/libxl/boot/recover.c does for it at a start.
 */
/* A libvirtd takes its guest back when the answer to finish is lost: so the destination checks the connection before it
 * says that the guest runs, and again right before the unpause. OLD_CALLER: it does not. The check cannot prevent a
 * loss between the last check and the unpause, one that is not noticed here, and one after the unpause, before the
 * answer has arrived, also by an end of the daemon or a boot of the host (LIMIT_…). */
#if defined(FROM_LIBVIRTD) && !defined(OLD_CALLER) && !defined(LIMIT_SILENCE)
#define CALLER_IS_THERE d_conn
#else
#define CALLER_IS_THERE true
#endif
#ifdef LIMIT_LOOK
#define CALLER_IS_STILL_THERE true
#elif defined(OLD_GOES_ON)
#define CALLER_IS_STILL_THERE (d_conn || d_crashes > 0)
#else
#define CALLER_IS_STILL_THERE CALLER_IS_THERE
#endif
#if defined(FROM_LIBVIRTD) && !defined(LIMIT_CRASH)
#define MAY_BREAK (!d_arrived || s_guest == absent)
#else
#define MAY_BREAK true
#endif
#if defined(FROM_LIBVIRTD) && !defined(LIMIT_ANSWER)
#define MAY_LOSE (!d_arrived || s_guest == absent)
#else
#define MAY_LOSE true
#endif

#ifdef DISK
#define D_WRITES !disk_bad
#else
#define D_WRITES true
#endif
/* Without its tombstone a copy is destroyed only if the disk cannot say `unpausing`. OLD_TOMBSTONE: after a while
 * always. */
#define D_WITHOUT (disk_bad)
#ifdef OLD_TOMBSTONE
#define D_GIVES_UP (disk_bad)
#else
#define D_GIVES_UP false
#endif
#define D_BACK (ds == stopping || ds == cancelling || ds == revoking || ds == removing || ds == releasing)

#ifdef DESTROY_FIRST
#undef DESTROY_FIRST
#define DESTROY_FIRST true
#else
#define DESTROY_FIRST false
#endif
/* Without a boot, an absent guest has ended by itself; a boot of the host may have come before it ran, or after. A
 * guest that was to arrive paused has not run. OLD_BOOT: it counts as one that has run. */
#ifdef OLD_BOOT
#define CANNOT_KNOW false
#else
#define CANNOT_KNOW (d_guest == absent && other_boot)
#endif
/* A libvirtd's connection ended with the daemon. OLD_GOES_ON: the guest is unpaused nevertheless. */
#if defined(FROM_LIBVIRTD) && !defined(OLD_GOES_ON)
#define IS_TAKEN_BACK (d_guest == paused && !IS_PAUSED)
#else
#define IS_TAKEN_BACK false
#endif
#ifdef OLD_AUTOSTART
#define D_MAY_AUTOSTART (ds == running || ds == unknown)
#else
#define D_MAY_AUTOSTART (ds == running)
#endif

#define SOURCE_STARTS()                                                                                                \
  wants_back = false;                                                                                                  \
  s_guest = runs;                                                                                                      \
  CHECK ();                                                                                                            \
  s_went_on = true;                                                                                                    \
  js = nothing

#ifndef TO_LIBVIRTD
active proctype destination ()
{
end:
  do
  :: atomic { d_up && d_call == prepare && ds == nothing && jd == nothing -> ds = filtering; d_asked = true }
  :: atomic { d_up && d_call == prepare && ds != nothing && !d_asked && !D_BACK -> d_reply (error) }
  :: atomic { d_up && ds == filtering -> D_TO (filtering, checking) }
  :: atomic { d_up && ds == checking -> D_TO (checking, reserving) }
  :: atomic { d_up && ds == reserving -> D_TO (reserving, recording) }
  :: atomic { d_up && ds == recording && jd == nothing && D_WRITES -> jd = prepared }
  :: atomic { d_up && ds == recording && jd == prepared -> D_TO (recording, preparing) }
  :: atomic { d_up && ds == preparing -> D_TO (preparing, prepared); d_asked = false; d_reply (ok) }
  /* The hook refuses it, a resource is missing, no memory, no journal, a client that has disconnected: no source knows of this migration. */
  :: atomic { d_up && ds == filtering -> D_TO (filtering, cancelled); d_asked = false; d_reply (error) }
  :: atomic { d_up && ds == checking -> D_TO (checking, cancelled); d_asked = false; d_reply (error) }
  :: atomic { d_up && ds == reserving -> D_TO (reserving, cancelled); d_asked = false; d_reply (error) }
  :: atomic { d_up && ds == recording -> D_TO (recording, cancelled); d_asked = false; jd = nothing; d_reply (error) }
  :: atomic { d_up && ds == preparing -> D_TO (preparing, releasing) }
  :: atomic { d_up && ds == releasing && d_asked -> D_TO (releasing, cancelled); d_asked = false; jd = nothing;
              d_reply (error) }

  :: atomic { d_up && ds == prepared && (data == receiving || data == sent) && !elsewhere ->
              D_TO (prepared, connected) }
  :: atomic { d_up && ds == connected && (data == receiving || data == sent) ->
              D_TO (connected, receiving); d_guest = paused }
  :: atomic { d_up && ds == receiving && data == sent -> D_TO (receiving, restored) }

  /* finish: that the guest runs is durable before it runs. WRITE_LATER: it is written afterwards. */
  :: atomic { d_up && FINISH_CALLED && ds == restored && CALLER_IS_THERE -> D_TO (restored, activating) }
  :: atomic { d_up && ds == activating && CALLER_IS_THERE -> D_TO (activating, committing); may_say = true }
  /* A resource refuses, or the caller has left. */
  :: atomic { d_up && ds == activating -> D_TO (activating, cancelling) }
#ifdef WRITE_LATER
  :: atomic { d_up && ds == committing -> D_TO (committing, unpausing) }
  :: atomic { d_up && ds == unpausing && d_guest == paused -> d_guest = runs; CHECK (); STALE_D () }
  :: atomic { d_up && ds == unpausing && d_guest != paused -> jd = running; D_TO (unpausing, running) }
#else
  :: atomic { d_up && ds == committing && jd != unpausing && D_WRITES -> jd = unpausing }
#ifdef DISK
  :: atomic { d_up && ds == committing && jd != unpausing && disk_bad ->
              if :: jd = unpausing :: true fi; /* a failed write may be on disk */
              D_TO (committing, revoking) }
#endif
  /* The definition cannot be stored. */
  :: atomic { d_up && ds == committing && jd == unpausing && d_guest == paused -> D_TO (committing, revoking) }
#ifdef PAUSED
  /* The guest is not handed over before `running` is durable: after a boot, a guest that was resumed would look like
   * one that never ran. OLD_HANDOVER: it is. */
  :: atomic { d_up && ds == committing && jd == unpausing -> D_TO (committing, arriving) }
#ifdef OLD_HANDOVER
  :: atomic { d_up && ds == arriving && jd == unpausing -> d_arrived = true; D_TO (arriving, running) }
#else
  :: atomic { d_up && ds == arriving && jd == unpausing && D_WRITES -> jd = running }
#ifdef DISK
  :: atomic { d_up && ds == arriving && jd == unpausing && disk_bad ->
              if :: jd = running :: true fi;
              D_TO (arriving, revoking) }
#endif
  :: atomic { d_up && ds == arriving && jd == running -> d_arrived = true; D_TO (arriving, running) }
#endif
#else
  :: atomic { d_up && ds == committing && jd == unpausing -> D_TO (committing, unpausing) }
  :: atomic { d_up && ds == unpausing && jd == unpausing && d_guest == paused ->
              if
              :: CALLER_IS_STILL_THERE -> d_guest = runs; CHECK (); STALE_D ()
              :: D_TO (unpausing, revoking) /* the unpause can fail */
              fi }
  :: atomic { d_up && ds == unpausing && jd == unpausing && d_guest != paused -> D_TO (unpausing, running) }
#endif
  /* A write without a waiter. The guest has come back, so the `done` of its former life here is dropped. */
  :: atomic { d_up && ds == running && jd == unpausing && D_WRITES -> jd = running }
#endif
  /* A repeated call gets the same answer. */
  :: atomic { d_up && ds == running && (d_call == finish || d_call == finish_cancelled) -> d_reply (ok) }
  :: atomic { d_up && (D_IS_OVER || ds == unknown) && (d_call == finish || d_call == finish_cancelled) ->
              if :: ds == failed -> D_TO (failed, cancelled) :: else fi;
              d_reply (error) }

  /* A failed restore, finish(cancelled), a client that has disconnected, a deadline, settle's question: before
   * `committing` each of them may cancel at any time. */
  :: atomic { d_up && ds == prepared -> D_TO (prepared, cancelling) }
  :: atomic { d_up && ds == connected -> D_TO (connected, cancelling) }
  :: atomic { d_up && ds == receiving -> D_TO (receiving, stopping) }
  :: atomic { d_up && ds == receiving -> D_TO (receiving, cancelling) } /* libxl has ended */
  :: atomic { d_up && ds == stopping -> D_TO (stopping, cancelling) }
  :: atomic { d_up && ds == restored -> D_TO (restored, cancelling) }

  /* Cancelling. The tombstone is durable before the guest is destroyed: otherwise a crash between them leaves
   * "unpausing" and no guest, which means that it ran and has ended. It is also durable before any answer. If the disk
   * cannot say "unpausing", the end of the copy serves as tombstone; and a libvirtd does not ask. DESTROY_FIRST: the
   * copy is always destroyed first. */
  :: atomic { d_up && (ds == cancelling || ds == revoking) && jd != cancelled && D_WRITES &&
              !(DESTROY_FIRST && d_guest != absent) ->
              jd = cancelled; may_say = false; break_data () }
  :: atomic { d_up && (ds == cancelling || ds == revoking) && DESTROY_FIRST && d_guest != absent ->
              LAST_D (); d_guest = absent; break_data () }
  :: atomic { d_up && ds == cancelling && (jd == cancelled || D_WITHOUT) -> D_TO (cancelling, removing) }
  :: atomic { d_up && ds == revoking && (jd == cancelled || D_GIVES_UP) -> D_TO (revoking, removing) }
#ifdef FROM_LIBVIRTD
  :: atomic { d_up && ds == cancelling -> D_TO (cancelling, removing); break_data () }
#endif
  :: atomic { d_up && ds == removing && d_guest != absent -> LAST_D (); d_guest = absent; break_data () }
#ifdef FAILS
  /* The copy cannot be destroyed. OLD_REMAINS: after a while it counts as gone. */
  :: atomic { d_up && ds == removing && d_guest != absent && jd == cancelled && d_fails < FAILS -> d_fails++;
#ifdef OLD_REMAINS
              D_TO (removing, releasing)
#endif
            }
#endif
#if (defined(FAILS) || defined(DISK)) && !defined(FROM_LIBVIRTD)
  /* The answer to finish is that it takes longer. */
  :: atomic { d_up && D_BACK && (d_call == finish || d_call == finish_cancelled) -> d_reply (error) }
#endif
  :: atomic { d_up && ds == removing && d_guest == absent -> D_TO (removing, releasing) }
  :: atomic { d_up && ds == releasing && !d_asked ->
              also_finish = false;
#ifdef FROM_LIBVIRTD
              jd = (jd == cancelled -> cancelled : nothing);
#endif
              if
              :: d_call == finish || d_call == finish_cancelled -> D_TO (releasing, cancelled); d_reply (error)
              :: else -> D_TO (releasing, failed) /* finish will get the reason */
              fi }
  :: atomic { d_up && ds == failed -> D_TO (failed, cancelled) }
#ifdef DISK
  :: atomic { d_up && (ds == failed || ds == cancelled) && jd != cancelled && jd != nothing && !disk_bad -> jd = cancelled }
#endif

  /* settle. An entry that cannot be continued is answered with an error. */
  :: atomic { d_up && asked && (ds == failed || ds == cancelled || (D_BACK && jd == cancelled)) &&
              !elsewhere ->
              settled = (ss == settling -> will_not_run : nothing); asked = false }
  :: atomic { d_up && asked && ds == running && !elsewhere ->
              settled = (ss == settling -> runs : nothing); asked = false }
  :: atomic { d_up && asked && ds == nothing && !elsewhere -> assert (false) /* a sending source has called prepare */ }
  /* The source reports an administrator's decision when it has been carried out there. */
  :: atomic { d_up && ds == unknown && tells == runs && s_guest == runs -> jd = cancelled; ds = cancelled }
  :: atomic { d_up && ds == unknown && tells == absent && s_guest == absent -> jd = running; ds = running }
#ifdef START
  /* The guest has ended here, and the source is to start it: this host gives it back first. OLD_START: it only says so.
   * */
#ifdef OLD_START
  :: atomic { d_up && wants_back && ds == running && d_guest == absent -> SOURCE_STARTS () }
#else
  :: atomic { d_up && wants_back && ds == running && d_guest == absent -> ds = given_back }
  :: atomic { d_up && ds == given_back && jd != given_back && D_WRITES -> jd = given_back }
  :: atomic { d_up && wants_back && ds == given_back && jd == given_back -> SOURCE_STARTS () }
#endif
#endif
#ifdef OLD_EXPIRES /* the outcome is forgotten before the source has asked */
  :: atomic { d_up && (ds == running || ds == cancelled) && jd == ds -> ds = nothing; jd = nothing }
#endif

  :: atomic { d_up && d_crashes < CRASHES && MAY_BREAK -> d_crashes++; d_dies () }
  :: atomic { !d_up -> d_up = true; may_say = (jd == unpausing || jd == running);
              if
              :: jd == nothing -> skip
              :: jd == prepared -> ds = cancelling
              :: jd == restored && d_guest == paused && !IS_TAKEN_BACK -> ds = restored
              :: jd == restored && (d_guest != paused || IS_TAKEN_BACK) -> ds = cancelling
              :: jd == unpausing && IS_TAKEN_BACK -> ds = revoking
              :: jd == unpausing && !IS_TAKEN_BACK && !CANNOT_KNOW && d_guest == paused -> ds = committing
              :: jd == unpausing && !IS_TAKEN_BACK && !CANNOT_KNOW && d_guest != paused ->
                 ds = (IS_PAUSED -> arriving : unpausing)
              :: jd == unpausing && CANNOT_KNOW -> ds = (IS_PAUSED -> revoking : unknown)
              :: jd == running -> ds = running; d_arrived = true
              :: jd == given_back -> ds = given_back; d_arrived = true
              :: jd == cancelled -> ds = removing
              fi }
#ifdef REBOOT
  :: atomic { d_up && !d_rebooted && MAY_BREAK ->
              d_rebooted = true; other_boot = (jd == unpausing); d_guest = absent; d_dies () }
  /* Autostart, which also waits for what is unknown here. OLD_AUTOSTART: it does not. OLD_KEEP_DONE: it finds the
   * `done` of the guest's former life here. */
#ifndef OLD_KEEP_DONE
  :: atomic { d_up && d_rebooted && d_guest == absent && !gone_on && D_MAY_AUTOSTART ->
              d_guest = runs; CHECK (); d_ran = true; d_arrived = true }
#endif
#endif
  od
}
#endif
