"""What an operator may set, read once at a door: flag, then environment, then file, then default."""

from __future__ import annotations

import json
import os
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, ValidationError, field_validator, model_validator
from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from serendip.domain import Invalid
from serendip.flows.groups import Experiment
from serendip.flows.providers import Provider

PREFIX = "SERENDIP_"

DECLARING = ("catalogues", "kinds", "models", "scenarios", "timetable")
"""Tables of the file that are no settings: they declare what is recommended, and how."""

COMMON_NAMES = {"database_url": "DATABASE_URL", "port": "PORT"}
"""Settings that hosting platforms set under a name of their own."""

LISTS = ("image_hosts", "wire", "experiment_groups")
"""Settings that hold several values, separated by commas or spaces in the environment."""


class Settings(BaseSettings):
    """Each is a flag, ``SERENDIP_<NAME>``, ``SERENDIP_<NAME>_FILE`` holding the value, or a line of the file."""

    model_config = SettingsConfigDict(frozen=True, extra="forbid")

    database_url: str = "sqlite:///var/serendip.db"
    """Where rows are kept: ``sqlite:///path`` or ``postgresql://user:password@host/name``. DATABASE_URL does too."""
    artifacts: Path = Path("var/artifacts")
    """The folder of trained model versions."""
    host: str = "127.0.0.1"
    """The address to listen on; ``0.0.0.0`` lets other machines in."""
    port: int = Field(default=8000, ge=0, le=65535)
    """The port to listen on; 0 takes a free one. PORT does too."""
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    """The least severe line that is logged."""
    log_file: Path | None = None
    """Log to this file, rotated at 10 MB with five kept, instead of standard output."""
    page_size: int = Field(default=50, ge=1, le=1000)
    """Rows of a list's page where the request does not say."""
    pool_size: int = Field(default=8, ge=1, le=128)
    """Threads that answer requests; each may hold one connection to the database."""
    deadline_seconds: float = Field(default=5.0, gt=0, le=300)
    """A recommendation or a recording that takes longer is refused with 503 and Retry-After."""
    receive_seconds: float = Field(default=10.0, gt=0, le=300)
    """A client has this long to send its headers, and again as long to send its body."""
    session_hours: float = Field(default=12.0, gt=0, le=24 * 90)
    """A browser stays signed in for this long."""
    image_hosts: tuple[Annotated[str, Field(pattern=r"^https?://[A-Za-z0-9.:\[\]-]+$")], ...] = ()
    """Origins the pages may load item images from, such as ``https://img.example.org``; others get a drawn poster."""
    wire: tuple[str, ...] = ()
    """Wire formats of older systems that are answered too, such as ``social``, or ``social=/old`` under a prefix."""

    open_routes: tuple[Annotated[str, Field(pattern=r"^[A-Z]+ /[^\s?#]*$")], ...] = ()
    """Routes that answer without a key: a method and an address as the API's document writes it, ``GET /v1/items``."""
    requests_per_second: float = Field(default=0.0, ge=0, le=100_000)
    """Each key, session or (without one) address may ask this often, else 429 and Retry-After; 0 sets no limit."""
    public_url: Annotated[str, Field(pattern=r"^https?://[A-Za-z0-9.:\[\]-]+$")] | None = None
    """The server's address in browsers, such as ``https://recommend.example.org``, where a proxy stands before it."""
    oidc_providers: tuple[Provider, ...] = ()
    """OpenID providers that sign people in: tables in serendip.toml, a JSON list in the environment."""
    worker: bool = True
    """``serve`` also does jobs; where false, ``serendip work`` does them elsewhere."""
    job_minutes: float = Field(default=360.0, gt=0)
    """A job that takes longer is stopped."""
    job_memory_mb: int | None = Field(default=None, ge=1)
    """A job that takes more memory of its own is stopped; by default nothing but the system stops it."""
    import_folder: Path = Path("var/imports")
    """Jobs asked for over HTTP import files of this folder only."""
    export_folder: Path = Path("var/exports")
    """Jobs asked for over HTTP write files into this folder only."""
    cold_start: bool = False
    """The wire format ``feed`` also answers users that are not known, instead of 404."""
    experiment_groups: tuple[Annotated[str, Field(pattern=r"^[^=\s,]+(=[^=\s,]+)?$")], ...] = ()
    """Groups of an experiment and the scenario that answers each, such as ``control=home`` and ``test=topics``."""
    experiment_salt: str = ""
    """Beside the user's id, what decides the group; another salt throws everybody anew."""
    save_url: str = ""
    """The database that saved answers go to, as SQLAlchemy writes it; none: the one of ``database_url``."""

    @field_validator("open_routes", mode="before")
    @classmethod
    def _routes(cls, value: object) -> object:
        return tuple(part.strip() for part in value.split(",") if part.strip()) if isinstance(value, str) else value

    @field_validator("oidc_providers", mode="before")
    @classmethod
    def _providers(cls, value: object) -> object:
        return json.loads(value) if isinstance(value, str) else value

    @field_validator("oidc_providers")
    @classmethod
    def _named_apart(cls, value: tuple[Provider, ...]) -> tuple[Provider, ...]:
        if len({one.name for one in value}) < len(value):
            raise ValueError("two providers have the same name")
        return value

    @model_validator(mode="after")
    def _experiment(self) -> Settings:
        if self.experiment_groups:
            Experiment.parse(self.experiment_salt, self.experiment_groups)
        return self

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Flag, environment, file: the first that has a value wins."""
        del env_settings, dotenv_settings, file_secret_settings
        return init_settings, _Environment(settings_cls), _File(settings_cls)


class _Environment(PydanticBaseSettingsSource):
    """``SERENDIP_NAME``, the content of the file that ``SERENDIP_NAME_FILE`` names, or the platform's own name."""

    def get_field_value(self, field: FieldInfo, field_name: str) -> tuple[Any, str, bool]:
        """Unused by ``__call__``, which looks at all fields at once."""
        return None, field_name, field.default is None

    def __call__(self) -> dict[str, Any]:
        """The values that are set, by name of the field."""
        return {name: value for name in Settings.model_fields if (value := _from_environment(name)) is not None}


def _from_environment(name: str) -> Any:
    variable = PREFIX + name.upper()
    value = os.environ.get(variable)
    if value is None and (path := os.environ.get(f"{variable}_FILE")):
        try:
            value = Path(path).read_text().strip()
        except (OSError, UnicodeDecodeError) as error:
            raise Invalid(f"{variable}_FILE names {path!r}, which cannot be read: {error}", field=name) from None
    if value is None and name in COMMON_NAMES:
        value = os.environ.get(COMMON_NAMES[name])
    if value is not None and name in LISTS:
        return tuple(value.replace(",", " ").split())
    return value


class _File(PydanticBaseSettingsSource):
    """The file that ``SERENDIP_CONFIG`` names, or ``serendip.toml`` in the current folder if there is one."""

    def get_field_value(self, field: FieldInfo, field_name: str) -> tuple[Any, str, bool]:
        """Unused by ``__call__``, which reads the whole file."""
        return None, field_name, field.default is None

    def __call__(self) -> dict[str, Any]:
        """The file's lines but those that declare something else than settings."""
        path = settings_file()
        if path is None:
            return {}
        try:
            content = tomllib.loads(path.read_text(encoding="utf-8-sig"))
        except (OSError, ValueError) as error:
            raise Invalid(f"the settings file {str(path)!r} cannot be read: {error}", field="config") from None
        return {name: value for name, value in content.items() if name not in DECLARING}


def settings_file() -> Path | None:
    """The file that ``SERENDIP_CONFIG`` names, or ``serendip.toml`` in the current folder; None where there is none."""
    named = os.environ.get(PREFIX + "CONFIG")
    path = Path(named or "serendip.toml")
    return path if named or path.exists() else None


def settings_of_file(content: Mapping[str, Any]) -> None:
    """Invalid, with its field, where these lines of a file are no settings; whatever flags and environment say."""
    try:
        Settings(**content)
    except ValidationError as error:
        raise _named(error) from None


def read_settings(**flags: Any) -> Settings:
    """The settings in force; a flag of None was not given. What is wrong is named in one sentence."""
    try:
        return Settings(**{name: value for name, value in flags.items() if value is not None})
    except ValidationError as error:
        raise _named(error) from None


def _named(error: ValidationError) -> Invalid:
    """The first that is wrong, in one sentence."""
    first = error.errors()[0]
    name = str(first["loc"][0])
    if name == "oidc_providers":
        # What was given is not repeated: it may hold the secret.
        where = ".".join(map(str, first["loc"]))
        wrong = "there is no such field" if first["type"] == "extra_forbidden" else first["msg"].lower()
        return Invalid(f"the setting {where} is not right: {wrong}; see docs/accounts.md", field=name)
    if first["type"] == "extra_forbidden":
        known = ", ".join(Settings.model_fields)
        tables = ", ".join(f"[{table}.NAME]" for table in DECLARING)
        return Invalid(
            f"there is no setting {name!r}; the settings are {known}; the tables of a file are {tables}", field=name
        )
    return Invalid(
        f"the setting {name} is {first['input']!r}: {first['msg'].lower()}; "
        f"set it with {PREFIX}{name.upper()}, in serendip.toml or by its flag",
        field=name,
    )
