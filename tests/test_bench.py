"""The parsers and helpers of `make bench`, tested on recorded output of hey and vegeta and on real processes."""

import csv
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

from benchmarks import hey, vegeta
from benchmarks.keeping import continued
from benchmarks.limits import Limit, are_possible, limited
from benchmarks.load import requests
from benchmarks.options import Options
from benchmarks.results import Results, Sample, Start, Taken, quantile
from benchmarks.scale import ARTICLE, URLS, connections, in_words, scaled
from harness.repository import REPOSITORY
from harness.usage import cpu_seconds, pss_mib

RECORDED = REPOSITORY / "tests" / "bench"

SAMPLE = Sample(
    experiment="article", subject="bare", operation="get", round=1, connections=200, peak_share=None, rate=None,
    seconds=30.0, failures={"503": 2}, cpu_seconds=21.0, database_cpu_seconds=3.5, memory_mib=60.5, histogram={12: 998},
)  # fmt: skip


def test_every_request_that_hey_made_is_an_answer_or_a_failure() -> None:
    outcome = hey.parse((RECORDED / "hey.txt").read_text(encoding="utf-8"))
    assert outcome.failures == {"503": 6, "EOF": 4}
    assert outcome.histogram.total() == 30 - 6 - 4
    assert outcome.histogram[47] == 1  # 4.708494 ms
    assert outcome.seconds == pytest.approx(0.033825039)


def test_requests_that_hey_made_and_does_not_report_are_noticed() -> None:
    report = (RECORDED / "hey.txt").read_text(encoding="utf-8")
    with pytest.raises(RuntimeError, match="made 31 requests and reports 30"):
        hey.parse(report.replace("30\n", "31\n", 1))


def test_every_request_that_vegeta_began_is_an_answer_or_a_failure() -> None:
    with (RECORDED / "vegeta.csv").open(encoding="utf-8", newline="") as file:
        outcome = vegeta.parse(csv.reader(file), rate=100)
    assert outcome.failures == {"503": 6, "EOF": 4}
    assert outcome.histogram.total() == 30 - 6 - 4
    assert outcome.seconds == pytest.approx(0.3)
    assert max(outcome.histogram) < 70  # the server took 3 ms


def _row(number: int, begun_ms: float, latency_ms: float, status: int = 200, error: str = "") -> list[str]:
    return [str(round(begun_ms * 1e6)), str(status), str(round(latency_ms * 1e6)), "", "", error, "", "", str(number)]


def test_in_an_open_loop_a_latency_counts_from_when_the_request_was_due() -> None:
    # Ten requests a second. Request 0 was sent 5 ms late, and request 2 50 ms late.
    outcome = vegeta.parse([_row(2, 250, 1), _row(0, 5, 1), _row(1, 100, 1)], rate=10)
    assert sorted(outcome.histogram) == [10, 60, 510]


def test_in_a_closed_loop_a_latency_counts_from_when_the_request_was_sent() -> None:
    outcome = vegeta.parse([_row(0, 5, 1), _row(1, 100, 2), _row(2, 250, 3)])
    assert sorted(outcome.histogram) == [10, 20, 30]
    assert outcome.seconds == pytest.approx(0.248)


def test_what_is_due_while_a_load_settles_is_left_out_failures_too() -> None:
    rows = [
        _row(0, 0, 900),
        _row(1, 100, 1, 503, "503 Service Unavailable"),
        _row(2, 200, 1),
        _row(3, 300, 1, 0, "EOF"),
    ]
    outcome = vegeta.parse(rows, rate=10, settle_seconds=0.2)
    assert (outcome.histogram, outcome.failures) == ({10: 1}, {"EOF": 1})
    assert outcome.seconds == pytest.approx(0.2)


def test_an_answer_that_breaks_off_is_a_failure() -> None:
    assert vegeta.parse([_row(0, 0, 1, 200, "unexpected EOF")]).failures == {"unexpected EOF": 1}


def test_a_failure_misses_every_service_level() -> None:
    assert quantile({12: 998}, 0.998, failures=2) == pytest.approx(1.3)
    assert math.isinf(quantile({12: 998}, 0.999, failures=2))


def test_results_are_read_as_they_were_written(tmp_path: Path) -> None:
    results = Results(
        {"article": Taken("2026-01-01T00:00:00+00:00", "abc")},
        False,
        {"cores": "2"},
        {"hey": "v1"},
        "1",
        {"bare": (7.0, 5120.0)},
    )
    results.samples.extend([SAMPLE, replace(SAMPLE, experiment="open-loop", peak_share=0.7, rate=700.0)])
    results.starts.append(Start("bare", 0.5, 45.0))
    results.save(tmp_path / "folder" / "results.json")
    read = Results.load(tmp_path / "folder" / "results.json")
    assert read == results
    assert read.of("open-loop", "bare", "get", 0.7) == results.samples[1:]


def _results(samples: list[Sample], commit: str = "abc", python: str = "3.14.8") -> Results:
    taken = {each.experiment: Taken("2026-01-01T00:00:00+00:00", commit) for each in samples}
    return Results(taken, False, {}, {"python": python}, "1", {}, [Start("bare", 0.5, 45.0)], samples)


OPEN_LOOP = replace(SAMPLE, experiment="open-loop", peak_share=0.7, rate=700.0)


def test_an_experiment_that_is_run_alone_joins_the_others_which_keep_their_commit(tmp_path: Path) -> None:
    file = tmp_path / "results.json"
    _results([SAMPLE, OPEN_LOOP]).save(file)
    joined = continued(replace(_results([OPEN_LOOP], "def"), samples=[], starts=[]), file)
    assert {name: taken.commit for name, taken in joined.taken.items()} == {"article": "abc", "open-loop": "def"}
    assert (joined.samples, len(joined.starts)) == ([SAMPLE], 1)
    comparison = replace(SAMPLE, experiment="comparison")
    assert continued(replace(_results([comparison], "def"), starts=[]), file).starts == []


def test_results_with_other_versions_are_put_aside(tmp_path: Path) -> None:
    file = tmp_path / "results.json"
    _results([SAMPLE]).save(file)
    fresh = _results([OPEN_LOOP], python="3.15.0")
    assert continued(fresh, file) == fresh
    (aside,) = tmp_path.iterdir()
    assert aside != file
    assert Results.load(aside).samples == [SAMPLE]


def test_requests_are_for_other_rows_each_and_the_servers_take_turns() -> None:
    asked = requests("put", ["http://a", "http://b"], 20)
    assert len({request.url.rpartition("/")[2] for request in asked}) == 20
    assert [request.url.startswith("http://a") for request in asked] == [True, False] * 10
    assert len({request.url for request in requests("get", ["http://a"])}) == 1_000


def test_on_as_many_cores_as_the_article_had_it_is_not_scaled() -> None:
    assert {name: scaled(each, 10) for name, each in ARTICLE.items()} == ARTICLE
    assert {name: scaled(each, 64) for name, each in ARTICLE.items()} == ARTICLE
    assert connections(10) == connections(64) == 200


def test_connections_are_scaled_in_equal_parts_for_the_processes_of_hey() -> None:
    assert [connections(cores) for cores in (1, 2, 5, 9)] == [20, 40, 100, 180]
    assert all(connections(cores) % URLS == 0 for cores in range(1, 11))


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


def test_the_scale_tells_what_it_changes() -> None:
    told = in_words(1, enforced=False)
    assert "gunicorn-11: 1 pod with 1 CPU and 3072 MiB in all, 11 processes a CPU and 20 connections a pod" in told
    assert "2 pods with 10 CPU and 6144 MiB in all, 2.2 processes a CPU and 100 connections a pod" in told
    assert "not enforced" in told


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
    with pytest.raises(SystemExit, match="ONLY=speed: there are article, open-loop, comparison"):
        Options.from_environment()


def test_parts_run_in_their_order(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ONLY", "comparison article")
    assert Options.from_environment().only == ("article", "comparison")
