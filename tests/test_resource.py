"""After `make resource` and `make remove-example` a service passes its checks, as a new one does."""

import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from harness.environments import python_for
from tests.contents import contents
from tests.services import run

EVERY_TYPE = (
    "number:str preferred_delivery_slot_id:str total_cents:int ratio:float paid:bool due:date sent_at:datetime "
    "customer:uuid"
)


def refusal(service: Path, name: str, fields: str, plural: str = "") -> list[str]:
    """Run `make resource` with invalid arguments and return its error message."""
    before = contents(service)
    command = [str(python_for(service)), "-B", "-m", "chassis.development.resource"]
    environment = os.environ | {"NAME": name, "FIELDS": fields, "PLURAL": plural, "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run(command, cwd=service, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert contents(service) == before
    return done.stderr.splitlines()


def test_a_service_with_a_resource_of_its_own_and_without_the_example_is_green(
    new_service: Callable[..., Path], tools: Path
) -> None:
    service = new_service()
    run(service, tools, "make", "resource", "NAME=unpaid_order_invoice", f"FIELDS={EVERY_TYPE}")
    run(service, tools, "make", "resource", "NAME=box", "FIELDS=label:str, width:int")
    run(service, tools, "make", "resource", "NAME=domain", "PLURAL=domains", "FIELDS=host_name:str")
    path = "/v1/unpaid-order-invoices/{unpaid_order_invoice_id}"
    assert path in (service / "openapi.json").read_text(encoding="utf-8")
    run(service, tools, "make", "remove-example")
    for file in ("openapi.json", "README.md", "app/routes.py", "deploy/values.yaml"):
        assert "v1/items" not in (service / file).read_text(encoding="utf-8")
    assert not [path for folder in ("app", "tests/app", "migrations") for path in (service / folder).rglob("*item*")]
    assert " passed" in run(service, tools, "make", "check")


def test_the_example_stays_while_there_is_nothing_else(service: Path) -> None:
    before = contents(service)
    command = [str(python_for(service)), "-B", "-m", "chassis.development.remove_example"]
    done = subprocess.run(command, cwd=service, capture_output=True, text=True, check=False)
    assert (done.returncode, contents(service)) == (1, before)
    assert "make resource" in done.stderr


@pytest.mark.parametrize(
    ("name", "rule"),
    [
        ("Invoice", "NAME=Invoice: should be snake_case"),
        ("unpaid-invoice", "NAME=unpaid-invoice: should be snake_case"),
        ("2nd_invoice", "NAME=2nd_invoice: should be snake_case"),
        ("", "NAME=: should be snake_case"),
        ("i" * 21, f"NAME={'i' * 21}: should be snake_case: lower-case words, a letter first, at most 20 characters"),
        ("invoices", "NAME=invoices: should be singular"),
        ("class", "NAME=class: is a reserved word of Python"),
        ("page", "NAME=page: is a name that Python or the generated files use"),
        ("type", "NAME=type: is a name that Python or the generated files use"),
        ("reference", "NAME=reference: would name its table references, a reserved word of SQL"),
        ("idempotency_key", "NAME=idempotency_key: chassis/migrations/versions/0001_create_idempotency_keys.py"),
        ("$(touch x)", "NAME=$(touch x): should be snake_case"),
        ("item", "NAME=item: app/items already exists"),
        ("route", "NAME=route: app/routes.py already exists"),
    ],
)
def test_a_name_that_cannot_be_used_is_refused_with_its_rule(service: Path, name: str, rule: str) -> None:
    head, *told, example = refusal(service, name, "number:str")
    assert head.startswith("Nothing was written.")
    assert told[0].strip().startswith(rule)
    assert "make resource NAME=" in example


def test_fields_that_cannot_be_used_are_all_refused_with_their_rules(service: Path) -> None:
    wrong = {
        "number:text": "needs a type after a colon, one of str, int,",
        "due": "needs a type after a colon",
        "totalCents:int": "should be snake_case",
        "id:int": "already exists",
        "order:int": "is a reserved word of SQL",
        "lateral:int": "is a reserved word of SQL",
        "xmin:float": "is a system column of PostgreSQL",
        "lambda:int": "is a reserved word of Python",
        "date:date": "is the name of a type",
        "model_name:str": "is a name that pydantic models use",
        "copy:bool": "is a name that pydantic models use",
        "paid:bool": "is listed twice",
    }
    _, *told, _ = refusal(service, "invoice", f"paid:bool {' '.join(wrong)}")
    assert [line.strip().partition(": ")[0] for line in told] == list(wrong)
    for line, rule in zip(told, wrong.values(), strict=True):
        assert line.strip().partition(": ")[2].startswith(rule)
    _, *told, _ = refusal(service, "invoice", "")
    assert told == ["  FIELDS: should name at least one field, each as name:type"]


def test_what_is_in_the_way_of_the_example_s_removal_is_told_and_nothing_is_removed(
    new_service: Callable[..., Path], tools: Path
) -> None:
    service = new_service()
    run(service, tools, "make", "resource", "NAME=box", "FIELDS=label:str")
    routes = service / "app" / "routes.py"
    text = routes.read_text(encoding="utf-8")
    routes.write_text(f"{text}\nMORE = items.read_item\n", encoding="utf-8")
    before = contents(service)
    with pytest.raises(AssertionError, match="uses items outside of its routes"):
        run(service, tools, "make", "remove-example", PYTHONDONTWRITEBYTECODE="1")
    assert contents(service) == before
    routes.write_text(text, encoding="utf-8")
    run(service, tools, "make", "remove-example")
    run(service, tools, "make", "resource", "NAME=item", "FIELDS=label:str")  # a resource that the team has added
    before = contents(service)
    with pytest.raises(AssertionError, match="The example is already removed"):
        run(service, tools, "make", "remove-example", PYTHONDONTWRITEBYTECODE="1")
    assert contents(service) == before


def test_a_service_that_does_not_start_is_left_alone(new_service: Callable[..., Path]) -> None:
    service = new_service()
    (service / "app" / "settings.py").write_text("import nope\n", encoding="utf-8")
    told = refusal(service, "invoice", "number:str")
    assert "does not start" in told[0]
    assert "No module named 'nope'" in told[-1]


def test_a_contents_page_without_its_list_is_left_alone(new_service: Callable[..., Path]) -> None:
    service = new_service()
    routes = service / "app" / "routes.py"
    routes.write_text(routes.read_text(encoding="utf-8").replace("ROUTES: list", "ALL: list"), encoding="utf-8")
    (service / "app" / "__main__.py").write_text("", encoding="utf-8")  # otherwise the application would not start
    assert "no list named ROUTES" in refusal(service, "invoice", "number:str")[0]
