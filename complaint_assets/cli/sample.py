"""``complaints sample``: a masked sample of this home for a home of another environment."""

import json
import secrets
from collections import defaultdict
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any

import typer

from complaint_assets.cli.common import AsJson, WrongUse, out, show, stores
from resources.settings import settings

app = typer.Typer()


@app.command()
def sample(
    folder: Annotated[Path, typer.Option("--to", help="New or empty folder for deliveries and their contracts.")],
    share: Annotated[float, typer.Option(min=0.0, max=1.0, help="Share of the people.")] = 0.05,
    rows: Annotated[int | None, typer.Option(min=1, help="About so many deliveries, instead of a share.")] = None,
    seed: Annotated[int, typer.Option(help="Which people.")] = 1,
    shift_days: Annotated[int, typer.Option(help="Days that are added to every time.")] = 0,
    as_json: AsJson = False,
) -> None:
    """Write a strictly masked sample that a home of another environment can take in.

    Its pseudonyms are made with a key that is thrown away: nothing in it can be joined with this home or with
    another sample.
    """
    if folder.exists() and any(folder.iterdir()):
        raise WrongUse(f"{folder} is not empty: a sample never mixes with anything")
    total = stores().tables.count("standardised")
    if not total:
        raise WrongUse("there is nothing to sample yet: complaints run")
    figures = write_sample(folder, rows / total if rows else share, seed, timedelta(days=shift_days))
    show(figures, as_json, "Sample")
    if not as_json:
        out.print(
            f"Take it in with: COMPLAINTS_ENV=dev COMPLAINTS_HOME=... COMPLAINTS_CONTRACTS={folder}/contracts "
            f"COMPLAINTS_INBOX={folder}/inbox complaints run",
            soft_wrap=True,
        )


def write_sample(folder: Path, share: float, seed: int, shift: timedelta) -> list[dict[str, Any]]:
    """Write the sample, one day of arrival in memory at a time; return deliveries and files per channel."""
    import yaml

    from complaint_assets.assets.standardised import STANDARDISED
    from complaint_assets.logic.privacy.sample import SOURCE, contract_of
    from complaint_assets.logic.privacy.sample import sample as sampled
    from complaint_assets.partitions import slot_at, slot_window
    from complaint_assets.schemas.types import CHANNELS

    key, mask, tables = secrets.token_bytes(32), strict_mask(), stores().tables
    figures = []
    for channel in CHANNELS:
        of_channel = [("channel", "=", channel)]
        days = tables.scan("standardised", STANDARDISED, columns=["arrival_date"], where=of_channel)
        written = files = 0
        for day in sorted(days["arrival_date"].unique().to_pylist()):
            found = tables.scan(
                "standardised", STANDARDISED, where=[*of_channel, ("arrival_date", "=", day)]
            ).to_pylist()
            by_slot: dict[str, list[Any]] = defaultdict(list)
            for row in found:
                start = slot_window(channel, row["slot"])[0] + shift
                by_slot[slot_at(channel, start)].append(row)
            for slot, of_slot in sorted(by_slot.items()):
                records = list(sampled(of_slot, share, seed, key, mask, shift))
                if records:
                    path = folder / "inbox" / channel / SOURCE / slot / "sample.jsonl"
                    path.parent.mkdir(parents=True)
                    lines = (json.dumps(record, ensure_ascii=False) + "\n" for record in records)
                    path.write_text("".join(lines), encoding="utf-8")
                    written, files = written + len(records), files + 1
        contract = folder / "contracts" / channel / f"{SOURCE}.yaml"
        contract.parent.mkdir(parents=True)
        contract.write_text(yaml.safe_dump(contract_of(channel), sort_keys=False), encoding="utf-8")
        figures.append({"channel": channel, "deliveries": written, "files": files})
    return figures


def strict_mask() -> Callable[[str], str]:
    """The strict profile, as a function of one text."""
    from complaint_assets.vocabulary import load_masker

    return load_masker("strict", settings().country, settings().brands.split(","), settings().word_folders()).text
