# SPDX-License-Identifier: LGPL-2.1-or-later
"""Fixtures of the interop suite: two simulated hosts, a and b, new for each test."""

import os
import shutil
import sys

import pytest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "lib"))

import sim_host  # noqa: E402


def pytest_collection_modifyitems(items):
    if shutil.which("virsh") is None:
        for item in items:
            item.add_marker(pytest.mark.skip(reason="virsh is not installed (scripts/packages --install)"))


@pytest.fixture(name="hosts")
def hosts_fixture():
    with sim_host.two_hosts() as pair:
        yield pair


@pytest.fixture(name="a")
def a_fixture(hosts):
    return hosts[0]


@pytest.fixture(name="b")
def b_fixture(hosts):
    return hosts[1]
