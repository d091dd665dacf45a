"""Runs as a container's first process: sets up the container of a manifest in the namespaces it was started in.

The container gets the command, the environment, the user, the capabilities, the read-only root and the volumes of its
manifest, and a control group with its memory limit if this machine allows one. The image is made of folders of this
machine. There is no seccomp profile and no CPU limit. `fsGroup` is ignored, as all users may write to the volumes.
"""

import ctypes
import json
import os
import struct
import sys
from pathlib import Path
from typing import Any

Object = dict[str, Any]

# The default capabilities of container runtimes.
_USUAL = ("chown", "dac_override", "fowner", "fsetid", "kill", "setgid", "setuid", "setpcap", "net_bind_service",
          "net_raw", "sys_chroot", "mknod", "audit_write", "setfcap")  # fmt: skip


def become(order: Object) -> None:
    """Apply the container's root, limits and user to this process, and execute its command. Does not return.

    Args:
        order: the container's `manifest`, its `pod`'s specification, the `secrets` by name and key, the `image` as in
            `sandbox.run`, the control `group` or an empty string, and a `scratch` folder with the file `hosts`.
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
    mount("none", root / "dev" / "shm", "tmpfs", "mode=1777")  # as in container runtimes

    os.chroot(root)
    os.chdir(image["folder"])
    groups = "--clear-groups" if os.geteuid() == 0 else "--keep-groups"  # only root may clear them
    user, group = context.get("runAsUser", image["user"]), context.get("runAsGroup", image["group"])
    command = ["setpriv", f"--reuid={user}", f"--regid={group}", groups,
               "--inh-caps=-all", "--ambient-caps=-all", f"--bounding-set={bounding_set(context)}"]  # fmt: skip
    if context.get("allowPrivilegeEscalation") is False:
        command.append("--no-new-privs")
    environment = {**image["environment"], **environment_of(manifest, order["secrets"])}
    os.execvpe(command[0], [*command, "--", *manifest["command"], *manifest.get("args", [])], environment)


def _machine() -> dict[str, str]:
    """Return the mounts that every image needs from this machine."""
    devices = [f"/dev/{name}" for name in ("null", "zero", "full", "random", "urandom")]
    return {path: path for path in ("/usr", "/etc", "/bin", "/sbin", "/lib", "/lib64", *devices) if Path(path).exists()}


def environment_of(manifest: Object, secrets: dict[str, dict[str, str]]) -> dict[str, str]:
    """Return the environment variables that a container's manifest sets.

    Raises:
        KeyError: a Secret that the manifest refers to, or a key of it, does not exist.
    """

    def value(variable: Object) -> str:
        if "value" in variable:
            return str(variable["value"])
        reference = variable["valueFrom"]["secretKeyRef"]
        return secrets[reference["name"]][reference["key"]]

    return {variable["name"]: value(variable) for variable in manifest.get("env", [])}


def bounding_set(context: Object) -> str:
    """Return the capabilities that a security context leaves to the processes of a container, as setpriv's argument."""
    capabilities = context.get("capabilities", {})
    dropped = {each.lower() for each in capabilities.get("drop", [])}
    left = {each for each in _USUAL if not dropped & {"all", each}} | {
        each.lower() for each in capabilities.get("add", [])
    }
    return ",".join(["-all", *(f"+{each}" for each in sorted(left))])


def bind(outside: Path, inside: Path) -> None:
    """Bind-mount a file or folder with all mounts below it. A symbolic link is copied as a link."""
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
    """Make the folder and all mounts below it read-only, in one system call. Not every mount(8) can do this."""
    mount_setattr, here, recursive, read_only = 442, -100, 0x8000, 1
    attributes = struct.pack("QQQQ", read_only, 0, 0, 0)
    _check(_LIBC.syscall(mount_setattr, here, os.fsencode(root), recursive, attributes, len(attributes)), root)


_LIBC = ctypes.CDLL(None, use_errno=True)


def _check(result: int, where: Path) -> None:
    if result != 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()), str(where))


if __name__ == "__main__":
    become(json.loads(sys.argv[1]))
