"""After `make resource` and `make remove-example` a service passes its checks, as a new one does."""

import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from harness.environments import python_for
from tests.contents import contents
from tests.services import run

EVERY_TYPE = (
    "number:str(20):unique note:text? quantity:int=1:sort bytes:bigint:index total:decimal(12,2):filter "
    "ratio:float=0.5 paid:bool=false:filter due:date:filter sent_at:datetime?:sort:filter token:uuid? metadata:json={} "
    "tags:list(str(50))=[]:filter status:enum(draft,placed)=draft:filter "
    """motto:str="it's two words, or: three; 100 % of $1 :b {x}" """
    "item:ref(items)?:filter parent:ref(unpaid_order_invoices)?"
)
TYPES = {
    "str",
    "text",
    "int",
    "bigint",
    "decimal",
    "float",
    "bool",
    "date",
    "datetime",
    "uuid",
    "json",
    "list",
    "enum",
    "ref",
}
IGNORED = "\n\nasync def ignored(*_: object) -> None: ...\n"
LINE = {"NAME": "line", "PARENT": "unpaid_order_invoices", "KEY": "uuid", "WITHOUT": "put", "FIELDS": "count:int:sort"}


def make(service: Path, module: str, **arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the program of `make resource` or `make field`."""
    command = [str(python_for(service)), "-B", "-m", f"chassis.development.{module}"]
    environment = os.environ | {"PYTHONDONTWRITEBYTECODE": "1"} | arguments
    return subprocess.run(command, cwd=service, env=environment, capture_output=True, text=True, check=False)


def refusal(service: Path, module: str = "resource", **arguments: str) -> list[str]:
    """Run it with invalid arguments and return its error message."""
    before = contents(service)
    done = make(service, module, **arguments)
    assert done.returncode == 1
    assert contents(service) == before
    return done.stderr.splitlines()


def mistakes(told: list[str]) -> dict[str, str]:
    """Return the rule of each mistake that a message tells."""
    assert told[0].startswith("Nothing was written.")
    assert told[-1] == "`make resource` alone prints what can be written, with examples."
    return {what: rule for what, _, rule in (line.strip().partition(": ") for line in told[1:-1])}


def test_a_service_with_resources_of_its_own_and_without_the_example_is_green(
    new_service: Callable[..., Path], tools: Path
) -> None:
    service = new_service()
    run(service, tools, "make", "resource", "NAME=box", "FIELDS=label:str, width:int")
    run(service, tools, "make", "resource", "NAME=domain", "PLURAL=domains", "FIELDS=host_name:str order:ref(boxes)")
    run(service, tools, "make", "field", "RESOURCE=box", "FIELDS=colour:enum(red,green)=red:filter depth:int?:sort")
    assert "/v1/domains/{domain_id}" in (service / "openapi.json").read_text(encoding="utf-8")
    run(service, tools, "make", "remove-example")
    for file in ("openapi.json", "README.md", "app/routes.py", "deploy/values.yaml"):
        assert "v1/items" not in (service / file).read_text(encoding="utf-8")
    assert not [path for folder in ("app", "tests/app", "migrations") for path in (service / folder).rglob("*item*")]
    assert " passed" in run(service, tools, "make", "check")


def test_what_can_be_written_is_printed_with_an_example_of_each_type(service: Path) -> None:
    before = contents(service)
    done = make(service, "resource")
    assert (done.returncode, contents(service)) == (0, before)
    lines = done.stdout.splitlines()
    types = [line.split()[:2] for line in lines[lines.index(next(line for line in lines if "TYPE " in line)) + 1 :]]
    types = types[: types.index([])]
    assert len(types) == len(TYPES)
    for kind, example in types:
        assert kind.partition("(")[0] in TYPES
        assert f":{kind.partition('(')[0]}" in example


def test_the_example_stays_while_there_is_nothing_else(service: Path) -> None:
    before = contents(service)
    command = [str(python_for(service)), "-B", "-m", "chassis.development.remove_example"]
    done = subprocess.run(command, cwd=service, capture_output=True, text=True, check=False)
    assert (done.returncode, contents(service)) == (1, before)
    assert "make resource" in done.stderr


@pytest.mark.parametrize(
    ("name", "rule"),
    [
        ("Invoice", "should be snake_case"),
        ("unpaid-invoice", "should be snake_case"),
        ("2nd_invoice", "should be snake_case"),
        ("i" * 21, "should be snake_case: lower-case words, a letter first, at most 20 characters"),
        ("invoices", "should be singular"),
        ("class", "is a reserved word of Python"),
        ("page", "is a name that Python or the generated files use"),
        ("patch", "is a name that Python or the generated files use"),
        ("type", "is a name that Python or the generated files use"),
        ("reference", "would name its table references, a reserved word of SQL"),
        ("idempotency_key", "chassis/migrations/versions/0001_create_idempotency_keys.py already creates"),
        ("$(touch x)", "should be snake_case"),
        ("item", "app/items already exists"),
        ("route", "app/routes.py already exists"),
        ("setting", "app/settings.py already exists"),
    ],
)
def test_a_name_that_cannot_be_used_is_refused_with_its_rule(service: Path, name: str, rule: str) -> None:
    told = mistakes(refusal(service, NAME=name, FIELDS="number:str"))
    assert told[f"NAME={name}"].startswith(rule)


def test_fields_that_cannot_be_used_are_all_refused_with_their_rules(service: Path) -> None:
    wrong = {
        "number:string": "needs a type after the colon, one of str, text, int,",
        "due": "should be NAME:TYPE",
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
        "invoices:str": "is the name of the table",
        "a:str(0)": "should have a whole number from 1",
        "b:decimal(12)": "should have its digits and its decimal places",
        "c:enum(x)": "should have 2 to 50 words",
        "d:enum(x,x)": "should have each word once",
        "e:enum(X,y)": "should have lower-case words",
        "f:ref(customers)": "refers to customers, which no migration creates; there are invoices, items",
        "g:ref(invoices)": "refers to its own table, whose first row could not exist",
        "h:list(json)": "cannot be a list of json",
        "i:str:uniq": "has the option uniq; there are unique, index, filter, sort",
        "j:bool:unique": "has a type that cannot be unique",
        "k:str=x:unique": "cannot be unique and have a default",
        "l:text:sort": "is too large for an index",
        "m:list(int):sort": "is a list",
        "n:str:index:sort": "has an index already",
        "o:int=x": "should have a default from -2147483648",
        "p:decimal(4,2)=100": "should have a default of up to 2 digits",
        "q:date=9999-12-31": "should have a default after 0001-01-01",
        "r:datetime=2026-01-01": "should have a default such as",
        "s:enum(x,y)=z": "should have one of its words as its default",
        "t:ref(items)=1": "has a type without defaults",
        "u:json?={}": "may be null and has a default",
        "fields:enum(x,y)": "would name its words as a model",
        "position:int:filter": "has a filter, whose name position every list uses already",
        "v:int:filter": "would give its filter the name v_gte, as another field does",
        "w1_x:enum(x,y)": "would name its words InvoiceW1X, as another field does",
        "words'": "should be NAME:TYPE, such as number:str; a default with spaces is in double quotes",
        "y:str=\\udcff": "should have a default of 1 to 60 characters that can be printed",
    }
    fields = ["paid:bool", "v_gte:int:filter", "w1x:enum(x,y)", *wrong]
    told = mistakes(refusal(service, NAME="invoice", FIELDS=" ".join(fields).replace(r"\udcff", "\udcff")))
    assert list(told) == list(wrong)
    for found, rule in zip(told.values(), wrong.values(), strict=True):
        assert found.startswith(rule)
    assert mistakes(refusal(service, NAME="invoice", FIELDS="")) == {
        "FIELDS": "should name at least one field, each as name:type"
    }


@pytest.mark.parametrize(
    ("argument", "value", "rule"),
    [
        ("KEY", "int", "should be bigint or uuid"),
        ("WITHOUT", "get", "should be of list, put, patch, delete"),
        ("PARENT", "invoices", "is the resource itself"),
        ("PARENT", "customers", "has to have a route that reads one of its rows; there are items"),
    ],
)
def test_an_argument_that_cannot_be_used_is_refused_with_its_rule(
    service: Path, argument: str, value: str, rule: str
) -> None:
    told = mistakes(refusal(service, NAME="invoice", FIELDS="number:str", **{argument: value}))
    assert told[f"{argument}={value}"].startswith(rule)


def test_resources_do_not_take_each_other_s_names_and_are_nested_once(new_service: Callable[..., Path]) -> None:
    service = new_service()
    for arguments in (
        {"NAME": "v2api", "FIELDS": "name:str"},
        {"NAME": "part", "PARENT": "items", "FIELDS": "name:str"},
    ):
        assert make(service, "resource", **arguments).returncode == 0
    told = refusal(service, NAME="v2_api", FIELDS="name:str")
    assert mistakes(told)["NAME=v2_api"].startswith("app/v2apis/models.py already has the model V2Api")
    told = refusal(service, NAME="screw", PARENT="parts", FIELDS="name:str")
    assert mistakes(told)["PARENT=parts"].startswith("has a parent itself; use a field such as part:ref(parts)")
    told = refusal(service, NAME="screw", PARENT="items", FIELDS="item:ref(items)")
    assert mistakes(told)["PARENT=items"].startswith("has the column item_id, which is one of FIELDS, too")


def test_a_referred_resource_needs_tests_that_make_its_rows(new_service: Callable[..., Path]) -> None:
    service = new_service()
    file = service / "tests" / "app" / "test_items.py"
    file.write_text(file.read_text(encoding="utf-8").replace("async def create(", "async def build("), encoding="utf-8")
    told = mistakes(refusal(service, NAME="invoice", FIELDS="item:ref(items)"))
    assert told["item_id"].startswith("tests/app/test_items.py has no function `async def create(client)`")


def test_routes_are_added_to_a_list_on_one_line(new_service: Callable[..., Path]) -> None:
    service = new_service()
    file = service / "app" / "routes.py"
    imports, _, _ = file.read_text(encoding="utf-8").partition("ROUTES")
    by_hand = 'Route("GET", "/v1/items", items.list_items)'
    file.write_text(f"{imports}ROUTES: list[Route] = [{by_hand}]\n", encoding="utf-8")
    done = make(service, "resource", NAME="box", FIELDS="label:str")
    assert done.returncode == 0, done.stderr
    routes = file.read_text(encoding="utf-8")
    assert f"    {by_hand},\n" in routes
    assert "boxes.create_box," in routes


def test_tables_are_found_however_their_migrations_are_written(new_service: Callable[..., Path]) -> None:
    service = new_service()
    statements = [
        "create table tables1 (id bigserial PRIMARY KEY)",
        'CREATE TABLE "tables2" ("id" int8 PRIMARY KEY)',
        "CREATE TABLE IF NOT EXISTS public.tables3\n(id UUID PRIMARY KEY)",
        "CREATE UNLOGGED TABLE\ntables4 (id bigint PRIMARY KEY)",
        "CREATE TABLE tables5 (code text PRIMARY KEY)",
    ]
    by_hand = "".join(f"op.execute('''\n{statement}\n''')\n" for statement in statements)
    (service / "migrations" / "versions" / "0002_by_hand.py").write_text(by_hand, encoding="utf-8")
    references = " ".join(f"a{number}:ref(tables{number})" for number in range(1, 6))
    told = mistakes(refusal(service, NAME="invoice", FIELDS=references))
    for number in range(1, 5):
        assert told[f"a{number}_id"].startswith(f"no route reads one of tables{number}")
    assert told["a5:ref(tables5)"].startswith("refers to tables5, whose key is no column id")


def test_a_field_that_cannot_be_added_is_refused_with_its_rule(service: Path) -> None:
    add = "resource.add_field"
    told = mistakes(refusal(service, add, RESOURCE="item", FIELDS="colour:str name:str? when:datetime"))
    assert told["colour"].startswith("needs ? or a default")
    assert told["name"] == "app/items/models.py already has this field"
    assert told["when:datetime"].startswith("is a reserved word of SQL")
    told = mistakes(refusal(service, add, RESOURCE="person", FIELDS="colour:str?"))
    assert told["RESOURCE=person"] == "has no app/persons/models.py; if its plural is irregular, set PLURAL"
    plural = refusal(service, add, RESOURCE="items", FIELDS="colour:str?")
    assert plural[1].startswith("  RESOURCE=items: should be singular")
    assert mistakes(refusal(service, add, RESOURCE="item"))["FIELDS"] == "should name at least one field"


def test_what_the_team_has_changed_is_left_alone_and_what_to_add_is_printed(new_service: Callable[..., Path]) -> None:
    service = new_service()
    assert make(service, "resource", NAME="box", FIELDS="label:str width:int").returncode == 0
    queries, models = service / "app" / "boxes" / "queries.py", service / "app" / "boxes" / "models.py"
    by_hand = queries.read_text(encoding="utf-8").replace(
        "INSERT INTO boxes (label, width)", "INSERT INTO boxes (width, label)"
    )
    queries.write_text(by_hand, encoding="utf-8")
    models.write_text(f"{models.read_text(encoding='utf-8')}\n\nSIZES = [1, 2]\n", encoding="utf-8")
    done = make(service, "resource.add_field", RESOURCE="box", FIELDS="colour:str?")
    assert done.returncode == 0, done.stderr
    assert queries.read_text(encoding="utf-8") == by_hand
    assert "app/boxes/queries.py has changed since it was written, so it is left as it is." in done.stdout
    assert (
        '+        f"INSERT INTO boxes (label, width, colour) VALUES ($1, $2, $3) RETURNING {_COLUMNS}",' in done.stdout
    )
    assert "    colour: str | None\n" in models.read_text(encoding="utf-8")
    assert "SIZES = [1, 2]" in models.read_text(encoding="utf-8")


def test_an_index_does_not_take_the_name_of_another(new_service: Callable[..., Path]) -> None:
    service = new_service()
    told = refusal(service, NAME="box", FIELDS="maker:str:filter maker_id:int:index")
    rule = "would name its index boxes_maker_id_idx, as the one on boxes (maker, id) is named"
    assert mistakes(told)["maker_id"].startswith(rule)
    assert make(service, "resource", NAME="box", FIELDS="maker_id:int:index").returncode == 0
    told = refusal(service, "resource.add_field", RESOURCE="box", FIELDS="maker:str?:filter")
    rule = "would name its index boxes_maker_id_idx, as the one on boxes (maker_id) is named"
    assert mistakes(told)["maker"].startswith(rule)


def test_fields_are_added_beside_defaults_with_quotes_and_spaces(new_service: Callable[..., Path]) -> None:
    service = new_service()
    arguments = {"NAME": "box", "FIELDS": """motto:str="it's one" label:str="two words\""""}
    assert make(service, "resource", **arguments).returncode == 0
    long = "a default with several words is one string of SQL in one line"[:60]
    for fields in (f'a_name_of_many_characters:str="{long}"', "colour:str?"):
        done = make(service, "resource.add_field", RESOURCE="box", FIELDS=fields)
        assert done.returncode == 0, done.stderr
    models = (service / "app" / "boxes" / "models.py").read_text(encoding="utf-8")
    for default in ('"it\'s one"', '"two words"', f'"{long}"', "| None = None"):
        assert default in models
    [migration] = (service / "migrations" / "versions").glob("*_add_boxes_a_name*.py")
    assert f"'{long}'" in migration.read_text(encoding="utf-8")


def without_ruff_s_cache(service: Path) -> dict[str, object]:
    """Return the files of a service that is formatted, without those that ruff keeps for itself."""
    return {name: file for name, file in contents(service).items() if not name.startswith(".ruff_cache")}


def test_nothing_stays_written_if_a_file_cannot_be_formatted(new_service: Callable[..., Path]) -> None:
    service = new_service()
    assert make(service, "resource", NAME="box", FIELDS="label:str").returncode == 0
    test = service / "tests" / "app" / "test_boxes.py"
    test.write_text(f"{test.read_text(encoding='utf-8')}\ndef broken(\n", encoding="utf-8")
    before = without_ruff_s_cache(service)
    assert make(service, "resource.add_field", RESOURCE="box", FIELDS="colour:str?").returncode != 0
    assert without_ruff_s_cache(service) == before


@pytest.fixture(scope="module")
def service_with_every_type(new_service: Callable[..., Path]) -> Path:
    service = new_service()
    for arguments in ({"NAME": "unpaid_order_invoice", "FIELDS": EVERY_TYPE}, LINE):
        done = make(service, "resource", **arguments)
        assert done.returncode == 0, done.stderr
    return service


def run_generated_tests(service: Path, named: str = "test") -> subprocess.CompletedProcess[str]:
    """Run the tests that `make resource` has written, or those with a name."""
    command = [str(python_for(service)), "-B", "-m", "pytest", "-q", "-x", "--no-header", "-p", "no:cacheprovider"]
    files = ["tests/app/test_unpaid_order_invoices.py", "tests/app/test_lines.py", "-k", named]
    environment = {name: value for name, value in os.environ.items() if name != "DATABASE_URL"}
    return subprocess.run([*command, *files], cwd=service, env=environment, capture_output=True, text=True, check=False)


def test_the_tests_of_a_resource_with_every_type_pass(service_with_every_type: Path) -> None:
    done = run_generated_tests(service_with_every_type)
    assert done.returncode == 0, done.stdout[-3000:]


_TABLE, _LINES = "migrations/versions/0002_create_unpaid_order_invoices.py", "migrations/versions/0003_create_lines.py"
_APP = "app/unpaid_order_invoices"
_INDEXES, _RULES, _WRONG = "have_their_indexes", "database_has_the_rules", "break_a_rule"


@pytest.mark.parametrize(
    ("file", "rule", "broken", "named"),
    [
        (_TABLE, " UNIQUE", "", "taken"),
        (_TABLE, "due date NOT NULL", "due date", "columns_of_the_table"),
        (_TABLE, " REFERENCES items (id)", "", "reference_to_what_is_not_there or cannot_be_deleted"),
        (_TABLE, " CHECK (status IN ('draft', 'placed'))", "", _RULES),
        (_TABLE, " AND array_position(tags, NULL) IS NULL", "", _RULES),
        (_TABLE, " CHECK (char_length(note) <= 10000)", "", _RULES),
        (_TABLE, "numeric(12, 2)", "numeric(12, 1)", "at_their_bounds"),
        (_TABLE, "(item_id, id)", "(id, item_id)", _INDEXES),
        (_TABLE, "(due, id)", "(id, due)", _INDEXES),
        (_TABLE, " WHERE sent_at IS NULL", "", _INDEXES),
        (_LINES, "(unpaid_order_invoice_id, count, id)", "(count, id)", _INDEXES),
        (f"{_APP}/models.py", 'Literal["draft", "placed"]', 'Literal["draft"]', "at_their_bounds"),
        (f"{_APP}/models.py", "max_length=100,", "max_length=99,", "at_their_bounds"),
        (f"{_APP}/models.py", "max_digits=12, decimal_places=2, examples", "examples", _WRONG),
        (f"{_APP}/models.py", "quantity: Annotated[Integer,", "quantity: Annotated[int,", _WRONG),
        (f"{_APP}/models.py", "due: Annotated[Date,", "due: Annotated[date,", _WRONG),
        (f"{_APP}/models.py", '= "draft"', '= "placed"', "has_its_default"),
        (f"{_APP}/queries.py", '"due >= $"', '"due > $"', "by_a_range"),
        (f"{_APP}/queries.py", '"tags @> $"', '"tags && $"', "by_parts_of_a_list"),
        (f"{_APP}/queries.py", '"status = ANY ($)"', '"status <> ALL ($)"', "by_values"),
        (f"{_APP}/queries.py", "version = ANY ($2)", "true", "not_overwritten"),
        (f"{_APP}/queries.py", "SET (number, ", "SET (note, number, ", "patch"),
        ("app/lines/queries.py", "AND unpaid_order_invoice_id = $3", "AND $3::bigint > 0", "another_parent"),
        ("app/lines/handlers.py", "await read_unpaid_order_invoice(", "await ignored(", "parent_that_is_not_there"),
    ],
)
def test_a_generated_test_fails_when_its_rule_is_broken(
    service_with_every_type: Path, file: str, rule: str, broken: str, named: str
) -> None:
    changed = service_with_every_type / file
    text = changed.read_text(encoding="utf-8")
    assert rule in text
    changed.write_text(text.replace(rule, broken) + IGNORED, encoding="utf-8")
    try:
        done = run_generated_tests(service_with_every_type, named)
        assert done.returncode == 1, done.stdout[-3000:]
    finally:
        changed.write_text(text, encoding="utf-8")


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
    run(service, tools, "make", "resource", "NAME=line", "FIELDS=item:ref(items)")
    before = contents(service)
    lines = "tests/app/test_lines.py imports them\n  migrations/versions/0003_create_lines.py needs the table items"
    with pytest.raises(AssertionError, match=lines):
        run(service, tools, "make", "remove-example", PYTHONDONTWRITEBYTECODE="1")
    assert contents(service) == before
    shutil.rmtree(service / "app" / "lines")
    for file in ("tests/app/test_lines.py", "migrations/versions/0003_create_lines.py"):
        (service / file).unlink()
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
    told = refusal(service, NAME="invoice", FIELDS="number:str")
    assert "does not start" in told[0]
    assert "No module named 'nope'" in told[-1]


def test_a_contents_page_without_its_list_is_left_alone(new_service: Callable[..., Path]) -> None:
    service = new_service()
    routes = service / "app" / "routes.py"
    routes.write_text(routes.read_text(encoding="utf-8").replace("ROUTES: list", "ALL: list"), encoding="utf-8")
    (service / "app" / "__main__.py").write_text("", encoding="utf-8")  # otherwise the application would not start
    assert "no list named ROUTES" in refusal(service, NAME="invoice", FIELDS="number:str")[0]
