"""Complaints for the benchmarks, made by the simulator's phrases: the same number gives the same rows."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from random import Random

import pyarrow as pa

from complaint_assets.schemas.complaints import Complaints
from complaint_assets.schemas.types import arrow_schema
from complaint_assets.simulator.customers import CITIES, CITY_WEIGHTS, Customer, customer
from complaint_assets.simulator.phrases import STYLES, load_phrases

SCHEMA = arrow_schema(Complaints)
STREAMS = {
    "social": "social",
    "sms": "sms",
    "whatsapp": "whatsapp",
    "web_form": "form",
    "call_centre": "",
    "survey": "comment",
}
START = datetime(2026, 9, 1, tzinfo=UTC)


def complaints(rows: int, batch: int = 50_000) -> Iterator[pa.Table]:
    """``rows`` complaints of six channels in tables of ``batch`` rows."""
    rng, phrases = Random(7), load_phrases()
    themes, channels = list(phrases.themes.values()), list(STREAMS)
    for start in range(0, rows, batch):
        count = min(batch, rows - start)
        cities = rng.choices(CITIES, cum_weights=CITY_WEIGHTS, k=count)
        people: list[Customer] = [customer(rng.randrange(100_000), city) for city in cities]
        chosen = rng.choices(channels, weights=(30, 15, 20, 10, 20, 5), k=count)
        texts, labels, ratings = [], [], []
        for channel, person in zip(chosen, people, strict=True):
            theme = rng.choice(themes)
            noted = channel == "call_centre"
            texts.append(
                phrases.note(rng, theme, person)
                if noted
                else phrases.say(rng, theme, STYLES[STREAMS[channel]], person)
            )
            labels.append(theme.category[0] if noted or channel == "web_form" else None)
            ratings.append(float(rng.randint(1, 5)) if channel == "survey" else None)
        located = [rng.random() < 0.1 for _ in range(count)]
        times = [START + timedelta(seconds=(start + n) % 2_000_000) for n in range(count)]
        same = {
            "source": "benchmark",
            "feeds": [],
            "record_version": 0,
            "occurred_at_quality": "exact",
            "deliveries": 1,
            "is_amplification": False,
            "attributes": "{}",
            "quality_flags": [],
        }
        own = {
            "complaint_id": [f"{start + n:026}" for n in range(count)],
            "first_delivery_id": [f"{start + n:026}" for n in range(count)],
            "channel": chosen,
            "event_date": [time.date() for time in times],
            "occurred_at": times,
            "first_received_at": times,
            "last_received_at": times,
            "subject_id": [f"{person.number:026}" for person in people],
            "text": texts,
            "source_category": labels,
            "rating": ratings,
            "place": [rng.choice(p.city.names) if rng.random() < 0.2 else None for p in people],
            "latitude": [
                p.city.latitude + rng.gauss(0, 0.03) if ok else None for p, ok in zip(people, located, strict=True)
            ],
            "longitude": [
                p.city.longitude + rng.gauss(0, 0.03) if ok else None
                for p, ok in zip(people, located, strict=True)
            ],
        }
        columns = []
        for field in SCHEMA:
            values = own.get(field.name, [same.get(field.name)] * count)
            columns.append(pa.array(values, field.type))
        yield pa.table(columns, schema=SCHEMA)
