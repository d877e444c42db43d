/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * A xenferry as source: src/libxl/source/, and what src/libxl/boot/recover.c does for it at a start.
 */
#ifdef OLD_BLIND
#define S_MAY_AUTOSTART (js == nothing || s_blind)
#else
#define S_MAY_AUTOSTART (js == nothing && !s_blind)
#endif

#define S_PERFORMS                                                                                                     \
  (ss == recording || ss == connecting || ss == sending || ss == draining || ss == committing || ss == sent)
#define PERFORM_FAILS if :: s_call == perform -> s_reply (error) :: else fi

#ifndef FROM_LIBVIRTD
active proctype source ()
{
end:
  do
  :: atomic { s_up && s_call == begin ->
              if
              :: ss == nothing && s_guest == runs -> ss = describing
              :: ss == describing -> S_TO (describing, begun); s_reply (ok)
              :: else -> s_reply (error)
              fi }

  /* perform: "sending" is durable before the guest may be suspended. */
  :: atomic { s_up && s_call == perform && ss == begun -> S_TO (begun, recording) }
  :: atomic { s_up && s_call == perform && (S_IS_OVER || ss == settling || ss == deciding || ss == destroying) ->
              s_reply (error) }
  :: atomic { s_up && ss == recording && js == nothing && WRITE_SENDING_EARLY -> js = sending }
  :: atomic { s_up && ss == sending && js == nothing && s_guest == suspended -> js = sending }
  :: atomic { s_up && ss == recording && (js == sending || SUSPEND_FIRST) -> S_TO (recording, connecting) }
  :: atomic { s_up && ss == connecting ->
              if
              :: (elsewhere || (d_up && ds == prepared)) && data == nothing ->
                 S_TO (connecting, sending); data = receiving
              :: else -> S_TO (connecting, rolling_back)
              fi }
  :: atomic { s_up && ss == sending && data == receiving && s_guest == runs -> s_guest = suspended }
  :: atomic { s_up && ss == sending && data == receiving && s_guest == suspended -> data = sent }

  /* All is written. "sent" is durable before any answer; from here on the source does not decide. FORGET_SENT: it is
   * not written. */
  :: atomic { s_up && ss == sending && data == sent && s_guest == suspended && js == sending ->
              S_TO (sending, draining) }
  :: atomic { s_up && ss == draining && data == sent -> S_TO (draining, committing) }
#ifdef FORGET_SENT
  :: atomic { s_up && ss == committing -> S_TO (committing, sent) }
#else
  :: atomic { s_up && ss == committing && js == sending -> js = sent }
  :: atomic { s_up && ss == committing && js == sent -> S_TO (committing, sent); told_sent = true }
#endif
  :: atomic { s_up && ss == sent && s_call == perform && !elsewhere -> s_reply (ok) }
#ifdef OLD_PERFORM /* a perform of another client is served; the owner's own is too late */
  :: atomic { s_up && s_call == perform && elsewhere && S_PERFORMS ->
              s_reply (error) }
#endif

  /* A broken connection, an abort, a client that has disconnected, a deadline: at any time. */
  :: atomic { s_up && ss == describing -> S_TO (describing, cancelled); s_reply (error) }
  :: atomic { s_up && ss == begun -> S_TO (begun, cancelled) }
  :: atomic { s_up && ss == recording -> S_TO (recording, rolling_back) }
  :: atomic { s_up && ss == connecting -> S_TO (connecting, rolling_back) }
  :: atomic { s_up && ss == sending -> S_TO (sending, stopping); break_data () }
  :: atomic { s_up && ss == stopping -> S_TO (stopping, rolling_back) }
  :: atomic { s_up && ss == sending -> S_TO (sending, rolling_back); break_data () } /* libxl has ended */
  :: atomic { s_up && ss == draining -> S_TO (draining, rolling_back); break_data () }
  :: atomic { s_up && ss == committing -> S_TO (committing, rolling_back); break_data () }
  :: atomic { s_up && ss == sent && (s_call != perform || elsewhere) -> S_TO (sent, settling) }

  /* confirm, by its owner. A client's confirm is not the destination's answer: a destination that can be asked is
   * asked. TRUST_CLIENT: the source believes confirm(cancelled), as libvirt's driver does. */
#if defined(P2P) || defined(TO_LIBVIRTD) || defined(OLD_CONFIRM)
  :: atomic { s_up && s_call == confirm && ss == sent -> S_TO (sent, destroying) }
#else
  :: atomic { s_up && s_call == confirm && ss == sent -> S_TO (sent, settling) }
#endif
#ifdef TRUST_CLIENT
  :: atomic { s_up && s_call == confirm_cancelled && ss == sent -> S_TO (sent, rolling_back) }
#else
  :: atomic { s_up && s_call == confirm_cancelled && ss == sent -> S_TO (sent, settling) }
#endif
  /* Peer to peer the destination's own error has arrived. A xenferry's error is not a promise: it may report a delay
   * before its tombstone is written. OLD_PROMISE: it is believed. */
#if defined(TO_LIBVIRTD) || defined(OLD_PROMISE)
  :: atomic { s_up && s_call == confirm_promised && ss == sent -> S_TO (sent, rolling_back) }
#else
  :: atomic { s_up && s_call == confirm_promised && ss == sent -> S_TO (sent, settling) }
#endif
  :: atomic { s_up && !S_PERFORMS && ss != stopping && ss != describing &&
              (s_call == confirm || s_call == confirm_cancelled || s_call == confirm_promised) ->
              if :: ss == begun -> S_TO (begun, cancelled) :: else fi;
              s_reply (ok) }

  /* settle: repeated until it is answered. */
  :: atomic { s_up && ss == settling && !asked && settled == nothing -> asked = true }
  :: atomic { s_up && ss == settling && settled == lost -> settled = nothing }
  :: atomic { s_up && ss == settling && settled == will_not_run -> settled = nothing; S_TO (settling, rolling_back) }
  :: atomic { s_up && ss == settling && settled == runs -> settled = nothing; S_TO (settling, destroying) }

#ifdef PERSON
  /* An administrator's first decision, while the journal is being written; it is carried out even if the disk cannot be
   * written. OLD_DECIDE: the decision is not a state, and a second one is accepted meanwhile (actors.pml). */
#ifdef OLD_DECIDE
  :: atomic { s_up && want != nothing ->
              if :: want == runs -> S_TO (settling, rolling_back) :: else -> S_TO (settling, destroying) fi;
              want = want_too; want_too = nothing }
#else
  :: atomic { s_up && ss == settling && want != nothing -> S_TO (settling, deciding); settled = nothing }
  :: atomic { s_up && ss == deciding && js == sent -> js = (want == runs -> rolling_back : destroying) }
  :: atomic { s_up && ss == deciding ->
              if :: want == runs -> S_TO (deciding, rolling_back) :: else -> S_TO (deciding, destroying) fi;
              tells = want; want = nothing }
#endif
#endif

  /* Both ends. A failed destroy is repeated until the domain is gone. OLD_LEAVE: after a while it counts as done;
   * discovery then adopts the domain as a guest of this host, and drops the entry. */
  :: atomic { s_up && ss == rolling_back && s_guest == suspended -> S_TO (rolling_back, resuming); break_data () }
  :: atomic { s_up && ss == rolling_back && s_guest != suspended ->
              js = nothing; S_TO (rolling_back, cancelled); break_data (); PERFORM_FAILS }
  :: atomic { s_up && ss == resuming && s_guest == suspended -> s_guest = runs; CHECK (); STALE_S () }
  :: atomic { s_up && ss == resuming && s_guest != suspended ->
              js = nothing; S_TO (resuming, cancelled); PERFORM_FAILS }
#ifdef FAILS
  /* A failed resume is repeated. OLD_STUCK: the source counts it as done, and waits for the next daemon. */
  :: atomic { s_up && ss == resuming && s_guest == suspended && s_fails < FAILS -> s_fails++;
              js = rolling_back; S_TO (resuming, stuck); PERFORM_FAILS }
#ifdef OLD_STUCK
  :: atomic { s_up && ss == stuck -> S_TO (stuck, cancelled) }
#else
  :: atomic { s_up && ss == stuck && s_guest == suspended -> S_TO (stuck, resuming) }
  :: atomic { s_up && ss == stuck && s_guest != suspended -> js = nothing; S_TO (stuck, cancelled) }
#endif
#ifdef PERSON /* destroys the guest */
  :: atomic { s_up && ss == stuck && s_guest == suspended -> S_TO (stuck, removing) }
  :: atomic { s_up && ss == removing ->
              s_guest = absent; gone_on = true; js = nothing; S_TO (removing, cancelled) }
#endif
#endif
  :: atomic { s_up && ss == destroying && s_guest != absent -> LAST_S (); s_guest = absent }
#ifdef FAILS
  :: atomic { s_up && ss == destroying && s_guest != absent && s_fails < FAILS -> s_fails++;
#ifdef OLD_LEAVE
              js = done; S_TO (destroying, done)
#else
              js = destroying
#endif
            }
#endif
#ifdef OLD_LEAVE
  :: atomic { s_up && ss == done && js == done && s_guest == suspended -> js = nothing }
#endif
  :: atomic { s_up && ss == destroying && s_guest == absent ->
#ifdef FORGET_DONE /* that the guest was migrated away */
              js = nothing;
#else
              js = done;
#endif
              S_TO (destroying, done) }

#ifdef OLD_UNDEFINE /* while it is not known which host has the guest; from `sent` on it is refused */
  :: atomic { s_up && ss == settling && s_guest == absent -> ss = nothing; js = nothing; s_defined = false }
#endif

  :: atomic { s_up && s_crashes < CRASHES -> s_crashes++; s_dies () }
  :: atomic { !s_up && !s_blind -> s_up = true;
              if
#ifdef UNREADABLE
              :: js != nothing -> s_blind = true
#endif
              :: js == nothing -> skip
              :: js == done -> ss = done
              :: js == sending -> ss = rolling_back
              /* It was resumed, and the daemon ended before it wrote so. */
              :: (js == sent || js == rolling_back || js == destroying) && s_guest == runs ->
                 js = nothing; ss = cancelled
              :: js == sent && s_guest != runs -> ss = settling
              :: js == rolling_back && s_guest != runs -> ss = rolling_back
              :: js == destroying && s_guest != runs -> ss = destroying
              fi }
  :: atomic { !s_up && s_blind -> s_up = true }
#ifdef REBOOT
  :: atomic { s_up && !s_rebooted -> s_rebooted = true; s_guest = absent; s_dies () }
  /* Autostart, which waits while it is not known which host has the guest, or an entry is unreadable; and a guest that
   * was migrated away is not started. OLD_BLIND: an unreadable entry counts as none. */
  :: atomic { s_up && s_rebooted && s_guest == absent && s_defined && ss != destroying && S_MAY_AUTOSTART ->
              s_guest = runs; CHECK (); s_went_on = true }
#endif
  od
}
#endif
