"""What a proof is, and the changes of the RTL that lemmas and faults are."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

HIDDEN = (  # values that the name leaves out
    "DUT",
    "HELD",
    "LIMIT",
    "EXPECTED",
    "FOLD",
    "PORTS",
    "MATRIX",
    "TERM",
    "FOR",
    "GHOST",
)
Change = tuple[str, str, str]  # file, a text that it holds once, and what takes its place


@dataclass(frozen=True)
class Proof:
    """A module at one set of parameters in a harness of `harness/`.

    values: macros of the harness. depth: 0, or how many cycles the assertions are assumed to hold for by induction, in
    place of property-directed reachability; `HOLD`: that all registers keep their values in every state where hold_o
    of the harness is 1. lemmas: changes of the RTL that let it state what the induction needs. mutants: changes for
    which the proof must fail. quick: whether the usual tests run it; needs: further modules of the harness; files:
    contents of memories, by name; vendor: whose primitives of a target.
    """

    module: str
    harness: str
    values: Mapping[str, object]
    mutants: tuple[Change, ...] = ()
    quick: bool = False
    needs: tuple[str, ...] = ()
    files: Mapping[str, str] = field(default_factory=dict)
    depth: int = 0
    lemmas: tuple[Change, ...] = ()
    vendor: str = "generic"

    @property
    def name(self) -> str:
        """The module and what tells this proof from others of it."""
        values = self.values | ({} if self.vendor == "generic" else {"primitives": self.vendor})
        shown = [f"{name}={value}" for name, value in values.items() if name not in HIDDEN]
        return f"{self.module} in {self.harness}: {', '.join(shown)}"


HOLD = -1
