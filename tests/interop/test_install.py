# SPDX-License-Identifier: LGPL-2.1-or-later
"""`meson install` installs the daemon and its documentation, without the simulator, and never overwrites the
administrator's configuration."""

import json
import os
import re
import shutil

import pytest

from sim_host import BUILD, run


def option(name):
    """A build option of this build directory."""
    with open(os.path.join(BUILD, "meson-info", "intro-buildoptions.json"), encoding="utf-8") as file:
        return next(entry["value"] for entry in json.load(file) if entry["name"] == name)


@pytest.fixture(name="root")
def fixture_root(tmp_path):
    install(tmp_path)
    return tmp_path


def install(root):
    return run("meson", "install", "-C", BUILD, "--no-rebuild", "--destdir", str(root), timeout=120).ok()


def files(root):
    return sorted("/" + os.path.relpath(os.path.join(path, name), root)
                  for path, _, names in os.walk(root) for name in names)


def configuration(root):
    found = [path for path in files(root) if path.endswith("/etc/xenferry/xenferryd.conf")]
    assert len(found) == 1, files(root)
    return str(root) + found[0]


def test_an_installation_is_complete_and_has_no_simulator(root):
    names = {os.path.basename(path) for path in files(root)}
    assert {"xenferryd", "xenferry", "xenferry-pump", "xenferry-save-helper", "xenferry-precopy.so", "xenferryd.service",
            "xenferry.conf", "xenferry-evacuate.service", "evacuate.conf"} <= names
    assert not [path for path in files(root) if "sim" in os.path.basename(path)]
    assert not [path for path in files(root) if "points" in os.path.basename(path)]


def test_man_pages_are_installed_where_pandoc_is(root):
    pages = {os.path.basename(path) for path in files(root) if "/man/" in path}
    expected = {"xenferry.1", "xenferry-check.1", "xenferry-evacuate.1", "xenferryd.8", "xenferryd.conf.5", "xenferry-pump.8"} if shutil.which("pandoc") else set()
    assert pages == expected
    for path in files(root):
        if path.endswith("/xenferry.1"):
            with open(str(root) + path, encoding="utf-8") as file:
                assert "--resolve" in file.read().replace("\\-", "-"), "an option can be copied from the page"


def test_a_second_installation_keeps_the_configuration(root):
    path = configuration(root)
    with open(path, "a", encoding="utf-8") as out:
        out.write("finish_timeout = 61\n")
    install(root)
    with open(path, encoding="utf-8") as file:
        assert file.read().endswith("finish_timeout = 61\n")
    examples = [name for name in files(root) if name.endswith("/share/doc/xenferry/examples/xenferryd.conf")]
    assert len(examples) == 1, files(root)
    with open(str(root) + examples[0], encoding="utf-8") as file:
        assert "finish_timeout = 61" not in file.read()


def test_the_installed_configuration_names_installed_programs(root):
    with open(configuration(root), encoding="utf-8") as file:
        programs = [line.split("=")[1].strip() for line in file if line.startswith(("#pump_path", "#save_helper_path"))]
    assert len(programs) == 2
    for program in programs:
        assert os.access(str(root) + program, os.X_OK), program
        assert program.startswith(option("prefix"))
    # It loads the library that is beside it.
    assert os.path.exists(os.path.join(os.path.dirname(str(root) + programs[1]), "xenferry-precopy.so"))


def test_the_service_stops_libvirts_daemons_and_their_sockets_first(root):
    unit = next(path for path in files(root) if path.endswith("/xenferryd.service"))
    with open(str(root) + unit, encoding="utf-8") as file:
        lines = [line.strip().partition("=") for line in file]
    units = {"libvirtd.service", "virtxend.service"}
    units |= {f"libvirtd{kind}.socket" for kind in ("", "-ro", "-admin", "-tcp", "-tls")}
    units |= {f"virtxend{kind}.socket" for kind in ("", "-ro", "-admin")}
    for key in ("Conflicts", "After"):
        named = {word for name, _, value in lines if name == key for word in value.split()}
        assert units <= named, (key, units - named)


def test_the_host_is_evacuated_only_when_it_stops(root):
    unit = next(path for path in files(root) if path.endswith("/xenferry-evacuate.service"))
    with open(str(root) + unit, encoding="utf-8") as file:
        lines = dict(line.strip().partition("=")[::2] for line in file if "=" in line and not line.startswith("#"))
    # It stops before these do.
    assert {"xenferryd.service", "network.target", "xendomains.service"} <= set(lines["After"].split())
    # Another unit's stop is not a reason to move all guests.
    assert not {"Requires", "BindsTo", "PartOf"} & set(lines)
    program = re.search(r"(/\S+/xenferry) evacuate", lines["ExecStop"]).group(1)
    assert os.access(str(root) + program, os.X_OK), program


@pytest.mark.parametrize("state, runs", [("stopping", True), ("running", False), ("degraded", False)])
def test_what_the_unit_does(root, tmp_path, state, runs):
    """Its command, with a systemctl that says so, and a xenferry that prints its arguments."""
    unit = next(path for path in files(root) if path.endswith("/xenferry-evacuate.service"))
    with open(str(root) + unit, encoding="utf-8") as file:
        command = next(line.partition("=")[2] for line in file if line.startswith("ExecStop="))
    tools = tmp_path / "tools"
    tools.mkdir()
    for name, line in (("systemctl", f"echo {state}"), ("xenferry", 'printf "%s," "$@"')):
        (tools / name).write_text(f"#!/bin/sh\n{line}\n", encoding="utf-8")
        (tools / name).chmod(0o755)
    shell = re.fullmatch(r"/bin/sh -c '(.*)'", command.strip()).group(1).replace("$$", "$")
    shell = re.sub(r"/\S+/xenferry evacuate", f"{tools}/xenferry evacuate", shell)
    env = dict(os.environ, PATH=f"{tools}:{os.environ['PATH']}", XENFERRY_DESTINATIONS="xen+tcp://b/system xen+tcp://c/system",
               XENFERRY_EVACUATE_OPTIONS="--jobs 2")
    result = run("/bin/sh", "-c", shell, env=env).ok()
    assert result.out == ("evacuate,--jobs,2,xen+tcp://b/system,xen+tcp://c/system," if runs else "")
