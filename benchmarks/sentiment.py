"""Sentiment against the package it must equal, one core: ``python -m benchmarks.sentiment [--made N]``.

Every real text and ``--made`` invented ones are scored by both; every value must be identical. Speed is taken on
real short texts, in turns. Bars: 200,000 texts equal, 12 times the package's own loop.
"""

import argparse
import statistics
import sys
import time

import pyarrow as pa
from vaderSentiment.vaderSentiment import SentimentIntensityAnalyzer

from benchmarks.texts import made, real
from benchmarks.traffic import complaints
from complaint_assets.logic.enriched.sentiment import compound

SPEED = 15_000
TURNS = 5


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--made", type=int, default=200_000)
    asked = parser.parse_args()
    begun = time.process_time()
    compound(pa.array(["good"]), compiled=True)
    print(f"start-up of the compiled pass in this process: {time.process_time() - begun:.2f} s CPU")
    score = SentimentIntensityAnalyzer().polarity_scores
    short = real() or [text for table in complaints(SPEED) for text in table["text"].to_pylist()]
    texts = [*short, *made(asked.made)]
    found = compound(pa.array(texts), compiled=True).to_pylist()
    unequal = sum(value != score(text)["compound"] for text, value in zip(texts, found, strict=True))
    print(f"{len(texts):,} texts ({len(short):,} not invented here): {unequal} values differ")
    short = short[:SPEED]
    column = pa.array(short)
    package, compiled = [], []
    for _ in range(TURNS):
        begun = time.process_time()
        for text in short:
            score(text)
        package.append(time.process_time() - begun)
        begun = time.process_time()
        compound(column, compiled=True)
        compiled.append(time.process_time() - begun)
    ratios = [slow / fast for slow, fast in zip(package, compiled, strict=True)]
    print(f"package's own loop  {len(short) / statistics.median(package):>10,.0f} texts a CPU second")
    print(f"compiled pass       {len(short) / statistics.median(compiled):>10,.0f} texts a CPU second")
    print(
        f"ratio {statistics.median(ratios):.1f} (of {TURNS} turns {min(ratios):.1f} to {max(ratios):.1f}); bar 12"
    )
    if unequal:
        sys.exit(1)


if __name__ == "__main__":
    main()
