"""How a request proves who it is from: each scheme is a plain function from settings and ports to headers.

What surprises here:

* Settings name secrets (``token: token``); the value is resolved at the moment of use and never kept by us.
* A secret that a header cannot carry is found here, because the HTTP library would print it in its error.
* An OAuth token is shared by all workers through ``ports.tokens``; ``refused`` is the one the platform just turned
  down, so that it is renewed once and not twice.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any, TypeAlias

from connectors.base import Misconfigured, Ports, ShapeChanged
from connectors.window import iso, moment

Post: TypeAlias = Callable[[str, Mapping[str, str], Mapping[str, str]], Any]
"""post(address, form, headers) -> decoded answer; raises the connector's errors."""
Scheme: TypeAlias = Callable[[Mapping[str, str], Ports, Post, str | None], Mapping[str, str]]


def secret(options: Mapping[str, str], key: str, ports: Ports, default: str | None = None) -> str:
    """The value of the secret named by ``options[key]``; raises Misconfigured when a header cannot carry it."""
    name = options.get(key, default)
    if name is None:
        raise Misconfigured(f"auth: `{key}` is missing; write the name of a secret there")
    value = ports.secrets.get(name)
    if value == "" or not value.isascii() or not value.isprintable() or value != value.strip():
        raise Misconfigured(
            f"secret `{name}` is empty or holds characters a header cannot carry (a space or line break at its end?); "
            "set it again"
        )
    return value


def none(options: Mapping[str, str], ports: Ports, post: Post, refused: str | None) -> Mapping[str, str]:
    """No proof: a system that is open on its network."""
    return {}


def bearer(options: Mapping[str, str], ports: Ports, post: Post, refused: str | None) -> Mapping[str, str]:
    """``Authorization: Bearer`` with the secret that ``token`` names."""
    return {"Authorization": f"Bearer {secret(options, 'token', ports, 'token')}"}


def header_key(options: Mapping[str, str], ports: Ports, post: Post, refused: str | None) -> Mapping[str, str]:
    """The secret that ``token`` names in the header that ``header`` names (X-API-Key), after ``prefix``."""
    value = secret(options, "token", ports, "token")
    return {options.get("header", "X-API-Key"): options.get("prefix", "") + value}


def basic(options: Mapping[str, str], ports: Ports, post: Post, refused: str | None) -> Mapping[str, str]:
    """``Authorization: Basic`` with the secrets that ``user`` and ``password`` name."""
    user = secret(options, "user", ports, "user")
    if ":" in user:
        raise Misconfigured(f"secret `{options.get('user', 'user')}` holds a colon, which a basic user name cannot")
    pair = f"{user}:{secret(options, 'password', ports, 'password')}"
    return {"Authorization": "Basic " + base64.b64encode(pair.encode()).decode()}


_EARLY = timedelta(seconds=60)
"""A token is renewed this long before it ends, so that none ends on the way."""


def oauth2(options: Mapping[str, str], ports: Ports, post: Post, refused: str | None) -> Mapping[str, str]:
    """Client credentials (RFC 6749 §4.4): the token of ``token_url``, kept in ``ports.tokens`` until it ends."""
    version, kept = ports.tokens.load()
    token, ends = kept.get("access_token"), moment(kept.get("expires_at"))
    if token is None or token == refused or (ends is not None and ports.clock.now() >= ends - _EARLY):
        token = _renewed(options, ports, post, version)
    return {"Authorization": f"Bearer {token}"}


def _renewed(options: Mapping[str, str], ports: Ports, post: Post, version: int) -> str:
    asked_at = ports.clock.now()
    form = {"grant_type": "client_credentials"}
    if "scope" in options:
        form["scope"] = options["scope"]
    names = {"user": options.get("client_id", "client_id"), "password": options.get("client_secret", "client_secret")}
    if options.get("credentials", "header") == "header":
        headers = basic(names, ports, post, None)
    else:
        headers = {}
        form |= {"client_id": secret(names, "user", ports), "client_secret": secret(names, "password", ports)}
    answer = post(options["token_url"], form, headers)
    token = answer.get("access_token") if isinstance(answer, Mapping) else None
    if not isinstance(token, str) or token == "" or not token.isascii() or not token.isprintable():
        raise ShapeChanged("the answer of `token_url` carries no usable access_token")
    tokens = {"access_token": token}
    life = answer.get("expires_in")
    if isinstance(life, int) and not isinstance(life, bool):
        tokens["expires_at"] = iso(asked_at + timedelta(seconds=life))
    if not ports.tokens.swap(version, tokens):
        # Another worker was faster. Its token is as good as ours; some platforms end the older one.
        token = ports.tokens.load()[1].get("access_token", token)
    return token


SCHEMES: Mapping[str, Scheme] = {
    "none": none,
    "bearer": bearer,
    "header_key": header_key,
    "basic": basic,
    "oauth2": oauth2,
}
OPTIONS: Mapping[str, frozenset[str]] = {
    "none": frozenset(),
    "bearer": frozenset({"token"}),
    "header_key": frozenset({"token", "header", "prefix"}),
    "basic": frozenset({"user", "password"}),
    "oauth2": frozenset({"token_url", "client_id", "client_secret", "scope", "credentials"}),
}
