"""The whole graph on simulated traffic, through the command line."""

import json
import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from complaint_assets_tests.conftest import Home
