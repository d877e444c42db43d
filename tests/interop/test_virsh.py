# SPDX-License-Identifier: LGPL-2.1-or-later
"""Each virsh command that the daemon supports, on one host: its output, and the errors."""

import os
import pty
import re
import select
import signal
import socket
import struct
import time

import pytest

import rpc
from sim_host import SimHost, domain_xml, wait_until


@pytest.fixture(name="host")
def host_fixture():
    with SimHost("v") as host:
        yield host


# ---- lists and lookups ---------------------------------------------------------------------------------------


def test_empty_host(host):
    assert host.names() == [] == host.names("--all")
    host.virsh("dominfo", "nobody").failed("failed to get domain 'nobody'")


def test_list_variants(host):
    host.create("running")
    host.create("paused", paused=True)
    host.define("defined")
    host.create("persistent", persistent=True)
    assert host.names() == ["paused", "persistent", "running"]
    assert host.names("--all") == ["defined", "paused", "persistent", "running"]
    assert host.names("--inactive") == ["defined"]
    assert host.names("--all", "--persistent") == ["defined", "persistent"]
    assert host.names("--all", "--transient") == ["paused", "running"]
    assert host.names("--state-paused") == ["paused"]
    assert host.names("--state-running") == ["persistent", "running"]
    assert host.names("--all", "--state-shutoff") == ["defined"]
    host.virsh("autostart", "defined").ok()
    assert host.names("--all", "--autostart") == ["defined"]
    table = host.virsh("list", "--all").ok().out
    assert re.search(r"-\s+defined\s+shut off", table) and re.search(r"\d+\s+paused\s+paused", table)


def test_lookups(host):
    uuid = host.create("g")
    number = host.virsh("domid", "g").ok().out.strip()
    assert int(number) > 0
    assert host.virsh("domname", number).ok().out.strip() == "g"
    assert host.virsh("domuuid", "g").ok().out.strip() == uuid
    assert host.virsh("domname", uuid).ok().out.strip() == "g"
    assert host.virsh("domstate", uuid).ok().out.strip() == "running"
    host.virsh("domname", "4711").failed("4711")


# ---- definitions ---------------------------------------------------------------------------------------------


def test_define_undefine(host):
    uuid = host.define("g")
    xml = host.virsh("dumpxml", "g").ok().out
    assert uuid in xml and "<name>g</name>" in xml
    # The same definition is an update; one with that name and another uuid is refused.
    host.virsh("define", host.write_xml(domain_xml("g", uuid=uuid, vcpus=2))).ok()
    host.virsh("define", host.write_xml(domain_xml("g"))).failed("already exists")
    host.virsh("undefine", "g").ok()
    assert host.names("--all") == []
    host.virsh("undefine", "g").failed("failed to get domain 'g'")


def test_definition_survives_restart(host):
    host.define("g")
    host.virsh("autostart", "g").ok()
    host.restart()
    assert host.names("--all") == ["g"]
    info = host.virsh("dominfo", "g").ok().out
    assert re.search(r"Autostart:\s+enable", info) or host.state("g") == "running"


def test_bad_xml(host):
    for text, sign in (("<domain type='xen'><name>g</name>", ""), ("<network/>", ""), ("", "")):
        host.virsh("define", host.write_xml(text)).failed("error", sign)
    host.virsh("define", host.write_xml(domain_xml("g", devices="<frobnicator/>"))).failed("frobnicator")
    assert host.names("--all") == []


def test_autostart(host):
    host.define("g")
    host.virsh("autostart", "g").ok()
    assert re.search(r"Autostart:\s+enable", host.virsh("dominfo", "g").ok().out)
    host.virsh("autostart", "--disable", "g").ok()
    assert re.search(r"Autostart:\s+disable", host.virsh("dominfo", "g").ok().out)


# ---- start and end -------------------------------------------------------------------------------------------


def test_dominfo(host):
    uuid = host.create("g", vcpus=2, memory_kib=65536)
    info = host.virsh("dominfo", "g").ok().out
    for name, value in (("Name", "g"), ("UUID", uuid), ("State", "running"), (r"CPU\(s\)", "2"),
                        ("Max memory", "65536 KiB"), ("Persistent", "no"), ("Managed save", "no")):
        assert re.search(rf"^{name}:\s+{value}$", info, re.M), (name, info)


def test_life(host):
    host.define("g")
    assert host.virsh("domstate", "--reason", "g").ok().out.strip() == "shut off (unknown)"
    host.virsh("start", "g").ok()
    assert host.virsh("domstate", "--reason", "g").ok().out.strip() == "running (booted)"
    host.virsh("start", "g").failed("already")
    host.virsh("suspend", "g").ok()
    assert host.virsh("domstate", "--reason", "g").ok().out.strip() == "paused (user)"
    host.virsh("resume", "g").ok()
    assert host.virsh("domstate", "--reason", "g").ok().out.strip() == "running (unpaused)"
    host.virsh("destroy", "g").ok()
    assert host.virsh("domstate", "--reason", "g").ok().out.strip() == "shut off (destroyed)"
    host.virsh("destroy", "g").failed("not running")
    host.virsh("suspend", "g").failed("not running")


def test_start_paused(host):
    host.define("g")
    host.virsh("start", "--paused", "g").ok()
    assert host.state("g") == "paused"


def test_shutdown(host):
    host.create("transient")
    host.create("kept", persistent=True)
    for name in ("transient", "kept"):
        host.virsh("shutdown", name).ok()
    wait_until(lambda: host.names() == [], "both guests shut down")
    assert host.names("--all") == ["kept"]
    assert host.virsh("domstate", "--reason", "kept").ok().out.strip() == "shut off (shutdown)"


def test_reboot(host):
    host.create("g")
    before = int(host.virsh("domid", "g").ok().out)
    host.virsh("reboot", "g").ok()
    wait_until(lambda: host.state("g") == "running" and int(host.virsh("domid", "g").ok().out) != before,
               "the guest runs again under a new id")


def test_guests_survive_restart(host):
    uuid = host.create("g")
    host.restart()
    assert host.state("g") == "running"
    assert host.virsh("domuuid", "g").ok().out.strip() == uuid
    host.kill()
    host.start()
    assert host.state("g") == "running"
    host.virsh("destroy", "g").ok()


# ---- the host and statistics ---------------------------------------------------------------------------------


def test_host(host):
    assert "CPU" in host.virsh("nodeinfo").ok().out
    assert re.search(r"Xen \d+\.\d+", host.virsh("version").ok().out)
    assert "9.0.0" in host.virsh("version", "--daemon").ok().out
    assert host.virsh("hostname").ok().out.strip()
    assert "<capabilities>" in host.virsh("capabilities").ok().out
    assert "<domainCapabilities" in host.virsh("domcapabilities", "--machine", "xenpvh", "--virttype", "xen").ok().out
    assert re.search(r"\d+ KiB", host.virsh("freecell").ok().out)
    assert re.search(r"\d+ KiB", host.virsh("freecell", "--all").ok().out)
    assert int(host.virsh("maxvcpus").ok().out) > 0


def test_vcpucount(host):
    host.create("g", vcpus=3)
    assert host.virsh("vcpucount", "--live", "--current", "g").ok().out.strip() == "3"
    assert host.virsh("vcpucount", "--maximum", "--live", "g").ok().out.strip() == "3"
    assert "VCPU:           2" in host.virsh("vcpuinfo", "g").ok().out


def test_domstats(host):
    host.create("g", vcpus=2)
    host.create("h")
    text = host.virsh("domstats").ok().out
    assert "Domain: 'g'" in text and "Domain: 'h'" in text
    one = host.virsh("domstats", "g").ok().out
    assert "Domain: 'h'" not in one
    for name in ("state.state=1", "cpu.time=", "balloon.current=", "vcpu.current=2", "vcpu.1.state="):
        assert name in one, one
    only = host.virsh("domstats", "--state", "g").ok().out
    assert "state.state=1" in only and "cpu.time" not in only


def test_jobs_without_a_job(host):
    host.create("g")
    assert re.search(r"Job type:\s+None", host.virsh("domjobinfo", "g").ok().out)
    host.virsh("domjobabort", "g").failed("Requested operation is not valid")
    host.virsh("migrate-setspeed", "g", "32").ok()
    assert host.virsh("migrate-getspeed", "g").ok().out.strip() == "32"


def start_slow_move(client, a, b):
    """A peer-to-peer migration whose PERFORM is pending on @client; returns the guest's uuid."""
    uuid = bytes.fromhex(a.create("g", memory_kib=128 * 1024).replace("-", ""))
    arguments = rpc.Writer().domain(("g", uuid, 1)).opt_string(b.uri_tcp).params({"bandwidth": 40}).opaque(b"").int(7)
    return uuid, client.start(rpc.PERFORM, arguments)


def test_reads_do_not_wait_for_a_job(a, b):
    """Each read is answered at once, with real numbers; a change of the guest is refused at once, and the error names
    the job."""
    import libvirt

    with rpc.Client(a.socket_path, timeout=60) as mover:
        _, serial = start_slow_move(mover, a, b)
        connection = a.connect()
        domain = connection.lookupByName("g")
        wait_until(lambda: domain.jobInfo()[4] > 0, "data flows")
        start = time.monotonic()
        assert domain.state()[0] in (libvirt.VIR_DOMAIN_RUNNING, libvirt.VIR_DOMAIN_PAUSED)
        assert domain.info()[1] == 128 * 1024
        assert "<name>g</name>" in domain.XMLDesc()
        assert [one[0].name() for one in connection.domainListGetStats([domain])] == ["g"]
        assert "g" in [one.name() for one in connection.listAllDomains()]
        assert domain.jobStats()["data_total"] >= 128 * 1024 * 1024
        with pytest.raises(libvirt.libvirtError) as refusal:
            domain.reboot()
        assert refusal.value.get_error_code() == libvirt.VIR_ERR_OPERATION_INVALID
        assert "migrat" in str(refusal.value)
        assert time.monotonic() - start < 2.0
        mover.answer(serial)
        connection.close()
    assert b.state("g") == "running"


def test_calls_of_one_connection_run_side_by_side(a, b):
    """On the connection whose PERFORM is pending: replies are out of order, and no call waits."""
    with rpc.Client(a.socket_path, timeout=60) as client:
        uuid, serial = start_slow_move(client, a, b)
        slowest, answers = 0.0, 0
        for _ in range(40):
            for procedure, flags in ((16, False), (163, False), (212, True), (14, True)):
                start = time.monotonic()
                arguments = rpc.Writer().domain(("g", uuid, 1))
                client.call(procedure, arguments.int(0) if flags else arguments)
                slowest, answers = max(slowest, time.monotonic() - start), answers + 1
            time.sleep(0.01)
        assert answers == 160 and slowest < 0.5, slowest
        client.answer(serial)
    assert b.state("g") == "running"


def test_graphics_and_console_places(host):
    host.create("g", kind="hvm", devices="<graphics type='vnc' port='5907' autoport='no' listen='127.0.0.1'/>")
    assert host.virsh("vncdisplay", "g").ok().out.strip() == "127.0.0.1:7"
    host.create("p")
    assert host.virsh("ttyconsole", "p").ok().out.strip().startswith("/dev/pts/")


# ---- console -------------------------------------------------------------------------------------------------


def read_until(fd, wanted, timeout=10.0):
    seen, end = b"", time.monotonic() + timeout
    while wanted not in seen:
        ready, _, _ = select.select([fd], [], [], max(0.0, end - time.monotonic()))
        assert ready, f"{wanted!r} did not come: {seen!r}"
        try:
            piece = os.read(fd, 4096)
        except OSError:
            piece = b""
        assert piece, f"end before {wanted!r}: {seen!r}"
        seen += piece
    return seen


def test_console(host):
    host.create("g")
    pid, fd = pty.fork()
    if pid == 0:
        os.execvpe("virsh", ["virsh", "-c", host.uri, "console", "g"], host.client_env)
    try:
        read_until(fd, b"heartbeat")
        # The daemon serves other calls meanwhile.
        assert host.state("g") == "running"
        os.write(fd, b"\x1d")
        _, status = os.waitpid(pid, 0)
        pid = 0
        assert status == 0
    finally:
        if pid:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
        os.close(fd)
    host.assert_healthy()


def test_console_ends_with_the_guest(host):
    host.create("first")
    host.virsh("destroy", "first").ok()
    before = host.snapshot()
    host.create("g")
    pid, fd = pty.fork()
    if pid == 0:
        os.execvpe("virsh", ["virsh", "-c", host.uri, "console", "g"], host.client_env)
    try:
        read_until(fd, b"heartbeat")
        host.virsh("destroy", "g").ok()

        def drained():
            if select.select([fd], [], [], 0)[0]:
                try:
                    os.read(fd, 4096)
                except OSError:
                    pass
            return os.waitpid(pid, os.WNOHANG)[0] == pid

        wait_until(drained, "virsh console ends")
    finally:
        os.close(fd)
    host.assert_no_leak({"fds": before["fds"], "processes": before["processes"]})


# ---- read-only -----------------------------------------------------------------------------------------------


def test_read_only(host):
    host.create("g")
    assert "g" in host.virsh("list", "--name", uri=host.uri_ro).ok().out
    host.virsh("dominfo", "g", uri=host.uri_ro).ok()
    host.virsh("dumpxml", "g", uri=host.uri_ro).ok()
    for command in (["destroy", "g"], ["suspend", "g"], ["shutdown", "g"], ["undefine", "g"], ["autostart", "g"],
                    ["migrate-setspeed", "g", "1"], ["dumpxml", "--security-info", "g"]):
        host.virsh(*command, uri=host.uri_ro).failed("read only access")
    # The read-only flag on the read-write socket has the same effect; so has the -ro socket without that flag.
    host.virsh("--readonly", "destroy", "g").failed("read only access")
    assert host.state("g") == "running"


def test_read_only_is_the_daemons_word(host):
    """A client without libvirt's own checks: libvirt refuses many of these calls before it sends them."""
    uuid = bytes.fromhex(host.create("g").replace("-", ""))
    with rpc.Client(host.socket_path + "-ro") as client:
        with pytest.raises(rpc.RpcError) as refusal:
            client.call(12, rpc.Writer().domain(("g", uuid, 1)))
        assert refusal.value.code == 29 and "read only access prevents" in refusal.value.message
        with pytest.raises(rpc.RpcError) as refusal:
            client.call(14, rpc.Writer().domain(("g", uuid, 1)).int(1))
        assert refusal.value.code == 29
    assert host.state("g") == "running"


# ---- events --------------------------------------------------------------------------------------------------


def test_virsh_event(host):
    host.define("g")
    watcher = host.virsh_start("event", "--all", "--loop", "--timeout", "4")
    wait_until(lambda: host.log().count("CONNECT_DOMAIN_EVENT_CALLBACK_REGISTER_ANY serial") == 27, "it has registered")
    host.virsh("start", "g").ok()
    host.virsh("suspend", "g").ok()
    host.virsh("resume", "g").ok()
    host.virsh("destroy", "g").ok()
    out, _ = watcher.communicate(timeout=15)
    for text in ("Started Booted", "Suspended Paused", "Resumed Unpaused", "Stopped Destroyed"):
        assert re.search(rf"event 'lifecycle' for domain '?g'?: {text}", out), out


class EventLoop:
    """libvirt's default event loop, run by the test."""

    def __init__(self):
        import libvirt

        self.libvirt = libvirt
        if not getattr(EventLoop, "registered", False):
            libvirt.virEventRegisterDefaultImpl()
            EventLoop.registered = True

    def until(self, check, timeout=5.0):
        timer = self.libvirt.virEventAddTimeout(20, lambda *unused: None, None)
        end = time.monotonic() + timeout
        try:
            while not check() and time.monotonic() < end:
                self.libvirt.virEventRunDefaultImpl()
        finally:
            self.libvirt.virEventRemoveTimeout(timer)
        assert check(), "the event did not come"


def test_event_callbacks(host):
    loop = EventLoop()
    libvirt = loop.libvirt
    host.define("g")
    host.define("h")
    seen, seen_g, legacy = [], [], []
    connection = host.connect()
    every = connection.domainEventRegisterAny(None, libvirt.VIR_DOMAIN_EVENT_ID_LIFECYCLE,
                                              lambda c, d, event, detail, o: seen.append((d.name(), event, detail)), None)
    connection.domainEventRegisterAny(connection.lookupByName("g"), libvirt.VIR_DOMAIN_EVENT_ID_LIFECYCLE,
                                      lambda c, d, event, detail, o: seen_g.append((d.name(), event, detail)), None)
    old_style = lambda c, d, event, detail, o: legacy.append((d.name(), event, detail))  # noqa: E731
    connection.domainEventRegister(old_style, None)
    host.virsh("start", "g").ok()
    host.virsh("start", "h").ok()
    loop.until(lambda: ("h", 2, 0) in seen and ("h", 2, 0) in legacy and ("g", 2, 0) in seen_g)
    assert seen.count(("g", 2, 0)) == 1
    assert all(name == "g" for name, _, _ in seen_g)
    connection.domainEventDeregisterAny(every)
    del seen[:]
    host.virsh("destroy", "g").ok()
    loop.until(lambda: ("g", 5, 1) in seen_g and ("g", 5, 1) in legacy)
    assert not seen
    connection.close()


def test_legacy_events_on_the_wire(host):
    """The calls of clients from before callback ids: registration 105 and 167, message 107 without an id."""
    uuid = bytes.fromhex(host.define("g").replace("-", ""))
    with rpc.Client(host.socket_path) as client:
        assert client.call(105).int() == 1
        with pytest.raises(rpc.RpcError):
            client.call(105)
        host.virsh("start", "g").ok()
        procedure, kind, serial, status, payload = client.receive()
        assert (procedure, kind, serial, status) == (107, rpc.MESSAGE, 1, rpc.OK)
        reader = rpc.Reader(payload)
        name, its_uuid, number = reader.domain()
        assert (name, its_uuid) == ("g", uuid) and number > 0
        assert (reader.int(), reader.int()) == (2, 0)
        assert client.call(106).int() == 0
        with pytest.raises(rpc.RpcError):
            client.call(106)


# ---- the protocol's edges ------------------------------------------------------------------------------------


def test_not_served(host):
    host.create("g")
    host.virsh("screenshot", "g").failed("unknown procedure: 211")
    # The client takes this error for "not supported": virsh uses older calls, and a program can check for it.
    import libvirt

    connection = host.connect()
    with pytest.raises(libvirt.libvirtError) as refusal:
        connection.lookupByName("g").screenshot(connection.newStream(), 0)
    assert refusal.value.get_error_code() == libvirt.VIR_ERR_NO_SUPPORT
    connection.close()
    with rpc.Client(host.socket_path) as client:
        with pytest.raises(rpc.RpcError) as refusal:
            client.call(9999)
        assert (refusal.value.code, refusal.value.message) == (39, "unknown procedure: 9999")
        client.call(3)  # the connection still works


def test_features(host):
    with rpc.Client(host.socket_path) as client:
        answers = {number: client.call(rpc.SUPPORTS_FEATURE, rpc.Writer().int(number)).int()
                   for number in range(1, 21)}
    assert all(answers[number] == 1 for number in (4, 6, 7, 9, 10, 13, 14, 15)), answers
    assert all(answers[number] == 0 for number in (1, 3, 5, 18, 19, 20)), answers


def test_order_of_opening(host):
    with socket.socket(socket.AF_UNIX) as raw:
        raw.connect(host.socket_path)
        raw.settimeout(5)

        def call(procedure, payload=b""):
            raw.sendall(struct.pack(">IIIIIII", 28 + len(payload), rpc.PROGRAM, 1, procedure, rpc.CALL, 7, rpc.OK)
                        + payload)
            header = raw.recv(28, socket.MSG_WAITALL)
            length, _, _, _, _, _, status = struct.unpack(">IIIIIII", header)
            return status, raw.recv(length - 28, socket.MSG_WAITALL) if length > 28 else b""

        status, error = call(59)
        assert status == rpc.ERROR and b"hypervisor connection not open" in error
        assert call(66) == (rpc.OK, struct.pack(">II", 1, 0))
        assert call(60, struct.pack(">I", 10)) == (rpc.OK, struct.pack(">I", 1))  # before open, as virsh does
        status, error = call(1, rpc.Writer().opt_string("qemu:///system").int(0).data)
        assert status == rpc.ERROR and b"qemu:///system" in error
        assert call(1, rpc.Writer().opt_string("xen:///system").int(0).data) == (rpc.OK, b"")
        status, error = call(1, rpc.Writer().opt_string("xen:///system").int(0).data)
        assert status == rpc.ERROR and b"connection already open" in error
        assert call(3)[0] == rpc.OK
        assert call(2) == (rpc.OK, b"")
        assert raw.recv(1) == b""  # the connection is closed


def test_bad_frames_cost_their_connection_only(host):
    host.create("g")
    for junk in (b"\xff" * 28, struct.pack(">I", 3) + b"\0" * 24, struct.pack(">I", 27) + b"\0" * 24,
                 struct.pack(">I", 64 * 1024 * 1024) + b"\0" * 24, b"GET / HTTP/1.0\r\n\r\n" * 4):
        with socket.socket(socket.AF_UNIX) as raw:
            raw.connect(host.socket_path)
            raw.sendall(junk)
            raw.settimeout(5)
            try:
                while raw.recv(4096):
                    pass
            except ConnectionResetError:
                pass
    assert host.state("g") == "running"
    host.assert_healthy()


def test_tcp(host):
    host.create("g")
    assert "g" in host.virsh("list", "--name", uri=host.uri_tcp).ok().out
