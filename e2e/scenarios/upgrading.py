"""Upgrades and roll-backs fail no request, even if the new version does not start."""

import json
import time

from e2e.scenario import Scenario
from e2e.traffic import judge, load, traffic
from e2e.variants import NEXT_VERSION
from harness.cluster.bench import Bench
from harness.cluster.images import SERVICE_IMAGE
from harness.cluster.release import Release, deploy, image
from harness.commands import CommandError
from harness.row import Row

_STUCK_SECONDS = 25
_MOST_CLIENTS = 100  # the default of `config.maxInFlight`: with more, a pod that a busy node holds up may refuse some
_WAYS_TO_FAIL: list[tuple[str, tuple[str, ...]]] = [
    ("helm", ()),
    ("helm", ("--rollback-on-failure",)),
    ("helm3", ("--atomic",)),
]


async def rolling(bench: Bench) -> Row:
    """Upgrades and roll-backs in turn, under load."""
    upgrades, rollbacks, clients = bench.count(20, 2), bench.count(5, 1), bench.count(_MOST_CLIENTS, 50)
    release, _ = await deploy(bench)
    row = Row(
        f"{upgrades} upgrades and {rollbacks} roll-backs in turn, two pods",
        load(clients),
        promise="no failed request; each version is served when Helm says so",
    )
    seconds: list[float] = []
    async with traffic(bench, clients) as record:
        for number in range(upgrades + rollbacks):
            bench.status = (
                f"{number} of {upgrades + rollbacks}, {len(record.outcomes)} requests, {record.failures} failed"
            )
            begun = time.monotonic()
            tag = "12"[(number + 1) % 2]
            if number < upgrades:
                await release.upgrade(over=image(tag))
            else:
                await release.rollback()
            seconds.append(time.monotonic() - begun)
            served = [await _version_served_by(release, pod["metadata"]["name"]) for pod in await release.ready_pods()]
            row.hold(len(served) == 2, f"{len(served)} pods are ready after step {number + 1}")
            row.hold(all((each == NEXT_VERSION) == (tag == "2") for each in served), f"{served} are served")
        await release.until_settled()
    row.measured = f"an upgrade or roll-back took {min(seconds):.0f} to {max(seconds):.0f} s"
    judge(row, record)
    return row


async def crashing_image(bench: Bench) -> Row:
    """Upgrades to an image that crashes at its start, without and with the flag that takes a failed upgrade back."""
    clients = bench.count(50, 20)
    release, _ = await deploy(bench)
    row = Row(
        "an upgrade to an image that crashes at its start; taken back by Helm 4 and Helm 3",
        load(clients),
        promise="Helm says that it failed; no failed request; --rollback-on-failure and --atomic restore",
    )
    before = await _names(release)
    figures = []
    async with traffic(bench, clients) as record:
        for helm, flags in _WAYS_TO_FAIL:
            bench.status = " ".join((helm, "upgrade", *flags))
            release.helm = helm
            begun = time.monotonic()
            try:
                await release.upgrade(*flags, f"--timeout={_STUCK_SECONDS}s", over=image("crashing"))
                row.hold(False, f"{bench.status} says that it succeeded")
            except CommandError:
                figures.append(f"{bench.status}: {time.monotonic() - begun:.0f} s")
            row.hold(await _names(release) >= before, f"{bench.status}: the old pods are gone")
            if flags:
                runs = (await release.deployment())["spec"]["template"]["spec"]["containers"][0]["image"]
                row.hold(runs == f"{SERVICE_IMAGE}:1", f"{bench.status} left {runs}")
                status = await release.status()
                row.hold(status == "deployed", f"{bench.status} left the release {status}")
        await release.until_settled()
    row.measured = "; ".join(figures)
    judge(row, record)
    return row


async def _names(release: Release) -> set[str]:
    return {pod["metadata"]["name"] for pod in await release.ready_pods()}


async def _version_served_by(release: Release, pod: str) -> str:
    ask = "import urllib.request as r; print(r.urlopen('http://127.0.0.1:8080/openapi.json').read().decode())"
    document = json.loads(await release.bench.kubectl("exec", pod, "--", "python", "-c", ask))
    return str(document["info"]["version"])


SCENARIOS: dict[str, Scenario] = {
    "upgrade.rolling": rolling,
    "upgrade.crashing-image": crashing_image,
}
