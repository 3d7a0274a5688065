"""The reports in a browser: read by everybody, on a phone, on a screen and on paper."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd
import pytest

from complaint_assets_tests.logic.report_data import ROLES, page_of

if TYPE_CHECKING:
    from selenium.webdriver.chrome.webdriver import WebDriver

PHONE, SCREEN, PAPER = 390, 1280, 703
"""CSS pixels; paper: A4 between margins of 12 mm."""
OPEN = "document.querySelectorAll('details').forEach(part => part.open = true)"


REGIONS = [f"Federal Capital Territory {n}" for n in range(12)]
WIDE = pd.DataFrame(
    [
        {
            "category": f"broadband_installation_{n}",
            "region": region,
            "current": 1234,
            "previous": 99,
            "people": 90,
        }
        for n in range(12)
        for region in REGIONS
    ]
)
"""More categories and regions than a table shows by themselves, with long names."""


def page(role: str) -> str:
    """The page of ``role`` at its widest."""
    whole = {by: WIDE.groupby(by, as_index=False).sum(numeric_only=True) for by in ("category", "region")}
    return page_of(role, heat=WIDE, categories=whole["category"], regions=whole["region"])


def shown(browser: "WebDriver", folder: Path, role: str, width: int, *, media: str = "screen") -> None:
    """Open the page of ``role`` at ``width``."""
    file = folder / f"{role}.html"
    file.write_text(page(role), encoding="utf-8")
    size = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width == PHONE}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": media})
    browser.get(file.as_uri())


def overflow(browser: "WebDriver") -> int:
    """By how many pixels the page is wider than its window."""
    wide = "return document.documentElement.scrollWidth - document.documentElement.clientWidth"
    return int(browser.execute_script(wide))


@pytest.mark.parametrize("width", [PHONE, SCREEN])
@pytest.mark.parametrize("role", ROLES)
def test_axe_finds_no_violation_and_the_page_is_no_wider_than_its_window(
    browser: "WebDriver", tmp_path: Path, role: str, width: int
) -> None:
    from axe_core_python.selenium import Axe

    shown(browser, tmp_path, role, width)
    assert overflow(browser) == 0
    browser.execute_script(OPEN)
    assert overflow(browser) == 0
    found: dict[str, Any] = Axe().run(browser)
    violations = [(fault["id"], [node["html"][:200] for node in fault["nodes"]]) for fault in found["violations"]]
    assert violations == [], json.dumps(violations, indent=2)
    assert len(found["passes"]) > 20  # it did look


@pytest.mark.parametrize("role", ROLES)
def test_paper_shows_every_section_and_cuts_nothing_off(browser: "WebDriver", tmp_path: Path, role: str) -> None:
    shown(browser, tmp_path, role, PAPER, media="print")
    assert overflow(browser) == 0
    cut = browser.execute_script(
        "return [...document.querySelectorAll('.scroll')].filter(e => e.scrollWidth > e.clientWidth + 1)"
        ".map(e => e.getAttribute('aria-label'))"
    )
    assert cut == []
    heights = browser.execute_script(
        "return [...document.querySelectorAll('section')].map(e => e.getBoundingClientRect().height)"
    )
    assert len(heights) == 1 + len(ROLES[role].report.sections)
    assert min(heights) > 30


def test_the_keyboard_reaches_everything_that_opens_scrolls_or_leads_elsewhere(
    browser: "WebDriver", tmp_path: Path
) -> None:
    from selenium.webdriver.common.by import By
    from selenium.webdriver.common.keys import Keys

    shown(browser, tmp_path, "operations", SCREEN)
    wanted = browser.execute_script(
        "return [...document.querySelectorAll('summary, a, .scroll')].filter(e => e.checkVisibility()).length"
    )
    reached: set[str] = set()
    for _ in range(wanted):
        browser.switch_to.active_element.send_keys(Keys.TAB)
        where = browser.switch_to.active_element
        assert browser.execute_script("return getComputedStyle(arguments[0]).outlineStyle", where) == "solid"
        reached.add(where.id)
    assert len(reached) == wanted
    first = browser.find_element(By.TAG_NAME, "summary")
    first.send_keys(Keys.ENTER)
    assert browser.execute_script("return document.querySelector('details').open")


def test_nothing_is_loaded_from_elsewhere_and_no_script_runs(browser: "WebDriver", tmp_path: Path) -> None:
    shown(browser, tmp_path, "operations", SCREEN)
    loaded = browser.execute_script("return performance.getEntriesByType('resource').length")
    assert loaded == 0
    browser.execute_script(
        "const made = document.createElement('script'); made.textContent = 'window.ran = 1';"
        "document.body.append(made)"
    )
    assert browser.execute_script("return window.ran") is None
