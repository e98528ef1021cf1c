"""How the receiver and the console listen: on this machine's own loopback address, and nowhere else.

Neither knows accounts. A reverse proxy with a certificate (receiver) or an SSH tunnel (console) is what reaches them
from outside; a public address given by mistake is refused here, before anything listens.
"""

from __future__ import annotations

import ipaddress
import signal
import socket

import uvicorn
from fastapi import FastAPI

STOP_WITHIN = 5
"""Seconds that requests in progress get to end after SIGTERM."""


class NotLoopback(ValueError):
    """The address is reachable from other machines."""


def is_loopback(host: str) -> bool:
    """Whether ``host`` (a name or an address, without port) can only mean this machine.

    Only ``localhost`` counts among names: what another name resolves to is for its owner to change at any time.
    """
    if host.lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def listen(host: str, port: int) -> socket.socket:
    """A listening socket on a loopback address (port 0: a free one). Raises NotLoopback, OSError when it is taken."""
    if not is_loopback(host):
        raise NotLoopback(
            f"refuses to listen on {host!r}: there are no accounts yet, so only this machine may connect; "
            "allowed: 127.0.0.1, ::1, localhost; to reach it from elsewhere use an SSH tunnel or a reverse proxy here"
        )
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    return socket.create_server((host, port), family=family, backlog=128)


def address(sock: socket.socket) -> str:
    """``http://127.0.0.1:4300`` of a listening socket."""
    host, port = sock.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def serve(app: FastAPI, sock: socket.socket, *, at_once: int = 64) -> None:
    """Serves until SIGINT or SIGTERM; more than ``at_once`` requests at a time are answered 503."""
    config = uvicorn.Config(
        app,
        log_config=None,
        access_log=False,
        server_header=False,
        limit_concurrency=at_once,
        timeout_keep_alive=5,
        timeout_graceful_shutdown=STOP_WITHIN,
    )
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _already_heard)  # uvicorn raises the signal again once it has stopped; that would kill us
    uvicorn.Server(config).run(sockets=[sock])


def _already_heard(_number: int, _frame: object) -> None:
    """The server has ended on this signal; what comes after it still runs."""
