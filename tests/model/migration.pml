/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The protocol of a migration between two xenferryds, for spin: source, destination, and who drives them. Every one
 * of them may crash at any step, any connection may be lost, calls may arrive late. docs/exactly-once.md is its prose.
 *
 *   S_TO (a, b), D_TO (a, b)   moves of the two state machines. tests/model/names-test.c compares them, name by name
 *                              and move by move, with the tables of src/libxl.
 *   js, jd                     what each side's journal holds
 *   s_guest, d_guest           what Xen has on each host, which no crash of a daemon changes
 *
 * Built as one of
 *   (nothing)        managed: a client drives both sides
 *   -DP2P            peer to peer: the source drives the destination, and dies with it
 * with any of
 *   -DREBOOT         a host may reboot once, which takes its guests; the definitions say autostart
 *   -DCRASHES=n, -DLOSSES=n
 * and, to see what each rule is there for, with one of them taken out; then spin must find an error:
 *   -DTRUST_CLIENT   the source believes confirm(cancelled), as libvirt's driver does: the guest runs twice
 *   -DWRITE_LATER    the destination starts the guest, then writes that it does
 *   -DDESTROY_FIRST  the destination destroys what it restored, then writes that it never will run
 *   -DSUSPEND_FIRST  the source writes nothing until the guest is suspended
 *   -DFORGET_SENT    the source does not write that all is sent
 *   -DFORGET_DONE    the source forgets that the guest has moved away (with REBOOT)
 *
 * Checked: never two running copies, at every start of one (CHECK); and when nothing can happen any more, both daemons
 * up and able to talk, exactly one copy runs and both sides are final (at_the_end).
 *
 * Deadlines are steps that may happen at any time. The network behaves after LOSSES faults and the daemons live after
 * CRASHES crashes each, so that every run ends.
 */
#ifdef SUSPEND_FIRST
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

mtype = {
  nothing,
  begun, connecting, sending, sent, settling, deciding, destroying, done, /* the source */
  prepared, receiving, restored, unpausing, failed, running,    /* the destination */
  rolling_back, cancelled,                                      /* both */
  absent, runs, suspended, paused,                              /* Xen */
  begin, perform, confirm, confirm_cancelled, confirm_promised, /* calls of the source */
  prepare, finish, finish_cancelled,                            /* calls of the destination */
  ok, error, lost, will_not_run                                 /* answers */
};

mtype ss = nothing, ds = nothing;           /* what each daemon remembers */
mtype js = nothing, jd = nothing;           /* what it has written */
mtype s_guest = runs, d_guest = absent;     /* what Xen has */
bool s_up = true, d_up = true;

mtype data = nothing;                       /* the data connection: nothing, receiving, sent or lost */

/* A call stays when its caller has gone: it is late. An answer does not. */
mtype s_call = nothing, s_answer = nothing, d_call = nothing, d_answer = nothing;
bool s_conn = true, d_conn = true;

bool asked = false;                         /* settle, on a connection of its own */
mtype settled = nothing;

bool client_dead = false, client_over = false;
byte s_crashes = 0, d_crashes = 0, losses = 0;
bool s_rebooted = false, d_rebooted = false;

inline CHECK () { assert (!(s_guest == runs && d_guest == runs)) }
inline S_TO (from, to) { assert (ss == from); ss = to }
inline D_TO (from, to) { assert (ds == from); ds = to }
inline s_reply (what) { s_answer = (s_conn -> what : nothing); s_call = nothing }
inline d_reply (what) { d_answer = (d_conn -> what : nothing); d_call = nothing }
inline break_data () { if :: data == receiving || data == sent -> data = lost :: else fi }

/* What a daemon's death takes with it. */
inline s_dies ()
{
  s_up = false; ss = nothing; settled = nothing; s_call = nothing; s_answer = nothing; s_conn = false;
  if :: data == receiving -> data = lost :: else fi /* what was all written arrives */
#ifdef P2P
  ;
  client_dead = true; d_conn = false; d_answer = nothing
#endif
}

inline d_dies ()
{
  d_up = false; ds = nothing; d_call = nothing; d_answer = nothing; d_conn = false;
  if :: asked -> asked = false; settled = (ss == settling -> lost : nothing) :: else fi;
  break_data ()
}

/* ---- source ------------------------------------------------------------------------------------------------- */

active proctype source ()
{
end:
  do
  :: atomic { s_up && s_call == begin ->
              if :: ss == nothing && s_guest == runs -> ss = begun; s_reply (ok) :: else -> s_reply (error) fi }

  /* perform: "sending" is durable before the guest may be suspended. */
  :: atomic { s_up && s_call == perform && ss == begun -> S_TO (begun, connecting) }
  :: atomic { s_up && s_call == perform && (ss == nothing || ss == cancelled || ss == done || ss == settling
                                            || ss == destroying) -> s_reply (error) }
  :: atomic { s_up && ss == connecting && js == nothing && WRITE_SENDING_EARLY -> js = sending }
  :: atomic { s_up && ss == sending && js == nothing && s_guest == suspended -> js = sending }
  :: atomic { s_up && ss == connecting && (js == sending || SUSPEND_FIRST) ->
              if
              :: d_up && ds == prepared && data == nothing -> S_TO (connecting, sending); data = receiving
              :: else -> S_TO (connecting, rolling_back)
              fi }
  :: atomic { s_up && ss == sending && data == receiving && s_guest == runs -> s_guest = suspended }
  :: atomic { s_up && ss == sending && data == receiving && s_guest == suspended -> data = sent }

  /* All is written. "sent" is durable before anybody is told; from here on the source does not decide. */
  :: atomic { s_up && ss == sending && data != receiving && s_guest == suspended && js == sending ->
              if
#ifdef FORGET_SENT
              :: data == sent -> S_TO (sending, sent)
#else
              :: data == sent -> js = sent
#endif
              :: data != sent -> S_TO (sending, rolling_back)
              fi }
  :: atomic { s_up && ss == sending && js == sent -> S_TO (sending, sent) }
  :: atomic { s_up && ss == sent && s_call == perform -> s_reply (ok) }

  /* A broken connection, an abort, a client that has gone, a deadline: at any time. */
  :: atomic { s_up && ss == begun -> S_TO (begun, cancelled) }
  :: atomic { s_up && ss == connecting -> S_TO (connecting, rolling_back) }
  :: atomic { s_up && ss == sending -> S_TO (sending, rolling_back); break_data () }
  :: atomic { s_up && ss == sent && s_call != perform -> S_TO (sent, settling) }

  /* confirm */
  :: atomic { s_up && s_call == confirm && ss == sent -> S_TO (sent, destroying) }
#ifdef TRUST_CLIENT
  :: atomic { s_up && s_call == confirm_cancelled && ss == sent -> S_TO (sent, rolling_back) }
#else
  :: atomic { s_up && s_call == confirm_cancelled && ss == sent -> S_TO (sent, settling) }
#endif
  /* Peer to peer the destination's own error answer has come here: its promise. A lost answer is none. */
  :: atomic { s_up && s_call == confirm_promised && ss == sent -> S_TO (sent, rolling_back) }
  :: atomic { s_up && ss != sent && ss != sending && ss != connecting &&
              (s_call == confirm || s_call == confirm_cancelled || s_call == confirm_promised) ->
              if :: ss == begun -> S_TO (begun, cancelled) :: else fi;
              s_reply (ok) }

  /* settle: asked until it is answered. */
  :: atomic { s_up && ss == settling && !asked && settled == nothing -> asked = true }
  :: atomic { s_up && ss == settling && settled == lost -> settled = nothing }
  :: atomic { s_up && ss == settling && settled == will_not_run -> settled = nothing; S_TO (settling, rolling_back) }
  :: atomic { s_up && ss == settling && settled == runs -> settled = nothing; S_TO (settling, destroying) }

  /* A person decides, who knows what the destination would say. */
  :: atomic { s_up && ss == settling && !asked && settled == nothing && ds == cancelled ->
              S_TO (settling, deciding); S_TO (deciding, rolling_back) }
  :: atomic { s_up && ss == settling && !asked && settled == nothing && ds == running ->
              S_TO (settling, deciding); S_TO (deciding, destroying) }

  /* The two ways out. */
  :: atomic { s_up && ss == rolling_back ->
              if :: s_guest == suspended -> s_guest = runs; CHECK () :: else fi;
              break_data () }
  :: atomic { s_up && ss == rolling_back && s_guest != suspended ->
              js = nothing; S_TO (rolling_back, cancelled); break_data ();
              if :: s_call == perform -> s_reply (error) :: else fi }
  :: atomic { s_up && ss == destroying && s_guest != absent -> s_guest = absent }
  :: atomic { s_up && ss == destroying && s_guest == absent ->
#ifdef FORGET_DONE
              js = nothing;
#else
              js = done;
#endif
              S_TO (destroying, done) }

  :: atomic { s_up && s_crashes < CRASHES -> s_crashes++; s_dies () }
  :: atomic { !s_up -> s_up = true;
              if
              :: js == nothing -> skip
              :: js == done -> ss = done
              :: js == sending -> ss = rolling_back
              /* It was resumed, and the daemon died before it wrote so. */
              :: js == sent && s_guest == runs -> js = nothing; ss = cancelled
              :: js == sent && s_guest != runs -> ss = settling
              fi }
#ifdef REBOOT
  :: atomic { s_up && !s_rebooted -> s_rebooted = true; s_guest = absent; s_dies () }
  /* Autostart, which waits as long as it is not known who has the guest; and one that has moved away stays away. */
  :: atomic { s_up && s_rebooted && s_guest == absent && js == nothing && ss != destroying ->
              s_guest = runs; CHECK () }
#endif
  od
}

/* ---- destination -------------------------------------------------------------------------------------------- */

active proctype destination ()
{
end:
  do
  :: atomic { d_up && d_call == prepare && ds == nothing && jd == nothing -> jd = prepared }
  :: atomic { d_up && d_call == prepare && ds == nothing && jd == prepared -> ds = prepared; d_reply (ok) }
  :: atomic { d_up && d_call == prepare && ds != nothing && ds != rolling_back -> d_reply (error) }

  :: atomic { d_up && ds == prepared && (data == receiving || data == sent) ->
              D_TO (prepared, receiving); d_guest = paused }
  :: atomic { d_up && ds == receiving && data == sent -> D_TO (receiving, restored) }
  :: atomic { d_up && ds == restored && jd == prepared -> jd = restored }

  /* finish: that it runs is durable before it does. */
  :: atomic { d_up && d_call == finish && ds == restored -> D_TO (restored, unpausing) }
#ifdef WRITE_LATER
  :: atomic { d_up && ds == unpausing && d_guest == paused -> d_guest = runs; CHECK () }
  :: atomic { d_up && ds == unpausing && d_guest != paused -> jd = running; D_TO (unpausing, running) }
#else
  :: atomic { d_up && ds == unpausing && jd != unpausing -> jd = unpausing }
  :: atomic { d_up && ds == unpausing && jd == unpausing && d_guest == paused ->
              if
              :: d_guest = runs; CHECK ()
              :: D_TO (unpausing, rolling_back) /* the unpause can fail, and so can what comes before it */
              fi }
  :: atomic { d_up && ds == unpausing && jd == unpausing && d_guest != paused ->
              jd = running; D_TO (unpausing, running) }
#endif
  /* Asked again it answers the same. */
  :: atomic { d_up && ds == running && (d_call == finish || d_call == finish_cancelled) -> d_reply (ok) }
  :: atomic { d_up && (ds == nothing || ds == cancelled || ds == failed) && (d_call == finish || d_call == finish_cancelled) ->
              if :: ds == failed -> D_TO (failed, cancelled) :: else fi;
              d_reply (error) }

  /* A restore that fails, finish(cancelled), a client that has gone, a deadline, settle's question: at any time before
   * `unpausing` it may turn back. */
  :: atomic { d_up && ds == prepared -> D_TO (prepared, rolling_back) }
  :: atomic { d_up && ds == receiving -> D_TO (receiving, rolling_back) }
  :: atomic { d_up && ds == restored -> D_TO (restored, rolling_back) }

  /* The way back. The tombstone is durable before the guest is destroyed: else a crash between leaves "unpausing" and
   * no guest, which reads as one that ran and has ended. And before anybody is told. */
#ifdef DESTROY_FIRST
  :: atomic { d_up && ds == rolling_back && jd != cancelled && d_guest == absent -> jd = cancelled; break_data () }
  :: atomic { d_up && ds == rolling_back && d_guest != absent ->
#else
  :: atomic { d_up && ds == rolling_back && jd != cancelled -> jd = cancelled; break_data () }
  :: atomic { d_up && ds == rolling_back && jd == cancelled && d_guest != absent ->
#endif
              assert (d_guest == paused); d_guest = absent; break_data () }
  :: atomic { d_up && ds == rolling_back && d_guest == absent && jd == cancelled ->
              if
              :: d_call == finish || d_call == finish_cancelled -> D_TO (rolling_back, cancelled); d_reply (error)
              :: else -> D_TO (rolling_back, failed) /* finish will ask why */
              fi }
  :: atomic { d_up && ds == failed -> D_TO (failed, cancelled) }

  /* settle */
  :: atomic { d_up && asked && (ds == failed || ds == cancelled || ds == running || ds == nothing) ->
              if
              :: ds == failed || ds == cancelled -> settled = (ss == settling -> will_not_run : nothing); asked = false
              :: ds == running -> settled = (ss == settling -> runs : nothing); asked = false
              :: ds == nothing -> assert (false) /* who sends has been prepared for */
              fi }

  :: atomic { d_up && d_crashes < CRASHES -> d_crashes++; d_dies () }
  :: atomic { !d_up -> d_up = true;
              if
              :: jd == nothing -> skip
              :: jd == prepared -> ds = rolling_back
              :: jd == restored && d_guest == paused -> ds = restored
              :: jd == restored && d_guest != paused -> ds = rolling_back
              :: jd == unpausing -> ds = unpausing
              :: jd == running -> ds = running
              :: jd == cancelled -> ds = rolling_back
              fi }
#ifdef REBOOT
  :: atomic { d_up && !d_rebooted -> d_rebooted = true; d_guest = absent; d_dies () }
  :: atomic { d_up && d_rebooted && ds == running && d_guest == absent -> d_guest = runs; CHECK () }
#endif
  od
}

/* ---- who drives --------------------------------------------------------------------------------------------- */

/* A connection may be lost while the answer is waited for; the call may still be there, and be served. */
inline wait_s (got)
{
  if
  :: atomic { s_answer != nothing -> got = s_answer; s_answer = nothing }
  :: atomic { !s_conn -> got = lost; s_answer = nothing }
  :: atomic { losses < LOSSES -> losses++; s_conn = false; s_answer = nothing; got = lost }
  fi
}

inline wait_d (got)
{
  if
  :: atomic { d_answer != nothing -> got = d_answer; d_answer = nothing }
  :: atomic { !d_conn -> got = lost; d_answer = nothing }
  :: atomic { losses < LOSSES -> losses++; d_conn = false; d_answer = nothing; got = lost }
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
             if
             /* One that connects again, to a destination that has restarted, may ask again. */
             :: got == lost && d_up && d_call == nothing -> d_conn = true; call_d (finish, got)
             :: true
             fi;
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

#ifndef P2P
active proctype driver_may_die () { if :: client_dead = true :: true fi }
#endif

/* A settle whose answer is lost; the question may still be there. */
active proctype network ()
{
end:
  do
  :: atomic { losses < LOSSES && ss == settling && (asked || settled != nothing) -> losses++; settled = lost }
  od
}

/* ---- the end ------------------------------------------------------------------------------------------------ */

active proctype at_the_end ()
{
  timeout;
  assert (s_up && d_up && client_over);
  assert ((s_guest == runs && d_guest != runs) || (s_guest != runs && d_guest == runs));
  assert (ss == nothing || ss == cancelled || ss == done);
  assert (ds == nothing || ds == cancelled || ds == running);
  assert (js == nothing || js == done);
  assert (d_guest != paused && s_guest != suspended);
}
