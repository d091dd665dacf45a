"""The experiments by name, in the order of docs/faults.md."""

from collections.abc import Mapping

from faults.bench import Scenario
from faults.scenarios import (
    clients,
    database,
    overload,
    pauses,
    soak,
    starting,
    stopping,
    streams,
    uploads,
    websockets,
    writes,
)

SCENARIOS: Mapping[str, Scenario] = {
    **stopping.SCENARIOS,
    **starting.SCENARIOS,
    **database.SCENARIOS,
    **writes.SCENARIOS,
    **overload.SCENARIOS,
    **pauses.SCENARIOS,
    **clients.SCENARIOS,
    **streams.SCENARIOS,
    **uploads.SCENARIOS,
    **websockets.SCENARIOS,
    **soak.SCENARIOS,
}
