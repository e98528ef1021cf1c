"""How a request proves who it is from: each scheme is a plain function from settings and ports to headers.

What surprises here:

* Settings name secrets (``token: token``); the value is resolved at the moment of use and never kept by us.
* A secret that a header cannot carry is found here, because the HTTP library would print it in its error.
* ``refused`` is the proof that the platform just turned down; only OAuth has another one then (oauth.py).
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

from connectors.errors import Misconfigured
from connectors.ports import Ports

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
