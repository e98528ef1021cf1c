"""Tokens by OAuth 2 (RFC 6749, with PKCE of RFC 7636): asked for, renewed before they end, stored before they are used.

What surprises here:

* A token is shared by all workers through ``ports.tokens``; ``refused`` is the proof the platform just turned down, so
  that a token is renewed once and not twice.
* Many platforms give a new refresh token with each renewal and end the old one. Of two workers that renew at once the
  second is refused; what the first one stored is then as good for both.
* A process killed between the platform's answer and our commit loses such a new refresh token; where the platform does
  not take the old one once more, a person connects again.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping
from datetime import timedelta
from typing import Any, Final
from urllib.parse import urlencode, urljoin

from connectors.auth import Post, basic, secret
from connectors.errors import Misconfigured, ShapeChanged
from connectors.ports import Ports
from connectors.window import iso, moment

GRANTS: Final = ("client_credentials", "refresh_token", "authorization_code")
"""Ours alone · a refresh token from the platform's own pages, a secret · a person's consent by `serai connect`."""
EARLY: Final = timedelta(seconds=60)
"""A token is renewed this long before it ends, so that none ends on the way."""


def grant_of(options: Mapping[str, str]) -> str:
    """How the token is got. Raises Misconfigured for a word that is none of `GRANTS`."""
    grant = options.get("grant", GRANTS[0])
    if grant not in GRANTS:
        raise Misconfigured(f"grant: found {grant!r}; allowed: {', '.join(GRANTS)}")
    return grant


def oauth2(options: Mapping[str, str], ports: Ports, post: Post, refused: str | None) -> Mapping[str, str]:
    """The token in ``header`` (Authorization) after ``prefix`` (Bearer), kept in ``ports.tokens`` until it ends."""
    version, kept = ports.tokens.load()
    token, ends = kept.get("access_token"), moment(kept.get("expires_at"))
    over = ends is not None and ports.clock.now() >= ends - EARLY
    if token is None or over or _proof(options, token) == refused:
        token = _renewed(options, ports, post, version, kept)
    return {options.get("header", "Authorization"): _proof(options, token)}


def consent_address(
    options: Mapping[str, str], base: str, ports: Ports, redirect: str, state: str, verifier: str
) -> str:
    """The page on which a person consents; it sends the browser to ``redirect`` with a code and ``state``.

    Raises Misconfigured when nobody has to consent on this platform.
    """
    if grant_of(options) != "authorization_code" or "authorize_url" not in options:
        raise Misconfigured("nobody has to consent here; set the secrets that `auth` names")
    challenge = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()
    asked = {
        "response_type": "code", "client_id": secret(options, "client_id", ports, "client_id"),
        "redirect_uri": redirect, "state": state, "code_challenge": challenge, "code_challenge_method": "S256",
    }
    if "scope" in options:
        asked["scope"] = options["scope"]
    address = urljoin(base, options["authorize_url"])
    return f"{address}{'&' if '?' in address else '?'}{urlencode(asked)}"


def take_code(
    options: Mapping[str, str], ports: Ports, post: Post, code: str, redirect: str, verifier: str
) -> Mapping[str, str]:
    """Afterwards the tokens that the code stands for are stored, in place of any there were; returns them."""
    form = {
        "grant_type": "authorization_code", "code": code, "redirect_uri": redirect, "code_verifier": verifier,
    }
    tokens = _asked(options, ports, post, form, {})
    while not ports.tokens.swap(ports.tokens.load()[0], tokens):
        continue  # a worker renewed the old tokens meanwhile; a code is good once, so what it gave goes on top
    return tokens


def granted(ports: Ports) -> frozenset[str] | None:
    """The scopes that came with the token; None: the platform did not say."""
    scope = ports.tokens.load()[1].get("scope")
    return None if scope is None else frozenset(scope.replace(",", " ").split())


def _proof(options: Mapping[str, str], token: str) -> str:
    return options.get("prefix", "" if "header" in options else "Bearer ") + token


def _renewed(
    options: Mapping[str, str], ports: Ports, post: Post, version: int, kept: Mapping[str, str]
) -> str:
    grant = grant_of(options)
    form = {"grant_type": "client_credentials"}
    if grant != "client_credentials":
        form = {"grant_type": "refresh_token", "refresh_token": _refresher(options, ports, grant, kept)}
    if "scope" in options and grant == "client_credentials":
        form["scope"] = options["scope"]
    try:
        tokens = _asked(options, ports, post, form, kept)
    except Misconfigured as fault:
        problem = fault
    else:
        if not ports.tokens.swap(version, tokens):
            # Another worker was faster. Its token is as good as ours; some platforms end the older one.
            tokens = {**tokens, **ports.tokens.load()[1]}
        return tokens["access_token"]
    newer, held = ports.tokens.load()
    if newer != version and "access_token" in held:  # it renewed first, which ended the refresh token that we had
        return held["access_token"]
    if grant == "authorization_code":
        problem.args = (f"{problem}; or the consent has ended: run `serai connect` for this channel", *problem.args[1:])
    raise problem


def _refresher(options: Mapping[str, str], ports: Ports, grant: str, kept: Mapping[str, str]) -> str:
    held = kept.get("refresh_token")
    if held is not None:
        return held
    if grant == "refresh_token":
        return secret(options, "refresh_token", ports, "refresh_token")
    raise Misconfigured("nobody has consented yet, or the consent has ended: run `serai connect` for this channel")


def _asked(
    options: Mapping[str, str], ports: Ports, post: Post, form: Mapping[str, str], kept: Mapping[str, str]
) -> dict[str, str]:
    """What ``token_url`` gives for the form, as it is stored; a refresh token that is not replaced stays."""
    asked_at = ports.clock.now()
    names = {"user": options.get("client_id", "client_id"), "password": options.get("client_secret", "client_secret")}
    form = dict(form)
    if options.get("credentials", "header") == "header":
        headers = basic(names, ports, post, None)
    else:
        headers = {}
        form |= {"client_id": secret(names, "user", ports), "client_secret": secret(names, "password", ports)}
    answer: Any = post(options["token_url"], form, headers)
    if not isinstance(answer, Mapping) or not _usable(answer.get("access_token")):
        raise ShapeChanged("the answer of `token_url` carries no usable access_token")
    tokens: dict[str, str] = {name: kept[name] for name in ("refresh_token", "scope") if name in kept}
    tokens["access_token"] = answer["access_token"]
    life = answer.get("expires_in")
    if isinstance(life, int) and not isinstance(life, bool):
        tokens["expires_at"] = iso(asked_at + timedelta(seconds=life))
    return tokens | {name: answer[name] for name in ("refresh_token", "scope") if _usable(answer.get(name))}


def _usable(text: Any) -> bool:
    return isinstance(text, str) and text != "" and text.isascii() and text.isprintable()
