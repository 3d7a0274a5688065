"""The metrics as data, one YAML file, and its loader."""

from functools import cache
from pathlib import Path

from complaint_assets.logic.marts.metrics import Metrics, metrics_of
from resources.yaml_file import UnfitFile, read_yaml

BUILT_IN = Path(__file__).parent


class MetricError(UnfitFile):
    """The file of metrics is wrong; the message names the file and what is at fault."""


@cache
def load_metrics(file: Path = BUILT_IN / "metrics.yaml") -> Metrics:
    """The metrics in ``file``.

    Raises:
        MetricError: the file cannot be read, breaks the JSON Schema, or a metric refers to what there is not.
    """
    data = read_yaml(file, BUILT_IN / "metrics.schema.json", MetricError)
    try:
        return metrics_of(data)
    except ValueError as error:
        raise MetricError(f"{file}: {error}") from error
