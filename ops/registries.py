"""Why a registry did not give an image, in sentences; and what to ask it for. Pure: no registry is asked here."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final, Literal, final

from config.catalogue import ImageName, published_at, registry_reference

Why = Literal[
    "refused connection",
    "no such host",
    "no way",
    "slow",
    "reset",
    "forbidden",
    "login",
    "absent",
    "stale tag",
    "wrong digest",
    "other",
]

SHUT: Final[frozenset[Why]] = frozenset({"refused connection", "no such host", "no way", "slow"})
"""What is true of a registry and not of one image: it need not be asked for the next one."""

_SHORT: Final = 19
"""Characters of a digest that are shown: ``sha256:`` and 12 digits, as `docker images --digests` is read."""

_WORDS: Final[Mapping[Why, str]] = MappingProxyType(
    {
        # The Docker engine's words (20.10 to 28), the telling ones first: one message may hold several.
        "wrong digest": r"verification failed|does not match.*digest|digest mismatch|invalid checksum",
        "refused connection": r"connection refused",
        "no such host": r"no such host|server misbehaving|name resolution|lookup .* on ",
        "no way": r"no route to host|network is unreachable|proxyconnect",
        "slow": r"i/o timeout|Client\.Timeout|deadline exceeded|TLS handshake timeout|awaiting headers",
        "forbidden": r"\b403\b|forbidden|denied",
        "login": r"\b401\b|unauthorized|no basic auth",
        "absent": r"\b404\b|not found|manifest unknown|name unknown|manifest_unknown|name_unknown",
        "reset": r"connection reset|broken pipe|\bEOF\b|server closed|http2: ",
    },
)


@final
@dataclass(frozen=True, kw_only=True)
class Candidate:
    """An image at one registry."""

    name: ImageName
    registry: str
    """As the setting ``registryPrefix`` has it; empty is Docker Hub."""
    digest: str | None
    """What the lock pins the image to."""

    @property
    def host(self) -> str:
        """The registry, for people."""
        return self.registry or published_at(self.name)

    @property
    def by_tag(self) -> str:
        """Reference by tag."""
        return registry_reference(self.name, self.registry)

    @property
    def declared(self) -> str:
        """Reference under which the program declares the image if it comes from here."""
        return f"{self.by_tag}@{self.digest}" if self.digest else self.by_tag

    @property
    def wanted(self) -> str:
        """Reference to ask for and to pull: by digest, where one is pinned."""
        return f"{self.by_tag.rpartition(':')[0]}@{self.digest}" if self.digest else self.by_tag


class NotGiven(Exception):  # noqa: N818 (an answer, not an error of ours)
    """A registry does not give an image; ``str()`` is a sentence with host, image and reason."""

    def __init__(self, candidate: Candidate, why: Why, reason: str) -> None:
        super().__init__(f"{candidate.host} does not give {candidate.by_tag}: {reason}")
        self.candidate = candidate
        self.why = why


def why(words: str) -> Why:
    """Tell from the Docker engine's words what happened. The API has no codes that say it."""
    return next((each for each, pattern in _WORDS.items() if re.search(pattern, words, re.IGNORECASE)), "other")


def refused(candidate: Candidate, words: str) -> NotGiven:
    """Return what the Docker engine's words mean for a candidate."""
    kind = why(words)
    short = " ".join(words.split())[:300]
    login = f"docker login {candidate.registry.partition('/')[0]}".strip()
    reasons: Mapping[Why, str] = {
        "refused connection": "it refuses the connection; nothing listens there",
        "no such host": "no such host: its name does not resolve",
        "no way": "no way leads there from this network",
        "slow": "it does not answer in time",
        "reset": "it broke the connection off in mid-transfer",
        "forbidden": "it forbids that (403): the image, or this network, is not allowed there",
        "login": f"it asks for a login (401): {login}",
        "absent": "it has no such tag (404)" if candidate.digest is None else "it has neither this tag nor the digest",
        "wrong digest": "what it sent is not what was asked for (wrong digest), and the Docker engine threw it away",
        "other": "",
    }
    shown = f"{reasons[kind]} ({short})" if kind in {"wrong digest", "reset"} else reasons[kind] or short
    return NotGiven(candidate, kind, shown)


def silent(candidate: Candidate, seconds: float) -> NotGiven:
    """Return that a registry did not answer, or stopped sending, for so many seconds."""
    return NotGiven(candidate, "slow", f"nothing came from it for {seconds:g} s")


def stale(candidate: Candidate, found: str) -> NotGiven:
    """Return that a registry has the tag, but neither on nor beside it the pinned content."""
    pinned = candidate.digest or ""
    return NotGiven(
        candidate,
        "stale tag",
        f"its tag is stale or moved: there it is {found[:_SHORT]}, pinned is {pinned[:_SHORT]}, which it has not got",
    )


def unverified(candidate: Candidate) -> NotGiven:
    """Return that after a pull the Docker engine does not know the image by the digest that was asked for."""
    return NotGiven(
        candidate, "wrong digest", "after the pull the Docker engine has no image of the pinned digest under that name"
    )
