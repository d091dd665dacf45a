"""A program that becomes a container: the process that a manifest describes, in the namespaces it was started in.

The container gets the command, the environment, the user, the capabilities, the read-only root and the volumes of its
manifest, and joins a control group with its limit of memory, where there is one. Its image is made of folders of this
machine. It gets no seccomp profile and no CPU limit, and `fsGroup` is left alone, as every volume here is everybody's.
"""

import ctypes
import json
import os
import struct
import sys
from pathlib import Path
from typing import Any

Object = dict[str, Any]

# What a container runtime leaves a container that drops nothing.
_USUAL = ("chown", "dac_override", "fowner", "fsetid", "kill", "setgid", "setuid", "setpcap", "net_bind_service",
          "net_raw", "sys_chroot", "mknod", "audit_write", "setfcap")  # fmt: skip


def become(order: Object) -> None:
    """Gives this process the container's root, limits and user, and runs its command; does not return.

    Args:
        order: the container's `manifest`, its `pod`'s specification, the `secrets` by name and key, the `image` as
            `sandbox.run` takes it, its control `group` or an empty string, and a `scratch` folder with its `hosts`.
    """
    manifest, pod, image = (order[key] for key in ("manifest", "pod", "image"))
    context = {**pod["securityContext"], **manifest["securityContext"]}
    if order["group"]:
        Path(order["group"], "cgroup.procs").write_text("0")
    root = Path(order["scratch"], "root")
    root.mkdir(exist_ok=True)
    mount("none", root, "tmpfs", "mode=755")
    for inside, outside in {**_machine(), **image["mounts"], "/etc/hosts": f"{order['scratch']}/hosts"}.items():
        bind(Path(outside), root / inside.lstrip("/"))
    (root / "proc").mkdir()
    mount("proc", root / "proc", "proc")
    places = [root / each["mountPath"].lstrip("/") for each in manifest.get("volumeMounts", [])]
    for place in (*places, root / "tmp", root / "dev" / "shm"):
        place.mkdir(parents=True, exist_ok=True)
    if context.get("readOnlyRootFilesystem"):
        make_read_only(root)
    volumes = {volume["name"]: volume for volume in pod.get("volumes", [])}
    for place, each in zip(places, manifest.get("volumeMounts", []), strict=True):
        assert "emptyDir" in volumes[each["name"]], f"{each['name']} is of a kind that the sandbox does not know"
        mount("none", place, "tmpfs", "mode=777")
    mount("none", root / "dev" / "shm", "tmpfs", "mode=1777")  # as container runtimes do

    os.chroot(root)
    os.chdir(image["folder"])
    groups = "--clear-groups" if os.geteuid() == 0 else "--keep-groups"  # nobody else may clear them
    command = ["setpriv", f"--reuid={context['runAsUser']}", f"--regid={context['runAsGroup']}", groups,
               "--inh-caps=-all", "--ambient-caps=-all", f"--bounding-set={bounding_set(context)}"]  # fmt: skip
    if context.get("allowPrivilegeEscalation") is False:
        command.append("--no-new-privs")
    environment = {**image["environment"], **environment_of(manifest, order["secrets"])}
    os.execvpe(command[0], [*command, "--", *manifest["command"], *manifest.get("args", [])], environment)


def _machine() -> dict[str, str]:
    """What every image has, from this machine."""
    devices = [f"/dev/{name}" for name in ("null", "zero", "full", "random", "urandom")]
    return {path: path for path in ("/usr", "/etc", "/bin", "/sbin", "/lib", "/lib64", *devices) if Path(path).exists()}


def environment_of(manifest: Object, secrets: dict[str, dict[str, str]]) -> dict[str, str]:
    """The variables that a container's manifest sets.

    Raises:
        KeyError: it asks for a Secret, or a key of one, that is not there.
    """

    def value(variable: Object) -> str:
        if "value" in variable:
            return str(variable["value"])
        reference = variable["valueFrom"]["secretKeyRef"]
        return secrets[reference["name"]][reference["key"]]

    return {variable["name"]: value(variable) for variable in manifest.get("env", [])}


def bounding_set(context: Object) -> str:
    """The capabilities that a security context leaves to a container's processes, for setpriv."""
    capabilities = context.get("capabilities", {})
    dropped = {each.lower() for each in capabilities.get("drop", [])}
    left = {each for each in _USUAL if not dropped & {"all", each}} | {
        each.lower() for each in capabilities.get("add", [])
    }
    return ",".join(["-all", *(f"+{each}" for each in sorted(left))])


def bind(outside: Path, inside: Path) -> None:
    """Shows a file or folder of this machine at another place, with what is mounted below it; a link stays a link."""
    inside.parent.mkdir(parents=True, exist_ok=True)
    if outside.is_symlink():
        inside.symlink_to(outside.readlink())
        return
    if outside.is_dir():
        inside.mkdir(exist_ok=True)
    elif not inside.exists():
        inside.touch()
    bind_with_all_below = 0x1000 | 0x4000
    mount(str(outside), inside, "", "", bind_with_all_below)


def mount(what: str, where: Path, kind: str, options: str = "", flags: int = 0) -> None:
    _check(_LIBC.mount(what.encode(), os.fsencode(where), kind.encode(), flags, options.encode()), where)


def make_read_only(root: Path) -> None:
    """The folder and all that is mounted below it, which mount(8) cannot do at once everywhere."""
    mount_setattr, here, recursive, read_only = 442, -100, 0x8000, 1
    attributes = struct.pack("QQQQ", read_only, 0, 0, 0)
    _check(_LIBC.syscall(mount_setattr, here, os.fsencode(root), recursive, attributes, len(attributes)), root)


_LIBC = ctypes.CDLL(None, use_errno=True)


def _check(result: int, where: Path) -> None:
    if result != 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()), str(where))


if __name__ == "__main__":
    become(json.loads(sys.argv[1]))
