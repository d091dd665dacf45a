"""The parts of `make e2e` that need no cluster."""

import os
import re
import subprocess

from e2e import cnpg
from e2e.scenarios import QUICK, SCENARIOS
from e2e.scenarios.migrating import LOCK
from harness.repository import REPOSITORY, SERVICE


def test_without_a_cluster_it_says_what_is_missing() -> None:
    variables = {name: value for name, value in os.environ.items() if name != "KUBECONFIG"}
    done = subprocess.run(["make", "e2e"], cwd=REPOSITORY, env=variables, capture_output=True, text=True, check=False)
    assert done.returncode != 0
    assert "KUBECONFIG is not set" in done.stderr


def test_the_quick_run_names_scenarios_that_are_there() -> None:
    assert set(QUICK) < set(SCENARIOS)


def test_migrations_are_held_back_by_their_own_lock() -> None:
    source = (REPOSITORY / SERVICE / "chassis" / "migrations" / "run.py").read_text(encoding="utf-8")
    found = re.search(r"(?m)^_LOCK = (\w+)", source)
    assert found
    assert int(found[1], 16) == LOCK


def test_the_operator_on_kind_has_the_version_of_the_resource_definitions() -> None:
    assert cnpg.MODULE in (REPOSITORY / "e2e" / "kind" / "up").read_text(encoding="utf-8")
