"""What a connector may ask of the house: secrets and tokens; whether a request may begin says budgets.py."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from cryptography.fernet import Fernet

from connectors.errors import Misconfigured
from registry import (
    Registry,
    load_tokens,
    swap_tokens,
)


@dataclass(frozen=True, kw_only=True)
class EnvironmentSecrets:
    """Resolves ``env:NAME`` references of one channel when they are used, never earlier."""

    channel: str
    references: Mapping[str, str]

    def get(self, name: str) -> str:
        """The value; raises Misconfigured naming channel and reference when there is none."""
        reference = self.references.get(name)
        if reference is None:
            raise Misconfigured(
                f"{self.channel}: the platform needs the secret {name!r}; channels.yaml names "
                f"{', '.join(sorted(self.references)) or 'none'}: add `secrets: {{{name}: env:NAME}}`"
            )
        return resolve(reference, f"{self.channel}: secret {name!r}")


def resolve(reference: str, what: str) -> str:
    """The value behind ``env:NAME``; any other text is itself. Raises Misconfigured when the variable is not set."""
    if not reference.startswith("env:"):
        return reference
    value = os.environ.get(reference[4:])
    if value is None or value == "":
        raise Misconfigured(f"{what}: the environment variable {reference[4:]} is not set; set it and start again")
    return value


class RegistryTokens:
    """A channel's tokens in the registry, encrypted at rest with the project's key."""

    def __init__(self, registry: Registry, channel: str, key: Callable[[], Fernet]) -> None:
        self._registry, self._channel, self._key = registry, channel, key

    def load(self) -> tuple[int, Mapping[str, str]]:
        """Version and tokens; version 0 and nothing when there are none."""
        with self._registry.read() as tx:
            version, sealed = load_tokens(tx, self._channel)
        return version, json.loads(self._key().decrypt(sealed)) if sealed else {}

    def swap(self, version: int, tokens: Mapping[str, str]) -> bool:
        """Store if nobody stored since ``version``."""
        sealed = self._key().encrypt(json.dumps(dict(tokens)).encode())
        return self._registry.attempt(lambda tx: swap_tokens(tx, self._channel, version, sealed))
