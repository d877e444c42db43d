/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * A libvirtd as source and as destination, as its libxl driver behaves: it writes nothing, believes each answer, and
 * treats a lost answer as a refusal. Its own crashes are not modelled: nothing is guaranteed then.
 */
#ifdef FROM_LIBVIRTD
inline libvirtd_resumes ()
{
  if :: s_guest == suspended -> s_guest = runs; CHECK (); STALE_S () :: else fi;
  ss = cancelled
}

active proctype source ()
{
end:
  do
  :: atomic { s_call == begin && ss == nothing -> ss = begun; s_reply (ok) }
  :: atomic { s_call == perform && ss == begun ->
              if
              :: d_up && ds == prepared && data == nothing -> ss = sending; data = receiving
              :: else -> ss = cancelled; s_reply (error)
              fi }
  :: atomic { ss == sending && data == receiving && s_guest == runs -> s_guest = suspended }
  :: atomic { ss == sending && data == receiving && s_guest == suspended -> data = sent }
  :: atomic { ss == sending && data == sent -> ss = sent; s_reply (ok) }
  :: atomic { ss == sending -> break_data (); libvirtd_resumes (); s_reply (error) }
  :: atomic { s_call == confirm && ss == sent -> LAST_S (); s_guest = absent; ss = done; s_reply (ok) }
  :: atomic { (s_call == confirm_cancelled || s_call == confirm_promised) && ss != sending ->
              libvirtd_resumes (); s_reply (ok) }
  od
}
#endif

#ifdef TO_LIBVIRTD
inline libvirtd_destroys ()
{
  if :: d_guest != absent -> LAST_D (); d_guest = absent :: else fi;
  ds = cancelled; break_data ()
}

active proctype destination ()
{
end:
  do
  :: atomic { d_call == prepare -> if :: ds == nothing -> ds = prepared; d_reply (ok) :: else -> d_reply (error) fi }
  :: atomic { ds == prepared && (data == receiving || data == sent) -> ds = receiving; d_guest = paused }
  :: atomic { ds == receiving && data == sent -> ds = restored }
  :: atomic { (ds == prepared || ds == receiving) && data == lost -> libvirtd_destroys () }

  :: atomic { FINISH_CALLED && ds == restored -> d_guest = runs; CHECK (); STALE_D (); ds = running;
              also_finish = false;
              if :: d_call == finish -> d_reply (ok) :: else fi }
  :: atomic { FINISH_CALLED && ds == restored -> libvirtd_destroys (); also_finish = false }
#ifdef LIMIT_ERROR /* a step after the unpause fails, and the guest is destroyed */
  :: atomic { d_call == finish && ds == restored -> STALE_D (); d_guest = absent; gone_on = true; ds = cancelled;
              d_reply (error) }
#endif
  :: atomic { d_call == finish && ds == running && d_guest == runs -> d_reply (ok) }
  :: atomic { d_call == finish && (D_IS_OVER || (ds == prepared && data == nothing) || gone_on) -> d_reply (error) }
  :: atomic { d_call == finish_cancelled ->
              if :: ds != running -> libvirtd_destroys () :: else fi;
              d_reply (error) }

  /* The source looks the guest up. If it runs there, it has arrived. If it is absent, it may have run there and have
   * been migrated on or ended. OLD_ABSENCE: absent means that it never will run there. */
  :: atomic { asked && d_guest == runs -> settled = (ss == settling -> runs : nothing); asked = false }
#ifdef OLD_ABSENCE
  :: atomic { asked && d_guest == absent -> settled = (ss == settling -> will_not_run : nothing); asked = false }
#endif
  od
}
#endif
