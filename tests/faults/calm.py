# SPDX-License-Identifier: LGPL-2.1-or-later
"""The conditions that two hosts must meet after a migration with faults is over."""

from sim_host import wait_until

CALM_TIMEOUT = 60.0  # seconds after all daemons are back
GUEST = "g"


class Pair:
    """Two hosts, as they were before the migration."""

    def __init__(self, a, b):
        self.a, self.b = a, b
        self.ports = {host.name: host.listening_ports() for host in (a, b)}

    def where(self):
        """[(host, state)] of each domain of the guest."""
        return [(host, domain["state"]) for host in (self.a, self.b) for domain in host.domains()
                if domain["name"] == GUEST]

    def why_not(self, may_be_gone=False):
        """The reason why it is not over, or None: the guest runs once, both journals are final, no helper, port or
        job."""
        domains = self.where()
        if (len(domains) != 1 or domains[0][1] != "running") and not (may_be_gone and not domains):
            return f"domains: {[(host.name, state) for host, state in domains]}"
        for host in (self.a, self.b):
            pending = [(entry["state"], entry.get("reason")) for entry in host.journal() if not entry["final"]]
            if pending:
                return f"the journal of {host.name}: {pending}"
            if host.listening_ports() != self.ports[host.name]:
                return f"{host.name} listens on {host.listening_ports()}"
            helpers = len(host.processes()) - len([1 for one, _ in domains if one is host])
            if helpers:
                return f"{helpers} helpers of {host.name}"
        if not domains:
            return None
        holder = domains[0][0]
        other = self.b if holder is self.a else self.a
        if holder.state(GUEST) != "running" or other.state(GUEST) not in (None, "shut off"):
            return f"domstate: {holder.name} {holder.state(GUEST)}, {other.name} {other.state(GUEST)}"
        job = holder.virsh("domjobinfo", GUEST).out
        return None if "None" in job else f"domjobinfo: {job}"

    def wait_calm(self, may_be_gone=False):
        """Returns the host on which the guest runs. @may_be_gone: a command may have destroyed it; then None."""
        last = [None]

        def calm():
            last[0] = self.why_not(may_be_gone)
            return last[0] is None

        wait_until(calm, lambda: f"calm; {last[0]}", CALM_TIMEOUT, pause=0.05)
        where = self.where()
        return where[0][0] if where else None

    def check_counter(self):
        """No number of the counter is repeated, on either host and in any order."""
        numbers = self.a.heartbeats(GUEST) + self.b.heartbeats(GUEST)
        seen = set()
        twice = [number for number in numbers if number in seen or seen.add(number)]
        assert not twice, f"it ran twice: {twice[:10]}"

    def move_again(self, holder):
        other = self.b if holder is self.a else self.a
        holder.migrate(GUEST, other, "--live", mode="p2p" if holder is self.a else "direct").ok()
        assert other.state(GUEST) == "running"
