"""Fixtures: a browser for what people look at."""

import os
import subprocess
import tempfile
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from selenium.webdriver.chrome.webdriver import WebDriver


@pytest.fixture(scope="module")
def browser() -> "Iterator[WebDriver]":
    """Headless Chromium, where the machine has one or can install it."""
    from shutil import which

    if not (which("chromium") and which("chromedriver")):
        if which("apt-get") and os.geteuid() == 0:
            subprocess.run(["apt-get", "update", "-qq"], check=False)
            subprocess.run(["apt-get", "install", "-y", "-qq", "chromium", "chromium-driver"], check=False)
        if not (which("chromium") and which("chromedriver")):
            pytest.skip("Chromium and its driver are absent and cannot be installed without root and apt-get")
    from selenium import webdriver
    from selenium.webdriver.chrome.service import Service

    options = webdriver.ChromeOptions()
    options.binary_location = str(which("chromium"))
    with tempfile.TemporaryDirectory() as profile:
        for argument in (
            "--headless=new",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-quic",
            "--no-first-run",
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-sync",
            "--disable-dev-shm-usage",
            "--window-size=1600,1000",
            f"--user-data-dir={profile}",
        ):
            options.add_argument(argument)
        driver = webdriver.Chrome(options=options, service=Service(str(which("chromedriver"))))
        try:
            yield driver
        finally:
            driver.quit()
