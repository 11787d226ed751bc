"""Addresses of this machine, who may ask there, and the headers that every answer has."""

from __future__ import annotations

import ipaddress
import socket
from urllib.parse import urlsplit

from polyfuse.errors import OutputError

LOCAL = "127.0.0.1"
"""Where servers listen unless the user names another address."""
WAITING = 64
"""Connections that wait until they are accepted."""
HEADERS = {
    "Cache-Control": "no-store",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
}
"""Headers of every answer that is not kept: a browser neither stores it nor guesses what it is."""


def is_local(host: str) -> bool:
    """Whether only this machine can reach an address.

    >>> is_local("localhost"), is_local("::1"), is_local("0.0.0.0")
    (True, True, False)
    """
    if host.lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def names_this_machine(host: str | None) -> bool:
    """Whether a request asked for a name of this machine, by its header Host.

    A page from elsewhere can lead a browser here under a name of its own; such requests must not be answered where
    nothing else tells who asks.

    >>> names_this_machine("localhost:8080"), names_this_machine("[::1]"), names_this_machine("evil.example")
    (True, True, False)
    """
    try:
        name = urlsplit(f"//{host or ''}").hostname
    except ValueError:  # brackets without an address
        return False
    return name is not None and is_local(name)


def listen(host: str, port: int) -> socket.socket:
    """A socket that listens; from now on who asks waits instead of being refused.

    Args:
        host: Address of this machine.
        port: 0 for any that is free.

    Raises:
        OutputError: If nothing can listen there.
    """
    try:
        kind, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
        # With its protocol named, asyncio sends small answers at once, where they would wait some 40 ms otherwise.
        listening = socket.socket(kind, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    except (OSError, UnicodeError) as error:
        raise _refusal(host, port, error) from error
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind(address)
        listening.listen(WAITING)
    except OSError as error:
        listening.close()
        raise _refusal(host, port, error) from error
    return listening


def _refusal(host: str, port: int, error: OSError | UnicodeError) -> OutputError:
    reason = getattr(error, "strerror", None) or error
    return OutputError(f"nothing can listen at {host}:{port} ({reason}): name another port, or 0 for any.")


def web_address(host: str, port: int) -> str:
    """What to type into a browser.

    >>> web_address("::1", 8080)
    'http://[::1]:8080/'
    """
    return f"http://[{host}]:{port}/" if ":" in host else f"http://{host}:{port}/"
