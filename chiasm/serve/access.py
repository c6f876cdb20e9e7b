"""Who may ask: this machine alone, or whoever has the token."""

from __future__ import annotations

import hmac
import ipaddress
from collections.abc import Iterable
from dataclasses import dataclass

from chiasm.serve.limits import Refused

LEAST = 16  # characters of a token
OPEN_PATHS = frozenset({"/", "/health"})  # nothing of the bundles is in them; what is below /page is open too
PAGE = "/page/"


class UnsafeBinding(ValueError):
    """An address that others can reach, without a token."""


def is_this_machine(host: str) -> bool:
    """Whether an address is reached from this machine only."""
    if host.strip("[]").lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


@dataclass(frozen=True)
class Access:
    """The address that the service is bound to, and its token ("": none). Raises `UnsafeBinding`."""

    host: str = "127.0.0.1"
    token: str = ""

    def __post_init__(self) -> None:
        if self.token and len(self.token) < LEAST:
            raise UnsafeBinding(f"the token has {len(self.token)} characters; at least {LEAST} are needed")
        if not self.token and not is_this_machine(self.host):
            raise UnsafeBinding(
                f"{self.host} can be reached from other machines, so a token is needed: put one in a file and give "
                "--token-file FILE, or set CHIASM_TOKEN; or stay on --host 127.0.0.1"
            )

    def check(self, path: str, headers: Iterable[tuple[bytes, bytes]]) -> None:
        """Raises `Refused`: 401 without the token, 421 for another host's name.

        Without a token the Host header must be this machine's, so that a web page elsewhere whose name is made to
        point here (DNS rebinding) reads nothing.
        """
        given = dict(headers)
        if not self.token:
            if not is_this_machine(_hostname(given.get(b"host", b"").decode("latin-1"))):
                raise Refused(421, "this service answers to localhost only")
            return
        if path in OPEN_PATHS or path.startswith(PAGE):
            return
        scheme, _, said = given.get(b"authorization", b"").partition(b" ")
        if scheme.lower() != b"bearer" or not hmac.compare_digest(said.strip(), self.token.encode()):
            raise Refused(401, "the token is missing or wrong: send the header Authorization: Bearer TOKEN")


def _hostname(header: str) -> str:
    """ "localhost:8000" -> "localhost", "[::1]:8000" -> "::1"."""
    if header.startswith("["):
        return header[1:].partition("]")[0]
    return header.partition(":")[0]
