"""Erases people from the raw lake, and keeps them erased: the ledger is the audit log's rows of erasures.

Tables need no surgery: what is cut out of the lake makes its slots and event dates pending, and they are rebuilt.
"""

import hashlib
import hmac
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from io import BytesIO
from tempfile import TemporaryFile
from typing import BinaryIO

from complaint_assets.logic.contract import Contract
from complaint_assets.logic.identify import IdentifierKind, normalise_identifier
from complaint_assets.logic.privacy.erasure import GLOBAL_KINDS, Erased, Mark, Markers, Place, mentioned
from complaint_assets.logic.raw.cut import CannotCut, Entry, cut
from complaint_assets.logic.raw.records import Record, Refused
from complaint_assets.logic.raw.unpack import CannotUnpack, read_entries, repacked
from complaint_assets.logic.standardised.standardise import Standardising
from complaint_assets.schemas.standardised import Standardised
from complaint_assets.schemas.types import CHANNELS, arrow_schema
from resources.audit import AuditLog
from resources.lake import RETIRED, Lake, RawObject
from resources.scan import count_in, readable
from resources.settings import settings
from resources.tables import Tables
from resources.vault import open_vault

ERASE, ERASED = "erase", "erased"
"""Audit actions: an erasure begins (from here on the ledger holds), and has been proven."""

Contracts = Mapping[tuple[str, str], Contract]


class UnfinishedErasure(RuntimeError):
    """Something could not be cut; the message names the object and the reason."""


def audit_log() -> AuditLog:
    """The audit log of this home, under a key that outlives rotation: its own, or one made of the vault's."""
    home = settings()
    secret = home.audit_key.get_secret_value().encode() or open_vault(home).secret
    key = hmac.new(secret, b"complaint-assets audit", hashlib.sha256).digest()
    return AuditLog(home.audit_log, home.audit_head_file, key)


def erased_people(log: AuditLog) -> Erased:
    """The erasure ledger.

    Raises:
        TamperedAudit: the log is damaged; without it, erased people could come back.
    """
    until: dict[str, datetime] = {}
    replaced: set[str] = set()
    for row in log.rows():
        replaced.update(row["details"].get("replaced", ()))
        if row["action"] != ERASE:
            continue
        at = datetime.fromisoformat(row["at"])
        for token in row["details"]["identifiers"]:
            until[token] = max(at, until.get(token, at))
    return Erased(log.token, until, replaced)


def cut_object(
    lake: Lake, item: RawObject, contract: Contract, doomed: Iterable[Place], markers: Markers
) -> RawObject | None:
    """Replace ``item`` by what is left without the entries at ``doomed`` and without ``markers``.

    Raises:
        UnfinishedErasure: what would be left could not be read as before, so nothing was changed.
    """
    gone = set(doomed)
    entries = entries_of(lake, item, contract)
    with lake.open(item) as stream, TemporaryFile() as spool:
        try:
            content = repacked(stream, spool, partial(_cut_file, contract, entries, gone, markers))
        except (CannotCut, CannotUnpack) as why:
            if len(gone) < len(entries):
                told = f"it cannot be unpacked ({why})" if isinstance(why, CannotUnpack) else why
                raise UnfinishedErasure(f"{item.key}: {told}; take it out by hand, then erase again") from None
    if len(gone) == len(entries):
        content = b""
    left = read(BytesIO(content), contract) if content else []
    if len(left) != len(entries) - len(gone):
        raise UnfinishedErasure(
            f"{item.key}: {len(entries)} records less {len(gone)} must leave {len(entries) - len(gone)}, but "
            f"{len(left)} can be read: mend the contract {item.channel}/{item.source}, then erase again"
        )
    return lake.replace(item, content, markers.redact(item.name.encode()).decode())


def cut_again(
    lake: Lake,
    item: RawObject,
    contract: Contract,
    found: Mapping[Place, Collection[Mark]],
    erased: Erased,
) -> bool:
    """Cut the records ``found`` of erased people out of ``item`` that has come, or come back; whether it changed.

    What else in the object tells of the same people, and of others whom an object cut before mentioned, is
    overwritten.
    """
    people = {mark for of in found.values() for mark in of}
    if item.sha256 in erased.replaced:
        with lake.open(item) as stream:
            people |= mentioned(readable(stream), erased, settings().country)
    if not people:
        return False
    return cut_object(lake, item, contract, found, Markers(people)) != item


def _cut_file(
    contract: Contract,
    entries: Iterable[Entry],
    gone: Collection[Place],
    markers: Markers,
    start: int,
    content: bytes,
) -> bytes:
    """One file of an object, at ``start`` of its unpacked bytes, without the entries ``gone``; they may be all."""
    end = start + len(content)
    mine = [replace(one, byte_offset=one.byte_offset - start) for one in entries if start <= one.byte_offset < end]
    doomed = [(offset - start, ordinal) for offset, ordinal in gone if start <= offset < end]
    return b"" if mine and len(doomed) == len(mine) else cut(content, contract, mine, doomed, markers)


def entries_of(lake: Lake, item: RawObject, contract: Contract) -> list[Entry]:
    """Every record of ``item``, and everything in it that cannot be read."""
    with lake.open(item) as stream:
        return read(stream, contract)


def read(stream: BinaryIO, contract: Contract) -> list[Entry]:
    """Every record of an object, and everything in it that cannot be read."""
    with TemporaryFile() as spool:
        return [one for one in read_entries(stream, contract, spool) if isinstance(one, Record | Refused)]


@dataclass(frozen=True)
class Affected:
    """A raw object that tells of the person: which entries are theirs, and whether others mention them."""

    item: RawObject
    contract: Contract
    doomed: Collection[Place]
    mentions: bool


def objects_of(lake: Lake) -> Iterable[RawObject]:
    """Every raw object whose bytes are there, sealed or not."""
    for channel in CHANNELS:
        for slot in sorted({*lake.slots(channel), *lake.unsealed(channel)}):
            manifest = lake.seal(channel, slot) if slot in lake.unsealed(channel) else lake.manifest(channel, slot)
            for item in manifest.objects if manifest else ():
                if RETIRED not in item.flags:
                    yield item


def find(
    lake: Lake, contracts: Contracts, read: Callable[[RawObject, Contract], Standardising], markers: Markers
) -> Iterable[Affected]:
    """Raw objects that hold records of erased people, as ``read`` finds them, or bytes of ``markers``.

    Raises:
        UnfinishedErasure: an object holds markers and there is no contract to read it by.
    """
    for item in objects_of(lake):
        with lake.open(item) as stream:
            marked = count_in(stream, markers.count)
        contract = contracts.get((item.channel, item.source))
        if contract is None:
            if marked:
                raise UnfinishedErasure(
                    f"{item.key} tells of the person, and {item.channel}/{item.source} has no contract: add it"
                )
            continue
        doomed = read(item, contract).erased
        if marked or doomed or markers.count(item.name.encode()):
            yield Affected(item, contract, doomed, bool(marked))


def cut_all(lake: Lake, affected: Iterable[Affected], markers: Markers, done: Callable[[int], None]) -> None:
    """Cut every affected object, then what interrupted removals left behind; ``done`` hears of each object.

    Raises:
        UnfinishedErasure: some could not be cut; all others are.
    """
    uncut = []
    for number, one in enumerate(affected, start=1):
        try:
            cut_object(lake, one.item, one.contract, one.doomed, markers)
        except UnfinishedErasure as why:
            uncut.append(str(why))
        done(number)
    lake.finish_removals()
    for key in lake.strays():
        with lake.open_stray(key) as stream:
            marked = count_in(stream, markers.count)
        if marked:
            lake.purge_stray(key)
    if uncut:
        raise UnfinishedErasure("\n".join(uncut))


def given(kind: IdentifierKind, value: str, register: str) -> Mark | None:
    """The identifier in its normal form, or None if ``value`` is none of that kind."""
    normal = normalise_identifier(kind, value, settings().country)
    return None if normal is None else Mark(kind, normal, "" if kind in GLOBAL_KINDS else register)


def same_person(tables: Tables, subjects: Collection[str], most: int) -> set[str]:
    """``subjects`` and all whose identifiers were declared beside theirs, over any number of records.

    An identifier declared beside more than ``most`` others is a shared line and leads to nobody.
    """
    refs = tables.scan("standardised", arrow_schema(Standardised), columns=["subject_refs"])["subject_refs"]
    partners: dict[str, set[str]] = defaultdict(set)
    for together in {tuple(one) for one in refs.to_pylist() if len(one) > 1}:
        declared = {ref.rpartition(":")[2] for ref in together}
        for subject in declared:
            partners[subject] |= declared - {subject}
    found: set[str] = set()
    waiting = list(subjects)
    while waiting:
        subject = waiting.pop()
        if subject not in found:
            found.add(subject)
            if len(partners[subject]) <= most:
                waiting.extend(other for other in partners[subject] if len(partners[other]) <= most)
    return found
