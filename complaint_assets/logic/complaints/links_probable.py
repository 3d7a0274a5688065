"""Which subjects may be one customer (tier B): likeness of names, weighed by Splink, never a fact.

Off unless a setting turns it on, for it needs a legal basis of its own. Its links stand in a table of their own,
in bands rather than percentages because nobody has calibrated them on reviewed pairs; they never enter
``subject_id`` or ``Subjects``, and whoever shows them shows a range: customers by declared links alone, and by
both. Names are those inside e-mail addresses and handles; they are compared here and kept nowhere.
Method: Fellegi and Sunter (1969) as implemented by Splink 5. Its probabilities are given, not trained: chance
agreement of regions is counted, that of names is set. The more people there are, the less a name tells.
"""

from collections.abc import Iterable

import pyarrow as pa
import pyarrow.compute as pc

from complaint_assets.schemas.subjects import BANDS, ProbableLinks, SubjectLinks
from complaint_assets.schemas.types import arrow_schema

MODEL_VERSION = "names-1"
LEAST_WEIGHT = 0.0
"""Bits of evidence below which a pair is not kept."""
_STRONG, _FAIR = 8.0, 4.0
_SHORTEST = 5
_M_NAME = (0.6, 0.25, 0.1, 0.05)
_U_NAME = (1e-5, 5e-5, 5e-4, 0.99944)
"""Chance of each likeness of two names (equal, 0.95, 0.88, less) for one person and for two."""


def name_of(kind: str, value: str) -> str | None:
    """The name inside an e-mail address or a handle; None if there is none worth comparing."""
    if kind == "email":
        value = value.partition("@")[0].partition("+")[0]
    elif kind == "handle":
        value = value.rpartition("|")[2].partition("@")[0]
    else:
        return None
    name = "".join(filter(str.isalnum, value)).casefold()
    return name if len(name) >= _SHORTEST and not name.isdigit() else None


def probable_links(people: pa.Table) -> pa.Table:
    """Pairs of ``people`` (subject_id, name, region or null) that may be one (``ProbableLinks``).

    Raises:
        ImportError: Splink is not installed.
    """
    import splink.comparison_library as cl
    from splink import DuckDBAPI, Linker, SettingsCreator, block_on

    schema = arrow_schema(ProbableLinks)
    if people.num_rows < 2:
        return schema.empty_table()
    regions = pc.value_counts(pc.drop_null(people["region"].combine_chunks())).field("counts").to_numpy()
    alike = float(min(0.99, max(0.01, (regions**2).sum() / max(1, regions.sum()) ** 2)))
    model = SettingsCreator(
        link_type="dedupe_only",
        unique_id_column_name="subject_id",
        probability_two_random_records_match=1 / people.num_rows,
        comparisons=[
            cl.JaroWinklerAtThresholds("name", [0.95, 0.88]).configure(
                m_probabilities=list(_M_NAME), u_probabilities=list(_U_NAME)
            ),
            cl.ExactMatch("region").configure(m_probabilities=[0.9, 0.1], u_probabilities=[alike, 1 - alike]),
        ],
        blocking_rules_to_generate_predictions=[block_on("substr(name, 1, 4)")],
    )
    engine = DuckDBAPI()
    linker = Linker(engine.register(people), model)
    found = linker.inference.predict(threshold_match_weight=LEAST_WEIGHT).as_duckdbpyrelation().to_arrow_table()
    ends = found["subject_id_l"], found["subject_id_r"]
    weight = found["match_weight"]
    band = pc.if_else(
        pc.greater_equal(weight, _STRONG),
        BANDS[2],
        pc.if_else(pc.greater_equal(weight, _FAIR), BANDS[1], BANDS[0]),
    )
    columns = {
        "left": pc.min_element_wise(*ends),
        "right": pc.max_element_wise(*ends),
        "match_weight": weight,
        "band": band,
        "model_version": pa.repeat(MODEL_VERSION, found.num_rows),
    }
    links = pa.table([columns[name] for name in schema.names], names=schema.names).cast(schema)
    return links.sort_by([("left", "ascending"), ("right", "ascending")])


def as_links(probable: pa.Table, bands: Iterable[str]) -> pa.Table:
    """The pairs of ``bands`` in the columns of ``SubjectLinks``, to be counted like declared ones."""
    kept = probable.filter(pc.is_in(probable["band"], value_set=pa.array(list(bands), pa.string())))
    schema = arrow_schema(SubjectLinks)
    epoch = pa.scalar(0, pa.int64()).cast(schema.field("first_at").type)
    alike = {
        "evidence": "name+name",
        "source": MODEL_VERSION,
        "first_at": epoch,
        "last_at": epoch,
        "complaints": 1,
    }
    return pa.table(
        [
            kept[name] if name in kept.column_names else pa.repeat(alike[name], kept.num_rows)
            for name in schema.names
        ],
        names=schema.names,
    ).cast(schema)
