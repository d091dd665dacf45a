"""The runbooks of docs/operating.md for deployments that Helm refuses."""

import asyncio

from e2e.scenario import Scenario
from e2e.traffic import judge, load, traffic
from harness.cluster.bench import Bench
from harness.cluster.release import NAME, Release, deploy, image
from harness.commands import CommandError
from harness.row import Row

_CLIENTS = 20


async def stuck(bench: Bench) -> Row:
    """Ends Helm in the middle of an upgrade that does not get ready, with SIGKILL, and follows the runbook."""
    release, _ = await deploy(bench)
    row = Row(
        "Helm killed in the middle of an upgrade, then `helm rollback` to the last deployed revision; Helm 4 and 3",
        load(_CLIENTS),
        promise="upgrades are refused until the rollback, and then work; no failed request",
    )
    async with traffic(bench, _CLIENTS) as record:
        for helm in ("helm", "helm3"):
            release.helm = helm
            bench.status = f"{helm}, cut"
            upgrade = asyncio.create_task(release.upgrade(over=image("crashing")))
            await bench.until(lambda: _is_pending(release), "an upgrade that is under way")
            upgrade.cancel()
            await asyncio.wait([upgrade])
            bench.status = f"{helm}, following the runbook"
            said = await _refusal(release)
            row.hold("another operation" in said, f"{helm} says {said or 'nothing'} to the next upgrade")
            await release.rollback(await _last_deployed(release))
            await release.upgrade()
            await release.until_settled()
            row.hold(len(await release.ready_pods()) == 2, f"{helm}: not two pods are ready")
    judge(row, record)
    return row


async def scaled_by_hand(bench: Bench) -> Row:
    """Scales with kubectl, and goes each of the runbook's ways out of the conflict."""
    release, _ = await deploy(bench)
    row = Row(
        "`kubectl scale`, then an upgrade by Helm 4, by each way of the runbook",
        load(_CLIENTS),
        promise="Helm refuses the upgrade; each way out leads to the number of pods that it says; no failed request",
    )
    async with traffic(bench, _CLIENTS) as record:
        await _scale(bench, 3)
        said = await _refusal(release)
        row.hold(".spec.replicas" in said, f"Helm says {said or 'nothing'}")
        await _scale(bench, 2)
        await release.upgrade()
        row.hold(await _replicas(release) == 2, "scaled back, it has another number of pods")
        await _scale(bench, 3)
        await release.upgrade(over={"replicas": 3})
        row.hold(await _replicas(release) == 3, "with the number in the values, it has another number of pods")
        await _scale(bench, 1)
        await release.upgrade("--force-conflicts", "--timeout=3m")
        row.hold(await _replicas(release) == 2, "by force, it has another number of pods")
        await release.until_settled()
    judge(row, record)
    return row


async def _refusal(release: Release) -> str:
    """Return what Helm says to an upgrade that it refuses; nothing if it succeeds."""
    try:
        await release.upgrade()
    except CommandError as error:
        return str(error)
    return ""


async def _is_pending(release: Release) -> bool:
    return await release.status() == "pending-upgrade" and len(await release.pods()) > len(await release.ready_pods())


async def _last_deployed(release: Release) -> str:
    return str([each["revision"] for each in await release.history() if each["status"] == "deployed"][-1])


async def _scale(bench: Bench, replicas: int) -> None:
    await bench.kubectl("scale", f"deployment/{NAME}", f"--replicas={replicas}")


async def _replicas(release: Release) -> int:
    return int((await release.deployment())["spec"]["replicas"])


SCENARIOS: dict[str, Scenario] = {"runbook.stuck": stuck, "runbook.scaled-by-hand": scaled_by_hand}
