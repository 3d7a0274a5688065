"""Sections of a report about what stands behind the figures: terms, health, rules, restatements, provenance."""

from . import charts
from .data import ReportData
from .page import (
    UNSHOWN,
    Cell,
    Html,
    details,
    hour,
    join,
    known,
    link,
    moment,
    number,
    section,
    share,
    span,
    table,
)
from .words import channel_name, counted, label, over, percent


def term_section(data: ReportData) -> Html:
    title = "Emerging terms among complaints without a category"
    rows = sorted(data.rows("terms", "term"), key=lambda row: (-row["score"], -row["subjects"]))
    if not rows:
        return section("terms", title, "No term grew beyond chance.")
    first = rows[0]
    takeaway = (
        f"“{first['term']}” grew most: {counted(int(first['subjects']), 'customer')} in the week to "
        f"{first['week_end']}, {number(first['subjects_before'])} in the four weeks before."
    )
    top = max(max(row["subjects"], row["subjects_before"] / 4) for row in rows[:10])
    drawn = [
        charts.against_before(
            row["term"],
            row["subjects"],
            row["subjects_before"] / 4,
            top,
            counted(int(row["subjects"]), "customer"),
        )
        for row in rows[:10]
    ]
    figures = table(
        "Terms, by how far beyond chance they grew",
        ("Term", "Customers this week", "In the four weeks before", "Score"),
        [(r["term"], number(r["subjects"]), number(r["subjects_before"]), number(r["score"], 1)) for r in rows],
    )
    remark = Html('<p class="remark">The stroke on a bar: a mean week of the four before.</p>')
    return section(
        "terms", title, takeaway, remark, charts.bars(drawn), details("The figures of this chart", figures)
    )


def health_section(data: ReportData) -> Html:
    words = over(data)
    title = "Pipeline health: freshness, latency, quarantine, conservation"
    channels = data.rows("freshness", "channel")
    arrivals = {row["channel"]: row for row in data.rows("arrivals", "channel")}
    refused = sorted(data.rows("quarantine", "reason"), key=lambda row: -row["records"])
    judged = data.rows("conservation", "channel")
    if not arrivals and not refused and not any(row["newest"] for row in channels):
        return section("health", title, "Nothing has been delivered yet.", wide=True)
    overdue = {row["channel"] for row in data.overdue()}
    delivered, twice = (sum(row[name] or 0 for row in arrivals.values()) for name in ("deliveries", "duplicates"))
    waiting = sum(row["records"] for row in refused)
    lost = [row["channel"] for row in judged if row["difference"]]
    takeaway = (
        (f"{counted(len(overdue), 'channel')} overdue" if overdue else "Every channel is on time")
        + f"; {share(twice, delivered)} of deliveries were duplicates; "
        + f"{counted(waiting, 'record')} in quarantine; "
        + (
            f"records do not balance in {', '.join(map(channel_name, lost))}."
            if lost
            else "every record is accounted for."
            if judged
            else "the account of records has not been checked yet."
        )
    )

    def state(channel: str, newest: object) -> Cell:
        if newest is None:
            return Cell("○ Never heard", "t")
        return Cell("▲ Overdue", "t bad") if channel in overdue else Cell("● On time", "t good")

    def minutes(row: dict[str, float], name: str) -> str:
        return span(row[name] / 60) if known(row.get(name)) else UNSHOWN

    tables = [
        table(
            f"Freshness now, and arrivals of contacts of the {words.name}, by channel",
            (
                "Channel",
                "State",
                "Heard until (UTC)",
                "Limit",
                "Deliveries",
                "Duplicates",
                "Half within",
                "95 % within",
            ),
            [
                (
                    channel_name(row["channel"]),
                    state(row["channel"], row["newest"]),
                    Cell(hour(row["newest"]), "t"),
                    Cell(span(row["stale_after_hours"]), "t"),
                    number(arrived.get("deliveries")),
                    number(arrived.get("duplicates")),
                    minutes(arrived, "median_minutes_to_arrive"),
                    minutes(arrived, "p95_minutes_to_arrive"),
                )
                for row in channels
                for arrived in [arrivals.get(row["channel"], {})]
            ],
            words=("State", "Heard until (UTC)", "Limit"),
        )
    ]
    if refused:
        reasons = [(label(row["reason"]), number(row["records"])) for row in refused]
        tables.append(table("Records in quarantine, by reason", ("Reason", "Records"), reasons))
    else:
        tables.append(Html('<p class="empty">Quarantine is empty.</p>'))
    if judged:
        tables.append(
            table(
                "Records in = complaints + non-complaints + duplicates + quarantined, as last checked",
                ("Channel", "Verdict", "Checked (UTC)", "Records in", "Complaints", "Non-complaints", "Duplicates",
                 "Quarantined", "Difference", "Slots", "Pending"),
                [
                    (
                        channel_name(row["channel"]),
                        Cell("▲ Not balanced", "t bad") if row["difference"] else Cell("● Balanced", "t good"),
                        Cell(hour(row["judged_at"]), "t"),
                        *(
                            number(row[name])
                            for name in ("records_in", "complaints", "non_complaints", "duplicates", "quarantined",
                                         "difference", "slots", "slots_pending")
                        ),
                    )
                    for row in judged
                ],
                words=("Verdict", "Checked (UTC)"),
            )
        )  # fmt: skip
    return section("health", title, takeaway, join(tables), wide=True)


def rule_section(data: ReportData) -> Html:
    words = over(data)
    title = "Rules that classified these complaints, and their changes"
    versions = sorted(data.rows("versions", "taxonomy_version"), key=lambda row: -(row["complaints"] or 0))
    changes = data.rows("changes", "at")[::-1]
    last = f"the last change was on {changes[0]['at']}" if changes else "they were never changed here"
    takeaway = f"{counted(len(versions), 'version')} of the rules classified the {words.name}; {last}."
    tables = [
        table(
            f"Complaints of the {words.name} by version of the rules",
            ("Version", "Complaints"),
            [(row["taxonomy_version"], number(row["complaints"])) for row in versions],
        )
    ]
    if changes:
        rows = [
            (
                row["at"],
                label(row["action"].removeprefix("taxonomy_")),
                row["former"],
                row["version"],
                row["reason"],
            )
            for row in changes
        ]
        names = ("When (UTC)", "Change", "From", "To", "Reason")
        tables.append(table("Changes of the rules, the latest first", names, rows, words=names))
    return section("rules", title, takeaway, join(tables))


def restatement_section(data: ReportData) -> Html:
    title = "Closed days that were restated"
    rows = data.rows("restatements", "event_date", "restated_on")[::-1]
    if not rows:
        return section("restatements", title, "No closed day of the time shown was restated.")
    days = {row["event_date"] for row in rows}
    takeaway = f"{counted(len(days), 'day')} changed after they were closed; a dash stands for few people."
    figures = table(
        "Contacts that came after their day was closed",
        ("Day", "Restated on", "Contacts", "Of these, complaints"),
        [
            (
                f"{row['event_date']:%Y-%m-%d}",
                f"{row['restated_on']:%Y-%m-%d}",
                number(row["contacts"]),
                number(row["complaints"]),
            )
            for row in rows
        ],
        words=("Restated on",),
    )
    return section("restatements", title, takeaway, details(f"The {counted(len(rows), 'restatement')}", figures))


def agreement_section(data: ReportData) -> Html:
    title = "How far the rules agree with people who labelled complaints"
    rows = data.rows("agreement", "scope", "name")
    rules = next((row for row in rows if row["scope"] == "rules"), None)
    if rules is None or not rules["labels"]:
        takeaway = "Nobody has labelled a sample yet: complaints taxonomy label-sample writes one."
        return section("agreement", title, takeaway)
    takeaway = (
        f"The rules agree on {percent(rules['agreement'])} of {counted(int(rules['labels']), 'label')}; "
        f"Cohen's kappa is {number(rules['kappa'], 2)}."
    )
    figures = table(
        "Agreement by who is compared",
        ("Compared", "Name", "Labels", "Agreement", "Kappa", "Precision", "Recall"),
        [
            (
                label(row["scope"]),
                row["name"],
                number(row["labels"]),
                percent(row["agreement"]),
                number(row["kappa"], 2),
                percent(row["precision"]),
                percent(row["recall"]),
            )
            for row in rows
        ],
        words=("Name",),
    )
    return section("agreement", title, takeaway, figures)


def audit_section(data: ReportData) -> Html:
    title = "What was done to people's data: the audit log"
    rows = sorted(data.rows("audit", "action"), key=lambda row: row["newest"], reverse=True)
    if not rows:
        return section("audit", title, "Nothing was erased, removed, held or changed yet.", wide=True)
    takeaway = (
        f"{counted(sum(row['rows'] for row in rows), 'entry', 'entries')} whose chain of digests holds; the last "
        f"one, {label(rows[0]['action']).lower()}, on {moment(rows[0]['newest'])}."
    )
    figures = table(
        "Entries by action; complaints audit list shows each",
        ("Action", "Entries", "Newest (UTC)"),
        [(label(row["action"]), number(row["rows"]), Cell(hour(row["newest"]), "t")) for row in rows],
        words=("Newest (UTC)",),
    )
    return section("audit", title, takeaway, figures, wide=True)


def provenance_section(data: ReportData) -> Html:
    title = "Provenance: what this page was made from"
    rows: list[tuple[object, object]] = [(name, Cell(value, "words")) for name, value in data.provenance]
    if data.lineage:
        rows.append(("Lineage", Cell(link(data.lineage, "where this page comes from, in the UI"), "words")))
    takeaway = (
        "Every figure is computed from the definitions in metrics.yaml; the same data gives the same digest."
        if rows
        else "Nothing is known of what this page was made from."
    )
    figures = table("Made from", ("What", "Value"), rows, words=("Value",), kind="facts")
    return section("provenance", title, takeaway, *([figures] if rows else []))
