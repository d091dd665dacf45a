"""`make resource` and `make remove-example`: a service of one's own is as green as the one that was baked."""

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.baking import contents
from tests.services import python_for, run

EVERY_TYPE = "number:str total_cents:int ratio:float paid:bool due:date sent_at:datetime customer:uuid"


def refusal(service: Path, *arguments: str) -> list[str]:
    """What is said of a resource that is not written."""
    before = contents(service)
    command = [str(python_for(service)), "-B", "-m", "chassis.development.resource", *arguments]
    done = subprocess.run(command, cwd=service, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert contents(service) == before
    return done.stderr.splitlines()


def test_a_service_with_a_resource_of_its_own_and_without_the_example_is_green(
    new_service: Callable[..., Path], tools: Path
) -> None:
    service = new_service()
    run(service, tools, "make", "resource", "NAME=unpaid_invoice", f"FIELDS={EVERY_TYPE}")
    run(service, tools, "make", "resource", "NAME=box", "FIELDS=label:str")
    assert "/v1/unpaid-invoices/{unpaid_invoice_id}" in (service / "openapi.json").read_text(encoding="utf-8")
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
        ("i" * 41, f"NAME={'i' * 41}: should be snake_case: lower-case words, a letter first, at most 40 characters"),
        ("invoices", "NAME=invoices: should be one thing, not several"),
        ("class", "NAME=class: is a reserved word of Python"),
        ("page", "NAME=page: is a name that the files of every resource use"),
        ("item", "NAME=item: app/items is there already"),
        ("route", "NAME=route: app/routes.py is there already"),
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
        "id:int": "is there already",
        "order:int": "is a reserved word of SQL",
        "lambda:int": "is a reserved word of Python",
        "date:date": "is the name of a type",
        "model_name:str": "is a name that pydantic's models use",
        "copy:bool": "is a name that pydantic's models use",
        "paid:bool": "is there twice",
    }
    _, *told, _ = refusal(service, "invoice", f"paid:bool {' '.join(wrong)}")
    assert [line.strip().partition(": ")[0] for line in told] == list(wrong)
    for line, rule in zip(told, wrong.values(), strict=True):
        assert line.strip().partition(": ")[2].startswith(rule)
    _, *told, _ = refusal(service, "invoice", "")
    assert told == ["  FIELDS: should name at least one field, each as name:type"]


def test_a_contents_page_without_its_list_is_left_alone(new_service: Callable[..., Path]) -> None:
    service = new_service()
    routes = service / "app" / "routes.py"
    routes.write_text(routes.read_text(encoding="utf-8").replace("ROUTES: list", "ALL: list"), encoding="utf-8")
    assert "no list that is called ROUTES" in refusal(service, "invoice", "number:str")[0]
