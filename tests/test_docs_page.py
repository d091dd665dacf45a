"""The page at /docs in a real browser without internet access: it lists the operations, and "try it out" works."""

import json
import os
import signal
import subprocess
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from selenium import webdriver
from selenium.webdriver.common.by import By
from selenium.webdriver.support.expected_conditions import element_to_be_clickable
from selenium.webdriver.support.ui import WebDriverWait

from harness.environments import python_for
from harness.ports import free_port
from harness.programs import find
from harness.waiting import PATIENCE_SECONDS


@pytest.fixture(scope="module")
def browser() -> Iterator[webdriver.Chrome]:
    """Start a headless Chromium that makes no requests outside of this machine."""
    program, driver = find("chromium", "google-chrome"), find("chromedriver")
    if not (program and driver):
        missing = "Chromium or its driver is not installed here (Debian's packages chromium and chromium-driver)"
        if "REQUIRE_BROWSER" in os.environ:
            pytest.fail(missing)
        pytest.skip(missing)
    options = webdriver.ChromeOptions()
    options.binary_location = program
    for argument in ("headless=new", "no-sandbox", "disable-gpu", "disable-background-networking", "no-first-run",
                     "disable-component-update", "disable-sync", "window-size=1200,2000"):  # fmt: skip
        options.add_argument(f"--{argument}")
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    chrome = webdriver.Chrome(options=options, service=webdriver.ChromeService(driver))
    yield chrome
    chrome.quit()


@pytest.fixture(scope="module")
def address(new_service: Callable[..., Path]) -> Iterator[str]:
    """Run a service with the default answers and its embedded PostgreSQL, and yield its address."""
    service = new_service()
    port, internal_port = free_port(), free_port()
    environment = {name: value for name, value in os.environ.items() if name != "DATABASE_URL"}
    environment |= {"PORT": str(port), "INTERNAL_PORT": str(internal_port)}
    process = subprocess.Popen(
        [python_for(service), "-m", "chassis.development.run"],
        cwd=service, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip
    assert process.stdout
    said = ""
    for line in process.stdout:
        said += line
        if " ready " in line:
            break
    assert process.poll() is None, said
    yield f"http://127.0.0.1:{port}"
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=PATIENCE_SECONDS)


def items(address: str) -> list[dict[str, object]]:
    with urllib.request.urlopen(f"{address}/v1/items") as response:
        found: list[dict[str, object]] = json.load(response)["items"]
    return found


def test_the_page_lists_the_operations_and_try_it_out_creates_an_item(browser: webdriver.Chrome, address: str) -> None:
    wait = WebDriverWait(browser, PATIENCE_SECONDS)
    browser.get(f"{address}/docs")
    wait.until(lambda driver: len(driver.find_elements(By.CSS_SELECTOR, ".opblock")) == 6)
    summaries = [each.text for each in browser.find_elements(By.CSS_SELECTOR, ".opblock-summary-description")]
    assert {"Create an item", "List items", "Read an item", "Replace an item", "Change some fields of an item"} <= set(
        summaries
    )

    assert items(address) == []
    create = "#operations-items-create_item"
    for step in (".opblock-summary-control", ".try-out__btn", ".execute"):
        wait.until(element_to_be_clickable((By.CSS_SELECTOR, f"{create} {step}"))).click()
    answered = f"{create} .live-responses-table .response-col_status"
    status = wait.until(lambda driver: [each.text for each in driver.find_elements(By.CSS_SELECTOR, answered)][1:])
    assert status[0].startswith("201")
    assert [item["name"] for item in items(address)] == ["Lamp"]

    log = browser.get_log("browser")  # type: ignore[no-untyped-call]
    complaints = [entry["message"] for entry in log if entry["level"] == "SEVERE"]
    assert complaints == [], "the policy of the page forbids what it does"
