"""`make demo` bakes and starts a service, and leaves no process or file behind."""

import os
import signal
import socket
import subprocess

import pytest

from harness.ports import free_port
from harness.repository import REPOSITORY


@pytest.fixture
def demo_environment() -> dict[str, str]:
    """Return the environment for the demo: separate ports, and no variables of the make that runs these tests."""
    without = {"DATABASE_URL", "MAKEFLAGS", "MFLAGS", "MAKELEVEL"}
    inherited = {name: value for name, value in os.environ.items() if name not in without}
    return inherited | {"PORT": str(free_port()), "INTERNAL_PORT": str(free_port())}


def test_the_tour_ends_by_itself_where_that_was_asked(demo_environment: dict[str, str]) -> None:
    done = subprocess.run(
        ["make", "demo", "ONCE=1"], cwd=REPOSITORY, env=demo_environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    answers = [line[:3] for line in done.stdout.splitlines() if line[:3].isdigit()]
    assert answers == ["201", "200", "200", "200", "200", "422", "204", "404"]


def test_it_serves_until_ctrl_c_and_leaves_nothing_listening(demo_environment: dict[str, str]) -> None:
    process = subprocess.Popen(
        ["make", "demo"],
        cwd=REPOSITORY,
        env=demo_environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    assert process.stdout
    said = ""
    for line in process.stdout:
        said += line
        if "Serving until Ctrl-C" in line:
            break
    assert f"http://127.0.0.1:{demo_environment['PORT']}/docs" in said
    os.killpg(process.pid, signal.SIGINT)  # as a terminal sends it on Ctrl-C
    rest, _ = process.communicate(timeout=60)
    assert process.returncode in {0, -signal.SIGINT}, said + rest  # make ends itself with the same signal
    assert "Traceback" not in rest
    assert "Stopped." in rest
    for name in ("PORT", "INTERNAL_PORT"):
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", int(demo_environment[name])))


def test_a_port_that_is_taken_ends_it_with_the_reason(demo_environment: dict[str, str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        taken = str(listener.getsockname()[1])
        done = subprocess.run(
            ["make", "demo", "ONCE=1"],
            cwd=REPOSITORY,
            env=demo_environment | {"PORT": taken},
            capture_output=True,
            text=True,
            check=False,
        )
    assert done.returncode != 0
    assert f"Cannot listen on 127.0.0.1:{taken}" in done.stderr


def test_the_tour_of_the_order_desk_ends_by_itself(demo_environment: dict[str, str]) -> None:
    command = ["make", "demo", "ONCE=1", "EXAMPLE=order-desk"]
    done = subprocess.run(command, cwd=REPOSITORY, env=demo_environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    answers = [line[:3] for line in done.stdout.splitlines() if line[:3].isdigit()]
    assert answers == ["201", "201", "201", "200", "201", "201", "402", "200", "200"]
    assert "1,1,placed,0.30," in done.stdout
    assert '"status": "placed"' in done.stdout
