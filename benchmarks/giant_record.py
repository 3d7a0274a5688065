"""A 2 GB line between two good records: memory above start, and what became of each record.

python -m benchmarks.giant_record [FORMAT...]
"""

import resource
import sys

from complaint_assets_tests.logic.test_parse_damage import FORMATS, Giant, kinds_of

PARTS = {
    "jsonl": (b'{"id": 1}\n{"t": "', b"text", b'"}\n{"id": 2}\n'),
    "csv": (b"id,t\n1,a\n3,", b"text", b"\n2,b\n"),
    "json": (b'[{"id": 1}, {"t": "', b"text", b'"}, {"id": 2}]'),
    "xml": (b"<all><r id='1'/><r>", b"text", b"</r><r id='2'/></all>"),
}


def read(name: str) -> tuple[list[str], int, float]:
    """Read it; what became of the records, MB above start, and CPU seconds."""
    before = resource.getrusage(resource.RUSAGE_SELF)
    found = kinds_of(Giant(*PARTS[name], 2 << 30), FORMATS[name][1])
    used = resource.getrusage(resource.RUSAGE_SELF)
    return found, (used.ru_maxrss - before.ru_maxrss) >> 10, used.ru_utime - before.ru_utime


if __name__ == "__main__":
    for form in sys.argv[1:] or PARTS:
        kinds, megabytes, seconds = read(form)
        print(f"{form}: {kinds}, {megabytes} MB above start (bar 256), {seconds:.1f} CPU s")
