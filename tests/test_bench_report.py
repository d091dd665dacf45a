"""The benchmark report: verdicts, goals, quantiles, sizes and the pages are computed from the results."""

import re
import subprocess
import sys
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import get_args

import pytest

from benchmarks import details, judge, overview, report, sizing
from benchmarks.claims import findings
from benchmarks.goals import goals
from benchmarks.judge import CONTROL
from benchmarks.load import carried
from benchmarks.markdown import renewed
from benchmarks.measurement import DEPLOYMENTS, FLOORS, PEERS, SERVICES, measurement
from benchmarks.results import Conditions, Experiment, Footprint, Operation, Results, Sample, Taken, quantile
from benchmarks.scale import Deployment
from benchmarks.statistics import CONFIDENCE, LEAST_BEYOND, estimate, percent, told_quantile
from harness.repository import REPOSITORY

KEPT = REPOSITORY / "docs" / "benchmarks" / "results.json"
ARTICLE_OPERATIONS: tuple[Operation, ...] = ("get", "post", "put")
ALL_OPERATIONS: tuple[Operation, ...] = ("get", "post", "put", "page")
CPU_US = {"service": 68, "service-without-coalescing": 110, "floor-static": 38, "floor-query": 34}
QUIET = Conditions(steal=0, others=0, load_core=0.5, late_ms=0.1, generator_us=6.5)


def sample(
    subject: str,
    operation: Operation = "get",
    experiment: Experiment = "article",
    *,
    connections: int = 20,
    rate: float | None = None,
    peak_share: float | None = None,
    seconds: float = 10,
    histogram: Mapping[int, int] | None = None,
    failures: Mapping[str, int] | None = None,
    cpu_us: float = 100,
    database_cpu_us: float = 40,
    memory_mib: float = 60,
) -> Sample:
    counts, failed = histogram or {10_000: 100_000}, failures or {}
    requests = sum(counts.values()) + sum(failed.values())
    return Sample(
        experiment, subject, operation, 1, connections, peak_share, rate, seconds, failed, cpu_us * requests / 1e6,
        database_cpu_us * requests / 1e6, memory_mib, counts,
    )  # fmt: skip


def results(samples: Iterable[Sample] = (), footprints: Iterable[Footprint] = (), *, quick: bool = False) -> Results:
    pods, eleven = Deployment(1, 0.7, 512, 1), Deployment(1, 5, 3072, 11)
    deployments = dict.fromkeys(DEPLOYMENTS, pods) | {"gunicorn-11": eleven}
    machine, versions = {"processor": "an abacus"}, {"python": "3.11"}
    taken = Taken("2026-01-01T00:00:00Z", "abc", deployments=deployments)
    return Results(dict.fromkeys(get_args(Experiment), taken), quick, machine, versions, [*footprints], [*samples])


def matrix(**changed: dict[str, object]) -> Results:
    """Return the article's matrix with equal results, except the given samples, by deployment with _ for -."""
    changes = {name.replace("_", "-"): change for name, change in changed.items()}
    return results(
        replace(sample(each, operation), **changes.get(each, {}))  # type: ignore[arg-type]
        for each in DEPLOYMENTS
        for operation in ARTICLE_OPERATIONS
    )


def whole(**cpu_us: float) -> Results:
    """Return a complete run that meets every goal, with the given CPU per request, by subject with _ for -."""
    costs = CPU_US | dict.fromkeys(PEERS, 250) | {name.replace("_", "-"): cost for name, cost in cpu_us.items()}
    samples = [
        sample(each, operation, "matrix", connections=connections, rate=rate, cpu_us=costs[each])
        for connections, rate in ((1, None), (16, None), (64, None), (64, 2_000))
        for each in (*SERVICES, *PEERS, *FLOORS)
        for operation in (ALL_OPERATIONS if each not in (*FLOORS, SERVICES[1]) else ALL_OPERATIONS[:1])
    ]
    samples += [
        sample(each, operation, "tails", connections=64, peak_share=0.7, rate=5_000, cpu_us=costs[each])
        for each in ("service", CONTROL)
        for operation in ALL_OPERATIONS
    ]
    return results([*matrix().samples, *samples], [Footprint(each, 0.5, 44, 60) for each in (*SERVICES, *PEERS)])


def page(of: Results) -> str:
    """Return all pages as one text."""
    return "\n".join(report.pages(of).values())


def verdict(of: Results, claim: str) -> str:
    [found] = [each.verdict for each in findings(of, "article") if claim in each.claim]
    return found


def goal(of: Results, what: str) -> str:
    [found] = [each.verdict for each in goals(of) if what in each.what]
    return found


def test_seven_rounds_give_their_extremes_and_nine_leave_one_out_each_side() -> None:
    seven, nine = estimate([5, 1, 7, 3, 2, 6, 4]), estimate(range(9))
    assert (seven.middle, seven.low, seven.high) == (4, 1, 7)
    assert seven.coverage == pytest.approx(0.984, abs=0.001)
    assert (nine.middle, nine.low, nine.high) == (4, 1, 7)
    assert nine.coverage == pytest.approx(0.961, abs=0.001)


def test_too_few_rounds_say_how_little_they_cover() -> None:
    assert estimate([1.0]).coverage == 0
    assert estimate([1, 2, 3]).coverage == 0.75


def test_many_figures_have_an_estimate_too() -> None:
    found = estimate(range(3001))
    assert found.low < found.middle == 1500 < found.high
    assert found.coverage >= 0.95


def test_a_quantile_that_failures_reach_is_infinite() -> None:
    assert quantile({1000: 980}, 0.99, failures=20) == float("inf")
    assert quantile({1000: 980}, 0.98, failures=20) == 1


def test_a_quantile_is_told_from_ten_requests_beyond_it_on() -> None:
    assert told_quantile({1000: 9_990}, 0.999, failures=9) is None
    assert told_quantile({1000: 10_000}, 0.999, failures=0) == 1
    assert told_quantile({1000: 9_980}, 0.999, failures=20) == float("inf")


def test_a_failure_and_what_is_later_than_the_level_are_misses() -> None:
    one = sample("bare", histogram={100_000: 900, 102_000: 80}, failures={"503": 20})
    found = measurement(results([one]), "article", "bare", "get")
    assert found
    assert found.missed_share(100) == 0.1


def test_results_come_back_as_they_were_kept(tmp_path: Path) -> None:
    kept = results([sample("bare", histogram={3: 7, 4: 5, 90: 1}), *whole().samples], [Footprint("bare", 0.5, 44, 50)])
    kept.save(tmp_path / "results.json")
    assert Results.load(tmp_path / "results.json") == kept


SLOW = {10_000: 99_000, 500_000: 1_000}
FAILED = {"EOF": 2_000}
CLAIMS: list[tuple[str, Results, str]] = [
    ("Bare aiohttp meets", matrix(), "confirmed"),
    ("Bare aiohttp meets", matrix(bare={"histogram": SLOW}), "refuted"),
    ("Bare aiohttp meets", matrix(bare={"histogram": {170_000: 100}}), "changed"),
    ("Gunicorn with one worker meets", matrix(), "confirmed"),
    ("Gunicorn with one worker meets", matrix(gunicorn_1={"failures": FAILED}), "refuted"),
    ("misses the service levels by far", matrix(), "refuted"),
    (
        "misses the service levels by far",
        matrix(gunicorn_11={"histogram": {10_000: 98_000, 500_000: 2_000}}),
        "confirmed",
    ),
    (
        "misses the service levels by far",
        matrix(gunicorn_11={"histogram": {10_000: 98_000, 130_000: 2_000}}),
        "changed",
    ),
    ("30 % more memory", matrix(gunicorn_1={"memory_mib": 78}), "confirmed"),
    ("30 % more memory", matrix(gunicorn_1={"memory_mib": 60}), "refuted"),
    ("30 % more memory", matrix(gunicorn_1={"memory_mib": 120}), "changed"),
    ("2⅓ times the memory", matrix(gunicorn_11={"memory_mib": 700}), "confirmed"),
    ("2⅓ times the memory", matrix(gunicorn_11={"memory_mib": 300}), "refuted"),
    ("43 % more CPU", matrix(gunicorn_11={"cpu_seconds": 14.3}), "confirmed"),
    ("43 % more CPU", matrix(gunicorn_11={"cpu_seconds": 10}), "refuted"),
    (
        "of their CPU limit",
        matrix(gunicorn_11={"cpu_seconds": 50}, gunicorn_1={"cpu_seconds": 7}, bare={"cpu_seconds": 6.8}),
        "confirmed",
    ),
    ("of their CPU limit", matrix(), "refuted"),
    ("is not faster: requests/s", matrix(), "confirmed"),
    ("is not faster: requests/s", matrix(gunicorn_1={"seconds": 8}), "refuted"),
    ("CPU per request", matrix(), "confirmed"),
    ("CPU per request", matrix(gunicorn_11={"cpu_seconds": 5}), "refuted"),
    ("not more stable", matrix(), "confirmed"),
    ("not more stable", matrix(bare={"failures": FAILED}), "refuted"),
    ("`max_requests`", matrix(gunicorn_1_max_requests={"failures": FAILED}), "confirmed"),
    ("`max_requests`", matrix(gunicorn_1_max_requests={"failures": {"503": 2_000}}), "refuted"),
    ("`max_requests`", matrix(), "refuted"),
]


@pytest.mark.parametrize(
    ("claim", "of", "expected"), CLAIMS, ids=[f"{claim}-{expected}" for claim, _, expected in CLAIMS]
)
def test_the_figures_decide_on_a_claim(claim: str, of: Results, expected: str) -> None:
    assert verdict(of, claim) == expected


def test_gunicorn_is_not_called_faster_where_the_rounds_overlap() -> None:
    rounds = [(10, 8), (10, 8), (9, 10)]  # seconds that bare and Gunicorn took for the same number of requests
    of = results(
        sample(each, seconds=seconds)
        for took in rounds
        for each, seconds in zip(("bare", "gunicorn-1"), took, strict=True)
    )
    assert verdict(of, "is not faster: requests/s") == "confirmed"


def test_the_page_compares_the_scaled_deployments_with_the_article_s() -> None:
    text = page(matrix())
    assert "| gunicorn-11 | 1 | 5 | 3,072 | 2.2 | 20 |" in text
    assert "| gunicorn-11, in the article | 2 | 10 | 6,144 | 2.2 | 100 |" in text


def test_results_that_lack_a_part_tell_how_to_measure_it() -> None:
    """Results of 0.4.0 have no deployments, and an interrupted run may have no GETs."""
    before = replace(matrix(), taken={"article": Taken("2026-01-01T00:00:00Z", "abc")})
    assert "<!-- figures: article -->\n\nNot in these results; `make bench ONLY=article`" in page(before)
    posts = results([sample("service", "post", "matrix", connections=64)], [Footprint("service", 0.5, 44, 60)])
    assert "<!-- figures: profiles -->\n\nNot in these results; `make bench ONLY=matrix`" in page(posts)


def test_a_claim_without_figures_has_no_verdict() -> None:
    assert {each.verdict for each in findings(results(), "article")} == {"not measured"}


def test_goals_that_are_reached_are_met() -> None:
    assert {each.verdict for each in goals(whole())} == {"met"}


@pytest.mark.parametrize(
    ("what", "of"),
    [
        ("GET, 1 connection: at most every Python peer", lambda: whole(litestar=60)),
        ("POST, 2,000/s: at most every Python peer", lambda: whole(service=251)),
        ("GET by id without coalescing", lambda: whole(service_without_coalescing=263)),
        ("GET by id, 64 connections: at most the floor", lambda: whole(service=73)),
        ("page of 50, of Litestar's", lambda: whole(litestar=75)),
        ("GET at 70 %", lambda: swapped("service", "get", "tails", histogram={52_000: 200_000})),
        ("PUT at 70 %", lambda: swapped("service", "put", "tails", failures={"503": 5_000})),
        ("idle memory", lambda: replace(whole(), footprints=[Footprint("service", 0.5, 51, 60)])),
        ("start to ready", lambda: replace(whole(), footprints=[Footprint("service", 0.51, 44, 60)])),
    ],
)
def test_goals_that_are_not_reached_are_missed(what: str, of: Callable[[], Results]) -> None:
    assert goal(of(), what) == "**missed**"


def test_a_missed_cell_stands_out_and_a_tie_is_told() -> None:
    """Ahead of the best peer, as much within the intervals, and behind it. The Go service is not compared."""
    for cost, told in ((60, "60.0 < 110 aiohttp"), (110, "110 ≈ 110 aiohttp"), (120, "**120 > 110 aiohttp**")):
        assert f"| {told} |" in page(whole(service=cost, aiohttp=110, go=10))


def test_subjects_are_compared_within_rounds() -> None:
    """On a machine of changing speed, 9 µs for each 10 of a peer is less, although the intervals overlap."""
    speeds = {1: 100, 2: 140, 3: 90, 4: 200, 5: 120, 6: 80, 7: 150}
    samples = [
        replace(sample(subject, "get", "matrix", connections=16, cpu_us=share * cost), round=number)
        for number, cost in speeds.items()
        for subject, share in (("service", 0.9), ("aiohttp", 1.0))
    ]
    assert "| 108 < 120 aiohttp |" in page(results(samples))


def swapped(subject: str, operation: str, experiment: str = "matrix", **change: object) -> Results:
    """Return a complete run in which samples are changed."""
    one = whole()
    return replace(
        one,
        samples=[
            replace(each, **change)  # type: ignore[arg-type]
            if (each.subject, each.operation, each.experiment) == (subject, operation, experiment)
            else each
            for each in one.samples
        ],
    )


def test_a_tail_of_too_few_requests_meets_no_goal() -> None:
    assert goal(swapped("service", "get", "tails", histogram={1_000: 69_000}), "GET at 70 %") == "not measured"


def test_a_tail_is_held_against_the_control_s_in_the_same_rounds() -> None:
    """On a machine that delays everything, the control is slow as well."""
    both = swapped("service", "get", "tails", histogram={48_000: 200_000})
    assert goal(both, "GET at 70 %") == "met"
    assert "| 48.0 | 48.0 | 48.0 | 4.80 × | 4.80 × | 4.80 × |" in page(both)


def test_thrown_away_rounds_are_not_on_the_pages_and_are_counted() -> None:
    """Six good rounds, and one while the host took a tenth of the cores' time."""
    samples = [
        replace(
            sample(subject, "get", "matrix", connections=16, cpu_us=900 if number == 7 else 100),
            round=number,
            conditions=replace(QUIET, steal=0.1) if number == 7 else QUIET,
        )
        for number in range(1, 8)
        for subject in ("service", CONTROL)
    ]
    of = results(samples)
    assert "| 16 connections | service | 100 | 40.0 |" in page(of)
    assert "| matrix | abc | 2026-01-01T00:00:00Z | 6 | 96.9 % | 1 of 7 |" in page(of)
    assert "| 16 connections | service | 100 (100–900) |" in page(replace(of, quick=True))


def test_what_used_its_core_up_is_told() -> None:
    busy = sample("service", "get", "matrix", connections=16, cpu_us=95, seconds=10)
    waiting = replace(
        sample("aiohttp", "get", "matrix", connections=16, cpu_us=20), conditions=replace(QUIET, load_core=1)
    )
    text = report.pages(results([busy, waiting], quick=True))["docs/benchmarks/matrix.md"]
    assert [line.split("|")[-2].strip() for line in text.splitlines() if "| 16 connections" in line] == [
        "server",
        "load's core",
    ]


def test_sizes_are_for_the_dearest_rate_that_was_measured() -> None:
    found = sizing.costs(swapped("service", "get", "tails", cpu_seconds=350 * 0.1))
    assert found
    assert found.cpu_us["get"] == pytest.approx(350)
    assert found.cpu_us["page"] == pytest.approx(68)
    assert found.memory_mib == 60


def test_sizes_are_not_for_a_fixed_rate_at_which_others_take_the_caches() -> None:
    idle = sample("service", "get", "matrix", connections=64, rate=500, cpu_us=900)
    assert sizing.costs(replace(whole(), samples=[*whole().samples, idle])) == sizing.costs(whole())


COSTS = sizing.Costs({"get": 100, "post": 200}, {"get": 20, "post": 60}, 65)


def test_pods_stay_below_their_share_of_a_core() -> None:
    made = sizing.plan(COSTS, {"get": 10_000, "post": 2_000})
    assert made.service_cores == pytest.approx(1.4)
    assert made.pods == 2  # 0.7 core each, which is exactly the limit
    assert made.cpu_millicores == 1000
    assert made.database_cores == pytest.approx(0.32)
    assert sizing.plan(COSTS, {"get": 14_001}).pods == 3


def test_little_load_still_has_two_pods_and_room_to_start() -> None:
    made = sizing.plan(COSTS, {"get": 1})
    assert (made.pods, made.cpu_millicores) == (2, 100)


def test_connections_count_twice_and_memory_has_room_for_bodies() -> None:
    made = sizing.plan(COSTS, {"get": 70_000})
    assert (made.pods, made.connections) == (10, 90)
    assert (COSTS.memory_request_mib, COSTS.memory_limit_mib) == (96, 256)


def test_the_nearest_bottleneck_comes_first() -> None:
    rates: sizing.Rates = {"get": 1_000}
    small, large = (sizing.bottlenecks(sizing.plan(COSTS, rates), rates, cores) for cores in (1, 16))
    assert small[0] == "from 35,000 requests/s on: PostgreSQL's CPU reaches 70 % of 1 cores"
    assert large[0].startswith("from 77,000 requests/s on: 100 connections are enough for 11 pods only")


def test_what_was_not_measured_is_labelled_arithmetic() -> None:
    of = whole()
    assert sizing.basis(of, {"get": 10_000}) == "measured"
    assert sizing.basis(of, {"get": 10_001}) == sizing.basis(of, {"get": 100, "put": 1}) == "arithmetic"
    assert "| 10,000 | measured |" in page(of)
    assert "| 30,000 | arithmetic |" in page(of)


def calculator(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "benchmarks.sizing", *map(str, arguments)]
    return subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=False)


def test_the_calculator_computes(tmp_path: Path) -> None:
    whole().save(tmp_path / "results.json")
    done = calculator("--gets", "2000", "--posts", "100", "--results", tmp_path / "results.json")
    assert done.returncode == 0, done.stderr
    assert re.search(r"^pods +2$", done.stdout, re.MULTILINE)
    assert re.search(r"^basis +arithmetic$", done.stdout, re.MULTILINE)


def test_the_calculator_says_what_is_missing(tmp_path: Path) -> None:
    results([]).save(tmp_path / "results.json")
    assert "make bench ONLY=matrix" in calculator("--gets", "1", "--results", tmp_path / "results.json").stderr
    assert "`make bench` makes one" in calculator("--gets", "1", "--results", tmp_path / "none.json").stderr
    assert "at least one rate" in calculator().stderr


def test_the_page_tells_what_the_chart_s_profiles_carry() -> None:
    text = page(whole(service=100))
    assert "| small | 2 | 100m | 700 | 1,400 | measured | 26 |" in text
    assert "| large | 3 to 11 | 1000m | 7,000 | 21,000 to 77,000 | arithmetic | 98 |" in text


def test_a_quick_run_says_that_it_is_one() -> None:
    quick = replace(whole(), quick=True)
    assert "**Not to be quoted: a quick run, or one on a busy machine.**" in page(quick)


def test_the_readme_has_both_rows_of_coalescing_and_says_when_it_does_nothing() -> None:
    pages = report.pages(whole(aiohttp=112))
    text = pages["README.md"]
    assert "| service | 68.0 | 68.0 | 68.0 |" in text
    assert "| service-without-coalescing | 110 | 110 | 110 |" in text
    assert "It does nothing with one connection" in text
    assert "a GET takes 110 µs with 1 connection, less than aiohttp's 112 µs;" in pages["docs/benchmarks.md"]


def test_figures_replace_those_before_and_the_prose_stays() -> None:
    text = "# Title\n\n<!-- figures: goals -->\nold\n<!-- end of figures -->\n\nProse\n"
    made = renewed(text, {"goals": ["new", ""]})
    assert made == "# Title\n\n<!-- figures: goals -->\n\nnew\n\n<!-- end of figures -->\n\nProse\n"
    with pytest.raises(KeyError, match="goals"):
        renewed(text, {})


def test_all_figures_are_on_a_page() -> None:
    made = {*overview.figures(whole()), "runs", *details.figures(whole())}
    assert {name for name in made if f"<!-- figures: {name} -->" not in page(whole())} == set()


LIMITS = [
    f"gives {CONFIDENCE:.0%} or more".replace("%", " %"),
    f"fewer than {LEAST_BEYOND} requests beyond",
    f"A cell needs {judge.LEAST} good ones",
    f"more than {percent(judge.STEAL)} of the cores' time",
    f"more than {percent(judge.OTHERS)} of the servers' cores",
    f"more than {judge.LATE_MS:g} ms late",
    f"factor of {judge.CPU:g} from its median",
    f"its p50 by more than {judge.P50:g}, or its p99 is more than {judge.P99:g} times",
]
RULES = [
    f"closed loop with {sizing.CLOSED_CONNECTIONS} connections",
    f"Pods: at least {sizing.LEAST_PODS}.",
    f"is planned to use at most {percent(sizing.CPU_SHARE)} of it",
    f"At least {sizing.LEAST_MILLICORES}m, rounded up to a multiple of {sizing.MILLICORES_STEP}m",
    f"a multiple of {sizing.MEMORY_STEP_MIB} MiB",
    f"= {sizing.BODIES_MIB} MiB), rounded up to a power of two",
    f"Connections: {sizing.POD_CONNECTIONS} per pod, twice",
    f"plus {sizing.RESERVE} in reserve. PostgreSQL's default limit is {sizing.MAX_CONNECTIONS}",
    f"Keep {percent(1 - sizing.CPU_SHARE)} of its cores free",
    f"The tables assume {details.DATABASE_CORES} cores",
]


@pytest.mark.parametrize(("name", "told"), [("benchmarks.md", LIMITS), ("benchmarks/sizing.md", RULES)])
def test_the_prose_has_the_limits_of_the_program(name: str, told: list[str]) -> None:
    text = " ".join((REPOSITORY / "docs" / name).read_text(encoding="utf-8").split())
    assert [each for each in told if each not in text] == []


@pytest.mark.skipif(not KEPT.exists(), reason="no results are kept yet")
@pytest.mark.parametrize("experiment", ["article", "cluster"])
def test_what_the_page_says_of_gunicorn_holds(experiment: Experiment) -> None:
    told = {each.claim: each.verdict for each in findings(judge.good(Results.load(KEPT)), experiment)}
    for claim, verdicts in {
        "is not faster: requests/s": {"confirmed"},
        "not more stable": {"confirmed"},
        "CPU per request": {"confirmed"},
        "43 % more CPU": {"confirmed", "changed"},
        "30 % more memory": {"confirmed", "changed"},
        "2⅓ times the memory": {"confirmed", "changed"},
    }.items():
        assert [verdict for name, verdict in told.items() if claim in name] in [[each] for each in verdicts], claim


def test_what_was_not_measured_says_how_to() -> None:
    text = page(results([sample("bare")]))
    assert "<!-- figures: cluster -->\n\nNot in these results; `make bench TARGET=cluster`" in text
    assert "<!-- figures: sizing -->\n\nNot in these results; `make bench ONLY=matrix` measures it." in text
    assert "<!-- figures: goals -->\n\nNot in these results" in text


def test_words_need_no_plotly() -> None:
    program = "import sys, benchmarks.report, benchmarks.sizing; sys.exit('plotly' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], cwd=REPOSITORY, check=False).returncode == 0


def test_all_pictures_are_named_on_a_page() -> None:
    pytest.importorskip("plotly", reason="the benchmark's environment has it")
    from benchmarks import charts

    of = replace(whole(), quick=True)
    of = replace(of, samples=[*of.samples, *(replace(each, experiment="cluster") for each in matrix().samples)])
    made = charts.charts(of)
    for name, figure in made.items():
        assert f"{name}.svg)" in page(of)
        assert "not to be quoted" in [each.text for each in figure.layout.annotations]


def test_charts_stand_what_little_there_is() -> None:
    pytest.importorskip("plotly", reason="the benchmark's environment has it")
    from benchmarks import charts

    assert charts.charts(results()) == {}
    lost = replace(sample("bare", failures={"503": 5}), histogram={})
    alone = replace(sample("service", experiment="matrix", connections=4), database_cpu_seconds=0)
    assert {"cpu"} <= charts.charts(results([lost, alone])).keys()
    assert "5 × 503" in page(results([lost, alone]))


@pytest.mark.skipif(not KEPT.exists(), reason="no results are kept yet")
def test_no_figure_of_the_pages_or_the_readme_is_typed_by_hand() -> None:
    kept = Results.load(KEPT)
    for name, text in report.pages(kept).items():
        assert (REPOSITORY / name).read_text(encoding="utf-8") == text
        for picture in re.findall(r"\((\S+\.svg)\)", text):
            assert ((REPOSITORY / name).parent / picture).exists()
    assert KEPT.stat().st_size < 3_000_000


def test_a_rate_that_the_load_s_core_carries_is_told() -> None:
    text = page(swapped("service", "get", "tails", peak_share=0.52))
    assert "GET at 52 % of the peak: p99.9" in text
    assert "more would fill the core of PostgreSQL and the load" in text
    assert "more would fill" not in page(whole())


@pytest.mark.parametrize(("load_core", "rate"), [(0.5, 1_000), (0.8, 1_000), (0.9, 833), (1.0, 750)])
def test_a_full_core_of_the_load_lowers_the_rate_of_the_tails(load_core: float, rate: int) -> None:
    one = sample("service", "get", "tails", rate=1_000, seconds=100)
    assert carried(replace(one, conditions=replace(QUIET, load_core=load_core))) == rate
