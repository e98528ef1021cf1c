"""``serai``: the table of verbs, and what becomes of a mistake. The verbs themselves are in ``deployments.commands``.

What surprises here: a mistake of the user (a setting, a secret, an absent system) is one sentence on stderr and exit
code 1; a wrong argument is exit code 2, a ledger that does not balance 3; a traceback is a defect of Serai.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from io import TextIOWrapper
from pathlib import Path
from typing import Annotated

import typer

from deployments.commands import (
    MISTAKE,
    authoring,
    connecting,
    customers,
    explaining,
    finding,
    holding,
    knowing,
    loyalty,
    moving,
    offers,
    orders,
    planning,
    pricing,
    products,
    running,
    selling,
    settlements,
    starting,
    stock,
)

MISTAKES = (
    ("deployments.authoring", "CannotDo"),
    ("mappings.language", "LintErrors"),
    ("connectors.errors", "ConnectorError"),
    ("flows.matching", "CannotBind"),
    ("flows.apply", "CannotApply"),
    ("flows.holds", "CannotDecide"),
    ("flows.desk", "CannotDecide"),
    ("flows.settlements", "NoReport"),
    ("flows.why", "Unknown"),
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
START, WRITE, LIVE = "Start", "Write mappings and policies", "Bring a channel live"
MOVE, LOOK, DECIDE = "Read and write", "See what is going on", "Decide"
VERBS: dict[str, dict[str, Callable[..., None]]] = {
    START: {"demo": running.demo, "up": running.up, "deploy": running.deploy, "migrate": running.migrate},
    WRITE: {
        "lint": authoring.lint, "test": authoring.run_tests, "explain": explaining.explain,
        "try": explaining.try_out, "schema": authoring.schema,
    },
    LIVE: {
        "connect": connecting.connect, "check": connecting.check, "survey": knowing.survey, "plan": planning.plan,
        "apply": planning.apply, "channel": knowing.channel,
    },
    MOVE: {"pull": moving.pull, "push": moving.push, "reconcile": moving.reconcile, "replay": moving.replay},
    LOOK: {
        "status": knowing.status, "parked": knowing.parked, "why": knowing.why, "find": finding.find,
        "deadlines": orders.deadlines, "differences": pricing.differences, "ready": products.ready,
    },
    DECIDE: {
        "stop": selling.stop, "price": pricing.price, "returnable": orders.returnable, "erase": customers.erase,
    },
}  # fmt: skip
"""The heading of `serai --help` under which a verb stands → verb → what it does."""


@app.callback()
def _everywhere(
    context: typer.Context,
    project: Annotated[
        Path | None, typer.Option("--project", help="the retailer's folder; the same as --project behind the verb")
    ] = None,
) -> None:
    if project is not None:
        context.with_resource(_in_environment("SERAI_PROJECT", str(project)))


@contextmanager
def _in_environment(name: str, value: str) -> Iterator[None]:
    """Inside the block the variable has this value."""
    before = os.environ.get(name)
    os.environ[name] = value
    try:
        yield
    finally:
        if before is None:
            del os.environ[name]
        else:
            os.environ[name] = before


for panel, verbs in VERBS.items():
    for name, verb in verbs.items():
        app.command(name, rich_help_panel=panel)(verb)

match_app = typer.Typer(help="What of a channel is which record: the report of first contact, and its consent.")
match_app.callback(invoke_without_command=True)(knowing.match)
match_app.command()(knowing.accept)
match_app.command()(knowing.bind)
app.add_typer(match_app, name="match", rich_help_panel=LIVE)

hold_app = typer.Typer(help="What a breaker stopped: list, show, approve, reject.", no_args_is_help=True)
hold_app.command("list")(holding.list_holds)
hold_app.command("show")(holding.show_hold)
hold_app.command()(holding.approve)
hold_app.command()(holding.reject)
app.add_typer(hold_app, name="hold", rich_help_panel=DECIDE)

order_app = typer.Typer(help="One order: what is known of it, and what a person decides.", no_args_is_help=True)
for name in ("show", "accept", "refuse", "delay", "cancel", "ready"):
    order_app.command(name)(getattr(orders, name))
app.add_typer(order_app, name="order", rich_help_panel=DECIDE)

settlement_app = typer.Typer(help="What channels paid out, and what of it does not match.", no_args_is_help=True)
settlement_app.command("list")(settlements.list_settlements)
settlement_app.command()(settlements.show)
app.add_typer(settlement_app, name="settlement", rich_help_panel=LOOK)

stock_app = typer.Typer(help="Stock: what there is of an article, and which figures cannot be.", no_args_is_help=True)
for name in ("show", "faults"):
    stock_app.command(name)(getattr(stock, name))
stock_app.command("risk")(selling.risk)
app.add_typer(stock_app, name="stock", rich_help_panel=LOOK)

customer_app = typer.Typer(help="One customer: what is known of them, and who else they are.", no_args_is_help=True)
for name in ("show", "merge", "split", "figures"):
    customer_app.command(name)(getattr(customers, name))
app.add_typer(customer_app, name="customer", rich_help_panel=DECIDE)

offer_app = typer.Typer(help="Offers: where they hold, and how often they were redeemed.", no_args_is_help=True)
offer_app.command("list")(offers.list_offers)
app.add_typer(offer_app, name="offer", rich_help_panel=LOOK)

loyalty_app = typer.Typer(help="Points and gift cards: their one keeper is asked, or tells.", no_args_is_help=True)
for name in ("show", "redeem", "earn", "reverse"):
    loyalty_app.command(name)(getattr(loyalty, name))
app.add_typer(loyalty_app, name="loyalty", rich_help_panel=DECIDE)

review_app = typer.Typer(help="Customers that may be one person: list, accept, separate.", no_args_is_help=True)
review_app.command("list")(customers.pairs)
review_app.command()(customers.accept)
review_app.command()(customers.separate)
app.add_typer(review_app, name="review", rich_help_panel=DECIDE)

new_app = typer.Typer(help="A project, a platform or a mapping from a skeleton that works.", no_args_is_help=True)
new_app.command("project")(starting.new_project)
new_app.command("platform")(starting.new_platform)
new_app.command("mapping")(starting.new_mapping)
app.add_typer(new_app, name="new", rich_help_panel=START)


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
    broken = getattr(sys.modules.get("sqlalchemy.exc"), "DatabaseError", None)
    if broken is not None and type(error) is broken:      # its subclasses are defects, but for the one above
        return f"the registry's file cannot be read: {error.__cause__}; check $SERAI_REGISTRY, or put back a copy"
    if isinstance(error, OSError) and error.filename is not None:
        return f"{error.filename}: {error.strerror}; name another file or folder, or change who may use it"
    return None


def main() -> None:
    """The console script: runs a verb, turns a mistake into one sentence and an exit code."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")   # a terminal without Cyrillic is no reason to say nothing
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
