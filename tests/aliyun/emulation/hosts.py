"""Instances that really boot: Debian system containers with systemd, cloud-init, sshd and a Docker engine of their own.

They run on this machine's Docker engine, on a bridge whose subnet is the emulated internet. Disks are loop devices.
Needs root. What follows from an instance being a container and not a virtual machine:

- Its memory and processors bound its own processes; those of its Docker engine's containers are bounded by their own
  limits only. It counts the processors of its instance type (``processors.py``), and runs on those of this machine.
- ``/proc/sys`` is read-only: kernel settings are written down and have no effect.
- There is no udev; what it would do for an attached disk is done here.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path
from typing import Any, Final, final

import docker
from docker.errors import APIError, DockerException, NotFound
from docker.models.containers import Container
from docker.models.networks import Network
from docker.types import IPAMConfig, IPAMPool

from ops import engine
from tests.aliyun.emulation import processors
from tests.aliyun.emulation.host_image import provide
from tests.aliyun.emulation.hypervisor import Guest, Hypervisor, HypervisorError, IngressRule
from tests.aliyun.emulation.processors import Processors

INTERNET: Final = IPv4Network("198.51.100.0/24")
"""The subnet of the bridge (TEST-NET-2). Instances have addresses from its lower half, EIPs are from the upper one."""

NAME: Final = "matrix-rehearsal"
_LABEL: Final = "matrix.rehearsal"
_LOOP_MAJOR: Final = 7
_PLUGGED: Final = "/run/plugged"
_COMMAND_SECONDS: Final = 600
_STOP_SECONDS: Final = 180
"""Aliyun waits about as long for a guest that is asked to stop before it is switched off."""
_CHAIN: Final = "SECURITY-GROUP"


@dataclass
class _Disk:
    file: Path
    loop: str | None = None


@dataclass
class _Machine:
    guest: Guest
    container: Container
    disks: list[str] = field(default_factory=list)
    addresses: set[IPv4Address] = field(default_factory=set)
    rules: Sequence[IngressRule] = ()


@final
class SystemContainers(Hypervisor):
    """Runs instances as system containers.

    Args:
        state: a folder of its own, for disks and seeds.
        client: this machine's Docker engine.
        name: of the bridge, and what everything is labelled with; what a killed run of that name left is removed.
        internet: the bridge's subnet.

    """

    def __init__(
        self,
        state: Path,
        client: docker.DockerClient,
        *,
        name: str = NAME,
        internet: IPv4Network = INTERNET,
    ) -> None:
        self._state = state
        self._client = client
        self._name = name
        self._internet = internet
        self._machines: dict[str, _Machine] = {}
        self._disks: dict[str, _Disk] = {}
        self._image = provide(client)
        remove_all(state, client, name)
        for folder in ("disks", "guests"):
            (state / folder).mkdir(parents=True)
        pool = IPAMPool(
            subnet=str(internet), iprange=str(next(internet.subnets())), gateway=str(internet.network_address + 1)
        )
        self.network: Network = client.networks.create(
            name, driver="bridge", ipam=IPAMConfig(pool_configs=[pool]), labels={_LABEL: name}
        )

    def close(self) -> None:
        """Remove all instances, disks and the bridge."""
        remove_all(self._state, self._client, self._name)
        self._machines.clear()
        self._disks.clear()

    # -- disks -------------------------------------------------------------------------------

    def create_disk(self, disk_id: str, gibibytes: int) -> None:
        """Make a sparse file."""
        file = self._state / "disks" / disk_id
        file.touch(exist_ok=False)
        os.truncate(file, gibibytes << 30)
        self._disks[disk_id] = _Disk(file)

    def resize_disk(self, disk_id: str, gibibytes: int) -> None:
        """Enlarge a disk, also while it is in use; the guest's file system is the guest's affair."""
        disk = self._disk(disk_id)
        if gibibytes << 30 < disk.file.stat().st_size:
            raise HypervisorError(f"{disk_id}: a disk does not shrink")
        os.truncate(disk.file, gibibytes << 30)
        if disk.loop:
            _run("losetup", "--set-capacity", disk.loop)

    def delete_disk(self, disk_id: str) -> None:
        """Remove a disk that no instance has."""
        for machine in self._machines.values():
            if disk_id in machine.disks:
                raise HypervisorError(f"{disk_id} is attached to {machine.guest.instance_id}")
        self._disk(disk_id).file.unlink()
        del self._disks[disk_id]

    def attach_disk(self, instance_id: str, disk_id: str) -> None:
        """Plug a disk in; a running guest sees it at once."""
        machine = self._machine(instance_id)
        disk = self._disk(disk_id)
        if disk.loop:
            raise HypervisorError(f"{disk_id} is attached already")
        if loops := _loops_of(disk.file):
            # Two kernels' worth of file systems on one file would destroy it.
            raise HypervisorError(f"{disk_id} is still mounted somewhere ({', '.join(loops)})")
        disk.loop = _run("losetup", "--find", "--show", str(disk.file)).strip()
        machine.disks.append(disk_id)
        if self._is_running(machine):
            self._plug_disks(machine)

    def detach_disk(self, instance_id: str, disk_id: str) -> None:
        """Pull a disk out. What a running guest has on it is stopped and unmounted first, if it lets itself be.

        Aliyun pulls it out from under the guest. If the guest does not let go, here it loses its power as well, since
        a mounted loop device cannot be taken away.
        """
        machine = self._machine(instance_id)
        if disk_id not in machine.disks:
            raise HypervisorError(f"{disk_id} is not attached to {instance_id}")
        disk = self._disk(disk_id)
        loop = disk.loop
        assert loop is not None
        running = self._is_running(machine)
        if running and not self._unmount(machine, disk_id):
            machine.container.kill()
            machine.container.wait()
        if self._is_running(machine):
            name = _device(machine, disk_id)
            self._exec(machine, "rm", "-f", f"/dev/{name}", f"/dev/disk/by-id/{_serial(disk_id)}")
        machine.disks.remove(disk_id)
        _run("losetup", "--detach", loop)
        disk.loop = None
        if running and not self._is_running(machine):
            self._power_on(machine)

    def _unmount(self, machine: _Machine, disk_id: str) -> bool:
        """Ask the guest's systemd to unmount a disk, which stops what requires the mount."""
        device = f"/dev/{_device(machine, disk_id)}"
        script = (
            f"for target in $(findmnt --noheadings --output TARGET --source {device}); do "
            'systemctl stop "$(systemd-escape --path --suffix=mount "$target")"; done; '
            f"! findmnt --source {device}"
        )
        code, _ = engine.execute(machine.container, ["timeout", "90", "sh", "-c", script], seconds=_COMMAND_SECONDS)
        return bool(code == 0) and self._is_free(disk_id)

    def _is_free(self, disk_id: str) -> bool:
        """Whether nobody has a disk's file system mounted, in whatever namespace."""
        loop = self._disk(disk_id).loop
        number = f"{_LOOP_MAJOR}:{_minor(loop)}" if loop else ""
        for file in Path("/proc").glob("[0-9]*/mountinfo"):
            with contextlib.suppress(OSError):
                if any(line.split()[2] == number for line in file.read_text().splitlines()):
                    return False
        return True

    # -- instances ---------------------------------------------------------------------------

    def create(self, guest: Guest) -> None:
        """Boot an instance with a new system disk. Until :meth:`filter` is called, nothing gets in."""
        if guest.instance_id in self._machines:
            raise HypervisorError(f"{guest.instance_id} exists already")
        machine = _Machine(guest=guest, container=self._install(guest))
        self._machines[guest.instance_id] = machine
        self._power_on(machine)

    def _install(self, guest: Guest) -> Container:
        """Make a container that is not started yet."""
        folder = self._state / "guests" / guest.instance_id
        seed = folder / "seed"
        seed.mkdir(parents=True, exist_ok=True)
        shutil.copy(processors.__file__, folder)
        (seed / "user-data").write_bytes(guest.user_data)
        (seed / "user-data").chmod(0o600)
        (seed / "meta-data").write_text(
            json.dumps(
                {
                    "instance-id": guest.instance_id,
                    "local-hostname": guest.host_name,
                    "public-keys": list(guest.authorized_keys),
                }
            )
        )
        try:
            return self._client.containers.create(
                self._image,
                # Nothing runs before its disks, addresses and packet filter are there.
                ["/usr/bin/python3", f"{processors.FOLDER}/processors.py", _PLUGGED, "/sbin/init"],
                name=f"{self._name}-{guest.instance_id}",
                hostname=guest.host_name,
                labels={_LABEL: self._name},
                network=self._name,
                cap_add=["ALL"],
                # Not everywhere may a container have it, and then `--privileged` does not start.
                cap_drop=["SYS_RESOURCE"],
                security_opt=["seccomp=unconfined", "apparmor=unconfined"],
                cgroupns="host",
                volumes={
                    "/sys/fs/cgroup": {"bind": "/sys/fs/cgroup", "mode": "rw"},
                    str(folder.resolve()): {"bind": processors.FOLDER, "mode": "ro"},
                    str(seed.resolve()): {"bind": "/var/lib/cloud/seed/nocloud", "mode": "ro"},
                },
                tmpfs={"/run": "", "/run/lock": "", "/tmp": "exec"},  # noqa: S108 (the guest's)
                device_cgroup_rules=[f"b {_LOOP_MAJOR}:* rmw"],
                devices=["/dev/kmsg:/dev/kmsg:r"],
                stop_signal="SIGRTMIN+3",
                **self._size(guest.cpus, guest.memory),
            )
        except DockerException as error:
            raise HypervisorError(f"{guest.instance_id}: {error}") from error

    def start(self, instance_id: str) -> None:
        """Switch an instance on."""
        machine = self._machine(instance_id)
        if not self._is_running(machine):
            self._power_on(machine)

    def stop(self, instance_id: str, *, force: bool) -> None:
        """Shut an instance down, or switch it off."""
        container = self._machine(instance_id).container
        try:
            if force:
                with contextlib.suppress(APIError):  # it is off already
                    container.kill()
            else:
                container.stop(timeout=_STOP_SECONDS)
            container.wait(timeout=_STOP_SECONDS)
        except DockerException as error:
            raise HypervisorError(f"{instance_id} does not stop: {error}") from error

    def reboot(self, instance_id: str, *, force: bool) -> None:
        """Stop and start an instance."""
        self.stop(instance_id, force=force)
        self.start(instance_id)

    def resize(self, instance_id: str, *, cpus: int, memory: int) -> None:
        """Give a stopped instance another size."""
        machine = self._machine(instance_id)
        machine.guest = replace(machine.guest, cpus=cpus, memory=memory)
        try:
            machine.container.update(**self._size(cpus, memory))
        except DockerException as error:
            raise HypervisorError(f"{instance_id}: {error}") from error

    def reinstall(self, guest: Guest) -> None:
        """Put a new system disk under a stopped instance; disks and addresses stay."""
        machine = self._machine(guest.instance_id)
        if self._is_running(machine):
            raise HypervisorError(f"{guest.instance_id} is running")
        machine.container.remove(force=True, v=True)
        machine.guest = guest
        machine.container = self._install(guest)

    def delete(self, instance_id: str) -> None:
        """Remove an instance with its system disk. Its other disks stay."""
        machine = self._machine(instance_id)
        machine.container.remove(force=True, v=True)
        for disk_id in machine.disks:
            disk = self._disk(disk_id)
            assert disk.loop is not None
            _run("losetup", "--detach", disk.loop)
            disk.loop = None
        shutil.rmtree(self._state / "guests" / instance_id)
        del self._machines[instance_id]

    def console(self, instance_id: str, *command: str) -> str:
        """Run a command as root inside a running instance and return what it printed, whatever its exit code."""
        _, output = engine.execute(self._machine(instance_id).container, command, seconds=_COMMAND_SECONDS)
        return output

    # -- network -----------------------------------------------------------------------------

    def associate_address(self, instance_id: str, address: IPv4Address) -> None:
        """Let an address of the internet lead to an instance. There is no NAT here: the guest sees it as its own."""
        if address not in self._internet:
            raise HypervisorError(f"{address} is not in {self._internet}")
        machine = self._machine(instance_id)
        machine.addresses.add(address)
        if self._is_running(machine):
            self._plug_addresses(machine)

    def dissociate_address(self, instance_id: str, address: IPv4Address) -> None:
        """Take an address from an instance."""
        machine = self._machine(instance_id)
        machine.addresses.discard(address)
        if self._is_running(machine):
            self._in_network(machine, "ip", "address", "delete", self._with_prefix(address), "dev", "eth0")

    def filter(self, instance_id: str, rules: Sequence[IngressRule]) -> None:
        """Enforce the rules of security groups in the guest's network namespace, where it cannot undo them unseen."""
        if instance_id not in self._machines:
            return  # it was released while its rules were being revoked
        machine = self._machine(instance_id)
        machine.rules = tuple(rules)
        if self._is_running(machine):
            self._plug_filter(machine)

    def unfilter(self, instance_id: str) -> None:
        """Let everything in, until the next start or :meth:`filter`: what would be open without security groups."""
        self._in_network(self._machine(instance_id), "iptables", "-t", "mangle", "-F", "PREROUTING")

    # -- the parts of a boot -----------------------------------------------------------------

    def _power_on(self, machine: _Machine) -> None:
        try:
            Processors(self._state / "guests" / machine.guest.instance_id, machine.guest.cpus)
            machine.container.start()
            self._plug_filter(machine)
            self._plug_addresses(machine)
            self._plug_disks(machine)
            if resolvers := _resolvers():
                lines = "".join(f"nameserver {each}\n" for each in resolvers)
                self._exec(machine, "sh", "-c", f"printf '{lines}' >/etc/resolv.conf")
            self._exec(machine, "touch", _PLUGGED)
        except DockerException as error:
            raise HypervisorError(f"{machine.guest.instance_id} does not start: {error}") from error

    def _plug_disks(self, machine: _Machine) -> None:
        """Do what udev does: device nodes and names by serial number."""
        for disk_id in machine.disks:
            loop = self._disk(disk_id).loop
            assert loop is not None
            name = _device(machine, disk_id)
            script = (
                f"mkdir -p /dev/disk/by-id && rm -f /dev/{name} && mknod -m 660 /dev/{name} b {_LOOP_MAJOR} "
                f"{_minor(loop)} && ln -sf ../../{name} /dev/disk/by-id/{_serial(disk_id)}"
            )
            self._exec(machine, "sh", "-c", script)

    def _plug_addresses(self, machine: _Machine) -> None:
        self._in_network(machine, "ip", "address", "replace", f"{machine.guest.private_address}/32", "dev", "eth0")
        for address in machine.addresses:
            self._in_network(machine, "ip", "address", "replace", self._with_prefix(address), "dev", "eth0")
            # Whoever spoke to the instance that had it before.
            _run("ip", "neighbour", "flush", "to", str(address))

    def _plug_filter(self, machine: _Machine) -> None:
        text = "\n".join(
            [
                "*mangle",
                ":PREROUTING ACCEPT [0:0]",
                f":{_CHAIN} - [0:0]",
                f"-A PREROUTING -i eth0 -j {_CHAIN}",
                f"-A {_CHAIN} -m conntrack --ctstate ESTABLISHED,RELATED -j RETURN",
                *(f"-A {_CHAIN} {_match(rule)} -j {'RETURN' if rule.accept else 'DROP'}" for rule in _sorted(machine)),
                f"-A {_CHAIN} -j DROP",
                "COMMIT\n",
            ]
        )
        self._in_network(machine, "iptables-restore", "--table=mangle", stdin=text)

    # -- small things ------------------------------------------------------------------------

    def _machine(self, instance_id: str) -> _Machine:
        try:
            machine = self._machines[instance_id]
            machine.container.reload()
        except (KeyError, NotFound) as error:
            raise HypervisorError(f"there is no instance {instance_id}") from error
        return machine

    def _disk(self, disk_id: str) -> _Disk:
        try:
            return self._disks[disk_id]
        except KeyError as error:
            raise HypervisorError(f"there is no disk {disk_id}") from error

    @staticmethod
    def _is_running(machine: _Machine) -> bool:
        machine.container.reload()
        return bool(machine.container.attrs["State"]["Running"])

    def _exec(self, machine: _Machine, *command: str) -> str:
        code, output = engine.execute(machine.container, command, seconds=_COMMAND_SECONDS)
        if code:
            raise HypervisorError(f"{machine.guest.instance_id}: {command[-1]}: {output.strip()}")
        return output

    def _in_network(self, machine: _Machine, *command: str, stdin: str = "") -> str:
        machine.container.reload()
        pid = machine.container.attrs["State"]["Pid"]
        return _run("nsenter", f"--target={pid}", "--net", *command, stdin=stdin)

    def _with_prefix(self, address: IPv4Address) -> str:
        return f"{address}/{self._internet.prefixlen}"

    def _size(self, cpus: int, memory: int) -> dict[str, Any]:
        """Return processors and MiB as the Docker engine takes them: no more processors than there are.

        Not by ``nano_cpus``: the SDK updates a quota only, which is refused for a container that was made with those.
        """
        period = 100_000
        quota = min(cpus, int(self._client.info()["NCPU"])) * period
        limit = f"{memory}m"
        return {"cpu_period": period, "cpu_quota": quota, "mem_limit": limit, "memswap_limit": limit}


def remove_all(state: Path, client: docker.DockerClient, name: str = NAME) -> None:
    """Remove the instances, the bridge and the disks of a hypervisor, also of one that was killed."""
    mine = f"{_LABEL}={name}"
    for container in client.containers.list(all=True, ignore_removed=True, filters={"label": mine}):
        container.remove(force=True, v=True)
    for network in client.networks.list(filters={"label": mine}):
        network.remove()
    for file in (state / "disks").glob("*"):
        for loop in _loops_of(file):
            _run("losetup", "--detach", loop)
    shutil.rmtree(state, ignore_errors=True)


def _sorted(machine: _Machine) -> Iterator[IngressRule]:
    yield from sorted(machine.rules, key=lambda rule: (rule.priority, rule.accept))


def _match(rule: IngressRule) -> str:
    protocol = "" if rule.protocol == "all" else f" -p {rule.protocol}"
    ports = f" --dport {rule.first_port}:{rule.last_port}" if rule.first_port != -1 else ""
    return f"-s {rule.source}{protocol}{ports}"


def _serial(disk_id: str) -> str:
    return f"virtio-{disk_id.removeprefix('d-')}"


def _device(machine: _Machine, disk_id: str) -> str:
    """Return the device's name: vda is the system disk."""
    return f"vd{'bcdefghijklmnop'[machine.disks.index(disk_id)]}"


def _minor(loop: str) -> int:
    return int(loop.removeprefix("/dev/loop"))


def _loops_of(file: Path) -> list[str]:
    """Return the loop devices that hold a file, also those that were detached while mounted."""
    listed = _run("losetup", "--associated", str(file), "--noheadings", "--output", "NAME")
    return listed.split()


def _resolvers() -> list[str]:
    """Return this machine's name servers, as a guest can use them."""
    for file in (Path("/etc/resolv.conf"), Path("/run/systemd/resolve/resolv.conf")):
        with contextlib.suppress(OSError):
            words = [line.split() for line in file.read_text().splitlines()]
            found = [each[1] for each in words if each[:1] == ["nameserver"] and not each[1].startswith("127.")]
            if found:
                return found
    return []


def _run(*command: str, stdin: str = "") -> str:
    done = subprocess.run(command, input=stdin, capture_output=True, text=True, check=False)
    if done.returncode:
        raise HypervisorError(f"{' '.join(command)}: {done.stderr.strip() or done.returncode}")
    return done.stdout
