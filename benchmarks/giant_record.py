"""A 2 GB line between two good records: memory above start, and what became of each record.

python -m benchmarks.giant_record [FORMAT]
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


def main(name: str) -> None:
    """Read it and print the figures."""
    start = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    found = kinds_of(Giant(*PARTS[name], 2 << 30), FORMATS[name][1])
    used = resource.getrusage(resource.RUSAGE_SELF)
    print(f"{name}: {found}, {(used.ru_maxrss - start) >> 10} MB above start (bar 256), {used.ru_utime:.1f} CPU s")


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else "jsonl")
