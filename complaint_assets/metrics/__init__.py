"""The metrics as data, one YAML file, and its loader."""

import json
from functools import cache
from pathlib import Path

import yaml

from complaint_assets.logic.marts.metrics import Metrics, metrics_of

BUILT_IN = Path(__file__).parent


class MetricError(ValueError):
    """The file of metrics is wrong; the message names the file and what is at fault."""


@cache
def load_metrics(file: Path = BUILT_IN / "metrics.yaml") -> Metrics:
    """The metrics in ``file``.

    Raises:
        MetricError: the file cannot be read, breaks the JSON Schema, or a metric refers to what there is not.
    """
    from jsonschema import Draft202012Validator  # slow to import, needed only where metrics are read

    try:
        data = yaml.safe_load(file.read_text(encoding="utf-8"))
    except (OSError, yaml.YAMLError, UnicodeDecodeError) as error:
        raise MetricError(f"{file}: not readable as YAML: {type(error).__name__}") from error
    schema = json.loads((BUILT_IN / "metrics.schema.json").read_text(encoding="utf-8"))
    faults = sorted(Draft202012Validator(schema).iter_errors(data), key=lambda fault: list(map(str, fault.path)))
    if faults:
        raise MetricError("\n".join(f"{file}: {fault.json_path}: {fault.message}" for fault in faults))
    try:
        return metrics_of(data)
    except ValueError as error:
        raise MetricError(f"{file}: {error}") from error
