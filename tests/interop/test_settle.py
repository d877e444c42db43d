# SPDX-License-Identifier: LGPL-2.1-or-later
"""After everything is sent: a source believes only its destination, waits until that answers, reports which host it
waits for, and obeys an administrator. docs/exactly-once.md."""

import contextlib
import json
import os
import shutil
import signal
import subprocess
import threading
import time

import libvirt
import pytest

import rpc
import sim_host
from sim_host import SimHost, run, two_hosts, wait_until

PATIENT = {"accept_timeout": 5, "finish_timeout": 5, "connect_timeout": 2}


@pytest.fixture(name="hosts")
def hosts_fixture():
    with two_hosts(PATIENT) as pair:
        yield pair


@contextlib.contextmanager
def sent(a, b, name="g", **params):
    """A managed migration after everything is sent: (client of a, client of b, domain, the cookie for finish)."""
    with rpc.Client(a.socket_path) as source, rpc.Client(b.socket_path) as destination:
        domain = source.lookup(name)
        cookie, xml = source.begin(domain, params=params)
        cookie, uri = destination.prepare(xml, cookie, params=params)
        yield source, destination, domain, source.perform(domain, uri, cookie)


def reason(host, name="g"):
    return host.virsh("domstate", name, "--reason").out.strip()


def only_on(host, other, name="g"):
    wait_until(lambda: (host.state(name), other.state(name)) == ("running", None),
               lambda: f"{host.name}: {host.state(name)}, {other.name}: {other.state(name)}")
    assert [domain["state"] for domain in host.domains()] == ["running"] and not other.domains()
    wait_until(lambda: not [entry for entry in host.journal() + other.journal() if not entry["final"]], "both are final")


def migrations(host, *options):
    return run(os.path.join(sim_host.BUILD, "src", "cli", "xenferry"), "migrations", "--socket", host.socket_path,
               *options)


# ---- the client's confirm ----------------------------------------------------------------------------------------


def test_the_answer_to_finish_was_lost(a, b):
    """With libvirt's driver the guest runs twice: the client got no answer, and cancels a guest that runs."""
    a.create("g")
    with sent(a, b) as (source, destination, domain, cookie):
        destination.finish("g", cookie)
        source.confirm(domain, cancelled=1)
    only_on(b, a)
    assert a.traced("move g source sent -> settling") and a.traced("move g source settling -> destroying")


def test_the_call_of_finish_was_lost(a, b):
    """The call did not reach the destination, which promises not to start the guest, and keeps the promise."""
    a.create("g")
    with sent(a, b) as (source, destination, domain, cookie):
        source.confirm(domain, cancelled=1)
        only_on(a, b)
        with pytest.raises(rpc.RpcError):
            destination.finish("g", cookie)
        assert b.state("g") is None
    a.migrate("g", b, "--live").ok()


def test_the_client_goes_after_sent(a, b):
    a.create("g")
    with sent(a, b):
        pass
    only_on(a, b)


def test_the_client_goes_after_finish(a, b):
    a.create("g")
    with sent(a, b) as (_, destination, _, cookie):
        destination.finish("g", cookie)
    only_on(b, a)


def test_nobody_ever_says_confirm():
    with two_hosts({"stall_timeout": 3, "finish_timeout": 1, "accept_timeout": 2}) as (a, b):
        a.create("g")
        with sent(a, b) as (_, destination, _, cookie):
            destination.finish("g", cookie)
            only_on(b, a)


def test_nobody_ever_says_finish():
    with two_hosts({"stall_timeout": 3, "finish_timeout": 1, "accept_timeout": 2}) as (a, b):
        a.create("g")
        with sent(a, b):
            wait_until(lambda: b.traced("move g destination restored -> cancelling"), "it gives up")
            only_on(a, b)


def test_finish_again_gets_the_same_answer(a, b):
    a.create("g")
    with sent(a, b) as (source, destination, domain, cookie):
        first = destination.finish("g", cookie)
        assert destination.finish("g", cookie) == first
        b.kill()
        b.start()
        with rpc.Client(b.socket_path) as again:
            assert again.finish("g", cookie) == first
        source.confirm(domain)
    only_on(b, a)


def test_restored_still_honours_a_finish_after_a_restart(a, b):
    a.create("g")
    with sent(a, b) as (source, _, domain, cookie):
        wait_until(lambda: [entry for entry in b.journal() if entry["state"] == "restored"], "it is restored")
        b.kill()
        b.start()
        assert b.names("--all") == []
        with rpc.Client(b.socket_path) as again:
            again.finish("g", cookie)
        source.confirm(domain)
    only_on(b, a)


# ---- waiting for the destination ---------------------------------------------------------------------------------


@contextlib.contextmanager
def waiting(a, b, name="g"):
    """The destination has ended, and its source waits for it."""
    with sent(a, b, name) as (source, destination, domain, _):
        destination.vanish()
        b.kill()
        with pytest.raises(rpc.RpcError) as told:
            source.confirm(domain, cancelled=1)
        assert "is suspended here until host" in told.value.message and "virsh resume" in told.value.message
    yield next(entry["migration"] for entry in a.journal() if not entry["final"])


def test_what_is_awaited_is_said(a, b):
    a.create("g")
    with waiting(a, b) as migration:
        assert reason(a) == "paused (migrating)"
        info = a.virsh("dominfo", "g").ok().out
        assert "is suspended here until host 'tcp://127.0.0.1:" in info and "the daemon asks again" in info
        listed = migrations(a).ok().out
        assert migration in listed and "settling" in listed and "tcp://127.0.0.1:" in listed
        assert "cannot connect" in listed
        a.virsh("shutdown", "g").failed("being migrated")
        b.start()
    only_on(a, b)
    told = migrations(a).ok()
    assert told.out == "" and "no migration is under way on this host" in told.err
    assert "cancelled" in migrations(b, "--all").ok().out
    ended = migrations(a, "--all").ok()
    assert migration in ended.out and "cancelled" in ended.out and not ended.err


def test_it_waits_over_a_restart(a, b):
    a.create("g")
    with waiting(a, b) as migration:
        a.restart()
        assert reason(a) == "paused (migrating)"
        assert migration in migrations(a).ok().out
        a.kill()
        a.start()
        b.start()
    only_on(a, b)


@pytest.mark.parametrize("word", ["resume", "destroy", "here", "there"])
def test_a_person_decides(a, b, word):
    a.create("g")
    with waiting(a, b) as migration:
        if word in ("resume", "destroy"):
            a.virsh(word, "g").ok()
        else:
            told = migrations(a, "--resolve", migration, word).ok()
            assert ("POWER THE OTHER HOST OFF FIRST" in told.err) == (word == "here") and told.out == ""
        here = word in ("resume", "here")
        assert a.state("g") == ("running" if here else None)
        assert "an administrator has decided" in a.log()
        wait_until(lambda: not a.journal(), "its journal is empty")
        migrations(a, "--resolve", migration, "here").failed("does not wait for a decision")
        b.start()
        wait_until(lambda: not b.domains(), "the destination cancels what it has")
        assert a.state("g") == ("running" if here else None)


def resolve_on_tty(host, migration, word, typed):
    """The command's exit status and output, on a terminal where @typed is typed."""
    master, slave = os.openpty()
    with subprocess.Popen([os.path.join(sim_host.BUILD, "src", "cli", "xenferry"), "migrations", "--socket",
                           host.socket_path, "--resolve", migration, word], stdin=slave, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True) as process:
        os.close(slave)
        os.write(master, typed)
        out = process.communicate(timeout=30)[0]
        os.close(master)
    return process.returncode, out


def test_a_person_confirms_a_decision(a, b):
    """The prompt says what is confirmed: that the other host is off, or that the guest runs there."""
    a.create("g")
    with waiting(a, b) as migration:
        for word, what in (("here", "POWER THE OTHER HOST OFF FIRST"), ("there", "See first that it runs on")):
            status, told = resolve_on_tty(a, migration, word, b"no\n")
            assert status == 1 and what in told and "nothing was decided" in told
            assert reason(a) == "paused (migrating)"
        assert resolve_on_tty(a, migration, "here", b"yes\n")[0] == 0
        assert a.state("g") == "running"


@contextlib.contextmanager
def running_twice(a, b):
    """The destination's host was stopped when it was to start the guest; an administrator has resumed the guest at the
    source; now that host continues."""
    a.create("g")
    b.stop_at("journal:destination:unpausing")
    with sent(a, b) as (source, destination, domain, cookie):
        serial = destination.start_finish("g", cookie)
        b.wait_stopped()
        with contextlib.suppress(rpc.RpcError):
            source.confirm(domain, cancelled=1)
        migration = a.journal()[0]["migration"]
        migrations(a, "--resolve", migration, "here").ok()
        assert a.state("g") == "running"
        b.go_on()
        destination.answer(serial)
    yield migration


@pytest.mark.parametrize("ends", ["a", "b"])
def test_a_conflict_is_shown_on_both_hosts(a, b, ends):
    """It is shown until the guest has ended on one of them."""
    with running_twice(a, b) as migration:
        for host in (a, b):
            wait_until(lambda: "conflict" in migrations(host).ok().out, lambda: f"{host.name} shows it", 30)
            listed = migrations(host).ok().out
            assert migration in listed and "runs on two hosts" in listed and "virsh destroy" in listed
            assert migrations(host, "--all").ok().out.count(migration) == 1
            assert "runs on two hosts" in host.virsh("dominfo", "g").ok().out
        gone, stays = (a, b) if ends == "a" else (b, a)
        gone.virsh("destroy", "g").ok()
        wait_until(lambda: "conflict" not in migrations(stays).ok().out, "the conflict is over", 40)
        wait_until(lambda: "two hosts" not in stays.virsh("dominfo", "g").ok().out, "dominfo no longer has it", 40)
        assert "conflict" not in migrations(gone).ok().out and stays.state("g") == "running"


@pytest.mark.parametrize("mode", sim_host.MODES)
def test_an_abort_is_shown_on_both_hosts(a, b, mode):
    a.create("g")
    moving = a.migrate_start("g", b, "--live", "--bandwidth", "5", mode=mode)
    wait_until(lambda: "receiving" in migrations(b).ok().out, "the data moves")
    a.virsh("domjobabort", "g").ok()
    moving.communicate(timeout=30)
    wait_until(lambda: migrations(b).ok().out == "", "the destination has cleaned up")
    here, there = migrations(a, "--all").ok().out, migrations(b, "--all").ok().out
    assert "cancelled" in here and "it was aborted" in here
    assert "cancelled" in there and "could not restore" not in there
    if mode == "direct":
        assert "its client has cancelled it" in there or "the source or the connection broke off" in there
    else:
        assert "its source" in there and "has cancelled it" in there and "it was aborted" in there


@pytest.mark.parametrize("mode", sim_host.MODES)
def test_the_other_host_is_shown_by_its_name(mode):
    """Not by its data address."""
    with SimHost("a", PATIENT, named=True) as a, SimHost("b", PATIENT, named=True) as b:
        a.create("g")
        moving = a.migrate_start("g", b, "--live", "--bandwidth", "5", mode=mode)
        wait_until(lambda: "receiving" in migrations(b).ok().out, "the data moves")
        assert " to 'b' " in migrations(a).ok().out and " from 'a' " in migrations(b).ok().out
        a.virsh("domjobabort", "g").ok()
        moving.communicate(timeout=30)
        assert " to 'b' " in migrations(a, "--all").ok().out


def test_a_refused_migration_is_shown_at_its_source(a, b):
    a.create("g")
    b.create("g")
    a.migrate("g", b, mode="p2p").failed("g")
    listed = migrations(a, "--all").ok().out
    assert "cancelled" in listed and "failed in prepare" in listed


def test_resolve_wants_words(a):
    for words in (["--resolve", "x", "here"], ["--resolve", "0" * 36], ["nothing"]):
        assert migrations(a, *words).rc == 2
    migrations(a, "--resolve", "00000000-0000-0000-0000-000000000000", "there").failed("does not wait")
    assert run(os.path.join(sim_host.BUILD, "src", "cli", "xenferry"), "migrations", "--socket", "/nonexistent").rc == 1


def test_a_journal_that_cannot_be_read_is_told_of(a):
    a.stop()
    path = os.path.join(a.dir, "lib", "migrations", "11111111-2222-3333-4444-555555555555.source.json")
    with open(path, "w", encoding="ascii") as out:
        json.dump({"format": 7}, out)
    a.start()
    assert f"not readable, and left alone: {path}" in migrations(a).ok().out
    assert os.path.exists(path)


def test_strangers_at_the_peer_port(a, b):
    """Hundreds of connections that send nothing, or garbage, do not keep a source from asking."""
    import socket  # pylint: disable=import-outside-toplevel

    a.create("g")
    with contextlib.ExitStack() as strangers, sent(a, b) as (source, destination, domain, cookie):
        for number in range(300):
            stranger = strangers.enter_context(socket.socket())
            stranger.connect(("127.0.0.1", b.ports.first + 1))
            if number % 2:
                stranger.send(b"GET / HTTP/1.0\r\n\r\n")
        destination.finish("g", cookie)
        with contextlib.suppress(rpc.RpcError):
            source.confirm(domain, cancelled=1)
        strangers.close()
        only_on(b, a)
    assert b.virsh("list").ok()


def test_a_destination_that_lost_its_journal_is_not_believed(a, b):
    """It does not know the migration: the source does not treat that as an answer."""
    a.create("g")
    with waiting(a, b) as migration:
        shutil.rmtree(os.path.join(b.dir, "lib", "migrations"))
        b.sim("destroy-all")
        b.start()
        wait_until(lambda: "knows nothing of migration" in migrations(a).ok().out, "it says so", 30)
        assert reason(a) == "paused (migrating)"
        migrations(a, "--resolve", migration, "here").ok()
    only_on(a, b)


# ---- the owner of a phase --------------------------------------------------------------------------------------------


def refused(call, *args, match, **options):
    with pytest.raises(rpc.RpcError, match=match):
        call(*args, **options)


def test_a_phase_is_its_owners(a, b):
    """Perform, finish and confirm of another client change nothing, before `sent` and after it."""
    a.create("g")
    with rpc.Client(a.socket_path) as source, rpc.Client(b.socket_path) as destination, \
            rpc.Client(a.socket_path) as stranger, rpc.Client(b.socket_path) as stranger_there:
        domain = source.lookup("g")
        begun, xml = source.begin(domain)
        prepared, uri = destination.prepare(xml, begun)
        refused(stranger.perform, domain, uri, prepared, match="driven by another client")
        refused(stranger.confirm, domain, cancelled=1, match="driven by another client")
        refused(stranger_there.finish, "g", match="another client has prepared")
        refused(stranger_there.finish, "g", begun, match="no cookie of perform")
        cookie = source.perform(domain, uri, prepared)
        refused(stranger.confirm, domain, match="driven by another client")
        refused(stranger.confirm, domain, cancelled=1, match="driven by another client")
        refused(stranger_there.finish, "g", cancelled=1, match="another client has prepared")
        refused(destination.finish, "g", match="no cookie of perform")
        assert reason(a) == "paused (migrating)"
        destination.finish("g", cookie)
        refused(stranger.confirm, domain, match="driven by another client")
        source.confirm(domain)
    only_on(b, a)


def test_a_phase_is_of_its_migration(a, b):
    """The cookie of an earlier migration of the same guest, by the same client, is refused."""
    a.create("g")
    with rpc.Client(a.socket_path) as source, rpc.Client(b.socket_path) as destination:
        domain = source.lookup("g")
        begun, xml = source.begin(domain)
        old, uri = destination.prepare(xml, begun)
        source.confirm(domain, cancelled=1)
        with pytest.raises(rpc.RpcError):
            destination.finish("g", cancelled=1)
        begun, xml = source.begin(domain)
        prepared, uri = destination.prepare(xml, begun)
        refused(source.perform, domain, uri, old, match="its cookie is of migration")
        cookie = source.perform(domain, uri, prepared)
        refused(source.confirm, domain, old, match="its cookie is of migration")
        refused(destination.finish, "g", old, match="cancelled")
        destination.finish("g", cookie)
        source.confirm(domain)
    only_on(b, a)


def test_confirm_before_finish(a, b):
    """A client's confirm is not the destination's answer: the destination is asked, and so the guest stays."""
    a.create("g")
    with sent(a, b) as (source, destination, domain, cookie):
        refused(source.confirm, domain, match="the destination has not confirmed it")
        refused(destination.finish, "g", cookie, match="asked whether the guest runs here")
    only_on(a, b)


@pytest.mark.parametrize("mode", ["p2p", "tunnelled"])
@pytest.mark.parametrize("at", ["connected->receiving", "receiving->restored"])
def test_another_client_does_not_drive_a_p2p_migration(a, b, mode, at):
    a.create("g")
    b.stop_at("destination", at)
    move = a.migrate_start("g", b, "--live", mode=mode)
    b.wait_stopped()
    with rpc.Client(a.socket_path) as stranger:
        domain = stranger.lookup("g")
        for cancelled in (0, 1):
            refused(stranger.confirm, domain, cancelled=cancelled, match="driven by this daemon, peer to peer")
        refused(stranger.perform, domain, "tcp://127.0.0.1:1", b"", match="driven by this daemon, peer to peer")
    b.control()
    b.go_on()
    assert move.wait(timeout=30) == 0, move.stderr.read()
    only_on(b, a)


def test_two_persons(a, b):
    """Two decisions within one write of the journal: the first counts, and the second is refused with it."""
    a.create("g")
    with sent(a, b) as (source, destination, domain, _):
        destination.vanish()
        b.kill()
        with contextlib.suppress(rpc.RpcError):
            source.confirm(domain, cancelled=1)
    with a.connect() as first, a.connect() as second:
        calls = [first.lookupByName("g").resume, second.lookupByName("g").destroy]
        answers = [None, None]

        def call(i):
            try:
                calls[i]()
                answers[i] = "ok"
            except libvirt.libvirtError as error:
                answers[i] = str(error)

        threads = [threading.Thread(target=call, args=(i,)) for i in (0, 1)]
        a.signal(signal.SIGSTOP)
        for thread in threads:
            thread.start()
            time.sleep(0.3) # in this order on the sockets
        a.signal(signal.SIGCONT)
        for thread in threads:
            thread.join(20)
    assert answers[0] == "ok", answers
    assert "it has been decided with virsh resume" in answers[1], answers
    b.start()
    only_on(a, b)


def test_undefine_waits_for_the_answer(a, b):
    a.create("g", persistent=True)
    with sent(a, b) as (source, destination, domain, cookie):
        a.virsh("undefine", "g").failed("has been sent to another host")
        destination.finish("g", cookie)
        source.confirm(domain)
    assert a.state("g") == "shut off"
    a.virsh("undefine", "g").ok()


# ---- a destroy that fails ----------------------------------------------------------------------------------------------


def test_what_has_left_is_destroyed_until_it_is_gone(a, b):
    """Also over a restart of the daemon; and the copy that was left behind is never listed."""
    a.create("g", persistent=True)
    a.control(fail="destroy")
    a.migrate("g", b, mode="p2p").ok()
    assert [entry["state"] for entry in a.journal()] == ["destroying"]
    a.virsh("resume", "g").failed("being migrated")
    a.virsh("undefine", "g").failed("has been sent to another host")
    a.restart()
    assert a.state("g") == "paused"
    a.control()
    wait_until(lambda: a.state("g") == "shut off", "it is gone", 30)
    wait_until(lambda: [entry["state"] for entry in a.journal()] == ["done"], "its end is on disk")
    assert b.state("g") == "running"


def test_what_was_cancelled_is_destroyed_until_it_is_gone(a, b):
    a.create("g")
    b.control(fail="destroy")
    with sent(a, b) as (source, _destination, domain, _cookie):
        wait_until(lambda: "restored" in [entry["state"] for entry in b.journal()], "restored")
        with contextlib.suppress(rpc.RpcError):
            source.confirm(domain, cancelled=1)
    wait_until(lambda: a.state("g") == "running", "it goes on")
    for _ in range(2):
        b.virsh("resume", "g").failed("failed to get domain")
        assert b.names("--all") == [] and b.domains()
        a.migrate("g", b, mode="p2p").failed("g")
        b.restart()
    b.control()
    wait_until(lambda: not b.domains(), "it is gone", 40)
    a.migrate("g", b, mode="p2p").ok()
    only_on(b, a)


# ---- the start of a guest that was migrated ------------------------------------------------------------------------------


def test_start_of_what_has_moved(a, b):
    """The host that it was migrated to is asked: refused if it runs there, if that is unknown, and if it was migrated
    on."""
    a.create("g", persistent=True)
    a.migrate("g", b, mode="p2p").ok()
    a.virsh("start", "g").failed("says that it runs there or has moved on")
    a.virsh("create", os.path.join(a.dir, "definitions", "g.xml")).failed("says that it runs there or has moved on")
    with SimHost("c") as c:
        b.migrate("g", c, mode="p2p").ok()
        a.virsh("start", "g").failed("says that it runs there or has moved on")
        b.kill()
        a.virsh("start", "g").failed("cannot be asked whether it runs there")
        b.start()
        c.virsh("destroy", "g").ok()
        a.virsh("start", "--force-boot", "g").ok()
    a.migrate("g", b, mode="direct").ok()
    b.virsh("destroy", "g").ok()
    a.virsh("start", "g").ok()
    assert not a.journal()


# ---- a peer without a journal ------------------------------------------------------------------------------------


@pytest.fixture(name="to_libvirtd")
def to_libvirtd_fixture():
    libvirtd_host = pytest.importorskip("libvirtd_host", reason="the preloaded libvirtd is not built")
    if libvirtd_host.why_not():
        pytest.skip(libvirtd_host.why_not())
    with libvirtd_host.LibvirtdHost("lb") as b:
        with SimHost("a", dict(PATIENT, peer_uri=f"xen+tcp://%s:{b.tcp_port}/system")) as a:
            yield a, b


def test_libvirtd_has_it(to_libvirtd):
    a, b = to_libvirtd
    a.create("g")
    with sent(a, b) as (source, destination, domain, _):
        destination.finish("g")
        source.confirm(domain, cancelled=1)
    wait_until(lambda: (a.state("g"), b.state("g")) == (None, "running"), "it runs there")
    assert not a.domains() and not a.journal()


def test_libvirtd_has_it_not(to_libvirtd):
    """While libvirtd may still start the guest the source does not decide, and neither when it no longer knows the
    guest: finish has been called, and the guest may have run there."""
    a, b = to_libvirtd
    a.create("g")
    with sent(a, b) as (source, destination, domain, _):
        serial = source.start(rpc.CONFIRM, rpc.Writer().domain(domain).params({}).opaque(b"").int(1).int(1))
        wait_until(lambda: reason(a) == "paused (migrating)" and a.traced("move g source sent -> settling"), "it asks")
        time.sleep(1.5)
        assert not a.traced("move g source settling")
        with pytest.raises(rpc.RpcError):
            destination.finish("g", cancelled=1)
        with contextlib.suppress(rpc.RpcError):
            source.answer(serial)
        assert not b.domains()
        wait_until(lambda: "it is not known there" in str(migrations(a).ok().out), "it says so", 40)
    assert reason(a) == "paused (migrating)"
    a.virsh("resume", "g").ok()
    only_on(a, b)
    assert not a.journal()


@pytest.mark.parametrize("end", ["moves on", "ends"])
def test_libvirtd_had_it(to_libvirtd, end):
    """It ran there, and is gone when the source asks: a resume could make a second copy, or one of old memory."""
    a, b = to_libvirtd
    with SimHost("c") as c:
        a.create("g")
        with sent(a, b) as (_, destination, _domain, _cookie):
            destination.finish("g")
            if end == "ends":
                b.virsh("destroy", "g").ok()
            else:
                b.migrate("g", c, mode="direct").ok()
        wait_until(lambda: "it is not known there" in str(migrations(a).ok().out), "it says so", 40)
        assert reason(a) == "paused (migrating)"
        if end == "moves on":
            assert c.state("g") == "running"
        a.virsh("destroy", "g").ok()


def test_libvirtd_is_gone(to_libvirtd):
    a, b = to_libvirtd
    a.create("g")
    with sent(a, b) as (source, destination, domain, _):
        destination.vanish()
        b.kill()
        with pytest.raises(rpc.RpcError, match="is suspended here until"):
            source.confirm(domain, cancelled=1)
    assert reason(a) == "paused (migrating)"
    a.virsh("destroy", "g").ok()
    assert a.state("g") is None
    b.start()


# ---- back to libvirt ---------------------------------------------------------------------------------------------


def switch_to_libvirtd(host, libvirtd_host):
    """Ends the host's xenferryd and starts a libvirtd on the same hypervisor and definitions."""
    host.stop()
    other = libvirtd_host.LibvirtdHost(host.name, start=False)
    shutil.rmtree(other.sim_dir)
    os.symlink(host.sim_dir, other.sim_dir)
    definitions = os.path.join(other.dir, "root", "etc", "libvirt", "libxl")
    os.makedirs(os.path.dirname(definitions))
    shutil.copytree(os.path.join(host.dir, "definitions"), definitions)
    other.start()
    return other


@pytest.mark.parametrize("outcome", ["moved", "stayed", "waits"])
def test_what_a_switch_back_finds(a, b, outcome):
    """A libvirtd finds its definitions unchanged, and no file of xenferry is in its way. It does not adopt domains that
    it has not started (nor those started by xl): it shows such a guest as "shut off", and does not start a second
    copy."""
    libvirtd_host = pytest.importorskip("libvirtd_host", reason="the preloaded libvirtd is not built")
    if libvirtd_host.why_not():
        pytest.skip(libvirtd_host.why_not())
    a.create("g", persistent=True)
    if outcome == "moved":
        a.migrate("g", b, "--live", "--persistent").ok()
    elif outcome == "stayed":
        b.fail_at("restore-last-record")
        a.migrate("g", b, "--live").failed("domain 'g'", "failed in restore")
    else:
        with waiting(a, b):
            pass
    definitions = {"moved": {"a": ["g.xml"], "b": ["g.xml"]}}.get(outcome, {"a": ["g.xml"], "b": []})
    states = {"moved": ([], ["running"]), "stayed": (["running"], []), "waits": (["suspended"], [])}[outcome]
    for host, expected in zip((a,) if outcome == "waits" else (a, b), states):
        found = sorted(os.listdir(os.path.join(host.dir, "definitions")))
        assert found == ["autostart"] + definitions[host.name] and not os.listdir(
            os.path.join(host.dir, "definitions", "autostart"))
        other = switch_to_libvirtd(host, libvirtd_host)
        try:
            assert other.names("--all") == (["g"] if definitions[host.name] else [])
            if definitions[host.name]:
                assert other.state("g") == "shut off"
                assert "<kernel>/bin/sh</kernel>" in other.virsh("dumpxml", "g").ok().out
            if expected and definitions[host.name]:
                other.virsh("start", "g").failed("failed to create new domain 'g'")
            assert [domain["state"] for domain in other.domains()] == expected
        finally:
            other.kill()
            os.unlink(other.sim_dir)
            os.mkdir(other.sim_dir)
            other.close(check=False)
        host.start()
    if outcome == "waits":
        b.start()
        only_on(a, b)
