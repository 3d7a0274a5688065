"""The row tables' promises, on a folder and on S3: a slice changes whole, its neighbours never."""

import json
import random
import time
from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import resources.tables as module
from resources.fencing import Overtaken
from resources.object_store import open_store, read
from resources.tables import Filter, Tables, between, equals, in_dates, in_values

DAYS = [date(2026, 11, day) for day in (21, 22, 23, 24)]
CHANNELS = ["sms", "social", "survey"]
SCHEMA = pa.schema(
    [
        pa.field("day", pa.date32(), nullable=False),
        pa.field("channel", pa.string(), nullable=False),
        pa.field("slot", pa.string(), nullable=False),
        pa.field("number", pa.int64()),
        pa.field("at", pa.timestamp("us", tz="UTC")),
        pa.field("text", pa.string()),
        pa.field("words", pa.list_(pa.string())),
    ]
)
NAMED = ["day", "channel", "slot"]
Rows = list[dict[str, Any]]


@pytest.fixture
def tables(place: str) -> Tables:
    return Tables(place)


def row(
    day: date = DAYS[0], channel: str = "sms", slot: str = "06", number: int | None = 1, **more: Any
) -> dict[str, Any]:
    at = datetime(2026, 11, 23, 6, 1, 2, 345678, tzinfo=UTC)
    text = "call +2348031234567"
    return {
        "day": day,
        "channel": channel,
        "slot": slot,
        "number": number,
        "at": at,
        "text": text,
        "words": ["a"],
        **more,
    }


def replace(
    tables: Tables, rows: Rows | pa.Table, where: str | None, name: str = "facts", since: int | None = None
) -> None:
    tables.replace(
        name,
        rows if isinstance(rows, pa.Table) else pa.Table.from_pylist(rows, schema=SCHEMA),
        schema=SCHEMA,
        partition_by=["day", "channel"],
        where=where,
        sort_by=["slot", "number"],
        statistics=NAMED,
        since=since,
    )


def stand(tables: Tables, where: Sequence[Filter] = ()) -> list[tuple[Any, ...]]:
    """Rows of the table, in an order of their own."""
    rows = tables.scan("facts", SCHEMA, where=where).to_pylist()
    return sorted((r["day"], r["channel"], r["slot"], r["number"]) for r in rows)


EVERY: Rows = [row(day, channel, slot) for day in DAYS[:3] for channel in CHANNELS for slot in ("06", "07")]


SLICED: list[tuple[str | None, Callable[[dict[str, Any]], bool]]] = [
    (equals("day", DAYS[1]), lambda r: r["day"] == DAYS[1]),
    (equals("channel", "sms"), lambda r: r["channel"] == "sms"),
    (between("day", DAYS[1], DAYS[2]), lambda r: r["day"] >= DAYS[1]),
    (between("slot", "07", "09"), lambda r: r["slot"] == "07"),
    (in_dates("day", [DAYS[0], DAYS[2]]), lambda r: r["day"] != DAYS[1]),
    (in_values("channel", ["social", "it's"]), lambda r: r["channel"] == "social"),
    (in_values("channel", []), lambda _: False),
    (in_dates("day", []), lambda _: False),
    (equals("number", 2), lambda _: False),
    (
        f"{equals('channel', 'sms')} AND {equals('day', DAYS[0])} AND {between('slot', '06', '06')}",
        lambda r: (r["channel"], r["day"], r["slot"]) == ("sms", DAYS[0], "06"),
    ),
    (None, lambda _: True),
]


def test_a_replacement_touches_the_rows_of_its_slice_and_no_other(tables: Tables) -> None:
    rows = EVERY
    replace(tables, rows, None)
    for step, (where, matches) in enumerate(SLICED if "://" not in tables.location("") else SLICED[::4]):
        others = [r for r in rows if not matches(r)]
        new = [{**r, "text": f"step {step}"} for r in rows if matches(r)]
        for replacement in ([], new):
            replace(tables, replacement, where)
            rows = others + replacement
            assert sorted(tables.scan("facts", SCHEMA).to_pylist(), key=str) == sorted(rows, key=str), where
    assert len(rows) == len(EVERY)


SLICES = st.tuples(
    st.sets(st.sampled_from(DAYS), min_size=1),
    st.sampled_from([*CHANNELS, None]),
    st.integers(0, 3),
    st.booleans(),
)


@settings(max_examples=8, deadline=None)
@given(st.lists(SLICES, min_size=2, max_size=5))
def test_a_table_is_what_its_last_replacements_say(
    tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[set[date], str | None, int, bool]]
) -> None:
    tables = Tables(str(tmp_path_factory.mktemp("model")))
    model: dict[tuple[date, str], list[int]] = {}
    for number, (days, channel, copies, backwards) in enumerate(steps):
        parts = [(day, one) for day in sorted(days) for one in ([channel] if channel else CHANNELS)]
        rows = [row(day, one, number=number) for day, one in parts for _ in range(copies)]
        where = in_dates("day", sorted(days)) + (f" AND {equals('channel', channel)}" if channel else "")
        replace(tables, rows[::-1] if backwards else rows, where)
        model.update({part: [number] * copies for part in parts})
    assert stand(tables) == sorted((*part, "06", n) for part, numbers in model.items() for n in numbers)


def test_a_value_in_a_predicate_is_only_ever_a_value(tables: Tables) -> None:
    values = ["it's", "ẹ̀kọ́", "'; DELETE", "'' OR 1 = 1 --", "a\\", '"', "%_", "a\nb", ""]
    if "://" in tables.location(""):
        values = values[:2]  # the store cannot matter; a folder is faster
    replace(tables, [row(slot=value, number=0) for value in (*values, "kept")], None)
    expected = dict.fromkeys((*values, "kept"), 0)
    for n, value in enumerate(values, 1):
        replace(tables, [row(slot=value, number=n)], equals("slot", value))
        expected[value] = n
        assert {slot: number for _, _, slot, number in stand(tables)} == expected
    assert tables.count("facts") == len(expected)
    for value in values:
        replace(tables, [], equals("slot", value))
    assert stand(tables) == [(DAYS[0], "sms", "kept", 0)]


def test_the_same_content_twice_gives_the_same_rows(tables: Tables) -> None:
    replace(tables, EVERY, None)
    for order in (EVERY, EVERY[::-1]):
        replace(tables, order[:], in_dates("day", DAYS))
        assert sorted(tables.scan("facts", SCHEMA).to_pylist(), key=str) == sorted(EVERY, key=str)
    assert tables.count("facts") == len(EVERY)


def test_many_scattered_days_are_no_conflict_with_the_days_between_them(tmp_path: Path) -> None:
    """A run stores its days piece by piece against one fence: its own pieces must not refuse each other."""
    tables = Tables(str(tmp_path))
    days = [date(2020, 1, 1) + timedelta(days=n) for n in range(120)]
    replace(tables, [row(days[0])], None)
    fence = tables.version("facts")
    for piece in (days[0::2], days[1::2]):
        replace(tables, [row(day) for day in piece], in_dates("day", piece), since=fence)
    assert [day for day, *_ in stand(tables)] == days
    with pytest.raises(Overtaken):
        replace(tables, [row(days[40])], in_dates("day", days[40:41]), since=fence)


def test_rows_are_written_in_the_stated_order(tables: Tables) -> None:
    replace(tables, [row(slot=slot, number=n) for slot, n in (("07", 1), ("06", 2), ("07", 0), ("06", 1))], None)
    found = tables.scan("facts", SCHEMA).to_pylist()
    assert [(r["slot"], r["number"]) for r in found] == [("06", 1), ("06", 2), ("07", 0), ("07", 1)]


def test_columns_meet_by_name(tables: Tables) -> None:
    data = pa.Table.from_pylist([row()], schema=SCHEMA)
    replace(tables, data.select(SCHEMA.names[::-1]), None)
    found = tables.scan("facts", SCHEMA)
    assert found.schema == SCHEMA
    assert found.to_pylist() == [row()]


@pytest.mark.parametrize("spoilt", ["missing", "surplus"])
def test_other_columns_are_refused_by_name_and_the_rows_stay(tables: Tables, spoilt: str) -> None:
    replace(tables, [row()], None)
    data = pa.Table.from_pylist([row()], schema=SCHEMA)
    data = data.drop_columns(["text"]) if spoilt == "missing" else data.append_column("extra", pa.array([1]))
    with pytest.raises(ValueError, match=r"facts: .*(text|extra)"):
        replace(tables, data, None)
    assert stand(tables) == [(DAYS[0], "sms", "06", 1)]


def test_rows_outside_the_slice_are_refused_without_being_quoted_and_the_rows_stay(tables: Tables) -> None:
    replace(tables, [row()], None)
    with pytest.raises(ValueError, match="facts: ") as refusal:
        replace(tables, [row(number=2), row(DAYS[1], number=2)], equals("day", DAYS[0]))
    told = refusal.value
    assert "8031234567" not in f"{told} {told.__cause__}"
    assert told.__suppress_context__
    assert stand(tables) == [(DAYS[0], "sms", "06", 1)]


def test_a_null_in_a_column_that_forbids_it_is_refused_and_the_rows_stay(tables: Tables) -> None:
    replace(tables, [row()], None)
    loose = pa.schema([field.with_nullable(True) for field in SCHEMA])
    with pytest.raises(ValueError):
        replace(tables, pa.Table.from_pylist([row() | {"slot": None}], schema=loose), None)
    assert stand(tables) == [(DAYS[0], "sms", "06", 1)]


# Reading


def test_a_missing_table_is_empty_with_its_schema(tables: Tables) -> None:
    assert tables.scan("nowhere", SCHEMA) == SCHEMA.empty_table()
    assert tables.scan("nowhere", SCHEMA, columns=["text", "day"]).schema.names == ["day", "text"]
    assert tables.count("nowhere") == 0


def test_a_table_made_of_no_rows_is_empty_with_its_schema(tables: Tables) -> None:
    replace(tables, [], equals("day", DAYS[0]))
    assert tables.scan("facts", SCHEMA) == SCHEMA.empty_table()
    assert tables.count("facts") == 0


def test_count_and_location(place: str, tables: Tables) -> None:
    replace(tables, EVERY, None)
    replace(tables, [row()], None, "other")
    assert tables.location("facts") == f"{place}/facts"
    assert tables.count("facts") == 18
    assert tables.count("other") == 1
    assert any(info.key.startswith("_delta_log/") for info in open_store(tables.location("facts")).list())


FILTERED: Rows = [
    row(day, channel, slot, number, text=text)
    for (day, channel, slot), number, text in zip(
        [(d, c, s) for d in DAYS[:2] for c in CHANNELS for s in ("06", "07")],
        [1, 2, None, 3, 2, None, 5, 1, 2, 4, None, 3],
        ["a", None, "b", "it's", "", "c", "a", "b", None, "z", "ẹ̀", "a"],
        strict=True,
    )
]


FILTERS: list[list[Filter]] = [
    [],
    [("day", "=", DAYS[1])],
    [("channel", "in", ["sms", "survey"])],
    [("channel", "in", [])],
    [("slot", ">=", "07")],
    [("number", "<=", 2)],
    [("text", "=", "it's")],
    [("text", "in", ["a", "ẹ̀"])],
    [("day", ">=", DAYS[0]), ("day", "<=", DAYS[0]), ("channel", "=", "sms"), ("number", ">=", 2)],
    [("at", ">=", datetime(2026, 11, 23, 6, 1, 2, tzinfo=UTC))],
    [("at", "<=", datetime(2026, 11, 23, 6, 1, 2, tzinfo=UTC))],
]


def test_a_scan_finds_what_a_filter_over_all_rows_finds(tables: Tables) -> None:
    replace(tables, FILTERED, None)
    operators: dict[str, Callable[..., Any]] = {
        "=": pc.equal,
        ">=": pc.greater_equal,
        "<=": pc.less_equal,
        "in": lambda column, values: pc.is_in(column, pa.array(values, column.type)),
    }
    for where in FILTERS:
        expected = pa.Table.from_pylist(FILTERED, schema=SCHEMA)
        for column, operator, value in where:
            known = value if operator == "in" else pa.scalar(value, SCHEMA.field(column).type)
            expected = expected.filter(operators[operator](expected[column], known))
        found = tables.scan("facts", SCHEMA, where=where)
        assert sorted(found.to_pylist(), key=str) == sorted(expected.to_pylist(), key=str), where


def test_a_scan_gives_the_columns_asked_for_and_filters_by_others(tables: Tables) -> None:
    replace(tables, FILTERED, None)
    found = tables.scan("facts", SCHEMA, columns=["number", "day"], where=[("text", "=", "z")])
    assert found.schema == pa.schema([SCHEMA.field("day"), SCHEMA.field("number")])
    assert found.to_pylist() == [{"day": DAYS[1], "number": 4}]


ODD = pa.schema(
    [
        pa.field("day", pa.date32(), nullable=False),
        ("kind", pa.dictionary(pa.int32(), pa.string())),
        ("words", pa.list_(pa.string())),
        ("days", pa.list_(pa.date32())),
        ("at", pa.timestamp("us", tz="UTC")),
        ("real", pa.float64()),
        ("yes", pa.bool_()),
    ]
)


def test_every_type_comes_back_as_it_was(tables: Tables) -> None:
    rows: Rows = [
        {
            "day": DAYS[0],
            "kind": "b",
            "words": ["x", None, "ẹ̀"],
            "days": [date(1, 1, 1), date(9999, 12, 31)],
            "at": datetime(1969, 12, 31, 23, 59, 59, 999999, tzinfo=UTC),
            "real": 0.1,
            "yes": True,
        },
        {"day": DAYS[0], "kind": "a", "words": [], "days": [], "at": None, "real": float("inf"), "yes": False},
        {"day": DAYS[1], **dict.fromkeys(ODD.names[1:])},
    ]
    data = pa.Table.from_pylist(rows, schema=ODD)
    tables.replace("odd", data, schema=ODD, partition_by=["day"], where=None, sort_by=["day"], statistics=["day"])
    found = tables.scan("odd", ODD)
    assert found.schema == ODD
    assert sorted(found.to_pylist(), key=str) == sorted(rows, key=str)
    first = tables.scan("odd", ODD, where=[("kind", "=", "b")])
    assert first.to_pylist() == rows[:1]


def test_rows_with_dictionary_columns_are_stored_as_the_schema_says(tables: Tables) -> None:
    data = pa.Table.from_pylist([row(), row(DAYS[1])], schema=SCHEMA)
    index = SCHEMA.get_field_index("channel")
    data = data.set_column(
        index, pa.field("channel", pa.dictionary(pa.int32(), pa.string())), data["channel"].dictionary_encode()
    )
    replace(tables, data, None)
    assert tables.scan("facts", SCHEMA).schema == SCHEMA
    assert tables.count("facts") == 2


# What the log keeps


def log_of(tables: Tables, name: str = "facts") -> Rows:
    """Every action in the Delta log."""
    store = open_store(f"{tables.location(name)}/_delta_log")
    texts = [read(store, info.key) or b"" for info in store.list() if info.key.endswith(".json")]
    return [json.loads(line) for text in texts for line in text.splitlines()]


def test_the_log_keeps_minimum_and_maximum_of_the_named_columns_only(tables: Tables) -> None:
    for where in (None, equals("day", DAYS[1]), equals("slot", "07")):  # the last one rewrites files
        replace(tables, [row(DAYS[1], slot="07", text="secret text", words=["secret word"])], where)
        replace(tables, [r | {"text": "secret text"} for r in EVERY], None)
    replace(tables, [], equals("slot", "07"))
    log = log_of(tables)
    added = [json.loads(action["add"]["stats"]) for action in log if "add" in action]
    assert len(added) > 10
    kept = {
        column for stats in added for kind in ("minValues", "maxValues", "nullCount") for column in stats[kind]
    }
    assert kept == {"slot"}  # the other named columns are partition columns: every file has one value of them
    told = json.dumps(log)
    assert "secret" not in told
    assert "8031234567" not in told
    assert "345678" not in told


def test_a_table_of_many_small_files_is_compacted_and_keeps_its_rows_and_its_secrets(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "COMPACT_FILES", 3)
    tables = Tables(str(tmp_path))
    for n in range(49):
        replace(tables, [row(slot=f"{n:02}", text="secret")], equals("slot", f"{n:02}"))
    optimised = [a for a in log_of(tables) if a.get("commitInfo", {}).get("operation") == "OPTIMIZE"]
    assert len(optimised) == 1
    assert [slot for _, _, slot, _ in stand(tables)] == [f"{n:02}" for n in range(49)]
    assert "secret" not in json.dumps(log_of(tables))


# Several at once: each in a process of its own, because delta-rs must not be forked


WRITE = """
from datetime import date
import pyarrow as pa
from resources.tables import Tables, equals
place, names, me, rounds, same = sys.argv[1], sys.argv[2].split(), *map(int, sys.argv[3:])
SCHEMA = pa.schema([pa.field("day", pa.date32(), nullable=False), ("me", pa.int64()), ("round", pa.int64())])
tables = Tables(place)
tables.count("warm-up")
ready()
day = date(2026, 11, 1 if same else 1 + me)
for n in range(rounds):
    rows = pa.Table.from_pylist([{"day": day, "me": me, "round": n}] * (5 + me), schema=SCHEMA)
    for name in names:
        tables.replace(name, rows, schema=SCHEMA, partition_by=["day"], where=equals("day", day),
                       sort_by=["me"], statistics=["day"])
print(json.dumps("done"))
"""
WRITTEN = pa.schema([pa.field("day", pa.date32(), nullable=False), ("me", pa.int64()), ("round", pa.int64())])


def write(tables: Tables, day: date, rows: Rows) -> None:
    tables.replace(
        "facts",
        pa.Table.from_pylist(rows, schema=WRITTEN),
        schema=WRITTEN,
        partition_by=["day"],
        where=equals("day", day),
        sort_by=["me"],
        statistics=["day"],
    )


def slices(tables: Tables, name: str = "facts") -> dict[date, set[tuple[int, int, int]]]:
    """For each day (writer, round, number of rows) of what stands; each must be one whole replacement."""
    found: dict[date, set[tuple[int, int, int]]] = {}
    grouped = tables.scan(name, WRITTEN).group_by(["day", "me", "round"]).aggregate([([], "count_all")])
    for one in grouped.to_pylist():
        found.setdefault(one["day"], set()).add((one["me"], one["round"], one["count_all"]))
    return found


def test_writers_of_different_slices_all_succeed_even_when_they_create_the_table(
    place: str, tables: Tables, together: Callable[..., list[Any]]
) -> None:
    names = ["first", "second", "third"]
    assert together(WRITE, [(place, " ".join(names), me, 1, 0) for me in range(3)]) == ["done"] * 3
    for name in names:
        assert slices(tables, name) == {date(2026, 11, 1 + me): {(me, 0, 5 + me)} for me in range(3)}


def test_writers_of_one_slice_leave_one_of_them_whole_and_a_reader_never_sees_less(
    place: str, tables: Tables, child: Callable[..., Any]
) -> None:
    rounds = 2
    writers = [child(WRITE, place, "facts", me, rounds, 1) for me in range(3)]
    for writer in writers:
        writer.wait_until_ready()
    for writer in writers:
        writer.go()
    seen: list[set[tuple[int, int, int]]] = []
    while any(writer.process.poll() is None for writer in writers):
        now = slices(tables).get(date(2026, 11, 1), set())
        if now or seen:  # once there is something, there always is
            seen.append(now)
        time.sleep(0.01)
    assert [writer.result() for writer in writers] == ["done"] * 3
    final = slices(tables)[date(2026, 11, 1)]
    whole = {(me, n, 5 + me) for me in range(3) for n in range(rounds)}
    for one in [*seen, final]:
        assert len(one) == 1
        assert one <= whole
    assert seen


def test_a_slice_that_is_emptied_and_written_at_once_is_empty_or_whole(
    place: str, tables: Tables, child: Callable[..., Any]
) -> None:
    day = date(2026, 11, 1)
    writer = child(WRITE, place, "facts", 0, 4, 1)
    writer.wait_until_ready()
    writer.go()
    while writer.process.poll() is None:
        write(tables, day, [])
        found = slices(tables).get(day, set())
        assert len(found) <= 1
        assert found <= {(0, n, 5) for n in range(4)}
    assert writer.result() == "done"


def test_a_killed_writer_leaves_a_whole_slice_and_the_next_one_succeeds(
    place: str, tables: Tables, child: Callable[..., Any]
) -> None:
    killed = child(WRITE, place, "facts", 0, 1000, 1)
    killed.wait_until_ready()
    killed.go()
    time.sleep(random.Random(place[:2]).uniform(0.1, 0.4))
    killed.kill()
    found = slices(tables).get(date(2026, 11, 1), set())
    assert [(me, rows) for me, _, rows in found] in ([], [(0, 5)])
    write(tables, date(2026, 11, 1), [{"day": date(2026, 11, 1), "me": 1, "round": 0}] * 6)
    assert slices(tables) == {date(2026, 11, 1): {(1, 0, 6)}}
