"""Scopes of incidents, and how two of them stand to each other."""

from dataclasses import dataclass


@dataclass(frozen=True, order=True)
class Scope:
    """Channel, category and regions of a node; None = any."""

    channel: str | None
    category: str | None
    regions: tuple[str, ...] | None

    @property
    def parts(self) -> tuple[str | None, str | None, tuple[str, ...] | None]:
        """In the order of ``KEYS``."""
        return self.channel, self.category, self.regions

    @property
    def fixed(self) -> int:
        """How many keys it fixes."""
        return sum(part is not None for part in self.parts)


def common(one: Scope, other: Scope) -> Scope:
    """The least that holds both."""
    channel, category = one.channel, one.category
    return Scope(
        channel if channel == other.channel else None,
        category if category == other.category else None,
        one.regions if one.regions == other.regions else None,
    )


def same_matter(one: Scope, other: Scope) -> bool:
    """Whether the two are of one category, or of some regions whatever the category, and of no two channels."""
    if one.category != other.category or (one.category is None and None in (one.regions, other.regions)):
        return False
    return one.channel == other.channel or None in (one.channel, other.channel)


def siblings(one: Scope, other: Scope) -> bool:
    """Whether the two are side by side: they fix the same keys, and agree in all but one."""
    pairs = list(zip(one.parts, other.parts, strict=True))
    if any((a is None) != (b is None) for a, b in pairs):
        return False
    fixed = [(a, b) for a, b in pairs if a is not None]
    return len(fixed) >= 2 and sum(a != b for a, b in fixed) == 1
