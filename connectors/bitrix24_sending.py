"""How writes reach Bitrix24: many in one batch, alone what a batch cannot say, and a receipt for each.

What surprises here:

* A batch carries out its commands one after the other and answers 200 whatever became of them. One that came too soon
  for its method's time was not carried out; where a later one was, it is open, for receipts are in order.
* A record whose second part is refused (a deal's lines, a document's goods) is taken back, so that none is half.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from connectors import bitrix24_batch as batch, bitrix24_writes as written
from connectors.answers import AWAY, Answer, Unsure, encoded, said
from connectors.base import Doc, Receipt, Resource, Write
from connectors.bitrix24_batch import Call, Said
from connectors.bitrix24_facts import MADE_AT, PREFIXES, keyed
from connectors.errors import ConnectorError, Misconfigured, RetryLater, ShapeChanged

Told = dict[str, Receipt | ConnectorError]
"""What became of each write, by its key; an error where it was not carried out at all."""
_LOST = re.compile(r"not\s+found|does(n't| not) exist", re.IGNORECASE)
_NO_BLOCK = ("200040300000",)
"""Of a product: not it, its catalogue does not exist."""
_OF_ACCESS = ("insufficient_scope", "INVALID_CREDENTIALS", "user_access_error")


@dataclass(frozen=True, kw_only=True)
class Sending:
    """The writes of one call: ``reads`` carries out calls that only ask, ``batched`` commands by name, ``problem`` is
    the error that an answer stands for, ``earlier`` the receipts of creates that were carried out before."""

    resource: str
    facts: Resource
    options: Mapping[str, Any]
    where: str
    reads: Callable[[Mapping[str, Call]], Mapping[str, Said]]
    batched: Callable[[Mapping[str, str]], Mapping[str, Said]]
    exchange: Callable[..., Answer]
    problem: Callable[[str, Mapping[str, Any]], ConnectorError]
    earlier: Callable[[Sequence[Write]], Mapping[str, Receipt]]
    clean: Callable[[str], str]

    def receipts(self, writes: Sequence[Write]) -> Iterator[Receipt]:
        """One receipt per write, in order. Raises RetryLater or Misconfigured when the rest was not sent."""
        open_before = False
        for start in range(0, len(writes), self.facts.batch):
            part = writes[start : start + self.facts.batch]
            if open_before:
                raise RetryLater(f"{self.where}: {self.resource}: no answer to the last; the rest waits", after=AWAY)
            found = calmly(lambda part=part: self.earlier(part))  # type: ignore[misc]  # bound now
            told = self._carried([write for write in part if write.key not in found])
            for write in part:
                receipt = found.get(write.key) or told[write.key]
                if isinstance(receipt, ConnectorError):
                    raise receipt
                open_before |= receipt.outcome == "unknown"
                yield receipt

    def _carried(self, writes: Sequence[Write]) -> Told:
        """What became of each write: together in one batch what a batch can say, the others by themselves."""
        known = calmly(lambda: self.reads(written.before(self.resource, self.facts, writes, self.options)))
        calmly(lambda: self.reads(written.leftovers(known)))
        told: Told = {}
        together: list[tuple[Write, list[Call], dict[str, str]]] = []
        alone: list[tuple[Write, list[Call]]] = []
        for n, write in enumerate(writes):
            try:
                calls = written.calls(self.resource, self.facts, write, n, known, self.options)
                for call in calls:
                    encoded(call.params)
            except ValueError as fault:
                detail = f"the document cannot be written as JSON: {fault}"
                told[write.key] = Receipt(outcome="rejected", id=write.id, detail=detail)
                continue
            if not calls:
                told[write.key] = Receipt(outcome="applied", id=write.id or written.place(write))
                continue
            names = [f"w{n}_{step}" for step in range(len(calls))]
            made = f"$result[{names[0]}]{MADE_AT.get(self.resource, '')}"
            try:
                lines = [batch.command(call, made) for call in calls]
            except ValueError:
                alone.append((write, calls))
            else:
                together.append((write, calls, dict(zip(names, lines, strict=True))))
        if together:
            told |= self._together(together)
        for write, calls in alone:
            told[write.key] = self._alone(write, calls)
        return _in_order(writes, told)

    def _together(self, writes: Sequence[tuple[Write, list[Call], dict[str, str]]]) -> Told:
        try:
            outcome = self.batched({name: line for _, _, lines in writes for name, line in lines.items()})
        except (Unsure, ShapeChanged) as fault:
            return {write.key: Receipt(outcome="unknown", id=write.id, detail=str(fault)) for write, _, _ in writes}
        return {
            write.key: self._receipt(write, calls, [outcome.get(name) for name in lines])
            for write, calls, lines in writes
        }

    def _alone(self, write: Write, calls: Sequence[Call]) -> Receipt | ConnectorError:
        told: list[Said | None] = []
        for call in calls:
            made = new_id(told[0].result) if told and told[0] is not None else None
            try:
                answer = self.exchange("POST", f"/{call.method}", body=batch.filled(call.params, made))
            except (Unsure, ShapeChanged) as fault:
                return Receipt(outcome="unknown", id=write.id, detail=str(fault))
            except (RetryLater, Misconfigured) as fault:
                return Receipt(outcome="unknown", id=write.id, detail=str(fault)) if told else fault
            told.append(Said(result=answer.body.get("result")) if answer.ok else Said(error=answer.body or {}))
            if not answer.ok:
                break
        return self._receipt(write, calls, told)

    def _receipt(self, write: Write, calls: Sequence[Call], told: Sequence[Said | None]) -> Receipt | ConnectorError:
        """The receipt of one write from what came of its calls."""
        first = told[0]
        if first is None:
            return Receipt(outcome="unknown", id=write.id, detail="the batch does not say what came of it")
        if first.error is not None:
            problem = self.problem(calls[0].method, first.error)
            if isinstance(problem, RetryLater) or first.error.get("error") in _OF_ACCESS:
                return problem
            gone = write.op == "delete" and lost(first.error)
            detail = "" if gone else self._why(calls[0], first.error)
            return Receipt(outcome="applied" if gone else "rejected", id=write.id, detail=detail)
        made = new_id(first.result)
        held = unwrapped(first.result)
        for call, one in zip(calls[1:], told[1:], strict=False):
            if call.method == self.facts.fetch:
                held = None if one is None else unwrapped(one.result)
                continue
            if one is not None and one.error is None:
                continue
            detail = "the batch does not say what came of it" if one is None else self._why(call, one.error or {})
            new = write.op == "create" or self.resource == "stock"
            open_still = new and (made is None or not self._taken_back(made))
            return Receipt(outcome="unknown" if open_still else "rejected", id=write.id, detail=detail)
        doc = keyed(self.resource, held) if self.facts.returns_doc and held is not None else None
        own = written.place(write) if self.resource == "stock" else f"{PREFIXES.get(self.resource, '')}{made}"
        return Receipt(outcome="applied", id=write.id or own, doc=doc)

    def _why(self, call: Call, error: Mapping[str, Any]) -> str:
        return f"{call.method}: {self.clean(said(error)) or 'the portal does not say why'}"

    def _taken_back(self, id: str) -> bool:
        """Whether what was created with a part of it refused is gone again."""
        method = "catalog.document.delete" if self.resource == "stock" else self.facts.delete
        try:
            answer = self.exchange("POST", f"/{method}", body={"id": id})
        except ConnectorError:
            return False
        return answer.ok and answer.body.get("result") is True  # null: it was conducted, and stays


def calmly(work: Callable[[], Any]) -> Any:
    """``work`` done before anything is sent: a read without an answer is no open write."""
    try:
        return work()
    except Unsure as fault:
        problem = RetryLater(str(fault), after=fault.after)
    raise problem


def _in_order(writes: Sequence[Write], told: Told) -> Told:
    """What was not carried out while a later one was is open: an error would take the later one's receipt with it."""
    done = False
    for write in reversed(writes):
        one = told[write.key]
        if isinstance(one, ConnectorError) and done:
            told[write.key] = Receipt(outcome="unknown", id=write.id, detail=str(one))
        done |= isinstance(one, Receipt)
    return told


def unwrapped(result: Any) -> Doc | None:
    """The document in a result, also where it stands under the one word for its kind; None: there is none."""
    if not isinstance(result, dict):
        return None
    inner = list(result.values())
    return inner[0] if len(inner) == 1 and isinstance(inner[0], dict) else result


def new_id(result: Any) -> str | None:
    """The id of what a call made: the result, or in the document there."""
    doc = unwrapped(result)
    if doc is not None:
        return None if doc.get("id") is None else str(doc["id"])
    return str(result) if isinstance(result, int) and not isinstance(result, bool) else None


def lost(error: Mapping[str, Any]) -> bool:
    """The error says that something does not exist."""
    text = str(error.get("error_description") or error.get("error"))
    return _LOST.search(text) is not None and str(error.get("error")) not in _NO_BLOCK
