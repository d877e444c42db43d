# SPDX-License-Identifier: LGPL-2.1-or-later
"""The faults and their points."""

import itertools

from cell import Cell, Fault

MODES = ("direct", "p2p", "tunnelled")

# Each move and each durable write of a successful migration, in order.
SOURCE = ("source:describing->begun", "source:begun->recording", "journal:source:sending:written",
          "source:recording->connecting", "source:connecting->sending", "source:sending->draining",
          "source:draining->committing", "journal:source:sent", "journal:source:sent:written",
          "source:committing->sent")
# A client's confirm is not the destination's answer, so the destination is asked.
OUT_MANAGED = ("source:sent->settling", "source:settling->destroying", "source:destroying->done")
OUT_PEER = ("source:sent->destroying", "source:destroying->done")
DESTINATION = ("destination:checking->reserving", "destination:reserving->recording",
               "journal:destination:prepared:written", "destination:recording->preparing",
               "destination:preparing->prepared", "destination:prepared->connected",
               "destination:connected->receiving", "destination:receiving->restored",
               "destination:restored->activating", "destination:activating->committing",
               "journal:destination:unpausing", "journal:destination:unpausing:written",
               "destination:committing->unpausing", "destination:unpausing->running")
PEER = ("peer-to-peer:preparing->performing", "peer-to-peer:performing->finishing",
        "peer-to-peer:finishing->confirming")

SAVE = ("save-start", "save-first-round", "save-before-suspend", "save-suspended", "save-last-round", "save-end")
RESTORE = ("restore-start", "restore-first-page", "restore-last-record", "restore-end")

# Where both hosts can lose the guest: for deeds that take seconds.
CRITICAL = (("a", "source:connecting->sending"), ("a", "source:committing->sent"),
            ("a", "journal:source:sent:written"), ("b", "destination:connected->receiving"),
            ("b", "destination:receiving->restored"), ("b", "journal:destination:unpausing:written"))


def points(mode):
    source = SOURCE + (OUT_MANAGED if mode == "direct" else OUT_PEER)
    both = [("a", point) for point in source] + [("b", point) for point in DESTINATION]
    return both + ([("a", point) for point in PEER] if mode != "direct" else [])


def single_faults(mode):
    for host, point in points(mode):
        for deed in ("kill a", "kill b", "kill client", "cut control", "cut data"):
            # A tunnel's data uses the control connection.
            if deed != "cut data" or mode != "tunnelled":
                yield Fault(host, point, deed)
    for host, point in CRITICAL:
        yield from (Fault(host, point, deed) for deed in ("freeze a", "freeze b", "silence control"))
        if mode != "tunnelled":
            yield Fault(host, point, "silence data")
    yield from (Fault("a", point, "die") for point in SAVE)
    yield from (Fault("b", point, "die") for point in RESTORE)


def spread(mode, faults):
    """Live or not, transient or persistent, in turn, so that each kind of fault is tried with all four."""
    kinds = itertools.cycle(itertools.product((True, False), (True, False)))
    for fault, (live, persistent) in zip(faults, kinds):
        fault = fault if isinstance(fault, tuple) else (fault,)
        # A guest that is suspended first has only the last pass.
        live = live or fault[0].point == "save-first-round"
        yield Cell(mode, live, persistent, fault)


def single():
    return [cell for mode in MODES for cell in spread(mode, single_faults(mode))]


# The source's question and its reaction to the answer, if the destination has the guest, and if it does not.
def double_faults(mode):
    lost = "kill client" if mode == "direct" else "cut control"
    gone = [Fault("b", "destination:receiving->restored", "kill b", after="source committing -> sent"),
            Fault("b", "destination:restored->activating", "kill b"),
            Fault("a", "source:committing->sent", lost)]
    come = [Fault("b", "journal:destination:unpausing:written", "kill b"),
            Fault("b", "destination:unpausing->running", "kill b")]
    asleep = [Fault("a", "journal:source:sent:written", "kill a")]
    after_gone = [Fault("a", "source:settling->rolling-back", "kill a"),
                  Fault("a", "source:settling->rolling-back", "kill b"),
                  Fault("a", "source:resuming->cancelled", "kill a"),
                  Fault("a", "journal:source:removed", "kill a"),
                  Fault("a", "journal:source:removed:written", "kill a"),
                  Fault("b", "journal:destination:cancelled", "kill b"),
                  Fault("b", "journal:destination:cancelled:written", "kill b"),
                  Fault("b", "journal:destination:cancelled:written", "kill a")]
    after_come = [Fault("a", "source:settling->destroying", "kill a"),
                  Fault("a", "source:settling->destroying", "kill b"),
                  Fault("a", "source:destroying->done", "kill a"),
                  Fault("a", "source:destroying->done", "kill b"),
                  Fault("b", "journal:destination:running", "kill b"),
                  Fault("b", "journal:destination:running:written", "kill b"),
                  Fault("b", "journal:destination:running:written", "kill a")]
    yield from itertools.product(gone + asleep, after_gone)
    yield from itertools.product(come, after_come)


def double():
    return [cell for mode in MODES for cell in spread(mode, double_faults(mode))]


# Another client calls the source and the destination in each state; each call in the modes in turn.
AT_SOURCE = ("resume", "destroy", "undefine", "suspend", "abort", "confirm", "cancel", "perform")
# The numbers of calls are not multiples of the number of modes, so that each call is tried in each mode.
AT_DESTINATION = ("resume", "destroy", "undefine", "abort", "finish", "refuse", "know", "start", "here", "there")


def second_faults(mode):
    for host, point in points(mode):
        for call in AT_SOURCE if host == "a" else AT_DESTINATION:
            # There resume is a decision, and a wrong one.
            if (call, point) != ("resume", "source:sent->settling"):
                yield Fault(host, point, f"second {call} {host}")


def second():
    return [cell for turn, mode in enumerate(MODES)
            for cell in spread(mode, list(second_faults(mode))[turn::len(MODES)])]
