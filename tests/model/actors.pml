/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The actors that drive a migration, those that interfere with it, the network; and the conditions at the end.
 */

/* ---- driving a migration ---------------------------------------------------------------------------------- */

/* The connection may be lost while the caller waits; the call may still arrive and be served. Nothing is guaranteed
 * for a libvirtd that does not get the end of a migration: it stays as it is. */
inline wait_s (got)
{
  if
  :: atomic { s_answer != nothing -> got = s_answer; s_answer = nothing }
  :: atomic { !s_conn -> got = lost; s_answer = nothing }
#ifndef FROM_LIBVIRTD
  :: atomic { losses < LOSSES -> losses++; s_conn = false; s_answer = nothing; got = lost }
#endif
  fi
}

inline wait_d (got)
{
  if
  :: atomic { d_answer != nothing -> got = d_answer; d_answer = nothing }
  :: atomic { !d_conn -> got = lost; d_answer = nothing }
  :: atomic { losses < LOSSES && MAY_LOSE -> losses++; d_conn = false; d_answer = nothing; got = lost }
  fi
}

inline call_s (what, got)
{
  atomic { if :: s_conn && s_up && s_call == nothing -> s_call = what :: else -> s_conn = false fi };
  wait_s (got)
}

inline call_d (what, got)
{
  atomic { if :: d_conn && d_up && d_call == nothing -> d_call = what :: else -> d_conn = false fi };
  wait_d (got)
}

inline is_cancelled_by (got) { cancel = (got != ok) }

active proctype driver ()
{
  mtype got;
  bool cancel = false;

  {
    call_s (begin, got);
    if
    :: got == ok ->
       call_d (prepare, got);
       if
       :: got != ok ->
          call_s (confirm_cancelled, got)
       :: else ->
          call_s (perform, got);
          is_cancelled_by (got);
          if
          :: cancel -> call_d (finish_cancelled, got)
          :: else ->
             call_d (finish, got);
#ifdef XENFERRIES
             if
             /* A client that reconnects, to a destination that has restarted, may ask again. */
             :: got == lost && d_up && d_call == nothing -> d_conn = true; call_d (finish, got)
             :: true
             fi;
#endif
             if
             :: got == ok -> call_s (confirm, got)
#ifdef P2P
             :: got == error -> call_s (confirm_promised, got)
             :: got == lost -> call_s (confirm_cancelled, got)
#else
             :: got != ok -> call_s (confirm_cancelled, got)
#endif
             fi
          fi
       fi
    :: else
    fi
  } unless { client_dead };
  atomic { client_over = true; s_conn = false; d_conn = false; s_answer = nothing; d_answer = nothing }
}

#if !defined(P2P) && !defined(FROM_LIBVIRTD)
active proctype driver_may_die () { if :: client_dead = true :: true fi }
#endif

/* The answer to a settle is lost; the question may still arrive. */
active proctype network ()
{
end:
  do
  :: atomic { losses < LOSSES && ss == settling && (asked || settled != nothing) -> losses++; settled = lost }
  od
}

/* ---- interfering ------------------------------------------------------------------------------------------ */

#ifdef SECOND
/* On another connection each call at the source is refused; so this is the owner's own connection, at a wrong moment.
 * At the destination the cookie is enough: for finish the one from perform, which says that all is sent; for
 * finish(cancelled) the id alone, and as that may be called at any time it is a step of the destination.
 *   OLD_CONFIRM   any client's confirm is believed
 *   OLD_PERFORM   a perform for another destination is served
 *   OLD_FINISH    finish is served before all is sent */
#ifdef OLD_FINISH
#define MAY_FINISH true
#elif defined(FROM_LIBVIRTD) /* which has no cookies: only the connection that called prepare */
#define MAY_FINISH false
#else
#define MAY_FINISH told_sent
#endif

active proctype second ()
{
  byte n = 0;
end:
  do
  :: atomic { n < SECOND ->
              n++;
              if
#if !defined(P2P) && defined(XENFERRIES)
              :: s_up && ss == sent -> S_TO (sent, settling)
#endif
#ifdef OLD_CONFIRM
              :: s_up && ss == sent -> S_TO (sent, destroying)
#endif
#ifdef OLD_PERFORM
              :: s_up && ss == begun -> S_TO (begun, recording); elsewhere = true
#endif
#if !defined(TO_LIBVIRTD) || defined(LIMIT_FINISH)
              :: d_up && (ds == prepared || ds == connected || ds == receiving || ds == restored) && MAY_FINISH -> also_finish = true
#endif
              :: true
              fi }
  od
}
#endif

#ifdef PERSON
#define NEVER_THERE                                                                                                    \
  (!d_arrived && d_guest == absent && ds != prepared && ds != connected && ds != receiving && ds != restored           \
   && ds != committing && ds != unpausing && ds != arriving && jd != running)

/* An administrator decides where the daemons must not, and knows the guest's state; and calls virsh resume for each
 * paused guest, without knowing it. */
active proctype person ()
{
end:
  do
  :: atomic { s_up && ss == settling && want == nothing && d_arrived -> want = absent }
  :: atomic { s_up && ss == settling && want == nothing && NEVER_THERE -> want = runs }
#ifdef OLD_DECIDE
  :: atomic { s_up && want != nothing && want_too == nothing -> want_too = (want == runs -> absent : runs) }
#endif
  /* --resolve, at the destination. */
  :: atomic { d_up && ds == unknown ->
              if :: d_arrived -> jd = running; ds = running :: else -> jd = cancelled; ds = cancelled fi }
  /* A libvirtd keeps a restored guest for ever. */
#ifdef TO_LIBVIRTD
  :: atomic { ds == restored && client_over && !FINISH_CALLED -> LAST_D (); d_guest = absent; ds = cancelled }
#endif
  /* The administrator moves an unreadable entry away once it is known where the guest is. */
  :: atomic { s_up && s_blind && d_arrived -> s_blind = false; s_guest = absent; js = done; ss = done }
  :: atomic { s_up && s_blind && NEVER_THERE -> s_blind = false; js = nothing;
              if :: s_guest == suspended -> s_guest = runs; CHECK (); STALE_S () :: else fi }

  /* Refused for a guest that has an entry. */
#ifndef FROM_LIBVIRTD
  :: atomic { s_up && s_guest == suspended && !S_BACK && js == nothing ->
              s_guest = runs; CHECK (); STALE_S () }
#endif
#ifdef OLD_REMAINS
  :: atomic { d_up && d_guest == paused && (ds == failed || ds == cancelled) -> d_guest = runs; CHECK (); STALE_D () }
#endif
#ifdef PAUSED
  :: atomic { d_up && d_guest == paused && ds == running -> d_guest = runs; CHECK (); STALE_D () }
#endif
  od
}
#endif

#ifdef START
/* An administrator starts a guest on its former host after it has ended at the destination. */
active proctype starter ()
{
end:
  do
  :: atomic { s_up && ss == done && js == done && s_guest == absent && !wants_back -> wants_back = true }
  od
}
#endif

#ifdef DISK
active proctype disk ()
{
end:
  do
  :: atomic { !disk_was_bad -> disk_was_bad = true; disk_bad = true }
  :: atomic { disk_bad -> disk_bad = false }
  od
}
#endif

#ifdef MOVES_ON
active proctype guest_moves_on ()
{
end:
  do
  :: atomic { d_guest == runs && !gone_on -> d_guest = absent; gone_on = true }
  od
}
#endif

/* ---- the end ---------------------------------------------------------------------------------------------- */

#define IS_HERE (s_guest == runs)
#define IS_THERE (d_guest == runs || (IS_PAUSED && d_guest == paused && ds == running))

active proctype at_the_end ()
{
  timeout;
  assert (s_up && d_up && client_over);
  assert ((IS_HERE && !IS_THERE) || (!IS_HERE && IS_THERE) || (gone_on && !IS_HERE && !IS_THERE));
  assert (S_IS_OVER);
#ifndef TO_LIBVIRTD /* which keeps what was prepared */
  assert (ds == nothing || ds == cancelled || ds == running || ds == given_back);
#endif
  assert (js == nothing || js == done);
  assert ((d_guest != paused || IS_PAUSED) && s_guest != suspended);
}
