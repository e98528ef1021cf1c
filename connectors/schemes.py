"""Which schemes there are to prove who we are, by the name that a description uses, and the settings of each."""

from __future__ import annotations

from collections.abc import Mapping

from connectors.auth import Scheme, basic, bearer, header_key, none
from connectors.oauth import oauth2

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
    "oauth2": frozenset({
        "grant", "token_url", "authorize_url", "client_id", "client_secret", "refresh_token", "scope", "credentials",
        "header", "prefix",
    }),
}
