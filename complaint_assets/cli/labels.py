"""``complaints taxonomy label-sample|label-import``: a sample that people label, and their answers."""

import csv
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Annotated, Any

import typer

from complaint_assets.cli.common import AsJson, WrongUse, err, show, stores
from resources.settings import settings

app = typer.Typer()

COLUMNS = ("complaint_id", "channel", "text", "category", "labeller")
MOST_ROWS = 100_000
MOST_BYTES = 50_000_000
FAULTS_SHOWN = 20


@app.command("label-sample")
def label_sample(
    file: Annotated[Path, typer.Option("--to", help="New file, .csv or .xlsx.")],
    each: Annotated[int, typer.Option(min=1, help="Complaints per category and channel.")] = 10,
    seed: Annotated[int, typer.Option(help="Which ones.")] = 1,
    as_json: AsJson = False,
) -> None:
    """Write a sample, the same number of every category and channel, for people to label.

    Its texts are strictly masked. What the rules say is not in it. Fill in category and labeller, then import it.
    """
    from complaint_assets.assets.enriched import ENRICHED
    from complaint_assets.cli.sample import strict_mask
    from complaint_assets.logic.enriched.calibration import harmless, stratified

    _known_format(file)
    if file.exists():
        raise WrongUse(f"{file} exists: name a new file")
    tables = stores().tables
    columns = ["complaint_id", "channel", "category", "masked_text", "is_amplification"]
    known = tables.scan("enriched_complaints", ENRICHED, columns=columns[:3] + columns[4:])
    strata = [
        (row["complaint_id"], (row["category"], row["channel"]))
        for row in known.to_pylist()
        if not row["is_amplification"]
    ]
    drawn = stratified(strata, each, seed)
    texts = tables.scan("enriched_complaints", ENRICHED, columns=columns, where=[("complaint_id", "in", drawn)])
    by_id, mask = {row["complaint_id"]: row for row in texts.to_pylist()}, strict_mask()
    rows = [
        (one, by_id[one]["channel"], harmless(mask(by_id[one]["masked_text"])), "", "")
        for one in drawn
        if by_id[one]["masked_text"]
    ]
    _write(file, rows, sorted(_categories()))
    show([{"file": str(file), "complaints": len(rows)}], as_json, "Sample to label")


@app.command("label-import")
def label_import(
    file: Annotated[Path, typer.Argument(help="The sample with category and labeller filled in.")],
    as_json: AsJson = False,
) -> None:
    """Take labels in and measure the agreement anew; nothing is taken in while any row is wrong.

    Rows without category are passed over. A labeller who labels a complaint again changes their mind.
    """
    from complaint_assets.cli.run import run_job

    _known_format(file)
    if not file.is_file() or file.stat().st_size > MOST_BYTES:
        raise WrongUse(f"{file}: no file, or larger than {MOST_BYTES // 1_000_000} MB")
    rows, faults = _checked(_read(file))
    if faults:
        for fault in faults[:FAULTS_SHOWN]:
            err.print(f"{file}: {fault}", soft_wrap=True, highlight=False, markup=False)
        raise RuntimeError(f"{file}: {len(faults)} rows are wrong; nothing was taken in")
    _store(rows)
    run_job("calibrate")
    told = [{"labels": len(rows), "labellers": len({row["labeller"] for row in rows})}]
    show(told, as_json, "Taken in")


def _known_format(file: Path) -> None:
    if file.suffix.lower() not in (".csv", ".xlsx"):
        raise WrongUse(f"{file}: the name must end in .csv or .xlsx")


def _categories() -> set[str]:
    from complaint_assets.taxonomy import load_rules

    return set(load_rules(settings().country, settings().taxonomy).categories)


def _write(file: Path, rows: Iterable[tuple[str, ...]], categories: list[str]) -> None:
    if file.suffix.lower() == ".csv":
        with file.open("w", encoding="utf-8-sig", newline="") as stream:
            csv.writer(stream).writerows([COLUMNS, *rows])
        return
    import openpyxl

    book = openpyxl.Workbook(write_only=True)
    sheet = book.create_sheet("labels")
    for row in (COLUMNS, *rows):
        sheet.append(row)
    listed = book.create_sheet("categories")
    for name in categories:
        listed.append((name,))
    book.save(file)


def _read(file: Path) -> Iterator[tuple[int, dict[str, str]]]:
    """Number and cells of each row.

    Raises:
        WrongUse: the file cannot be read, has too many rows or lacks a column.
    """
    if file.suffix.lower() == ".csv":
        try:
            lines: Any = list(csv.reader(file.read_text(encoding="utf-8-sig").splitlines(keepends=True)))
        except (UnicodeDecodeError, csv.Error) as error:
            raise WrongUse(f"{file}: not readable as CSV in UTF-8") from error
    else:
        import openpyxl

        try:
            book = openpyxl.load_workbook(file, read_only=True, data_only=True)
            lines = list(book.worksheets[0].iter_rows(values_only=True, max_row=MOST_ROWS + 2, max_col=50))
        except Exception as error:  # whatever a broken archive makes of the library
            raise WrongUse(f"{file}: not readable as XLSX") from error
    if len(lines) > MOST_ROWS + 1:
        raise WrongUse(f"{file}: more than {MOST_ROWS} rows")
    head = [str(cell or "").strip().lower() for cell in lines[0]] if lines else []
    missing = [name for name in ("complaint_id", "category", "labeller") if name not in head]
    if missing:
        raise WrongUse(f"{file}: no column {', '.join(missing)}")
    for number, line in enumerate(lines[1:], start=2):
        yield number, {name: str(cell or "").strip() for name, cell in zip(head, line, strict=False)}


def _checked(rows: Iterable[tuple[int, dict[str, str]]]) -> tuple[list[dict[str, Any]], list[str]]:
    """The labels, and what is wrong by row."""
    from complaint_assets.assets.enriched import ENRICHED

    filled = [(number, row) for number, row in rows if row.get("category")]
    wanted = sorted({row.get("complaint_id", "") for _, row in filled})
    known = stores().tables.scan(
        "enriched_complaints",
        ENRICHED,
        columns=["complaint_id", "event_date"],
        where=[("complaint_id", "in", wanted)],
    )
    dates = dict(zip(known["complaint_id"].to_pylist(), known["event_date"].to_pylist(), strict=True))
    categories, labels, faults = _categories(), {}, []
    for number, row in filled:
        one, labeller = row.get("complaint_id", ""), row.get("labeller", "")
        category = row["category"].lower()
        if one not in dates:
            faults.append(f"row {number}: no complaint of this id")
        elif category not in categories:
            faults.append(f"row {number}: no such category; there are {', '.join(sorted(categories))}")
        elif not 0 < len(labeller) <= 60:
            faults.append(f"row {number}: labeller must have 1 to 60 characters")
        elif (one, labeller) in labels:
            faults.append(f"row {number}: this labeller has labelled this complaint in a row above")
        else:
            labels[one, labeller] = {"event_date": dates[one], "category": category}
    told = [{"complaint_id": one, "labeller": who, **label} for (one, who), label in labels.items()]
    return told, faults


def _store(rows: list[dict[str, Any]]) -> None:
    import pyarrow as pa

    from complaint_assets.assets.taxonomy import LABELS

    tables = stores().tables
    version = tables.version("labels")
    standing = {(r["complaint_id"], r["labeller"]): r for r in tables.scan("labels", LABELS).to_pylist()}
    standing |= {(row["complaint_id"], row["labeller"]): row for row in rows}
    tables.replace(
        "labels",
        pa.Table.from_pylist(list(standing.values()), schema=LABELS),
        schema=LABELS,
        partition_by=[],
        where=None,
        sort_by=["complaint_id", "labeller"],
        statistics=["event_date"],
        since=version,
    )
