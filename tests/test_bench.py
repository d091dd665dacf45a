"""The helpers of `make bench`: results, requests, the article's scale, and figures of real processes."""

import math
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from subprocess import PIPE

import pytest
import yaml

from benchmarks.keeping import continued
from benchmarks.limits import Limit, are_possible, limited
from benchmarks.load import requests
from benchmarks.options import Options
from benchmarks.results import Conditions, Experiment, Footprint, Results, Sample, Taken, quantile
from benchmarks.scale import ARTICLE, connections, scaled
from harness.load_generator import NEW_KEY
from harness.repository import REPOSITORY
from harness.usage import core_usage, cpu_seconds, pss_mib

SAMPLE = Sample(
    experiment="article", subject="bare", operation="get", round=1, connections=200, peak_share=None, rate=None,
    seconds=30.0, failures={"503": 2}, cpu_seconds=21.0, database_cpu_seconds=3.5, memory_mib=60.5,
    histogram={1300: 998}, conditions=Conditions(0.0, 0.01, 0.5, 0.2, 6.5),
)  # fmt: skip


def test_a_failure_misses_every_service_level() -> None:
    assert quantile({1300: 998}, 0.998, failures=2) == pytest.approx(1.3)
    assert math.isinf(quantile({1300: 998}, 0.999, failures=2))


def test_results_are_read_as_they_were_written(tmp_path: Path) -> None:
    taken = Taken("2026-01-01T00:00:00+00:00", "abc", deployments=ARTICLE)
    results = Results({"article": taken}, False, {"cores": "2"}, {"python": "3.14.8"})
    results.samples.extend([SAMPLE, replace(SAMPLE, experiment="tails", peak_share=0.7, rate=700.0, conditions=None)])
    results.footprints.append(Footprint("bare", 0.5, 45.0, 50.0))
    results.save(tmp_path / "folder" / "results.json")
    read = Results.load(tmp_path / "folder" / "results.json")
    assert read == results
    assert read.of("tails", "bare", "get", "70 % of the peak") == results.samples[1:]


def _results(samples: list[Sample], commit: str = "abc", python: str = "3.14.8") -> Results:
    taken = {each.experiment: Taken("2026-01-01T00:00:00+00:00", commit) for each in samples}
    return Results(taken, False, {}, {"python": python}, [Footprint("bare", 0.5, 45.0, 50.0)], samples)


TAIL = replace(SAMPLE, experiment="tails", peak_share=0.7, rate=700.0)


def test_an_experiment_that_is_run_alone_joins_the_others_which_keep_their_commit(tmp_path: Path) -> None:
    file = tmp_path / "results.json"
    _results([SAMPLE, TAIL]).save(file)
    joined = continued(replace(_results([TAIL], "def"), samples=[], footprints=[]), file)
    assert {name: taken.commit for name, taken in joined.taken.items()} == {"article": "abc", "tails": "def"}
    assert (joined.samples, len(joined.footprints)) == ([SAMPLE], 1)
    matrix = replace(SAMPLE, experiment="matrix")
    assert continued(replace(_results([matrix], "def"), footprints=[]), file).footprints == []


def test_a_cluster_has_limits_of_its_own_and_joins_the_others(tmp_path: Path) -> None:
    file = tmp_path / "results.json"
    _results([SAMPLE]).save(file)
    fresh = _results([replace(SAMPLE, experiment="cluster")])
    taken: dict[Experiment, Taken] = {"cluster": replace(fresh.taken["cluster"], deployments=ARTICLE)}
    joined = continued(replace(fresh, taken=taken), file)
    assert [each.experiment for each in joined.samples] == ["article"]
    assert (joined.taken["article"].deployments, joined.taken["cluster"].deployments) == ({}, ARTICLE)


def test_results_with_other_versions_are_put_aside(tmp_path: Path) -> None:
    file = tmp_path / "results.json"
    _results([SAMPLE]).save(file)
    fresh = _results([TAIL], python="3.15.0")
    assert continued(fresh, file) == fresh
    (aside,) = tmp_path.iterdir()
    assert aside != file
    assert Results.load(aside).samples == [SAMPLE]


def test_requests_are_for_other_rows_each_and_a_key_is_new_each_time() -> None:
    asked = requests("put", "items.example")
    assert len({request.partition(b" HTTP")[0] for request in asked}) == len(asked) == 1_000
    assert all(b"Host: items.example\r\n" in request for request in asked)
    [post] = requests("keyed-post")
    assert f"Idempotency-Key: {NEW_KEY}".encode() in post


def test_on_as_many_cores_as_the_article_had_it_is_not_scaled() -> None:
    assert {name: scaled(each, 10) for name, each in ARTICLE.items()} == ARTICLE
    assert {name: scaled(each, 64) for name, each in ARTICLE.items()} == ARTICLE
    assert connections(10) == connections(64) == 200


def test_connections_are_scaled_with_the_cores() -> None:
    assert [connections(cores) for cores in (0.4, 1, 2, 5, 9)] == [20, 20, 40, 100, 180]


@pytest.mark.parametrize("name", ["bare", "gunicorn-1", "gunicorn-11"])
def test_the_charts_profiles_of_the_article_are_what_is_measured(name: str) -> None:
    profile = yaml.safe_load((REPOSITORY / "chart" / "profiles" / f"article-{name}.yaml").read_text(encoding="utf-8"))
    then, limit = ARTICLE[name], ARTICLE[name].limit
    assert (profile["replicas"], profile["gunicorn"].get("workers", 1)) == (then.pods, then.workers)
    assert profile["resources"]["limits"] == {"cpu": f"{limit.cpu * 1000:.0f}m", "memory": f"{limit.memory_mib:.0f}Mi"}


@pytest.mark.parametrize(
    ("cores", "name", "pods", "cpu", "memory_mib"),
    [
        (1, "bare", 1, 0.7, 512),
        (1, "gunicorn-11", 1, 1, 3072),
        (5, "bare", 5, 3.5, 2560),
        (8, "gunicorn-11", 2, 8, 6144),
    ],
)
def test_cpu_and_pods_are_scaled_to_the_cores_and_a_pods_memory_is_not(
    cores: int, name: str, pods: int, cpu: float, memory_mib: float
) -> None:
    here = scaled(ARTICLE[name], cores)
    assert (here.pods, here.workers) == (pods, ARTICLE[name].workers)
    assert here.cpu == pytest.approx(cpu)
    assert here.memory_mib == pytest.approx(memory_mib)
    assert here.limit.cpu * here.pods == pytest.approx(cpu)


@contextmanager
def _running(program: str) -> Iterator[subprocess.Popen[str]]:
    """Start a program, wait until it reports that it is done, and end it when the block ends."""
    with subprocess.Popen([sys.executable, "-c", program], stdin=PIPE, stdout=PIPE, text=True) as process:
        assert process.stdout
        assert process.stdout.readline() == "done\n"
        yield process
        process.communicate()


_FAMILY = """
import os, sys, threading, time

def work():
    while time.process_time() < 0.3:
        pass

if not os.fork():
    work()
    os._exit(0)
os.wait()

def other():
    if not os.fork():
        work()
        print("done", flush=True)
        sys.stdin.read()
        os._exit(0)
    threading.Event().wait()  # the child of a thread that ends becomes the main thread's

threading.Thread(target=other, daemon=True).start()
sys.stdin.read()
"""


def test_cpu_time_is_that_of_all_processes_below_those_that_have_ended_included() -> None:
    with _running(_FAMILY) as process:
        taken = cpu_seconds(process.pid)
    assert 0.58 <= taken < 0.9  # two times 0.3 s, rounded down to clock ticks, plus the start of the interpreter


def test_what_a_core_did_is_told_by_its_idle_time() -> None:
    """A busy core is in use for as long as its work takes, apart from what else runs on it."""
    [core, *_] = sorted(os.sched_getaffinity(0))
    before = core_usage()
    command = ["taskset", "--cpu-list", str(core), sys.executable, "-c", _BUSY]
    took = float(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
    used = core_usage().since(before)
    assert 0 <= used.steal < 0.5
    assert took / used.seconds - 0.1 < used.busy([core]) <= 1


_SHARING = """
import os, sys
mine = bytearray(64 * 2**20)
for at in range(0, len(mine), 4096):
    mine[at] = 1
if not os.fork():
    print("done", flush=True)
sys.stdin.read()
"""


def test_memory_that_processes_share_counts_once() -> None:
    with _running(_SHARING) as process:
        taken = pss_mib(process.pid)
    assert 64 < taken < 96


_BUSY = """
import time
end = time.monotonic() + 0.5
while time.monotonic() < end:
    pass
print(time.process_time())
"""


@pytest.mark.skipif(not are_possible(), reason="control groups are root's")
def test_a_limit_holds_for_what_enters_it() -> None:
    with limited(f"test-{os.getpid()}", Limit(cpu=0.1, memory_mib=64)) as entering:
        done = subprocess.run([*entering, sys.executable, "-c", _BUSY], capture_output=True, text=True, check=True)
        big = [*entering, sys.executable, "-c", "bytearray(256 * 2**20)"]
        killed = subprocess.run(big, capture_output=True, check=False)
    assert float(done.stdout) < 0.2
    assert killed.returncode != 0


def test_an_unknown_part_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ONLY", "article speed")
    with pytest.raises(SystemExit, match="ONLY=speed: there are article, matrix, tails"):
        Options.from_environment()


def test_parts_run_in_their_order(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ONLY", "matrix article")
    assert Options.from_environment().only == ("article", "matrix")
