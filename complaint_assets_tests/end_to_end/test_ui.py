"""The running UI and daemon: a file dropped into the inbox arrives, and a person sees the graph."""

import json
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from complaint_assets_tests.conftest import REPOSITORY, Home

if TYPE_CHECKING:
    from selenium.webdriver.chrome.webdriver import WebDriver

PATIENCE_SECONDS = 240


def write_messages(path: Path, count: int) -> None:
    """An SMS gateway's file of messages that have just been sent."""
    now = datetime.now(UTC) + timedelta(hours=1)  # the gateway writes Lagos time
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(
        "".join(
            json.dumps(
                {
                    "messageId": f"ui-{n}",
                    "from": f"+23480312345{n:02d}",
                    "to": "300",
                    "text": "no network in Yaba since morning",
                    "receivedAt": f"{now - timedelta(minutes=n):%Y-%m-%d %H:%M:%S}",
                    "network": "x",
                    "smsCount": 1,
                }
            )
            + "\n"
            for n in range(count)
        )
    )


@pytest.fixture(scope="module")
def address(home: Home) -> Iterator[str]:
    """The UI with its daemon, as ``make dev`` starts them."""
    home.settings |= {
        "COMPLAINTS_SENSOR_SECONDS": "5",
        "COMPLAINTS_MICRO_BATCH_MINUTES": "1",
        "COMPLAINTS_PORT": "34500",
    }
    log = (home.path / "ui.log").open("w+")
    server = subprocess.Popen(
        [sys.executable, "-m", "complaint_assets.cli", "ui"],
        cwd=REPOSITORY,
        env=home.environment,
        stdout=log,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )
    try:
        yield wait_for_address(home.path / "ui.log", server)
    finally:
        os.killpg(server.pid, signal.SIGINT)
        try:
            server.wait(timeout=30)
        except subprocess.TimeoutExpired:
            os.killpg(server.pid, signal.SIGKILL)
        log.close()


def wait_for_address(log: Path, server: "subprocess.Popen[bytes]") -> str:
    """The address that the command printed, once it answers."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < deadline:
        assert server.poll() is None, log.read_text()[-3000:]
        text = log.read_text()
        if "http://127.0.0.1:" in text:
            address = "http://127.0.0.1:" + text.split("http://127.0.0.1:")[1].split()[0]
            try:
                with urllib.request.urlopen(f"{address}/server_info", timeout=2) as answer:
                    if answer.status == 200:
                        return address
            except (urllib.error.URLError, OSError):
                pass
        time.sleep(0.5)
    raise AssertionError(log.read_text()[-3000:])


def wait_until(what: Any, seconds: float = PATIENCE_SECONDS) -> None:
    """Wait until ``what()`` is true."""
    deadline = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(2)


def test_a_dropped_file_reaches_surge_metrics_without_a_human_hand(home: Home, address: str) -> None:
    write_messages(home.path / "inbox" / "sms" / "gateway" / "now.jsonl", 7)

    def measured() -> bool:
        dates = home.complaints("status")["event_dates"]
        return any(row.get("surge_metrics") for row in dates)

    wait_until(measured)
    assert home.rows()["surge_metrics"] > 0
    assert home.rows()["complaints"] == 7


def shows(browser: "WebDriver", *texts: str) -> None:
    """Wait until the page shows every text."""
    wait_until(lambda: all(text in browser.page_source for text in texts), 60)


def test_the_lineage_shows_every_layer(browser: "WebDriver", address: str) -> None:
    browser.get(f"{address}/asset-groups")
    shows(browser, "raw", "standardised", "complaints", "enriched", "warehouse", "surges", "marts")


def test_an_asset_page_shows_its_columns_and_owner(browser: "WebDriver", address: str) -> None:
    browser.get(f"{address}/assets/complaint_facts?view=overview")
    shows(browser, "Columns", "is_complaint", "complaint-data", "One narrow row per complaint")


def test_the_partitions_page_shows_the_event_dates(browser: "WebDriver", address: str) -> None:
    browser.get(f"{address}/assets/complaints?view=partitions")
    shows(browser, f"{datetime.now(UTC):%Y-%m-%d}")


def test_the_checks_page_shows_that_records_are_conserved(browser: "WebDriver", address: str) -> None:
    browser.get(f"{address}/assets/raw/sms?view=checks")
    shows(browser, "conservation", "newest_slot_is_fresh")


def test_nothing_but_loopback_is_served(address: str) -> None:
    """The UI has no login: it must not be reachable from elsewhere."""
    port = int(address.rpartition(":")[2])
    found = Path("/proc/net/tcp").read_text().splitlines()[1:]
    listening = [line.split()[1] for line in found if line.split()[3] == "0A"]
    assert [host for host, _, p in (e.partition(":") for e in listening) if int(p, 16) == port] == ["0100007F"]
