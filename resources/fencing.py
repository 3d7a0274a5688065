"""Fencing: who was paused while another took over must not store what has become old.

Every store of a slice is made against the state that stood before its inputs were read: a Delta version, a
count of the warehouse's stores, a published link. If somebody else has stored the slice since, it is refused.
"""


class Overtaken(RuntimeError):
    """Another run stored the slice after this one had begun; nothing was stored, and a retry reads anew."""

    def __init__(self, what: str) -> None:
        super().__init__(
            f"{what}: another run has stored this slice since this one read its inputs. Nothing was stored; "
            "run it again to read them anew"
        )
