"""The steps as Prefect flows: what a schedule, an operator or a live process starts and watches.

What surprises here:

* These are shells. Everything that matters (rows, leases, cursors, keys) is in ``flows.steps`` and the registry; a run
  that is killed is not resumed: the cursor stands, and the next run continues.
* One task per stretch of about five seconds, never per page or record: a task run costs the server 35 ms of CPU.
* Only ``RetryLater`` is retried, after the wait the platform asked for. Nothing is cached: every task has effects.
* A run that does not balance is a failed run (promise P1), after its ledger was published.
"""

from __future__ import annotations

import asyncio
import contextvars
import os
import re
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, contextmanager
from contextvars import ContextVar
from dataclasses import replace
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any, TypeVar

from prefect import Flow, Task, flow, tags, task
from prefect.artifacts import acreate_table_artifact
from prefect.cache_policies import NO_CACHE
from prefect.client.schemas.objects import State, TaskRun
from prefect.logging import get_run_logger
from prefect.runtime import flow_run
from prefect.states import Completed

from connectors.errors import RetryLater
from flows import steps
from flows.ledger import Ledger, Unbalanced
from flows.wiring import House, open_house
from registry import Tx, put_run, runs

LONGEST_WAIT = 300.0
"""Seconds a run waits for a busy platform; past that it fails, and its schedule tries again."""
FAULTS_SHOWN = 20
T = TypeVar("T")

_hands = ThreadPoolExecutor(max_workers=1, thread_name_prefix="steps")
"""One thread for all steps of this process: a house keeps a channel's connector, and its session, per thread."""
_lent: ContextVar[House | None] = ContextVar("lent", default=None)


@contextmanager
def lend(house: House) -> Iterator[None]:
    """Flows awaited inside use this open house, and leave it open; without it each run opens and closes its own."""
    token = _lent.set(house)
    try:
        yield
    finally:
        _lent.reset(token)


async def live(what: Flow[..., Any], **parameters: Any) -> list[Ledger]:
    """Awaits one of the flows below in this process, with the tags its deployment would have."""
    with tags(*tags_of(parameters)):
        ledgers: list[Ledger] = await what(**parameters)
    return ledgers


def tags_of(parameters: Mapping[str, Any]) -> list[str]:
    """``channel:…`` and ``entity:…`` (a resource counts as one), by which runs are found in the Prefect UI."""
    of = {"channel": parameters.get("channel"), "entity": parameters.get("entity") or parameters.get("resource")}
    return [f"{kind}:{name}" for kind, name in of.items() if name is not None]


@flow(name="pull", flow_run_name="pull {resource} from {channel}")
async def pull(channel: str, resource: str, full: bool = False, project: str | None = None) -> State[list[Ledger]]:
    """Reads what changed (``full``: everything) and accepts it. Yields the ledgers of its stretches."""
    title = f"pull {resource} from {channel}"
    async with _house(project) as house, _told(house, title, channel) as ledgers:
        # A full scan begins once; its later stretches go on from the scan's cursor.
        await _stretches(ledgers, title, lambda n: steps.pull(house, channel, resource, full=full and n == 1))
    return _done(ledgers)


@flow(name="push", flow_run_name="push {entity} to {channel}")
async def push(channel: str, entity: str, project: str | None = None) -> State[list[Ledger]]:
    """Writes what is due, then settles writes whose outcome is not known. Yields the ledgers of its stretches."""
    title = f"push {entity} to {channel}"
    async with _house(project) as house, _told(house, title, channel) as ledgers:
        if entity == "decision":    # what time decided is told with what people decided
            await _stretches(ledgers, f"deadlines of {channel}", lambda _: steps.lapse(house, channels=[channel]))
        await _stretches(ledgers, title, lambda _: steps.push(house, channel, entity))
        await _stretches(ledgers, f"settle {entity} on {channel}", lambda _: steps.settle(house, channel, entity))
    return _done(ledgers)


@flow(name="reconcile", flow_run_name="reconcile {channel}")
async def reconcile(channel: str, project: str | None = None) -> State[list[Ledger]]:
    """Reads every resource of the channel from page one and heals what differs. Yields the ledgers of its stretches."""
    async with _house(project) as house, _told(house, f"reconcile {channel}", channel) as ledgers:
        for resource in await _in_thread(lambda: steps.resources_of(house, channel)):

            def heal(_: int, resource: str = resource) -> Ledger:
                return steps.reconcile(house, channel, resource)

            await _stretches(ledgers, f"reconcile {resource} of {channel}", heal)
    return _done(ledgers)


@flow(name="drained", flow_run_name="what the drain did for {channel} at {minute}")
async def drained(channel: str, minute: str, batches: Sequence[Mapping[str, Any]]) -> None:
    """Publishes what the drain has already written: one run per channel and busy minute, one row per batch."""
    await acreate_table_artifact(
        key=artifact_key("drained", channel),
        table=[dict(batch) for batch in batches],
        description=f"{len(batches)} batches for {channel}, the first at {minute}. {_console_link(channel)}",
    )


async def _wait_out(_task: Task[..., Any], _run: TaskRun, state: State[Any]) -> bool:
    """True for RetryLater, after the wait it asked for: Prefect's own delays are fixed before the error is known."""
    if not isinstance(state.data, RetryLater) or state.data.after > LONGEST_WAIT:
        return False
    get_run_logger().info("%s; next attempt in %.0f s", state.data, state.data.after)
    await asyncio.sleep(state.data.after)
    return True


@task(
    name="stretch",
    task_run_name="{title}",
    retries=5,
    retry_condition_fn=_wait_out,
    cache_policy=NO_CACHE,
    persist_result=False,
)
async def stretch(title: str, work: Callable[[], Ledger]) -> Ledger:
    """About five seconds of work in a thread, so that heartbeats go on."""
    return await _in_thread(work)


async def _in_thread(work: Callable[[], T]) -> T:
    context = contextvars.copy_context()
    return await asyncio.get_running_loop().run_in_executor(_hands, lambda: context.run(work))


async def _stretches(ledgers: list[Ledger], title: str, work: Callable[[int], Ledger]) -> None:
    """Calls ``work`` until its ledger says that there is no more, and adds every ledger; each call gets its number."""
    for number in count(1):
        ledger: Ledger = await stretch(f"{title}, stretch {number}", partial(work, number))
        ledgers.append(ledger)
        if not ledger.balanced:
            raise Unbalanced(
                f"{title}: {ledger.read} items came in, {sum(ledger.counts.values())} are accounted for in run "
                f"{ledger.run}; allowed is one outcome for each; report this as a defect"
            )
        if not ledger.more:
            return


@asynccontextmanager
async def _told(house: House, title: str, channel: str) -> AsyncIterator[list[Ledger]]:
    """Yields the list to fill, and publishes what is in it at the end, also when something was raised."""
    ledgers: list[Ledger] = []
    try:
        yield ledgers
    except Exception as error:
        await _publish(house, title, channel, ledgers, f" **Stopped by {type(error).__name__}**: {error}")
        raise
    await _publish(house, title, channel, ledgers, "")


async def _publish(house: House, title: str, channel: str, ledgers: Sequence[Ledger], stopped: str) -> None:
    """The ledger as an artifact of the run, and the run's id with our own runs, for links in both directions."""
    await _in_thread(lambda: _note_flow_run(house, channel, {ledger.run for ledger in ledgers}, flow_run.get_id()))
    await acreate_table_artifact(
        key=artifact_key("ledger", title),
        table=table(ledgers),
        description=f"{title}: {summary(ledgers)}.{stopped} {_console_link(channel)}",
    )


def _note_flow_run(house: House, channel: str, ours: set[str], prefect_run_id: str | None) -> None:
    def work(tx: Tx) -> None:
        for row in runs(tx, channel, limit=len(ours) + 100):
            if row.run in ours:
                put_run(tx, replace(row, prefect_run_id=prefect_run_id))

    house.registry.attempt(work)


def _done(ledgers: list[Ledger]) -> State[list[Ledger]]:
    """A completed run whose message is the ledger in one sentence."""
    return Completed(message=summary(ledgers), data=ledgers)


def summary(ledgers: Sequence[Ledger]) -> str:
    """One sentence for people: what was read, what became of it, how long it took."""
    outcomes: Counter[str] = Counter()
    for ledger in ledgers:
        for (_, outcome), number in ledger.counts.items():
            outcomes[outcome] += number
    parts = [f"{number:,} {outcome}" for outcome, number in outcomes.most_common() if number > 0]
    notes = dict.fromkeys(ledger.note for ledger in ledgers if ledger.note)
    what = ", ".join(parts) or "; ".join(notes) or "nothing to do"
    number, seconds = sum(ledger.read for ledger in ledgers), sum(ledger.seconds for ledger in ledgers)
    outward = all(ledger.direction == "outward" for ledger in ledgers) and len(ledgers) > 0
    return f"{number:,} {'due' if outward else 'read'}: {what} ({seconds:.1f} s)"


def table(ledgers: Sequence[Ledger]) -> list[dict[str, Any]]:
    """Rows of the artifact: a count per direction, entity and outcome, then the first faults in words."""
    counts: Counter[tuple[str, str, str]] = Counter()
    for ledger in ledgers:
        for (entity, outcome), number in ledger.counts.items():
            counts[ledger.direction, entity, outcome] += number
    rows: list[dict[str, Any]] = [
        {"direction": direction, "entity": entity, "outcome": outcome, "count": number, "detail": ""}
        for (direction, entity, outcome), number in sorted(counts.items())
    ]
    faults = [(ledger.direction, str(fault)) for ledger in ledgers for fault in ledger.faults]
    rows += [
        {"direction": direction, "entity": "", "outcome": "fault", "count": 1, "detail": fault}
        for direction, fault in faults[:FAULTS_SHOWN]
    ]
    if len(faults) > FAULTS_SHOWN:
        more = f"{len(faults) - FAULTS_SHOWN} more: see parked in the console"
        rows.append({"direction": "", "entity": "", "outcome": "fault", "count": len(faults), "detail": more})
    return rows


def artifact_key(*words: str) -> str:
    """A key Prefect accepts: lower-case letters, digits and dashes."""
    return re.sub(r"[^a-z0-9]+", "-", " ".join(words).lower()).strip("-")


def _console_link(channel: str) -> str:
    """A markdown link to the channel's page when SERAI_CONSOLE_URL says where the console is."""
    console = os.environ.get("SERAI_CONSOLE_URL")
    return "" if console is None else f"[{channel} in the console]({console.rstrip('/')}/channels/{channel})"


@asynccontextmanager
async def _house(project: str | None) -> AsyncIterator[House]:
    """The lent house, or one opened for this run from ``project``, $SERAI_PROJECT or the working directory."""
    lent = _lent.get()
    if lent is not None:
        yield lent
        return
    house = await _in_thread(lambda: open_house(Path(project or os.environ.get("SERAI_PROJECT") or ".")))
    try:
        yield house
    finally:
        await _in_thread(house.close)
