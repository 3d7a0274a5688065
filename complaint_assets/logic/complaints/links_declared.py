"""Which subjects are one customer, from what records declare together (tier A), and nothing else.

A subject belongs to one identifier: the same phone is the same subject in every channel, without any link.
Identifiers that a customer gives in one record (a form with phone and e-mail) are links. They are kept apart from
the facts: facts, counts and repeats carry subjects, which never change; the customer is looked up in
``Subjects`` when somebody asks for it. So a link that is learnt late restates one small table and no partition,
and what was reported stays what it was. Both tables are made anew from all complaints: order cannot matter.
"""

import ibis
import ibis.expr.types as ir
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from complaint_assets.schemas.subjects import Subjects
from complaint_assets.schemas.types import arrow_schema

from .links import subject_of

DECLARED = ("complaint_id", "channel", "source", "occurred_at", "subject_refs")
"""Columns of complaints that links are made of."""


def declared_links(complaints: ir.Table) -> ir.Table:
    """The links (``SubjectLinks``) that ``complaints`` (columns ``DECLARED``) show."""
    named = complaints.mutate(ref=complaints.subject_refs.unnest())
    named = named.select(
        "complaint_id",
        "occurred_at",
        source=named.channel + "/" + named.source,
        kind=named.ref.split(":")[0],
        subject=subject_of(named.ref),
    )
    other = named.select("complaint_id", other_kind="kind", right="subject")
    pairs = named.join(other, "complaint_id").filter(lambda pair: pair.subject < pair.right)
    pairs = pairs.mutate(
        evidence=ibis.least(pairs.kind, pairs.other_kind) + "+" + ibis.greatest(pairs.kind, pairs.other_kind)
    )
    return (
        pairs.group_by("subject", "right", "evidence", "source")
        .agg(
            first_at=pairs.occurred_at.min(),
            last_at=pairs.occurred_at.max(),
            complaints=pairs.complaint_id.nunique(),
        )
        .rename(left="subject")
    )


def resolve(links: pa.Table, most_partners: int) -> pa.Table:
    """The customers (``Subjects``) that ``links`` make: connected components, named by their least subject.

    A subject with more than ``most_partners`` partners links nobody.
    """
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    nodes = pc.unique(pa.chunked_array([*links["left"].chunks, *links["right"].chunks], pa.string())).sort()
    count = len(nodes)
    ends = [pc.index_in(links[side], value_set=nodes).to_numpy() for side in ("left", "right")]
    pairs = np.unique(np.stack(ends), axis=1)
    partners = np.bincount(pairs.ravel(), minlength=count)
    shared = partners > most_partners
    left, right = pairs[:, ~shared[pairs].any(axis=0)]
    components, label = connected_components(
        coo_array((np.ones(len(left), dtype=bool), (left, right)), shape=(count, count)), directed=False
    )
    least = np.full(components, count)
    np.minimum.at(least, label, np.arange(count))

    linked = ~(shared[ends[0]] | shared[ends[1]])
    times = links["first_at"].cast(pa.int64()).to_numpy()[linked]
    never = np.iinfo(np.int64).max
    since = np.full(count, never)
    for end in ends:
        np.minimum.at(since, end[linked], times)
    schema = arrow_schema(Subjects)
    columns = {
        "subject_id": nodes,
        "customer_id": nodes.take(pa.array(least[label])),
        "identifiers": np.bincount(label, minlength=components)[label],
        "partners": partners,
        "is_shared": shared,
        "linked_at": pa.array(since, mask=since == never).cast(schema.field("linked_at").type),
    }
    return pa.table([columns[name] for name in schema.names], names=schema.names).cast(schema)
