"""Verbs about products: what a listing lacks before a channel is told of it."""

from __future__ import annotations

from typing import Annotated

import typer

from deployments.commands import HERE, Channel, Json, Project, number, say


def ready(
    channel: Channel,
    sku: Annotated[str | None, typer.Option("--sku", help="only this article")] = None,
    project: Project = HERE,
    json: Json = False,
) -> None:
    """List what each article lacks before CHANNEL may show it: the place and the remedy."""
    from deployments.commands.houses import opened
    from deployments.printing import print_json, show
    from flows.ready import readiness

    with opened(project) as house:
        found = readiness(house, channel, sku)
    if json:
        print_json({
            "channel": channel, "articles": found.articles, "ready": found.ready,
            "missing": [{"sku": one.key, "what": one.what, "where": one.where, "remedy": one.remedy,
                         "published": one.published} for one in found.lacks],
        })
    else:
        show(f"what {channel} requires and is not there", [
            {"SKU": one.key, "what": one.what, "remedy": one.remedy, "out already": "yes" if one.published else "no"}
            for one in found.lacks
        ], False, nothing=f"{channel}: {number(found.articles, 'article')}, nothing is missing")
        if found.lacks:
            say(f"{found.ready} of {number(found.articles, 'article')} are ready for {channel}.")
    if found.lacks:
        raise typer.Exit(1)
