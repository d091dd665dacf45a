"""The scenarios by name, in the order of docs/e2e.md."""

from collections.abc import Mapping

from e2e.scenario import Scenario
from e2e.scenarios import (
    access,
    changing,
    disrupting,
    example,
    imaging,
    installing,
    isolating,
    knobs,
    migrating,
    rendering,
    runbooks,
    scaling,
    streams,
    upgrading,
)

SCENARIOS: Mapping[str, Scenario] = {
    **imaging.SCENARIOS,
    **rendering.SCENARIOS,
    **installing.SCENARIOS,
    **knobs.SCENARIOS,
    **access.SCENARIOS,
    **upgrading.SCENARIOS,
    **streams.SCENARIOS,
    **example.SCENARIOS,
    **runbooks.SCENARIOS,
    **migrating.SCENARIOS,
    **changing.SCENARIOS,
    **disrupting.SCENARIOS,
    **scaling.SCENARIOS,
    **isolating.SCENARIOS,
}

QUICK = (
    "image.tests",
    "render.any-values",
    "install.external",
    "install.evaluation",
    "access.crud",
    "upgrade.rolling",
    "upgrade.crashing-image",
    "streams.rolling",
    "example.order-desk",
    "migrate.failing",
)
"""The scenarios that a run with QUICK includes by default."""
