"""Background work: what fails starts again, one of several processes runs what is `alone`, and the stop is bounded."""

import asyncio
import gc
import logging
import signal
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from itertools import pairwise
from typing import Any

import asyncpg
import pytest
from aiohttp import ClientSession
from prometheus_client import REGISTRY
from pydantic import SecretStr
from structlog.contextvars import bind_contextvars, get_contextvars, merge_contextvars
from structlog.testing import capture_logs
from structlog.typing import EventDict

from chassis.application import create_application
from chassis.background.lease_row import LeaseRow
from chassis.background.run import run_once
from chassis.background.supervisor import Supervisor
from chassis.background.timing import Timing
from chassis.background.waiting import Backoff
from chassis.database import Connection, Database
from chassis.errors import DatabaseUnavailableError
from chassis.http.client import client_session
from chassis.postgres.pool import Pool
from chassis.resources.injection import Injector
from chassis.server.serve import serve
from chassis.server.signals import Shutdown
from chassis.server.sockets import listen
from chassis.service import Background, Service, every
from chassis.settings import Settings
from chassis.telemetry.health import State
from chassis.testing import OtherService
from chassis.testing.processes import PATIENCE_SECONDS, ServiceProcess, service_process
from harness.toxic_proxy import toxic_proxy
from tests.chassis.background import HOLDER, TIMING

PROCESS = (sys.executable, "-m", "tests.chassis.background")
SLACK_SECONDS = 1.5  # for a slow machine; beside the times that are configured
LEASES = "SELECT count(*) FROM background_leases WHERE expires_at > now()"

Function = Callable[..., Awaitable[None]]


@pytest.fixture
def logged() -> Iterator[list[EventDict]]:
    """The log lines of the test, with the fields that are bound to the context."""
    with capture_logs(processors=[merge_contextvars]) as lines:
        yield lines


@pytest.fixture
def injector(database: Database) -> Injector:
    """An injector that gives the test's database."""
    made = Injector({Database})
    made.values[Database] = database
    return made


@asynccontextmanager
async def supervised(
    injector: Injector,
    *background: Function,
    database: Database | None = None,
    draining: asyncio.Event | None = None,
    timing: Timing = TIMING,
) -> AsyncIterator[Supervisor]:
    """Run background functions until the block ends."""
    supervisor = Supervisor(
        background, injector, database or injector.values[Database], draining or asyncio.Event(), timing
    )
    supervisor.start()
    try:
        yield supervisor
    finally:
        await supervisor.stop()


async def until(true: Callable[[], bool], seconds: float = PATIENCE_SECONDS) -> None:
    """Wait for what has no event."""
    async with asyncio.timeout(seconds):
        while not true():
            await asyncio.sleep(0.005)


def events(lines: list[EventDict]) -> list[str]:
    return [line["event"] for line in lines]


def sample(name: str, **labels: str) -> float:
    return REGISTRY.get_sample_value(name, labels) or 0


class Calls:
    """A background function that notes when its runs begin, and waits for what the test decides.

    Attributes:
        times: of the beginnings, by the event loop's clock.
        running: how many runs there are now.
        most: how many runs there were at the same time.
        let: set while runs may end.
    """

    def __init__(self) -> None:
        self.times: list[float] = []
        self.running = self.most = 0
        self.let = asyncio.Event()

    async def run(self) -> None:
        self.times.append(asyncio.get_running_loop().time())
        self.running += 1
        self.most = max(self.most, self.running)
        try:
            await self.let.wait()
        finally:
            self.running -= 1

    def named(self, name: str) -> Function:
        """Return the function under another name."""

        async def function() -> None:
            await self.run()

        function.__name__ = name
        return function


# How functions are declared


async def ends() -> None: ...


def plain() -> None: ...


class Nobody:
    """A type that nothing gives."""


async def wants_too_much(database: Database, somebody: Nobody) -> None: ...


@pytest.mark.parametrize(
    ("background", "message"),
    [
        ([plain], "test_background.plain: is not a coroutine function: write it as `async def`"),
        ([every(1)(plain)], "test_background.plain: is not a coroutine function"),  # type: ignore[arg-type]
        ([lambda: ends()], "<lambda>: is not a coroutine function"),
        ([wants_too_much], "wants_too_much: nothing gives the parameter 'somebody', as there is no Nobody"),
        ([every(1)(wants_too_much)], "wants_too_much: nothing gives the parameter 'somebody'"),
    ],
)
async def test_what_is_no_background_function_is_named_when_the_service_is_put_together(
    injector: Injector, background: list[Any], message: str
) -> None:
    with pytest.raises(TypeError, match=message):
        Supervisor(background, injector, injector.values[Database], asyncio.Event())


async def test_two_functions_with_one_name_are_refused(injector: Injector) -> None:
    with pytest.raises(ValueError, match="called ends: give each its own name"):
        Supervisor([ends, every(1)(ends)], injector, injector.values[Database], asyncio.Event())


@pytest.mark.parametrize("seconds", [0, -1, float("nan"), float("inf")])
def test_a_schedule_needs_seconds(seconds: float) -> None:
    with pytest.raises(ValueError, match=r"give the seconds between two runs, more than 0: every\(60\)"):
        every(seconds)(ends)


async def test_a_function_with_a_schedule_can_be_called_as_before() -> None:
    calls = Calls()
    calls.let.set()
    decorated = every(60)(calls.named("work"))
    await decorated()
    assert len(calls.times) == 1
    assert (decorated.__name__, decorated.__module__) == ("work", __name__)  # type: ignore[attr-defined]


async def test_one_run_for_a_test_needs_no_lease_and_its_exceptions_propagate(injector: Injector) -> None:
    seen: dict[str, Any] = {}

    @every(60, alone=True)
    async def look(database: Database) -> None:
        seen.update(get_contextvars(), row=await database.fetchrow("SELECT count(*) FROM background_leases"))
        raise LookupError

    bind_contextvars(request_id="of the test")
    with pytest.raises(LookupError):
        await run_once(look, injector)
    assert (seen["background"], seen["row"][0]) == ("look", 0)
    assert seen["request_id"] != get_contextvars()["request_id"] == "of the test"


# Runs


async def test_a_function_that_returns_is_done(injector: Injector, logged: list[EventDict]) -> None:
    calls = Calls()
    calls.let.set()
    async with supervised(injector, calls.named("done")):
        await until(lambda: "background_ended" in events(logged))
        await asyncio.sleep(3 * TIMING.first_retry)
    assert len(calls.times) == 1
    assert [line["background"] for line in logged if line["event"] == "background_ended"] == ["done"]


async def test_a_failure_is_logged_and_counted_and_the_function_starts_again(
    injector: Injector, logged: list[EventDict]
) -> None:
    attempts: list[float] = []

    async def fails_twice() -> None:
        attempts.append(asyncio.get_running_loop().time())
        if len(attempts) < 3:
            raise RuntimeError("the reason")

    before = sample("background_runs_total", function="fails_twice", outcome="failure")
    async with supervised(injector, fails_twice):
        await until(lambda: "background_ended" in events(logged))
    failed = [line for line in logged if line["event"] == "background_failed"]
    assert [(line["log_level"], line["background"], bool(line["exc_info"])) for line in failed] == [
        ("error", "fails_twice", True)
    ] * 2
    assert failed[0]["request_id"] != failed[1]["request_id"]
    assert sample("background_runs_total", function="fails_twice", outcome="failure") - before == 2
    assert sample("background_runs_total", function="fails_twice", outcome="success") == 1
    assert sample("background_run_duration_seconds_count", function="fails_twice") == 3
    assert sample("background_last_success_timestamp_seconds", function="fails_twice") > 1.7e9


def test_pauses_double_up_to_their_bound() -> None:
    backoff = Backoff(Timing())
    for length in (1, 2, 4, 8, 16, 32, 60, 60):
        assert length / 2 <= backoff.pause() <= length
    backoff.reset()
    assert backoff.pause() <= 1


async def test_pauses_grow_unless_a_run_has_lasted(injector: Injector, logged: list[EventDict]) -> None:
    loop = asyncio.get_running_loop()
    ended: dict[float, list[float]] = {0: [], 0.42: []}
    pauses: dict[float, list[float]] = {0: [], 0.42: []}

    async def fails_after(seconds: float) -> None:
        pauses[seconds] += [loop.time() - each for each in ended[seconds][-1:]]
        await asyncio.sleep(seconds)
        ended[seconds].append(loop.time())
        raise RuntimeError

    async def fails_at_once() -> None:
        await fails_after(0)

    async def fails_late() -> None:
        await fails_after(0.42)

    async with supervised(injector, fails_at_once, fails_late, timing=Timing(first_retry=0.05, longest_retry=0.4)):
        await until(lambda: min(map(len, pauses.values())) > 5)
    assert max(pauses[0]) >= 0.2
    assert min(pauses[0.42][-2:]) < 0.2


async def test_no_secret_of_a_call_is_logged(injector: Injector, logged: list[EventDict]) -> None:
    async def calls_somebody() -> None:
        async with ClientSession() as client:
            await client.get("http://127.0.0.1:1/?token=hidden")

    async def waits_for_the_database() -> None:
        raise DatabaseUnavailableError from OSError("refused")

    async with supervised(injector, calls_somebody, waits_for_the_database):
        await until(lambda: {"calls_somebody", "waits_for_the_database"} <= {each.get("background") for each in logged})
    failed = [line for line in logged if line["event"] == "background_failed"]
    assert not [line for line in failed if "hidden" in str(line) or "exc_info" in line]
    assert "OSError: refused" in {line["reason"] for line in failed}


async def test_a_cancellation_that_nobody_asked_for_is_a_failure(injector: Injector, logged: list[EventDict]) -> None:
    async def awaits_what_is_cancelled() -> None:
        future = asyncio.get_running_loop().create_future()
        future.cancel()
        await future

    async with supervised(injector, awaits_what_is_cancelled):
        await until(lambda: events(logged).count("background_failed") == 2)


async def test_rounds_come_at_their_times_and_never_overlap(injector: Injector) -> None:
    calls = Calls()
    calls.let.set()
    async with supervised(injector, every(0.1)(calls.named("rounds"))):
        await until(lambda: len(calls.times) == 6)
        calls.let.clear()
        await until(lambda: calls.running == 1)
        number = len(calls.times)
        await asyncio.sleep(0.3)  # two rounds would be due
        assert len(calls.times) == number
        calls.let.set()
        await until(lambda: len(calls.times) > number)
    between = [after - before for before, after in pairwise(calls.times[:5])]
    assert min(between) >= 0.09
    assert calls.most == 1


async def test_the_lines_and_the_calls_of_a_run_have_its_id(
    injector: Injector, logged: list[EventDict], other_service: OtherService
) -> None:
    other_service.answer("GET", "/", {})
    with_client = Injector({ClientSession})
    ids: list[str] = []

    async def calls_the_other_service(client: ClientSession) -> None:
        bind_contextvars(order=len(ids))
        ids.append(get_contextvars()["request_id"])
        await client.get(other_service.url)

    async with client_session(1) as client:
        with_client.values[ClientSession] = client
        async with supervised(with_client, every(0.01)(calls_the_other_service), database=injector.values[Database]):
            await until(lambda: events(logged).count("background_run") > 1)
    lines = [line for line in logged if line["event"] == "background_run"][:2]
    assert [line["log_level"] for line in lines] == ["debug"] * 2
    assert [line["request_id"] for line in lines] == ids[:2]
    assert [call.headers["X-Request-ID"] for call in other_service.calls[:2]] == ids[:2]
    assert [line["order"] for line in lines] == [0, 1]
    assert len(set(ids)) == len(ids)


# The stop


async def test_while_the_service_drains_runs_go_on_and_none_begins(injector: Injector) -> None:
    draining, rounds, endless = asyncio.Event(), Calls(), Calls()
    async with supervised(injector, every(0.02)(rounds.named("rounds")), endless.named("endless"), draining=draining):
        await until(lambda: rounds.running == endless.running == 1)
        draining.set()
        rounds.let.set()
        await until(lambda: rounds.running == 0)
        await asyncio.sleep(0.1)  # some rounds would be due
        assert (len(rounds.times), endless.running) == (1, 1)
    assert endless.running == 0


async def test_after_the_drain_runs_are_cancelled_and_their_end_is_awaited(injector: Injector) -> None:
    begun, ended = asyncio.Event(), list[str]()

    async def tidy() -> None:
        begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0.1)
            ended.append("tidy")

    before = sample("background_runs_total", function="tidy", outcome="cancelled")
    async with supervised(injector, tidy) as supervisor:
        await begun.wait()
        await supervisor.stop()
        assert ended == ["tidy"]
    assert sample("background_runs_total", function="tidy", outcome="cancelled") - before == 1


async def test_a_function_that_ignores_its_cancellation_is_abandoned(
    injector: Injector, logged: list[EventDict]
) -> None:
    begun, over, loop = asyncio.Event(), asyncio.Event(), asyncio.get_running_loop()

    async def stubborn() -> None:
        begun.set()
        while not over.is_set():
            with suppress(asyncio.CancelledError):
                await over.wait()

    async with supervised(injector, stubborn, timing=Timing(stop=0.2)) as supervisor:
        await begun.wait()
        started = loop.time()
        await supervisor.stop()
        assert 0.2 <= loop.time() - started < 0.2 + SLACK_SECONDS
    assert [line["functions"] for line in logged if line["event"] == "background_abandoned"] == [["stubborn"]]
    over.set()
    await asyncio.sleep(0.01)


async def test_a_thousand_starts_and_stops_leave_nothing_behind(
    database_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    rounds, endless, alone = Calls(), Calls(), Calls()
    rounds.let.set()
    background: list[Function] = [
        every(0.001)(rounds.named("rounds")),
        endless.named("endless"),
        Background(function=alone.named("alone"), alone=True),
    ]
    async with Pool(Settings(database_url=SecretStr(database_url))) as pool:
        made = Injector({Database})
        made.values[Database] = pool
        tasks = asyncio.all_tasks()
        for number in range(1000):
            async with supervised(made, *background):
                await asyncio.sleep(0)  # stopped at different points
                if number % 5 == 0:
                    await asyncio.sleep(number / 1e6)
                if number % 50 == 0:
                    await until(lambda: alone.running == 1)
            assert asyncio.all_tasks() == tasks
        assert pool.size == pool.idle
        row = await pool.fetchrow(LEASES)
        assert row
        assert row[0] == 0
    gc.collect()
    assert (rounds.running, endless.running, alone.running) == (0, 0, 0)
    assert not [record for record in caplog.records if record.levelno >= logging.WARNING]


# One process of all


async def test_one_of_two_runs_it_and_the_other_takes_over_at_the_stop(
    injector: Injector, logged: list[EventDict]
) -> None:
    first, second = Calls(), Calls()
    async with supervised(injector, Background(function=second.named("turn"), alone=True)) as other:
        await until(lambda: second.running == 1)
        assert sample("background_lease_held", function="turn") == 1
        async with supervised(injector, Background(function=first.named("turn"), alone=True)):
            await asyncio.sleep(3 * TIMING.renew)
            assert (first.running, second.running) == (0, 1)
            await other.stop()
            await until(lambda: first.running == 1, 2 * TIMING.poll + SLACK_SECONDS)  # before the lease expires
            assert second.running == 0
    assert [each for each in events(logged) if "lease" in each] == ["lease_taken", "lease_released"] * 2
    assert sample("background_lease_held", function="turn") == 0


async def test_an_idle_holder_gives_its_lease_up_when_the_drain_begins(injector: Injector) -> None:
    """No round comes earlier because the holder changes, by the clock of the database."""
    first, second, draining = Calls(), Calls(), asyncio.Event()
    first.let.set()
    second.let.set()
    last_run = "SELECT last_run_at FROM background_leases WHERE name = 'idle'"
    timing = replace(TIMING, lease=60)
    async with supervised(injector, every(0.5, alone=True)(first.named("idle")), draining=draining, timing=timing):
        await until(lambda: bool(first.times))
        async with supervised(injector, every(0.5, alone=True)(second.named("idle"))):
            draining.set()
            (before,) = await injector.values[Database].fetch(last_run)
            await until(lambda: bool(second.times), 0.5 + 2 * TIMING.poll + SLACK_SECONDS)
            (after,) = await injector.values[Database].fetch(last_run)
    assert len(first.times) == len(second.times) == 1
    assert (after[0] - before[0]).total_seconds() >= 0.495


async def test_a_stop_does_not_interrupt_the_release_of_a_lease(
    database_url: str, injector: Injector, database: Database
) -> None:
    """Without a drain, the stop follows at once, while an idle holder releases its lease."""
    for turns in range(0, 60, 3):
        calls, draining = Calls(), asyncio.Event()
        calls.let.set()
        # A new connection has to prepare the statement first.
        async with Pool(Settings(database_url=SecretStr(database_url))) as pool:
            idle = every(60, alone=True)(calls.named(f"idle_{turns}"))
            async with supervised(injector, idle, database=pool, draining=draining):
                await until(lambda times=calls.times: bool(times))  # type: ignore[misc]
                draining.set()
                for _ in range(turns):
                    await asyncio.sleep(0)
        row = await database.fetchrow(LEASES)
        assert row
        assert row[0] == 0


@pytest.mark.parametrize("how", ["failed", "cancelled"])
async def test_the_next_holder_repeats_a_round_at_once_that_was_not_done(injector: Injector, how: str) -> None:
    begun = asyncio.Event()

    async def day() -> None:
        begun.set()
        if how == "failed":
            raise RuntimeError
        await asyncio.Event().wait()

    for _ in range(2):
        begun.clear()
        async with supervised(injector, every(86400, alone=True)(day)):
            await asyncio.wait_for(begun.wait(), PATIENCE_SECONDS)


async def test_a_function_that_is_done_is_not_run_again_while_its_process_lives(injector: Injector) -> None:
    first, second = Calls(), Calls()
    first.let.set()
    async with supervised(injector, Background(function=first.named("import_once"), alone=True)):
        await until(lambda: bool(first.times))
        async with supervised(injector, Background(function=second.named("import_once"), alone=True)):
            await asyncio.sleep(1.2 * TIMING.lease)
            assert (len(first.times), len(second.times)) == (1, 0)


async def test_a_run_is_cancelled_when_another_process_has_the_lease(
    injector: Injector, logged: list[EventDict]
) -> None:
    """Somebody changes the row by hand, for example."""
    calls = Calls()
    async with supervised(injector, Background(function=calls.named("robbed"), alone=True)):
        await until(lambda: calls.running == 1)
        database = injector.values[Database]
        await database.fetch("UPDATE background_leases SET holder = 'another', expires_at = now() + interval '1 s'")
        await until(lambda: calls.running == 0, TIMING.renew + SLACK_SECONDS)
        assert [each["reason"] for each in logged if each["event"] == "lease_lost"] == ["another process has taken it"]
        await until(lambda: calls.running == 1, 1 + TIMING.poll + SLACK_SECONDS)


async def test_without_its_database_a_holder_stops_before_its_lease_expires(
    database_url: str, injector: Injector, logged: list[EventDict]
) -> None:
    """Meanwhile other functions go on, the log has one line for the wait, and another process takes over."""
    calls, others, beside = Calls(), Calls(), Calls()
    beside.let.set()
    async with toxic_proxy(database_url) as proxy:
        settings = Settings(database_url=SecretStr(proxy.url), database_pool_size=2)
        async with Pool(settings) as pool:
            background: list[Function] = [
                Background(function=calls.named("cut_off"), alone=True),
                every(0.05)(beside.named("beside")),
            ]
            async with supervised(injector, *background, database=pool):
                await until(lambda: calls.running == 1)
                cut = asyncio.get_running_loop().time()
                proxy.blackhole()
                async with supervised(injector, Background(function=others.named("cut_off"), alone=True)):
                    await until(lambda: calls.running + others.running == 0, TIMING.lease + SLACK_SECONDS)
                    assert asyncio.get_running_loop().time() - cut < TIMING.lease
                    await until(lambda: others.running == 1, TIMING.lease + SLACK_SECONDS)
                    assert calls.running == 0
                    number = len(beside.times)
                    await until(lambda: len(beside.times) > number + 3)
                    await until(lambda: "lease_waiting" in events(logged))
                    await asyncio.sleep(10 * TIMING.poll)
                proxy.heal()
                await until(lambda: calls.running == 1)
    assert [each for each in events(logged) if each in {"lease_lost", "lease_waiting"}] == [
        "lease_lost",
        "lease_waiting",
    ]


async def test_a_run_that_swallows_its_cancellation_does_not_begin_another_round(injector: Injector) -> None:
    begun: list[int] = []
    database = injector.values[Database]

    async def swallows() -> None:
        begun.append(1)
        with suppress(asyncio.CancelledError):
            await asyncio.Event().wait()

    async with supervised(injector, every(0.01, alone=True)(swallows)):
        await until(lambda: len(begun) == 1)
        await database.fetch("UPDATE background_leases SET holder = 'another', expires_at = now() + interval '5 s'")
        await asyncio.sleep(2 * TIMING.renew)
        assert len(begun) == 1


async def test_after_a_lost_lease_no_round_begins_before_the_next_lease(
    database_url: str, injector: Injector, logged: list[EventDict]
) -> None:
    """The run swallows its cancellation, the database answers again at that moment, and nobody else has taken it."""
    seen: list[list[str]] = []
    timeouts = {"database_lock_timeout_seconds": 0.2, "database_statement_timeout_seconds": 0.3}
    async with toxic_proxy(database_url) as proxy:
        settings = Settings(database_url=SecretStr(proxy.url)).model_copy(
            update=timeouts | {"database_command_timeout_seconds": 0.5}
        )

        async def swallows() -> None:
            seen.append(events(logged))
            proxy.blackhole()
            with suppress(asyncio.CancelledError):
                await asyncio.Event().wait()
            proxy.heal()

        async with Pool(settings) as pool, supervised(injector, every(0.01, alone=True)(swallows), database=pool):
            await until(lambda: len(seen) == 2)
            proxy.heal()
    assert [each for each in seen[1] if each in {"lease_lost", "lease_taken"}] == [
        "lease_taken",
        "lease_lost",
        "lease_taken",
    ]


async def test_of_many_that_take_a_lease_at_once_one_gets_it(database: Database) -> None:
    rows = [LeaseRow(database, "wanted", str(number), 60) for number in range(20)]
    for _ in range(20):
        taken = await asyncio.gather(*(row.take() for row in rows))
        assert taken.count(True) == 1
        assert await asyncio.gather(*(row.release(run_ended=True) for row in rows)) == taken


# In a service


class Thing:
    """A resource."""


async def test_a_service_runs_it_from_its_readiness_until_after_its_drain(settings: Settings) -> None:
    happened, rounds = list[str](), Calls()
    rounds.let.set()

    async def thing() -> AsyncIterator[Thing]:
        happened.append("resource opened")
        yield Thing()
        happened.append("resource closed")

    async def work(thing: Thing, database: Database) -> None:
        happened.append("work began")
        try:
            await asyncio.Event().wait()
        finally:
            await database.fetch("SELECT 1")
            happened.append("work ended")

    background: list[Function] = [work, every(0.01)(rounds.named("rounds_of_a_service"))]
    service = Service(settings=Settings, routes=[], resources=[thing], background=background)
    application = create_application(service, settings.model_copy(update={"drain_seconds": 0.3}))
    shutdown = Shutdown()
    with listen("127.0.0.1", 0) as api, listen("127.0.0.1", 0) as internal:
        served = asyncio.create_task(serve(application, [api], [internal], shutdown))
        await until(lambda: "work began" in happened and len(rounds.times) > 2)
        assert application.health.state is State.READY
        shutdown.request()
        await application.health.draining.wait()
        number, until_now = len(rounds.times), list(happened)
        await asyncio.sleep(0.2)  # in the drain
        assert (len(rounds.times), happened) == (number, until_now)
        await served
    assert happened == ["resource opened", "work began", "work ended", "resource closed"]


async def test_a_service_does_not_start_with_a_function_that_it_cannot_run(settings: Settings) -> None:
    with pytest.raises(TypeError, match="wants_too_much: nothing gives the parameter 'somebody'"):
        create_application(Service(settings=Settings, routes=[], background=[wants_too_much]), settings)


# Real processes


@asynccontextmanager
async def process(database_url: str, *also: str) -> AsyncIterator[ServiceProcess]:
    async with service_process(database_url, [*PROCESS, database_url, *also], ready=False) as started:
        yield started


@pytest.fixture
async def connection(database_url: str) -> AsyncIterator[Connection]:
    """A connection to the database, with the table that the rounds write to."""
    connection = await asyncpg.connect(database_url)
    await connection.execute("CREATE TABLE rounds (at timestamptz)")
    yield connection
    await connection.execute("DROP TABLE rounds")
    await connection.close()


async def test_another_process_takes_over_from_one_that_was_killed(database_url: str, connection: Connection) -> None:
    loop = asyncio.get_running_loop()
    async with process(database_url) as first, process(database_url) as second:
        _, waiting = await asyncio.wait(
            [holding := asyncio.create_task(each.until_logged("endless")) for each in (first, second)],
            return_when=asyncio.FIRST_COMPLETED,
        )
        holder, other = (second, first) if holding.done() else (first, second)
        holder.process.kill()
        killed = loop.time()
        (taking,) = waiting
        line = await taking
        taken = loop.time() - killed
        assert TIMING.lease - TIMING.renew - 0.2 <= taken <= TIMING.lease + 2 * TIMING.poll + SLACK_SECONDS
        assert line["holder"] == await connection.fetchval(HOLDER)
        assert f":{other.process.pid}:" in line["holder"]
        await connection.execute("DELETE FROM rounds WHERE at < now() - interval '0.5 s'")
        while await connection.fetchval("SELECT count(*) FROM rounds") < 3:
            await other.until_logged("round")
    # Give or take a tenth. Two rounds of different processes are a second apart.
    gaps = "SELECT extract(epoch FROM at - lag(at) OVER (ORDER BY at)) FROM rounds"
    assert min(float(row[0]) for row in await connection.fetch(gaps) if row[0] is not None) >= 0.89


async def test_rounds_keep_their_distance_when_their_process_changes(database_url: str, connection: Connection) -> None:
    """Rounds of a second, from three processes, of which the first and the second are stopped."""
    async with process(database_url) as first, process(database_url) as second, process(database_url) as third:
        await first.until_logged("background_started")
        await second.until_logged("background_started")
        for each in (first, second):
            while await connection.fetchval("SELECT count(*) FROM rounds") < 2:
                await asyncio.sleep(0.05)
            each.process.send_signal(signal.SIGTERM)
            assert await each.until_ended() == 0
            await connection.execute("DELETE FROM rounds WHERE at < (SELECT max(at) FROM rounds)")
        await third.until_logged("round")
        gap = "SELECT extract(epoch FROM max(at) - min(at)) FROM rounds"
        while await connection.fetchval("SELECT count(*) FROM rounds") < 2:
            await asyncio.sleep(0.05)
        assert await connection.fetchval(gap) >= 0.89


async def test_a_process_ends_although_a_function_ignores_its_cancellation(
    database_url: str, connection: Connection
) -> None:
    async with process(database_url, "stubborn") as running:
        await running.until_logged("round")
        running.process.send_signal(signal.SIGTERM)
        assert await running.until_ended() == 0
    found = [line for line in running.lines if line["event"] == "background_abandoned"]
    assert [line["functions"] for line in found] == [["stubborn"]]
    assert await connection.fetchval(LEASES) == 0


async def test_a_function_that_never_yields_is_named_in_the_log(database_url: str, connection: Connection) -> None:
    async with process(database_url, "blocks") as running:
        line = await running.until_logged("event_loop_blocked")
        assert line["where"].startswith("tests/chassis/background.py:")
        assert line["where"].endswith(" in blocks")
