"""The API server takes every object that the chart renders, whatever its values are."""

import asyncio
import json
import re
from collections import Counter

import yaml

from e2e.api_server import ApiServer, api_server
from e2e.definitions import define
from e2e.scenario import Scenario
from harness.chart_values.drawing import Drawn, Walk
from harness.chart_values.places import PLACES
from harness.cluster.bench import Bench, Object
from harness.commands import CommandError, run_command
from harness.definitions import DEFINED, go_is_here, manifest
from harness.repository import REPOSITORY, TOOLS
from harness.row import Row

_HELMS = ("helm3", "helm")
_RENDERED_AT_ONCE = 2
_TOLD = 5
# What depends on the cluster and not on the values alone.
_OF_THE_CLUSTER = re.compile(r"this cluster is not configured for|not configured on this cluster")


async def any_values(bench: Bench) -> Row:
    """Has the API server judge the objects of drawn values, without creating them."""
    what = "the objects of any values that the chart takes, by a dry run on the API server"
    if not go_is_here():
        return Row(what, not_run="Go is missing, which downloads the definitions of custom resources")
    bench.status = "defining custom resources"
    for api_version, kind in DEFINED:
        await define(bench, f"{kind.lower()}s.{api_version.partition('/')[0]}", manifest(api_version, kind))
    walk = Walk("e2e")
    drawn = [walk.draw() for _ in range(bench.count(200, 40))]
    if not bench.quick:
        drawn += [walk.draw_for(place) for place in sorted(PLACES)]
    row = Row(
        what,
        f"{len(drawn)} sets of values drawn from the chart's schema, rendered by Helm 3 and Helm 4",
        promise="both take the same sets; every object is valid, created as by Helm 3 and applied as by Helm 4",
    )
    async with api_server(bench.namespace) as server:
        judged = _Judged(bench, server, row)
        await judged.judge(drawn)
    (bench.logs / "refused.txt").write_text("\n".join(judged.refused), encoding="utf-8")
    for each in judged.refused[:_TOLD]:
        row.hold(False, each)
    row.hold(len(judged.refused) <= _TOLD, f"{len(judged.refused)} refusals in all")
    row.measured = f"{judged.accepted} sets taken; {len(judged.verdicts):,} different requests for objects judged"
    return row


class _Judged:
    """The judgement on sets of values.

    Attributes:
        accepted: the number of sets that the chart takes.
        refused: a sentence for each object that the API server refuses.
        verdicts: by helm and object, why it is refused; empty if it is not.
    """

    def __init__(self, bench: Bench, server: ApiServer, row: Row) -> None:
        self.accepted = 0
        self.refused: list[str] = []
        self.verdicts: dict[tuple[str, str], asyncio.Task[str]] = {}
        self._bench, self._server, self._row = bench, server, row
        self._turn = asyncio.Semaphore(_RENDERED_AT_ONCE)
        self._done = Counter[str]()

    async def judge(self, drawn: list[Drawn]) -> None:
        async def judge_one(each: Drawn) -> None:
            async with self._turn:
                rendered = {helm: await self._render(each, helm) for helm in _HELMS}
            taken = {helm for helm, objects in rendered.items() if objects is not None}
            self._row.hold(len(taken) != 1, f"only {taken} takes {json.dumps(each.changes)}")
            self.accepted += len(taken) == len(_HELMS)
            for helm, objects in rendered.items():
                for object_ in objects or []:
                    await self._judge_object(helm, object_, each)
            self._done["sets"] += 1
            self._bench.status = f"{self._done['sets']} of {len(drawn)} sets of values judged"

        await asyncio.gather(*map(judge_one, drawn))

    async def _judge_object(self, helm: str, object_: Object, drawn: Drawn) -> None:
        key = helm, json.dumps(object_, sort_keys=True)
        if key in self.verdicts:
            return
        self.verdicts[key] = asyncio.create_task(self._server.refuses(object_, helm))
        said = await self.verdicts[key]
        if said and not _OF_THE_CLUSTER.search(said):
            self.refused.append(f"{helm}: {said} (values: {json.dumps(drawn.changes)})")

    async def _render(self, drawn: Drawn, helm: str) -> list[Object] | None:
        """Return the objects of a release; None if the chart refuses the values."""
        options = ("--namespace", self._bench.namespace, "--kube-version", "1.34", "--values", "-")
        command = (TOOLS / helm, "template", "items", REPOSITORY / "chart", *options)
        try:
            text = await run_command(*command, given=json.dumps(drawn.values))
        except CommandError:
            return None
        return [each for each in yaml.load_all(text, Loader=yaml.CSafeLoader) if each]


SCENARIOS: dict[str, Scenario] = {"render.any-values": any_values}
