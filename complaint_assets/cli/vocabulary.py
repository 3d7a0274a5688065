"""``complaints vocabulary``: words of one's own for the strict masking profile."""

from pathlib import Path
from typing import Annotated

import typer

from complaint_assets.cli.common import AsJson, WrongUse, show, stores
from resources.settings import settings

app = typer.Typer()


@app.command()
def vocabulary(
    to: Annotated[Path, typer.Option(help="File to write, one word a line; it must not exist.")],
    customers: Annotated[int, typer.Option(min=5, help="Different customers who must have used a word.")] = 20,
    as_json: AsJson = False,
) -> None:
    """List the words that many customers use and strict masking hides so far, for a person to review.

    Run it in production, where texts are whole; put the reviewed file into a folder that COMPLAINTS_VOCABULARY
    of the other environments names.
    """
    from complaint_assets.assets.complaints import COMPLAINTS
    from complaint_assets.logic.privacy.mask_strict import common_words
    from complaint_assets.vocabulary import load_names, load_vocabulary

    if settings().masking == "strict":
        raise WrongUse("this home holds strict text only: its words are known already; run it in production")
    if to.exists():
        raise WrongUse(f"{to} exists; name a new file")
    said = stores().tables.scan("complaints", COMPLAINTS, columns=["text", "subject_id"])
    known = load_vocabulary(settings().country, tuple(settings().word_folders()))
    words = common_words(
        said["text"].to_pylist(),
        said["subject_id"].to_pylist(),
        customers,
        load_names() | known.words | known.lower,
    )
    to.write_text("".join(f"{word}\n" for word in sorted(words)), encoding="utf-8")
    show([{"words": len(words), "customers_at_least": customers}], as_json, "Words to review")
