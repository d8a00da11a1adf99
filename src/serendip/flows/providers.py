"""OpenID providers as an operator declares them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Self
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, SecretStr, field_validator, model_validator

from serendip.flows.access import RIGHTS

LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})
"""Hosts to which plain HTTP may be spoken."""


def safe_address(address: str) -> bool:
    """Whether nobody between us and ``address`` can read along: HTTPS, or this very machine."""
    parts = urlsplit(address)
    return bool(parts.hostname) and (parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in LOOPBACK))


class Provider(BaseModel):
    """Who may sign people in by OpenID Connect."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = Field(pattern=r"^[a-z0-9-]{1,40}$")
    """Stands in addresses: /sign-in/with/<name>."""
    label: str = Field("", max_length=100)
    """On the button; by default the name."""
    issuer: str
    """Such as https://accounts.google.com; discovery finds the rest."""
    client_id: str = Field(min_length=1)
    client_secret: SecretStr = SecretStr("")
    client_secret_file: Path | None = None
    """A file that holds the secret, instead of the secret itself."""
    scopes: tuple[str, ...] = ("openid", "email", "profile")
    role: str = "member"
    """Of accounts that are made at the first sign-in."""
    sign_up: bool = True
    """Whether such accounts are made; otherwise only who has an account of the same address comes in."""
    domains: tuple[Annotated[str, Field(pattern=r"^[A-Za-z0-9.-]+$")], ...] = ()
    """Only verified addresses of these domains come in; empty: all."""

    @field_validator("issuer")
    @classmethod
    def _safe(cls, issuer: str) -> str:
        if not safe_address(issuer):
            raise ValueError(f"the issuer {issuer!r} is not an https:// address")
        return issuer

    @field_validator("role")
    @classmethod
    def _known(cls, role: str) -> str:
        if role not in RIGHTS:
            raise ValueError(f"there is no role {role!r}; the roles are {', '.join(RIGHTS)}")
        return role

    @model_validator(mode="after")
    def _one_secret(self) -> Self:
        if "openid" not in self.scopes:
            raise ValueError("the scopes must hold openid")
        if bool(self.client_secret.get_secret_value()) == (self.client_secret_file is not None):
            raise ValueError("give client_secret or client_secret_file, one of the two")
        return self

    def secret(self) -> str:
        """The client's secret."""
        if self.client_secret_file is None:
            return self.client_secret.get_secret_value()
        return self.client_secret_file.read_text().strip()
