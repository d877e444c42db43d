# SPDX-License-Identifier: LGPL-2.1-or-later
"""Real Xen's streams through the pumps: compressed, encrypted, on several connections, each alone and all together; and
one that is aborted."""

import subprocess

import pytest

from test_core import hop
from test_failures import WRITES

SERVER = "migrations.example"
ZSTD = ["--compressed", "--comp-methods", "zstd"]
PARALLEL = ["--parallel", "--parallel-connections", "2"]
TLS = ["--tls", "--tls-destination", SERVER]


def certificates(pair, place):
    """One certificate for both roles, in the places that libvirt uses, on both hosts."""
    subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", "key", "-out", "cert", "-days",
                    "20", "-subj", f"/CN={SERVER}", "-addext", f"subjectAltName=DNS:{SERVER}"], cwd=place, check=True,
                   capture_output=True)
    cert, key = ((place / name).read_text() for name in ("cert", "key"))
    for host in (pair.a, pair.b):
        host.run("mkdir -p /etc/pki/CA /etc/pki/libvirt/private; umask 077\n"
                 f"cat >/etc/pki/CA/cacert.pem <<'PEM'\n{cert}PEM\n"
                 f"cat >/etc/pki/libvirt/private/serverkey.pem <<'PEM'\n{key}PEM\n"
                 "cp /etc/pki/CA/cacert.pem /etc/pki/libvirt/servercert.pem\n"
                 "cp /etc/pki/CA/cacert.pem /etc/pki/libvirt/clientcert.pem\n"
                 "cp /etc/pki/libvirt/private/serverkey.pem /etc/pki/libvirt/private/clientkey.pem\n").ok()


def test_ways(pair, tmp_path):
    # The hosts' clocks are this machine's, so a new certificate is valid at once.
    certificates(pair, tmp_path)
    pair.create(pair.a, "g", "pvh", disk=True)
    source = pair.a
    for mode, options in (("direct", ZSTD), ("tunnelled", ZSTD), ("p2p", PARALLEL), ("direct", TLS),
                          ("p2p", [*TLS, *ZSTD, *PARALLEL])):
        print("pvh", hop(pair, source, "g", mode, True, *options), *options)
        source = pair.other(source)


def test_hvm_with_all_of_it(pair, tmp_path):
    certificates(pair, tmp_path)
    pair.create(pair.a, "g", "hvm")
    print("hvm", hop(pair, pair.a, "g", "p2p", True, *TLS, *ZSTD, *PARALLEL))


@pytest.mark.parametrize("whose", ["source", "destination"])
def test_tls_without_certificates(pair, tmp_path, whose):
    """The pump of one side ends before libxl has written or read a byte."""
    certificates(pair, tmp_path)
    poor = pair.a if whose == "source" else pair.b
    pids = [host.run("cat /run/xenferryd.pid").out for host in (pair.a, pair.b)]
    pair.create(pair.a, "g", "pvh")
    poor.run("rm -rf /etc/pki").ok()
    for mode in ("p2p", "direct"):
        pair.migrate(pair.a, "g", mode, True, *TLS).failed("ertificate" if whose == "source" else "")
        pair.runs_only_on(pair.a, "g")
        pair.wait("nothing of it on the destination", lambda: not pair.b.domains())
    for host, pid in zip((pair.a, pair.b), pids):
        assert host.run("kill -0 $(cat /run/xenferryd.pid) && cat /run/xenferryd.pid").ok().out == pid
    certificates(pair, tmp_path)
    print("pvh", hop(pair, pair.a, "g", "p2p", True, *TLS))


def test_abort_of_a_packed_one(pair):
    pair.create(pair.a, "g", "pvh", **WRITES)
    mark = len(pair.a.daemon_log())
    virsh = pair.migrate_start(pair.a, "g", "p2p", True, "--bandwidth", "4", *ZSTD, *PARALLEL)
    pair.wait("data flows", lambda: "Frames iteration 0: 2048" in pair.a.daemon_log()[mark:])
    pair.virsh(pair.a, "domjobabort", "g").ok()
    virsh.communicate(timeout=20)
    assert virsh.returncode != 0
    pair.runs_only_on(pair.a, "g")
    pair.wait("nothing of it on the destination", lambda: not pair.b.domains())
