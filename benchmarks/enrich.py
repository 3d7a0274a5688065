"""The whole enrichment step against a plain pandas pipeline.

``python -m benchmarks.enrich [--rows N] [--more M]``.

Complaints of the simulator's phrases, read from a file batch by batch, enriched on all cores. The baseline runs on
``--sample`` of the same rows, in turns with the step on as many, and its output must be equal. Bars: 12 times the
baseline on two cores, peak memory 1.2 GB, five times the rows in at most 5.5 times the time.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from benchmarks.plain_enrichment import pipeline
from benchmarks.traffic import SCHEMA, complaints
from complaint_assets.logic.cores import cores
from complaint_assets.logic.enriched.enrich import enrich
from complaint_assets.logic.enriched.spread import PIECE, enrich_each
from complaint_assets.taxonomy import load_rules


def memory(stop: threading.Event, peak: list[int]) -> None:
    """Keep the most memory in bytes that this process and its children held together (PSS) in ``peak``."""
    while not stop.wait(0.5):
        total = 0
        children = Path("/proc/self/task").glob("*/children")
        for pid in ["self", *(pid for file in children for pid in file.read_text().split())]:
            try:
                lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
            except OSError:
                continue
            total += next(int(line.split()[1]) * 1024 for line in lines if line.startswith("Pss:"))
        peak[0] = max(peak[0], total)


def cpu() -> float:
    """CPU seconds of this process and of its children that ended."""
    import resource

    return sum(
        usage.ru_utime + usage.ru_stime
        for usage in map(resource.getrusage, (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    )


def measure(file: Path) -> None:
    """Enrich all of ``file`` and print what it took, as JSON."""
    stop, peak = threading.Event(), [0]
    watcher = threading.Thread(target=memory, args=(stop, peak))
    watcher.start()
    wall, used, rows, told = time.perf_counter(), cpu(), 0, 0
    source = pq.ParquetFile(file, pre_buffer=False)
    batches = (pa.Table.from_batches([b], SCHEMA) for b in source.iter_batches(PIECE))
    for table in enrich_each(batches, load_rules("NG")):
        rows += table.num_rows
        told += table["evidence"].nbytes
    stop.set()
    watcher.join()
    print(json.dumps({"rows": rows, "wall": time.perf_counter() - wall, "cpu": cpu() - used, "peak": peak[0]}))


def written(folder: Path, rows: int) -> Path:
    file = folder / f"{rows}.parquet"
    with pq.ParquetWriter(file, SCHEMA) as writer:
        for table in complaints(rows):
            writer.write_table(table)
    return file


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--more", type=int, default=0, help="rows of a second, larger run")
    parser.add_argument("--sample", type=int, default=20_000, help="rows of the baseline")
    parser.add_argument("--measure", type=Path, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.measure:
        measure(asked.measure)
        return
    rules = load_rules("NG")
    sample = pa.concat_tables(complaints(asked.sample))
    frame, apply = sample.to_pandas(), pipeline(rules)
    apply(frame.head(50))
    enrich(sample, rules)
    plain, ours = [], []
    for part in range(4):  # in turns: the machine may be busy with something else
        piece = slice(part * asked.sample // 4, (part + 1) * asked.sample // 4)
        begun = time.process_time()
        expected = apply(frame.iloc[piece])
        plain.append(time.process_time() - begun)
        begun = time.process_time()
        found = enrich(sample.slice(piece.start, piece.stop - piece.start), rules)
        ours.append(time.process_time() - begun)
        want = pa.Table.from_pandas(
            expected,
            schema=pa.schema([found.schema.field(name) for name in expected.columns]),
            preserve_index=False,
        )
        assert found.select(want.column_names).equals(want), "the outputs differ"
    each = sum(plain) / asked.sample
    own = sum(ours) / asked.sample
    print(f"equal output on {asked.sample:,} rows; {cores()} cores")
    print(f"pandas apply            {each * 1e6:8.1f} us CPU a row")
    print(f"enrich, small batches   {own * 1e6:8.1f} us CPU a row: {each / own:.1f}x")
    with tempfile.TemporaryDirectory() as folder:
        first = None
        for rows in filter(None, (asked.rows, asked.more)):
            file = written(Path(folder), rows)
            done = subprocess.run(
                [sys.executable, "-m", f"benchmarks.{Path(__file__).stem}", "--measure", file],
                capture_output=True,
                text=True,
                check=True,
            )
            took = json.loads(done.stdout)
            file.unlink()
            print(
                f"{rows:>10,} rows  {took['wall']:7.1f} s wall  {took['cpu']:7.1f} s CPU  "
                f"{took['peak'] / 1e9:.2f} GB peak  {each * rows / took['wall']:.1f}x pandas by wall, "
                f"{each * rows / (took['cpu'] / cores()):.1f}x by CPU on {cores()} cores"
            )
            if first:
                ratio, used = took["wall"] / first["wall"], took["cpu"] / first["cpu"]
                print(f"{rows / first['rows']:.1f} times the rows: {ratio:.2f} times the wall, {used:.2f} the CPU")
            first = first or took


if __name__ == "__main__":
    main()
