"""The names of objects: of releases with long names, of several services in one parent chart, and after an upgrade."""

from itertools import combinations
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, assume, given, settings
from hypothesis import strategies as st

from harness.chart_values.examples import IMAGE, MODES
from harness.releases import releases, write_release
from harness.repository import REPOSITORY
from tests.chart.rendering import Chart, Object, RenderError, of_kind, one

EXTERNAL = MODES["external"]
LONG = "team-payments-staging-notification-preferences"
# Releases and aliases whose names earlier charts have changed, or given to two services.
RENAMED = [("orders-api", "api"), ("team-payments-staging", "notification-preferences-api"), (LONG, "worker")]
DATABASE_MODES = {
    "cnpg": {"database": {"mode": "cnpg"}},
    "evaluation": {"database": {"mode": "evaluation"}, "evaluation": {"password": "development"}},
}
WORDS = st.lists(st.sampled_from(["api", "orders", "test", "internal", "notification-preferences"]), min_size=1)


class Parent:
    """A parent chart with one service for each alias."""

    def __init__(self, chart: Chart, folder: Path, *aliases: str) -> None:
        (folder / "charts").mkdir(parents=True, exist_ok=True)
        for link in (folder / "charts").iterdir():
            link.unlink()
        (folder / "charts" / "service").symlink_to(chart.folder)
        dependencies = [{"name": "aiohttp-service", "version": ">=0-0", "alias": alias} for alias in aliases]
        (folder / "Chart.yaml").write_text(
            f"apiVersion: v2\nname: parent\nversion: 1.0.0\ndependencies: {dependencies}\n"
        )
        self._chart, self._aliases = Chart(chart.helm, folder), aliases

    def render(self, release: str, values: dict[str, Any], **services: dict[str, Any]) -> list[Object]:
        """Return the objects of a release; each service has the values, and its own by its alias."""
        own = {alias: {**IMAGE, **values, **services.get(alias, {})} for alias in self._aliases}
        return self._chart.render(own, release=release)


def names(objects: list[Object]) -> list[tuple[str, str]]:
    return [(each["kind"], each["metadata"]["name"]) for each in objects]


@pytest.mark.parametrize(
    ("release", "aliases"),
    [
        ("orders-api", ["orders", "api"]),
        ("team-payments-staging", ["notification-preferences-api", "notification-preferences-worker"]),
        ("api", ["api", "orders-api"]),
    ],
)
def test_services_of_one_parent_chart_share_no_name(
    chart: Chart, tmp_path: Path, release: str, aliases: list[str]
) -> None:
    objects = Parent(chart, tmp_path, *aliases).render(release, EXTERNAL)
    assert len(names(objects)) == len(set(names(objects)))
    assert len(of_kind(objects, "Deployment")) == len(aliases)


def test_the_alias_is_left_out_where_it_is_the_release_s_name(chart: Chart, tmp_path: Path) -> None:
    objects = Parent(chart, tmp_path, "items", "api").render("items", EXTERNAL)
    assert {each["metadata"]["name"] for each in of_kind(objects, "Deployment")} == {"items", "items-api"}


def test_any_services_of_one_parent_chart_share_no_name_or_are_refused(tools: Path, tmp_path: Path) -> None:
    chart, accepted = Chart(tools / "helm", REPOSITORY / "chart"), 0

    @settings(
        max_examples=25,
        deadline=None,
        derandomize=True,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=[*HealthCheck],
    )
    @given(WORDS, st.lists(WORDS, min_size=2, max_size=2, unique_by=tuple))
    def holds(release_words: list[str], alias_words: list[list[str]]) -> None:
        nonlocal accepted
        release, *aliases = ("-".join(each) for each in (release_words, *alias_words))
        assume(len(release) <= 53)
        try:
            objects = Parent(chart, tmp_path, *aliases).render(release, EXTERNAL)
        except RenderError as error:
            assert "choose another alias, or set fullnameOverride" in str(error)  # noqa: PT017 - not every draw fails
            return
        accepted += 1
        assert len(names(objects)) == len(set(names(objects)))
        assert all(len(name) <= 63 for _, name in names(objects))

    holds()
    assert accepted > 5


def test_a_service_called_as_another_s_object_is_refused(chart: Chart, tmp_path: Path) -> None:
    parent = Parent(chart, tmp_path, "items", "items-internal")
    with pytest.raises(RenderError, match="shop-items-internal ends with -internal, which is how the chart names an"):
        parent.render("shop", EXTERNAL)
    named = {"items-internal": {"fullnameOverride": "inside"}}
    assert len(of_kind(parent.render("shop", EXTERNAL, **named), "Deployment")) == 2


@pytest.mark.parametrize("releases_of_one_start", [[LONG + "-api", LONG + "-web"]])
def test_releases_whose_long_names_begin_alike_share_no_name(chart: Chart, releases_of_one_start: list[str]) -> None:
    for one_release, other in combinations(releases_of_one_start, 2):
        first, second = (chart.render(IMAGE, EXTERNAL, release=each) for each in (one_release, other))
        assert not set(names(first)) & set(names(second))
        assert all(name.startswith(LONG[:31]) for _, name in names(first))


@pytest.fixture(scope="session", params=["0.1.0", "0.2.0"])
def former(request: pytest.FixtureRequest, tools: Path, tmp_path_factory: pytest.TempPathFactory) -> Chart:
    """Return the chart of an earlier release."""
    folder = tmp_path_factory.mktemp("former")
    write_release(releases()[request.param], folder)
    return Chart(tools / "helm", folder / "chart")


@pytest.fixture(scope="session")
def current(tools: Path) -> Chart:
    return Chart(tools / "helm", REPOSITORY / "chart")


def databases(objects: list[Object]) -> list[Object]:
    """Return what may not change in an upgrade: the Cluster's name, and of a StatefulSet all that is immutable."""
    kept = []
    for each in of_kind(objects, "Cluster") + of_kind(objects, "StatefulSet"):
        spec = each["spec"]
        kept.append(
            {
                "name": each["metadata"]["name"],
                **{key: spec.get(key) for key in ("serviceName", "selector", "volumeClaimTemplates", "bootstrap")},
            }
        )
    return kept


@pytest.mark.parametrize("mode", DATABASE_MODES)
@pytest.mark.parametrize(("release", "alias"), RENAMED)
def test_an_upgrade_that_would_rename_a_database_is_refused_and_told_the_way_out(
    former: Chart, current: Chart, tmp_path: Path, release: str, alias: str, mode: str
) -> None:
    values = DATABASE_MODES[mode]
    before = databases(Parent(former, tmp_path / "former", alias).render(release, values))
    parent = Parent(current, tmp_path / "current", alias)
    with pytest.raises(RenderError, match="would begin empty") as refused:
        parent.render(release, values)
    [kept] = before
    name = kept["name"].removesuffix("-database")
    assert f"Set fullnameOverride to {name} if this release has a database of an earlier chart" in str(refused.value)
    after = parent.render(release, values, **{alias: {"fullnameOverride": name}})
    assert databases(after) == before


@pytest.mark.parametrize("mode", DATABASE_MODES)
@pytest.mark.parametrize("release", ["items", "a" * 40])
def test_an_upgrade_of_a_release_of_its_own_keeps_every_name(
    former: Chart, current: Chart, release: str, mode: str
) -> None:
    before, after = (each.render(IMAGE, DATABASE_MODES[mode], release=release) for each in (former, current))
    assert databases(before) == databases(after)
    kept = {pair for pair in names(before) if pair[0] != "Job"}
    assert kept <= set(names(after))


def test_an_override_is_the_name_as_it_is(chart: Chart) -> None:
    objects = chart.render(IMAGE, EXTERNAL, {"fullnameOverride": "no"}, release=LONG)
    assert one(objects, "Deployment")["metadata"]["name"] == "no"
