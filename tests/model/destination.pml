/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * A xenferryd as destination: src/libxl/dest/, and of src/libxl/boot/recover.c what it finds at its start.
 */
/* A libvirtd takes its guest back when the answer to finish is lost: so the connection is looked at before the guest is
 * said to run, and once more right before it does. OLD_CALLER: it is not. What no look helps against, LIMIT_…: a loss
 * between the last look and the unpause; one that is not noticed here; one after the unpause, before the answer has
 * arrived, and the same of the daemon and the host. */
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
/* Without its tombstone a copy is destroyed only where the disk cannot say `unpausing`. OLD_TOMBSTONE: after a while
 * wherever. */
#define D_WITHOUT (disk_bad)
#ifdef OLD_TOMBSTONE
#define D_GIVES_UP (disk_bad)
#else
#define D_GIVES_UP false
#endif
#define D_BACK (ds == stopping || ds == cancelling || ds == revoking || ds == removing)

#ifdef DESTROY_FIRST
#undef DESTROY_FIRST
#define DESTROY_FIRST true
#else
#define DESTROY_FIRST false
#endif
/* In this boot only its own end takes a guest away; a boot of the host may have come before it ran, or after. Of one
 * that was to arrive paused it is known that it did not. OLD_BOOT: it is taken for one that has run. */
#ifdef OLD_BOOT
#define CANNOT_KNOW false
#else
#define CANNOT_KNOW (d_guest == absent && other_boot)
#endif
/* A libvirtd's connection has gone with the daemon. OLD_GOES_ON: the guest is unpaused all the same. */
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
  :: atomic { d_up && d_call == prepare && ds == nothing && jd == nothing -> ds = reserving }
  :: atomic { d_up && d_call == prepare && ds != nothing && ds != reserving && ds != recording && !D_BACK ->
              d_reply (error) }
  :: atomic { d_up && ds == reserving -> D_TO (reserving, recording) }
  :: atomic { d_up && ds == recording && jd == nothing && D_WRITES -> jd = prepared }
  :: atomic { d_up && ds == recording && jd == prepared -> D_TO (recording, prepared); d_reply (ok) }
  /* No memory, no journal, a client that has gone: no source knows of it. */
  :: atomic { d_up && ds == reserving -> D_TO (reserving, cancelled); d_reply (error) }
  :: atomic { d_up && ds == recording -> D_TO (recording, cancelled); jd = nothing; d_reply (error) }

  :: atomic { d_up && ds == prepared && (data == receiving || data == sent) && !elsewhere ->
              D_TO (prepared, connected) }
  :: atomic { d_up && ds == connected && (data == receiving || data == sent) ->
              D_TO (connected, receiving); d_guest = paused }
  :: atomic { d_up && ds == receiving && data == sent -> D_TO (receiving, restored) }

  /* finish: that it runs is durable before it does. WRITE_LATER: it is written afterwards. */
  :: atomic { d_up && FINISH_CALLED && ds == restored && CALLER_IS_THERE -> D_TO (restored, committing); may_say = true }
#ifdef WRITE_LATER
  :: atomic { d_up && ds == committing -> D_TO (committing, unpausing) }
  :: atomic { d_up && ds == unpausing && d_guest == paused -> d_guest = runs; CHECK (); STALE_D () }
  :: atomic { d_up && ds == unpausing && d_guest != paused -> jd = running; D_TO (unpausing, running) }
#else
  :: atomic { d_up && ds == committing && jd != unpausing && D_WRITES -> jd = unpausing }
#ifdef DISK
  :: atomic { d_up && ds == committing && jd != unpausing && disk_bad ->
              if :: jd = unpausing :: true fi; /* a write that has failed may have been done */
              D_TO (committing, revoking) }
#endif
  /* The definition cannot be stored. */
  :: atomic { d_up && ds == committing && jd == unpausing && d_guest == paused -> D_TO (committing, revoking) }
#ifdef PAUSED
  /* It is not handed over before `running` is durable: who resumes it could not be told from what never ran, after a
   * boot. OLD_HANDOVER: it is. */
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
  /* Nobody waits for it, and the guest has come back: a `done` of its former life here ends. */
  :: atomic { d_up && ds == running && jd == unpausing && D_WRITES -> jd = running }
#endif
  /* Asked again it answers the same. */
  :: atomic { d_up && ds == running && (d_call == finish || d_call == finish_cancelled) -> d_reply (ok) }
  :: atomic { d_up && (D_IS_OVER || ds == unknown) && (d_call == finish || d_call == finish_cancelled) ->
              if :: ds == failed -> D_TO (failed, cancelled) :: else fi;
              d_reply (error) }

  /* A restore that fails, finish(cancelled), a client that has gone, a deadline, settle's question: at any time before
   * `committing` it may turn back. */
  :: atomic { d_up && ds == prepared -> D_TO (prepared, cancelling) }
  :: atomic { d_up && ds == connected -> D_TO (connected, cancelling) }
  :: atomic { d_up && ds == receiving -> D_TO (receiving, stopping) }
  :: atomic { d_up && ds == receiving -> D_TO (receiving, cancelling) } /* libxl has ended */
  :: atomic { d_up && ds == stopping -> D_TO (stopping, cancelling) }
  :: atomic { d_up && ds == restored -> D_TO (restored, cancelling) }

  /* The way back. The tombstone is durable before the guest is destroyed: else a crash between leaves "unpausing" and
   * no guest, which reads as one that ran and has ended. And before anybody is told. Where the disk cannot say
   * "unpausing" the end of the copy is as good as its tombstone; and a libvirtd asks for none. DESTROY_FIRST: it is
   * destroyed first, always. */
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
  /* It cannot be destroyed. OLD_REMAINS: after a while that is called gone. */
  :: atomic { d_up && ds == removing && d_guest != absent && jd == cancelled && d_fails < FAILS -> d_fails++;
#ifdef OLD_REMAINS
              D_TO (removing, failed)
#endif
            }
#endif
#if (defined(FAILS) || defined(DISK)) && !defined(FROM_LIBVIRTD)
  /* Finish is told that it takes longer. */
  :: atomic { d_up && D_BACK && (d_call == finish || d_call == finish_cancelled) -> d_reply (error) }
#endif
  :: atomic { d_up && ds == removing && d_guest == absent ->
              also_finish = false;
#ifdef FROM_LIBVIRTD
              jd = (jd == cancelled -> cancelled : nothing);
#endif
              if
              :: d_call == finish || d_call == finish_cancelled -> D_TO (removing, cancelled); d_reply (error)
              :: else -> D_TO (removing, failed) /* finish will ask why */
              fi }
  :: atomic { d_up && ds == failed -> D_TO (failed, cancelled) }
#ifdef DISK
  :: atomic { d_up && (ds == failed || ds == cancelled) && jd != cancelled && jd != nothing && !disk_bad -> jd = cancelled }
#endif

  /* settle. What nobody can go on with is answered with an error. */
  :: atomic { d_up && asked && (ds == failed || ds == cancelled || (D_BACK && jd == cancelled)) &&
              !elsewhere ->
              settled = (ss == settling -> will_not_run : nothing); asked = false }
  :: atomic { d_up && asked && ds == running && !elsewhere ->
              settled = (ss == settling -> runs : nothing); asked = false }
  :: atomic { d_up && asked && ds == nothing && !elsewhere -> assert (false) /* who sends has been prepared for */ }
  /* What a person has decided at the source is told here when it is carried out there. */
  :: atomic { d_up && ds == unknown && tells == runs && s_guest == runs -> jd = cancelled; ds = cancelled }
  :: atomic { d_up && ds == unknown && tells == absent && s_guest == absent -> jd = running; ds = running }
#ifdef START
  /* It has ended here, and the source is to start it: first this host gives it back. OLD_START: it only says so. */
#ifdef OLD_START
  :: atomic { d_up && wants_back && ds == running && d_guest == absent -> SOURCE_STARTS () }
#else
  :: atomic { d_up && wants_back && ds == running && d_guest == absent -> ds = given_back }
  :: atomic { d_up && ds == given_back && jd != given_back && D_WRITES -> jd = given_back }
  :: atomic { d_up && wants_back && ds == given_back && jd == given_back -> SOURCE_STARTS () }
#endif
#endif
#ifdef OLD_EXPIRES /* what became of it is forgotten before the source has asked */
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
  /* Autostart, which waits for what is not known here, too. OLD_AUTOSTART: it does not. OLD_KEEP_DONE: it finds the
   * `done` of the guest's former life here. */
#ifndef OLD_KEEP_DONE
  :: atomic { d_up && d_rebooted && d_guest == absent && !gone_on && D_MAY_AUTOSTART ->
              d_guest = runs; CHECK (); d_ran = true; d_arrived = true }
#endif
#endif
  od
}
#endif
