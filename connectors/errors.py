"""What a platform may do to us, by what to do next.

::

    ConnectorError
    ├── RetryLater(after)      the platform is busy or away; the same call may succeed after `after` seconds
    ├── Misconfigured          a person must act: a secret, a scope, an address; retrying is useless
    ├── Forged                 a notice that this channel did not send; refuse it, tell nobody what was wrong
    ├── ShapeChanged           the answer is not what the platform's contract says; nothing of it may be believed
    └── Stopped                mode, lease or the red button forbid a further request
"""

from __future__ import annotations

from typing import Self


class ConnectorError(Exception):
    """What a platform did to us. The message names the channel and the remedy, never a secret."""

    def of(self, channel: str) -> Self:
        """The same error; its message begins with the channel."""
        if not str(self).startswith(f"{channel}: "):
            self.args = (f"{channel}: {self}", *self.args[1:])
        return self


class RetryLater(ConnectorError):
    """The same call may succeed after ``after`` seconds (the platform's own figure where it gave one)."""

    def __init__(self, message: str, *, after: float) -> None:
        super().__init__(message)
        self.after = after


class Misconfigured(ConnectorError):
    """A person must act: the message names the setting, secret or scope that is missing. Retrying is useless."""


class Forged(ConnectorError):
    """A notice whose signature, age or delivery is not this channel's. It is refused and leaves no trace in data."""


class ShapeChanged(ConnectorError):
    """The answer does not have the shape its contract says; a missing list is never an empty page."""


class Stopped(ConnectorError):
    """No further request may begin: the mode, the lease or the red button forbid it."""
