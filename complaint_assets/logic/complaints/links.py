"""Which contact repeats an earlier one: the same customer, the same matter, soon after.

Contacts are linked by the identifiers that they have in common: the subject's own and those declared beside it
in the same record. So a form that names phone and e-mail links the text message before it to the e-mail after
it, and no knowledge from outside the look-back is needed: a day depends on itself and the day before, whatever
is learnt of its customers later. Set logic is Ibis; only the likeness of two texts is computed outside.
"""

from functools import partial

import ibis
import ibis.expr.types as ir
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from complaint_assets.logic.evaluate import evaluate
from complaint_assets.logic.identify import normalise_text

WINDOW_HOURS = 24
"""The longest look-back: longer ones would need more than the day before."""
MOST_PARTNERS = 5
"""An identifier declared beside more others than this is shared, as a company's line is, and links nobody."""
SAME_WORDS = 85.0
"""From this ratio on (rapidfuzz, 0 to 100) two texts of one customer are about one matter."""
COMPARED = 4
"""How many contacts back words are compared; contacts of one category are linked whatever lies between."""

_SUBJECT = 26
_LEAST_SHARE = SAME_WORDS / (200 - SAME_WORDS)
"""The shorter of two texts that are so alike has at least this share of the longer one's length."""

CONTACT = ("complaint_id", "subject_id", "subject_refs", "category", "occurred_at", "is_amplification", "text")
"""Columns of a contact."""


def link_repeats(
    contacts: pa.Table, window_hours: int = WINDOW_HOURS, most_partners: int = MOST_PARTNERS
) -> pa.Table:
    """``complaint_id`` and ``repeat_of`` of every contact that repeats an earlier one.

    A repeat has an identifier in common with a contact at most ``window_hours`` before it, and is of its category
    or says nearly the same; it points to the nearest such contact. Contacts of one instant count in the order
    of their ids. Contacts without subject, and bare reposts, neither repeat nor are repeated.

    Args:
        contacts: columns ``CONTACT``; ``text`` is compared as it is given, masked.
        window_hours: look-back, at most ``WINDOW_HOURS``.
        most_partners: an identifier that one day's contacts declare beside more others links nobody.
    """
    pairs = evaluate(partial(_pairs, window_hours=window_hours, most_partners=most_partners), contacts)
    decided = pc.is_null(pairs["text"])
    found = pa.concat_tables([pairs.filter(decided), _same_words(pairs.filter(pc.invert(decided)))])
    return evaluate(_nearest, found)


def of_same_customers(contacts: pa.Table, others: pa.Table) -> pa.Array:
    """Which ``contacts`` have an identifier in common with any of ``others``."""
    wanted = pa.concat_arrays(
        [
            others["subject_id"].combine_chunks(),
            _subjects(pc.list_flatten(others["subject_refs"]).combine_chunks()),
        ]
    )
    wanted = pc.drop_null(pc.unique(wanted))
    declared = pc.list_parent_indices(contacts["subject_refs"]).combine_chunks()
    known = pc.is_in(_subjects(pc.list_flatten(contacts["subject_refs"]).combine_chunks()), value_set=wanted)
    beside = pc.is_in(pa.array(range(len(contacts))), value_set=declared.filter(known))
    return pc.or_(pc.is_in(contacts["subject_id"].combine_chunks(), value_set=wanted), beside)


def _subjects(refs: pa.Array) -> pa.Array:
    return pc.utf8_slice_codeunits(refs, start=-_SUBJECT)


def identities(contacts: ir.Table, most_partners: int) -> ir.Table:
    """``contacts`` once for every identifier (``identity``) by which they may be linked."""
    declared = contacts.filter(contacts.subject_refs.length() > 1)
    declared = declared.mutate(identity=declared.subject_refs.unnest())
    declared = declared.mutate(identity=subject_of(declared.identity), day=declared.occurred_at.date())
    other = declared.select("complaint_id", beside="identity")
    pairs = declared.join(other, "complaint_id").filter(lambda pair: pair.identity != pair.beside)
    partners = pairs.group_by("day", "identity").agg(partners=pairs.beside.nunique())
    shared = partners.filter(partners.partners > most_partners)
    own = contacts.filter(contacts.subject_id.notnull())
    own = own.mutate(identity=own.subject_id, day=own.occurred_at.date())
    further = declared.filter(ibis.coalesce(declared.subject_id != declared.identity, True))
    return own.union(further.select(own.columns)).anti_join(shared, ["day", "identity"]).drop("day")


def subject_of(ref: ir.StringValue) -> ir.StringValue:
    """The subject in ``kind:subject``."""
    return ref.right(_SUBJECT)


def _pairs(contacts: ir.Table, *, window_hours: int, most_partners: int) -> ir.Table:
    """Pairs of a contact and an earlier one of the same customer, with both texts where words have to decide."""
    linkable = contacts.filter(~contacts.is_amplification)
    columns = ["complaint_id", "category", "occurred_at"]
    known = identities(linkable.select(*columns, "subject_id", "subject_refs"), most_partners)
    order = ["occurred_at", "complaint_id"]
    near = ibis.interval(hours=window_hours)
    customer = ibis.window(group_by="identity", order_by=order)
    # Most contacts stand alone; the wide look back is for the others.
    known = known.select(*columns, "identity").filter(
        (known.occurred_at - near <= known.occurred_at.lag().over(customer))
        | (known.occurred_at + near >= known.occurred_at.lead().over(customer))
    )
    matter = ibis.window(group_by=["identity", "category"], order_by=order)
    recent = ibis.window(group_by="identity", order_by=order, preceding=(COMPARED, 1))
    looked = known.mutate(
        same=known.complaint_id.lag().over(matter),
        same_at=known.occurred_at.lag().over(matter),
        others=ibis.struct({name: known[name] for name in columns}).collect().over(recent),
    )
    same = looked.filter(looked.same_at >= looked.occurred_at - near)
    other = looked.mutate(other=looked.others.unnest())
    other = other.filter(
        other.other.category != other.category,
        other.other.occurred_at >= other.occurred_at - near,
        # What lies before the last contact of the same category cannot be the nearest.
        other.same_at.isnull() | (other.other.occurred_at >= other.same_at),
    )
    said = linkable.filter(linkable.text.notnull()).select("complaint_id", "text")
    unlike = (
        other.select("complaint_id", earlier=other.other.complaint_id, earlier_at=other.other.occurred_at)
        .join(said, "complaint_id")
        .join(said.select(earlier="complaint_id", earlier_text="text"), "earlier")
    )
    lengths = unlike.text.length(), unlike.earlier_text.length()
    nothing = ibis.null("string")
    return same.select(
        "complaint_id", earlier="same", earlier_at="same_at", text=nothing, earlier_text=nothing
    ).union(
        unlike.filter(ibis.least(*lengths) >= _LEAST_SHARE * ibis.greatest(*lengths)).select(
            "complaint_id", "earlier", "earlier_at", "text", "earlier_text"
        )
    )


def _same_words(pairs: pa.Table) -> pa.Table:
    """The pairs whose texts are alike."""
    from rapidfuzz import fuzz
    from rapidfuzz.process import cpdist

    texts = [[normalise_text(text) for text in pairs[name].to_pylist()] for name in ("text", "earlier_text")]
    ratios = cpdist(*texts, scorer=fuzz.ratio, score_cutoff=SAME_WORDS, dtype=np.float64)
    return pairs.filter(pa.array(ratios >= SAME_WORDS))


def _nearest(pairs: ir.Table) -> ir.Table:
    """Each contact with the latest of the contacts that it repeats."""
    latest = ibis.struct({name: pairs[name] for name in ("earlier_at", "earlier")})
    return pairs.group_by("complaint_id").agg(repeat_of=pairs.earlier.argmax(latest))
