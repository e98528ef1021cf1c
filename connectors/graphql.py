"""GraphQL behind one address: what an answer means, what a request costs, Relay's pages, batches of writes.

What surprises here:

* A failure is an answer with HTTP 200. ``errors`` speak of the request (`Refused`, or the error tree by their code);
  ``userErrors`` speak of one write, by the path of the argument at fault.
* An answer with ``errors`` is not believed, also where it carries ``data`` beside them: half a page is no page.
* A request is paid for before it is sent. Where a platform counts points, its own `Graph` says what an operation costs
  and reads what an answer tells of it (`cost`, `weighed`, `wait`).
* A mutation that was throttled was not carried out; one that failed inside may have been.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from connectors.answers import AWAY, BUSY, Answer, Unsure, said
from connectors.base import Doc, Receipt, Resource, Write
from connectors.errors import Misconfigured, RetryLater, ShapeChanged
from connectors.paging import ABSENT, at
from connectors.ports import Budget

THROTTLED = {"THROTTLED", "TOO_MANY_REQUESTS", "RATE_LIMITED"}
DENIED = {"ACCESS_DENIED", "FORBIDDEN", "UNAUTHENTICATED", "UNAUTHORIZED", "SHOP_INACTIVE"}
BROKEN = {"INTERNAL_SERVER_ERROR", "TIMEOUT", "SERVICE_UNAVAILABLE"}
_SCOPE = re.compile(r"`([\w:]+)`")


class Refused(Exception):
    """The platform understood the request and declined it as a whole: nothing of it was carried out."""

    def __init__(self, text: str, answer: Answer) -> None:
        super().__init__(text)
        self.answer = answer


@dataclass(frozen=True, kw_only=True, slots=True)
class Operation:
    """A query or mutation: its text, and what it costs until the platform has said so."""

    name: str
    text: str
    cost: float = 1.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Mutation(Operation):
    """A mutation that carries writes; its payload stands under its name.

    ``variables`` makes its variables of the writes; ``docs`` finds in the payload the document of each write that was
    carried out, None where it does not say; ``listed`` is the path of the list of writes in ``userErrors``: the step
    after it is a write's place; ``partial``: what ``userErrors`` does not name was carried out all the same; ``stale``
    are the codes which say that the platform holds another version, ``open`` those that leave the outcome open;
    ``complaints`` finds what the payload complains of, a list, where that is not its ``userErrors``.
    """

    variables: Callable[[Sequence[Write]], Doc]
    docs: Callable[[Sequence[Write], Doc], Sequence[Doc | None]]
    listed: str = ""
    partial: bool = False
    stale: frozenset[str] = frozenset()
    open: frozenset[str] = frozenset()
    complaints: Callable[[Any], Any] = lambda payload: at(payload, "userErrors")


def connection(name: str, **facts: Any) -> Resource:
    """A resource that is a Relay connection of the root."""
    options = {"size": "first", "param": "after", "next": f"data.{name}.pageInfo.endCursor"}
    options["more"] = f"data.{name}.pageInfo.hasNextPage"
    told = {"path": name, "items": f"data.{name}.nodes", "paging": "cursor", "paging_options": options}
    return Resource(**{"updated": "updatedAt", **told, **facts})


@dataclass(kw_only=True)
class Graph:
    """One GraphQL address behind a connector's ``exchange``."""

    path: str
    exchange: Callable[..., Answer]
    clean: Callable[[str], str]
    remedy: Callable[[], str]
    budget: Budget
    where: str

    def cost(self, operation: Operation, variables: Mapping[str, Any]) -> float:
        """What the platform's limit is charged for the operation."""
        return operation.cost

    def weighed(self, operation: Operation, taken: float, body: Any) -> None:
        """An answer came, and may tell what it cost really."""

    def wait(self, body: Any) -> float:
        """Seconds that a throttled request should wait."""
        return BUSY

    def ask(self, operation: Operation, variables: Mapping[str, Any]) -> Answer:
        """The answer, with ``data`` and without ``errors``. Raises Refused, and the errors of errors.py."""
        where = f"{self.where}: {operation.name}"
        cost = self.cost(operation, variables)
        answer = self.exchange("POST", self.path, body={"query": operation.text, "variables": variables}, cost=cost)
        self.weighed(operation, cost, answer.body)
        errors = at(answer.body, "errors")
        if errors is not ABSENT and errors:
            raise self.failure(where, answer, errors if isinstance(errors, list) else [{"message": str(errors)}])
        if not answer.ok or not isinstance(at(answer.body, "data"), dict):
            raise ShapeChanged(f"{where}: the answer (HTTP {answer.status}) has no `data`; is `url` that of the API?")
        return answer

    def failure(self, where: str, answer: Answer, errors: Sequence[Any]) -> Exception:
        """The error that ``errors`` stand for."""
        codes = {str(at(row, "extensions.code")).upper() for row in errors}
        text = self.clean(said(list(errors))) or "it does not say why"
        if codes & THROTTLED:
            after = self.wait(answer.body)
            self.budget.refused(after)
            return RetryLater(f"{where}: the platform asks to wait {after:g} s ({text})", after=after)
        if codes & DENIED:
            scope = _SCOPE.search(f"{at(errors[0], 'extensions.requiredAccess')} {said(list(errors))}")
            missing = "a right" if scope is None else f"scope `{self.clean(scope[1])}`"
            return Misconfigured(f"{where}: {missing} is missing ({text}); {self.remedy()}")
        if codes & BROKEN:
            return Unsure(f"{where}: the platform failed ({text})", after=AWAY)
        return Refused(text, answer)

    # ── reading ──────────────────────────────────────────────────────────────────────────────────────────────────

    def question(self, operation: Operation, variables: Mapping[str, Any]) -> Answer:
        """The answer to a query; what the platform refuses to answer is ShapeChanged."""
        try:
            return self.ask(operation, variables)
        except Refused as fault:
            problem = fault
        raise self._strange(operation, problem)

    def _strange(self, operation: Operation, fault: Refused) -> ShapeChanged:
        return ShapeChanged(f"{self.where}: {operation.name}: the platform refuses what we ask: {fault}")

    def paged(self, operation: Operation, variables: Callable[[Mapping[str, str]], Doc]) -> Callable[..., Answer]:
        """An ``ask`` for scan.pages, whose query parameters become variables; a position that the platform knows no
        longer is a refusal that says "cursor", and answered as 400."""

        def ask(
            method: str, path: str, *, params: Mapping[str, str] | None = None, allow: Sequence[int] = ()
        ) -> Answer:
            try:
                return self.ask(operation, variables(params or {}))
            except Refused as fault:
                problem = fault
            if 400 in allow and "cursor" in str(problem).lower():
                return replace(problem.answer, status=400)
            raise self._strange(operation, problem)

        return ask

    def nodes(
        self, operation: Operation, ids: Sequence[str], size: int, variables: Mapping[str, Any] | None = None
    ) -> Iterator[tuple[str, Doc | None]]:
        """Each id with its node; None: the platform says that there is none of this kind."""
        for start in range(0, len(ids), size):
            some = list(ids[start : start + size])
            found = at(self.question(operation, {**(variables or {}), "ids": some}).body, "data.nodes")
            if not isinstance(found, list) or len(found) != len(some):
                raise ShapeChanged(f"{self.where}: {operation.name}: {len(some)} nodes were asked for, others came")
            yield from ((id, node if node else None) for id, node in zip(some, found, strict=True))

    # ── writing ──────────────────────────────────────────────────────────────────────────────────────────────────

    def write(self, calls: Iterable[tuple[Mutation, Sequence[Write]]]) -> Iterator[Receipt]:
        """One receipt per write, in order; each pair is one call. Raises RetryLater when the rest was not sent.

        What a whole call was refused for is looked for in its halves; what ``userErrors`` names is left out and the
        rest sent again, unless it was carried out. After a call whose outcome is open nothing more is sent.
        """
        unsure = False
        for mutation, writes in calls:
            if unsure:
                raise RetryLater(f"{self.where}: {mutation.name}: no answer to the last; the rest waits", after=AWAY)
            found: dict[str, Receipt] = {}
            pending, told = [writes], 0
            while pending:
                pending.extend(reversed(self._tried(mutation, pending.pop(), found)))
                while told < len(writes) and writes[told].key in found:
                    yield found[writes[told].key]  # at once: an error of a later call must not take it along
                    told += 1
            unsure = any(receipt.outcome == "unknown" for receipt in found.values())

    def _tried(self, mutation: Mutation, writes: Sequence[Write], found: dict[str, Receipt]) -> list[Sequence[Write]]:
        """Sends writes in one call and adds their receipts; gives back those that must be sent again."""
        try:
            payload = at(self.ask(mutation, mutation.variables(writes)).body, f"data.{mutation.name}")
            rows = mutation.complaints(payload)
            if not isinstance(rows, list):
                raise ShapeChanged(f"{self.where}: {mutation.name}: the answer does not say whether it was done")
        except (Unsure, ShapeChanged) as fault:
            found |= {write.key: Receipt(outcome="unknown", id=write.id, detail=str(fault)) for write in writes}
            return []
        except (Refused, ValueError) as fault:
            named: dict[int, list[Doc]] = {}
            whole: list[Doc] = [{"message": str(fault)}]
        else:
            named, whole = {}, []
            for row in rows:
                index = _place(row.get("field"), mutation.listed)
                named.setdefault(index, []).append(row) if index is not None else whole.append(row)
        if whole and len(writes) > 1:
            return [writes[: len(writes) // 2], writes[len(writes) // 2 :]]
        rejected = {0: whole} if whole else named
        found |= {writes[index].key: self._rejected(mutation, writes[index], rows) for index, rows in rejected.items()}
        rest = [write for index, write in enumerate(writes) if index not in rejected]
        if rejected and not mutation.partial:
            return [rest] if rest else []
        for write, doc in zip(rest, mutation.docs(rest, payload) if rest else (), strict=True):
            id = write.id if doc is None else str(doc["id"])
            found[write.key] = Receipt(outcome="applied", id=id, doc=doc)
        return []

    def _rejected(self, mutation: Mutation, write: Write, rows: Sequence[Doc]) -> Receipt:
        codes = {str(row.get("code")) for row in rows}
        text = self.clean("; ".join(f"{'.'.join(row.get('field') or [])} {row.get('message')}".strip() for row in rows))
        if codes & mutation.open:
            return Receipt(outcome="unknown", id=write.id, detail=text)
        return Receipt(outcome="rejected", id=write.id, detail=text, stale=bool(codes & mutation.stale))


def _place(path: Any, listed: str) -> int | None:
    """The place of a write in its list, from the path of an argument; None where the path does not lead into one."""
    steps, head = list(path or []), listed.split(".")
    if not listed or steps[: len(head)] != head or len(steps) <= len(head) or not str(steps[len(head)]).isdigit():
        return None
    return int(steps[len(head)])
