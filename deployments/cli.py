"""``serai``: every verb a person types. Arguments, words for errors, exit codes; the work is done elsewhere.

What surprises here:

* Nothing heavy is imported before a verb needs it: ``serai lint`` must not pay for Prefect.
* A mistake of the user (a setting, a secret, an absent system) is one sentence on stderr and exit code 1; a traceback
  is a defect of Serai. A ledger that does not balance is exit code 3.
* ``pull``, ``push`` and ``reconcile`` do their work in this process, with or without a Prefect server; ``--deployed``
  starts the deployment's run instead and waits for it.
"""

from __future__ import annotations

import getpass
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from flows.ledger import Ledger
    from flows.wiring import House

MISTAKE, DEFECT = 1, 3
MISTAKES = (
    ("mappings.language", "LintErrors"),
    ("connectors.base", "ConnectorError"),
    ("flows.matching", "CannotBind"),
    ("registry", "RegistryError"),
    ("deployments.local", "CannotStart"),
    ("deployments.deploy", "NoServer"),
    ("sqlalchemy.exc", "OperationalError"),
)
"""What a person can mend: (module, exception)."""

app = typer.Typer(
    name="serai",
    help="Keeps a retailer's systems in agreement.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,  # its tracebacks print local variables, and those may hold secrets
)
match_app = typer.Typer(help="What of a channel is which record: the report of first contact, and its consent.")
app.add_typer(match_app, name="match", invoke_without_command=True)

Project = Annotated[
    Path, typer.Option("--project", envvar="SERAI_PROJECT", help="the retailer's folder, which holds channels.yaml")
]
Json = Annotated[bool, typer.Option("--json", help="print JSON instead of a table")]
Deployed = Annotated[bool, typer.Option("--deployed", help="through Prefect's worker instead of in this process")]
Because = Annotated[str, typer.Option("--because", help="the reason, kept in the audit")]
Channel = Annotated[str, typer.Argument(help="a name from channels.yaml")]
AnyChannel = Annotated[str | None, typer.Option("--channel", help="only this channel")]
Port = Annotated[int | None, typer.Option(help="a port to take as it is; 0 for any free one")]
HERE = Path()


# ---------------------------------------------------------------------------------------------- what runs


@app.command()
def demo(
    once: Annotated[bool, typer.Option("--once", help="play one trading day, judge it, end")] = False,
    json: Json = False,
    without_serai: Annotated[
        bool, typer.Option("--without-serai", help="the same day with a plain copy loop, for comparison")
    ] = False,
) -> None:
    """Run Karavan Home, a small retailer on simulated systems; with --once, a day that ends with a verdict."""
    from deployments.demo.day import run_demo

    raise typer.Exit(run_demo(once=once, json=json, without_serai=without_serai))


@app.command()
def up(
    project: Project = HERE,
    prefect_port: Port = None,
    console_port: Port = None,
    receiver_port: Port = None,
) -> None:
    """Start Prefect's server and worker, the drain, the console and the receiver; Ctrl-C stops them all."""
    from deployments import local

    asked = {"prefect": prefect_port, "console": console_port, "receiver": receiver_port}
    _checked(project)
    local.up(project, ports={name: port for name, port in asked.items() if port is not None}, say=_say)


@app.command()
def deploy(project: Project = HERE) -> None:
    """Tell Prefect the work pool, the deployments with schedules, the heartbeat automation; again: no change."""
    import asyncio

    from deployments.deploy import deploy as bring_about

    _find_prefect(project)
    _say(asyncio.run(bring_about(project.resolve())).sentence())


@app.command()
def migrate(project: Project = HERE) -> None:
    """Create or update the registry's tables; again: no change."""
    from flows.settings import load_project
    from flows.wiring import registry_url
    from registry import open_registry

    settings = load_project(project)
    settings.state.mkdir(parents=True, exist_ok=True)
    registry = open_registry(registry_url(settings))
    try:
        before = registry.migrated()
        registry.migrate()
    finally:
        registry.close()
    _say("the registry is up to date" if before else "the registry is migrated")


# ---------------------------------------------------------------------------------------------- what is written


@app.command()
def lint(
    project: Project = HERE,
    all_mappings: Annotated[bool, typer.Option("--all", help="also the mappings of platforms not used here")] = False,
    json: Json = False,
) -> None:
    """Check settings and mappings without running anything: file:line:column: code: what; what is allowed."""
    from deployments.authoring import lint_project
    from deployments.tables import print_json

    checked, errors = lint_project(project, all_mappings=all_mappings)
    if json:
        print_json([{name: getattr(error, name) for name in error.__dataclass_fields__} for error in errors])
    else:
        for error in errors:
            typer.echo(str(error))
        _say(f"{len(checked)} mapping files checked, {_number(len(errors), 'mistake')}")
    raise typer.Exit(MISTAKE if errors else 0)


@app.command("test")
def run_tests(
    project: Project = HERE,
    all_mappings: Annotated[bool, typer.Option("--all", help="also the mappings of platforms not used here")] = False,
    json: Json = False,
) -> None:
    """Run the tests that stand in the mapping files."""
    from deployments.authoring import run_project_tests
    from deployments.tables import print_json

    outcomes = run_project_tests(project, all_mappings=all_mappings)
    failed = [outcome for outcome in outcomes if not outcome.passed]
    if json:
        print_json([{"place": o.place, "test": o.test, "passed": o.passed, "detail": o.detail} for o in outcomes])
    else:
        for outcome in failed:
            typer.echo(f"{outcome.place}: {outcome.test}:\n  {outcome.detail}")
        _say(f"{_number(len(outcomes), 'test')} in {len({o.file for o in outcomes})} files, {len(failed)} failed")
    raise typer.Exit(MISTAKE if failed else 0)


# ---------------------------------------------------------------------------------------------- what moves


@app.command()
def pull(
    channel: Channel,
    resource: Annotated[str | None, typer.Argument(help="a resource of its platform; all of them when absent")] = None,
    project: Project = HERE,
    full: Annotated[bool, typer.Option("--full", help="everything, not only what changed")] = False,
    deployed: Deployed = False,
    json: Json = False,
) -> None:
    """Read what changed on a channel."""
    if deployed:
        _deployed(project, "pull", channel, resource)
        return
    from flows import steps
    from flows.wiring import opened

    with opened(project) as house:
        house.channel(channel)
        ledgers: list[Ledger] = []
        for name in [resource] if resource is not None else steps.resources_of(house, channel):
            ledgers.append(steps.pull(house, channel, name, full=full))
            while ledgers[-1].more:
                ledgers.append(steps.pull(house, channel, name))
    _account(ledgers, json, nothing=f"no resource is read from {channel}")


@app.command()
def push(
    channel: Channel,
    entity: Annotated[str | None, typer.Argument(help="an entity it receives; all of them when absent")] = None,
    project: Project = HERE,
    deployed: Deployed = False,
    json: Json = False,
) -> None:
    """Write what is due to a channel, and find out what became of writes that got no answer."""
    if deployed:
        _deployed(project, "push", channel, entity)
        return
    from flows import steps
    from flows.wiring import opened

    with opened(project) as house:
        ledgers: list[Ledger] = []
        for name in [entity] if entity is not None else house.channel(channel).receives:
            for step in (steps.push, steps.settle):
                ledgers.append(step(house, channel, name))
                while ledgers[-1].more:
                    ledgers.append(step(house, channel, name))
    _account(ledgers, json, nothing=f"channels.yaml lets {channel} receive nothing")


@app.command()
def reconcile(
    channel: Channel,
    resource: Annotated[str | None, typer.Argument(help="a resource of its platform; all of them when absent")] = None,
    project: Project = HERE,
    deployed: Deployed = False,
    json: Json = False,
) -> None:
    """Read all of a channel and heal what differs: lost notices, late rows, drift."""
    if deployed:
        _deployed(project, "reconcile", channel, None)
        return
    from flows import steps
    from flows.wiring import opened

    with opened(project) as house:
        house.channel(channel)
        ledgers: list[Ledger] = []
        for name in [resource] if resource is not None else steps.resources_of(house, channel):
            ledgers.append(steps.reconcile(house, channel, name))
            while ledgers[-1].more:
                ledgers.append(steps.reconcile(house, channel, name))
    _account(ledgers, json, nothing=f"no resource is read from {channel}")


@app.command()
def replay(
    numbers: Annotated[list[str] | None, typer.Argument(help="numbers from `serai parked`; all when absent")] = None,
    project: Project = HERE,
    json: Json = False,
) -> None:
    """Try parked and waiting items again, after the mapping, the document or the record was mended."""
    from flows import steps
    from flows.wiring import opened

    with opened(project) as house:
        ledgers = steps.replay(house, numbers or None)
    _account(ledgers, json, nothing="nothing is parked or waiting")


# ---------------------------------------------------------------------------------------------- what is known


@app.command()
def survey(project: Project = HERE, json: Json = False) -> None:
    """Look at all channels, write nothing, and say what is wrong today."""
    from deployments.tables import show_survey
    from flows.survey import survey as look
    from flows.wiring import opened

    with opened(project) as house:
        show_survey(look(house), json)


@app.command()
def why(
    channel: Channel,
    entity: Annotated[str, typer.Argument(help="product, variant, stock, price, …")],
    key: Annotated[str, typer.Argument(help="a SKU, code, number, external id or uid")],
    field: Annotated[str | None, typer.Argument(help="one field; all of them when absent")] = None,
    project: Project = HERE,
    json: Json = False,
) -> None:
    """Explain a published value: document, mapping file:line, authority, policy, receipt, time verified."""
    from deployments.tables import show_why
    from flows.why import why as explain
    from flows.wiring import opened

    with opened(project) as house:
        show_why(explain(house, channel, entity, key, field), json)


@app.command()
def parked(project: Project = HERE, channel: AnyChannel = None, json: Json = False) -> None:
    """List what needs a person: record, field, place in the mapping, rule, masked value, remedy."""
    from deployments.tables import parked_rows, show
    from flows.wiring import opened

    with opened(project) as house:
        show("parked and waiting", parked_rows(_known(house, channel)), json, nothing="nothing is parked")


@app.command()
def status(project: Project = HERE, json: Json = False) -> None:
    """Show every channel: modes, freshness, what is due, parked and waiting, and the last run."""
    from deployments.local import running_now
    from deployments.tables import show, status_rows
    from flows.wiring import opened

    with opened(project) as house:
        show("channels", status_rows(house), json, nothing="channels.yaml names no channel")
    if not json:
        urls = running_now(project)
        _say("  ".join(f"{name} {url}" for name, url in urls.items()) if urls else "not running; `serai up` starts it")


@app.command()
def channel(
    name: Annotated[str | None, typer.Argument(help="a channel; all of them when absent")] = None,
    what: Annotated[str | None, typer.Argument(help="an entity, `all`, `pause`, `resume` or `subscribe`")] = None,
    mode: Annotated[str | None, typer.Argument(help="off, shadow, canary or on")] = None,
    because: Because = "",
    receiver: Annotated[
        str | None, typer.Option(envvar="SERAI_RECEIVER_URL", help="for subscribe: the receiver's public address")
    ] = None,
    project: Project = HERE,
    json: Json = False,
) -> None:
    """Show modes, or set one: `serai channel shop-kz stock on --because "checked the report"`."""
    from deployments import switches
    from deployments.tables import mode_rows, show
    from flows.wiring import opened

    with opened(project) as house:
        if name is not None and what == "subscribe":
            _subscribe(house, name, receiver, project)
        elif name is not None and what in ("pause", "resume"):
            _say(switches.set_pause(house, name, paused=what == "pause", who=_who(), because=because))
        elif name is not None and what is not None:
            for sentence in switches.set_mode(house, name, what, mode, who=_who(), because=because):
                _say(sentence)
        else:
            show("modes", mode_rows(_known(house, name)), json, nothing="channels.yaml names no channel")


@match_app.callback()
def match(
    context: typer.Context, project: Project = HERE, channel: AnyChannel = None, json: Json = False
) -> None:
    """Show the match report: exact, fuzzy, none, ambiguous. `accept` and `bind` decide."""
    if context.invoked_subcommand is not None:
        return
    from deployments.tables import candidate_rows, show
    from flows.wiring import opened

    with opened(project) as house:
        show("match report", candidate_rows(_known(house, channel)), json, nothing="nothing waits for a decision")


@match_app.command()
def accept(
    exact: Annotated[bool, typer.Option("--exact", help="bind what matches exactly; nothing else is accepted in bulk")],
    channel: AnyChannel = None,
    project: Project = HERE,
) -> None:
    """Bind all exact matches, and consent that Serai creates on the channel what it lacks."""
    from flows.matching import accept_exact
    from flows.wiring import opened

    if not exact:
        raise typer.BadParameter("say --exact: fuzzy and ambiguous matches are bound one by one with `match bind`")
    with opened(project) as house:
        bound = accept_exact(house, channel, _who())
    for (name, entity), number in bound.items():
        _say(f"{name} {entity}: {number} bound")


@match_app.command()
def bind(
    channel: Channel,
    id: Annotated[str, typer.Argument(help="the id on the channel")],
    record: Annotated[str, typer.Argument(help="the record: its uid, SKU, code or e-mail")],
    entity: Annotated[str | None, typer.Option(help="when the id alone does not tell")] = None,
    project: Project = HERE,
) -> None:
    """Say that one document of a channel is a certain record."""
    from flows.matching import bind as bind_one
    from flows.wiring import opened

    with opened(project) as house:
        found = bind_one(house, channel, id, record, entity=entity)
    _say(f"{channel} {found} {id} is {record}; `serai replay` takes up what waited for it")


# ---------------------------------------------------------------------------------------------- in common


def _account(ledgers: Sequence[Ledger], json: bool, *, nothing: str) -> None:
    """Prints what was done, ``nothing`` when there was nothing to do; exit code DEFECT if a ledger does not balance."""
    from deployments.tables import print_json

    if json:
        print_json([ledger.row() for ledger in ledgers])
    elif not ledgers:
        _say(nothing)
    else:
        for ledger in ledgers:
            _say(ledger.sentence())
            for fault in ledger.faults:
                _say(f"  {fault}")
    if not all(ledger.balanced for ledger in ledgers):
        typer.echo("a ledger does not balance: report this as a defect", err=True)
        raise typer.Exit(DEFECT)


def _deployed(project: Path, flow: str, channel: str, thing: str | None) -> None:
    """Starts the deployment's run and waits for its end; exit code MISTAKE unless it completed."""
    import asyncio

    from deployments.deploy import run_deployed

    if flow != "reconcile" and thing is None:
        raise typer.BadParameter(f"--deployed runs one deployment: name what to {flow} after {channel}")
    _find_prefect(project)
    state, url = asyncio.run(run_deployed(flow, channel if thing is None else f"{channel}-{thing}"))
    _say(f"{flow} {channel} {thing or ''}: {state}, {url}")
    if state != "Completed":
        raise typer.Exit(MISTAKE)


def _find_prefect(project: Path) -> None:
    """Prefect's address from the environment, else from the `serai up` that runs for this project."""
    from deployments.local import running_now

    urls = running_now(project)
    if "PREFECT_API_URL" not in os.environ and "prefect" in urls:
        os.environ["PREFECT_API_URL"] = f"{urls['prefect']}/api"
        os.environ["SERAI_CONSOLE_URL"] = urls["console"]


def _subscribe(house: House, name: str, receiver: str | None, project: Path) -> None:
    """One channel, or with ``all`` each that can: then a platform that cannot is a line, not an error."""
    from connectors.base import ConnectorError
    from deployments import switches
    from deployments.local import running_now

    address = receiver or running_now(project).get("receiver")
    if address is None:
        raise typer.BadParameter("name the receiver's public address with --receiver, or start `serai up`")
    for one in house.settings.channels if name == "all" else [name]:
        try:
            _say(switches.subscribe(house, one, address))
        except ConnectorError as error:
            if name != "all":
                raise
            _say(str(error))


def _checked(project: Path) -> None:
    """Raises LintErrors before anything is started."""
    from flows.settings import load_project
    from flows.wiring import load_mappings

    load_mappings(load_project(project))


def _known(house: House, channel: str | None) -> tuple[House, str | None]:
    """The house with a channel it has; raises Misconfigured for another."""
    if channel is not None:
        house.channel(channel)
    return house, channel


def _who() -> str:
    return os.environ.get("SERAI_USER") or getpass.getuser()


def _number(count: int, noun: str) -> str:
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def _say(sentence: str) -> None:
    typer.echo(sentence)
    sys.stdout.flush()


def _explained(error: Exception) -> str | None:
    """The sentence for a mistake the user can mend; None for a defect."""
    for module, name in MISTAKES:
        # A class whose module was never imported cannot have been raised.
        kind = getattr(sys.modules.get(module), name, None)
        if kind is not None and isinstance(error, kind):
            if name == "OperationalError":
                # Its full text holds statement and parameters, and with them personal values.
                return f"the registry cannot be used: {str(error.__cause__).splitlines()[0]}; check $SERAI_REGISTRY"
            return str(error)
    return None


def main() -> None:
    """The console script: runs a verb, turns a mistake into one sentence and an exit code."""
    try:
        app()
    except Exception as error:
        sentence = _explained(error)
        if sentence is None:
            raise
        typer.echo(sentence, err=True)
        sys.exit(MISTAKE)


if __name__ == "__main__":
    main()
