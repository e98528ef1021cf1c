"""The machines of an order and of its tenders: which moves are legal, as data, and where each stands now.

What surprises here: statuses are what channels say *now*, so the order's status is a function of the set of words, not
of the sequence in which they came: late, repeated and reordered messages end at the same status. A word from which the
known status follows is late and changes nothing; two words of which neither follows from the other contradict, and a
person must look.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

STATUSES: Final = ("open", "confirmed", "held", "offered", "cancelled", "shipped", "delivered")
"""Of several words said now the last one here holds. An echo of ours (open, confirmed) lifts neither a hold nor an
offer; who said it lifts it by saying otherwise. What left is not cancelled any more: it is returned."""

MOVES: Final[Mapping[str, frozenset[str]]] = {
    "offered": frozenset({"open", "held", "confirmed", "shipped", "delivered", "cancelled"}),
    "open": frozenset({"held", "confirmed", "shipped", "delivered", "cancelled"}),
    "held": frozenset({"open", "confirmed", "shipped", "delivered", "cancelled"}),
    "confirmed": frozenset({"held", "shipped", "delivered", "cancelled"}),
    "shipped": frozenset({"delivered"}),
    "delivered": frozenset(),
    "cancelled": frozenset(),
}
"""Status → what one and the same channel may say next. Steps that happen between two reads are not seen, so a move may
leave some out."""

CONTRADICTIONS: Final[Mapping[tuple[str, str], str]] = {
    ("offered", "shipped"): "an offer that nobody has accepted was shipped: call the goods back, or accept the offer",
    ("offered", "delivered"): "an offer that nobody has accepted was delivered: take the goods back, or accept it",
    ("held", "shipped"): "an order on hold was shipped: let it go on its channel, or call the goods back",
    ("held", "delivered"): "an order on hold was delivered: let it go on its channel, or take the goods back",
    ("cancelled", "shipped"): "a cancelled order was shipped: take the goods back as a return, or ask for payment anew",
    ("cancelled", "delivered"): "a cancelled order was delivered: take the goods back as a return, or ask for payment",
}
"""Two words that cannot both be true, and what a person does."""

TENDER_MOVES: Final[Mapping[str, frozenset[str]]] = {
    "due": frozenset({"authorised", "captured", "part_refunded", "refunded", "failed"}),
    "authorised": frozenset({"captured", "part_refunded", "refunded", "failed"}),
    "failed": frozenset({"due", "authorised", "captured"}),
    "captured": frozenset({"part_refunded", "refunded"}),
    "part_refunded": frozenset({"part_refunded", "refunded"}),
    "refunded": frozenset(),
}
"""State of a tender → what may come next. A failed one may be tried again."""

LEFT: Final = ("shipped", "delivered")
REVERSIBLE: Final = ("held", "offered")
"""Words that hold only while somebody says them."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Illegal:
    """A move that no machine allows: where in the order (a JSON path), what happened, and what a person does."""

    path: str
    message: str
    remedy: str


def merged_status(said: Iterable[str], before: str | None = None) -> str:
    """The order's status: the last in STATUSES of what channels say now and of what it was (``before``).

    ``before`` counts unless it was a hold or an offer, which end when nobody says them; an offer once accepted is none
    any more, so that ``offered`` after anything else is late. While a hold or an offer stands that nobody cancelled,
    what is said to have left is not taken. Raises ValueError for a word that is none.
    """
    words = _standing(said, before)
    if words & set(REVERSIBLE) and "cancelled" not in words:
        words -= set(LEFT)
    if not words:
        raise ValueError("no channel says a status")
    return max(words, key=STATUSES.index)


def contradiction(said: Iterable[str], before: str | None = None) -> Illegal | None:
    """The pair of words (of channels now, and of what the order was) that cannot both be true; None without one."""
    words = _standing(said, before)
    for (first, second), remedy in CONTRADICTIONS.items():
        if first in words and second in words:
            what, _, todo = remedy.partition(": ")
            return Illegal(path="$.status", message=f"{what} ({first} and {second} are both said)", remedy=todo)
    return None


def _standing(said: Iterable[str], before: str | None) -> set[str]:
    """The words that count: those said now without the late ones, and what the order was."""
    words = set(said)
    for word in words | ({before} if before is not None else set()):
        if word not in STATUSES:
            raise ValueError(f"{word!r} is no status of an order; known: {', '.join(STATUSES)}")
    if before is not None:
        if before != "offered":
            words.discard("offered")
        if before in LEFT:
            words.discard("held")
        if before not in REVERSIBLE or not words:
            words.add(before)
    return words


def late(known: str, told: str, moves: Mapping[str, frozenset[str]] = MOVES) -> bool:
    """Whether ``told`` lies before ``known``, or is it: nothing is to be done then."""
    return told == known or (told not in moves[known] and known in moves[told])


def legal(known: str, told: str, moves: Mapping[str, frozenset[str]] = MOVES) -> bool:
    """Whether the machine may go from ``known`` to ``told``, or need not."""
    return told in moves[known] or late(known, told, moves)


def tender_states(before: Sequence[Mapping[str, Any]], told: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The tenders as told, each in the state that holds: a late one (captured after refunded) changes nothing.

    ``state = told if TENDER_MOVES allows it from before else before``; one that is not told any more is no tender.
    """
    known = {row["key"]: row["state"] for row in before}
    return [
        {**row, "state": row["state"] if row["state"] in TENDER_MOVES[known.get(row["key"], row["state"])]
         else known.get(row["key"], row["state"])}
        for row in told
    ]  # fmt: skip


def illegal_tender(before: Sequence[Mapping[str, Any]], told: Sequence[Mapping[str, Any]]) -> Illegal | None:
    """The first tender that made a move which TENDER_MOVES neither allows nor knows as late."""
    known = {row["key"]: row["state"] for row in before}
    for n, row in enumerate(told):
        state = known.get(row["key"], row["state"])
        if not legal(state, row["state"], TENDER_MOVES):
            return Illegal(
                path=f"$.tenders[{n}].state",
                message=f"tender {row['key']} went from {state} to {row['state']}, which is no legal move",
                remedy="see on the channel what became of the money, then `serai replay`",
            )
    return None


def payment_word(tenders: Sequence[Mapping[str, Any]]) -> str | None:
    """The canonical payment of an order with these tenders; None without any: then the channel's own word holds.

    all failed → void · some money back → refunded (all captured tenders) or part_refunded · captured → paid, or
    part_paid while some is not · authorised → authorized · else open.
    """
    states = [row["state"] for row in tenders]
    live = [state for state in states if state != "failed"]
    if not states:
        return None
    if not live:
        return "void"
    taken = [state for state in live if state in ("captured", "part_refunded", "refunded")]
    if taken and all(state == "refunded" for state in live):
        return "refunded"
    if any(state in ("part_refunded", "refunded") for state in taken):
        return "part_refunded"
    if taken:
        return "paid" if len(taken) == len(states) else "part_paid"
    return "authorized" if all(state == "authorised" for state in live) else "open"
