"""How far the data reaches, and how long a channel has been silent: told from what arrived."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

from complaint_assets.ledger import Ledger, newest_slot_age
from resources.tables import Tables

NOW = datetime(2026, 11, 23, 9, 30, tzinfo=UTC)


def test_an_empty_file_tells_how_far_the_data_reaches_and_makes_no_channel_fresh(tmp_path: Path) -> None:
    ledger = Ledger(Tables(str(tmp_path)))
    assert (ledger.as_of(), newest_slot_age(ledger.arrivals(), "sms", NOW)) == (None, (None, timedelta.max))
    for channel, slots in (
        ("sms", {"2026-11-23T04": 3, "2026-11-23T05": 7, "2026-11-23T08": 0}),
        ("social", {"2026-11-23T07": 0}),
        ("survey", {"2026-11-22": 5, "2026-11-23": 9}),
    ):
        rows = [
            {
                "channel": channel,
                "source": "one",
                "slot": slot,
                "object_sha256": f"{n:064}",
                "manifest_sha256": "0",
                "bytes": 1,
                "records_in": records,
                "standardised": records,
                "quarantined": 0,
                "event_dates": [],
                "content_digest": "0",
                "contract_version": "1",
            }
            for n, (slot, records) in enumerate(slots.items())
        ]
        ledger.record_intake(channel, sorted(slots), rows)
    arrivals = ledger.arrivals()
    assert newest_slot_age(arrivals, "sms", NOW) == ("2026-11-23T05", timedelta(hours=3, minutes=30))
    assert newest_slot_age(arrivals, "social", NOW) == (None, timedelta.max)
    assert newest_slot_age(arrivals, "survey", NOW) == ("2026-11-23", timedelta())  # its day is not over
    assert ledger.as_of() == datetime(2026, 11, 23, 9, tzinfo=UTC)  # the streaming channels decide
    assert len(arrivals) <= 2 * 3
