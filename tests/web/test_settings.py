"""Flag, then environment, then file, then default; and what is wrong is named."""

from __future__ import annotations

from pathlib import Path

import pytest

from serendip.domain import Invalid
from serendip.settings import Settings, read_settings


@pytest.fixture(autouse=True)
def alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("DATABASE_URL", "PORT", "SERENDIP_PORT", "SERENDIP_DATABASE_URL"):
        monkeypatch.delenv(name, raising=False)


def test_the_first_that_speaks_wins(monkeypatch: pytest.MonkeyPatch) -> None:
    assert read_settings().port == 8000
    Path("serendip.toml").write_text("port = 1111\npage_size = 7\n")
    assert read_settings().port == 1111
    monkeypatch.setenv("PORT", "2222")
    assert read_settings().port == 2222
    monkeypatch.setenv("SERENDIP_PORT", "3333")
    assert read_settings().port == 3333
    assert read_settings(port=4444, host=None).port == 4444
    assert read_settings().page_size == 7


def test_a_secret_may_lie_in_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    secret = tmp_path / "url"
    secret.write_text("postgresql://a:b@c/d\n")
    monkeypatch.setenv("SERENDIP_DATABASE_URL_FILE", str(secret))
    assert read_settings().database_url == "postgresql://a:b@c/d"
    monkeypatch.setenv("SERENDIP_DATABASE_URL_FILE", str(tmp_path / "no"))
    with pytest.raises(Invalid, match="cannot be read"):
        read_settings()


def test_hosts_of_images_are_listed_by_commas(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SERENDIP_IMAGE_HOSTS", "https://a.example, https://b.example")
    assert read_settings().image_hosts == ("https://a.example", "https://b.example")


@pytest.mark.parametrize("hosts", ["https://a.example; script-src *", "a.example", "https://a.example/path", "*"])
def test_a_host_of_images_is_an_origin_and_nothing_more(monkeypatch: pytest.MonkeyPatch, hosts: str) -> None:
    monkeypatch.setenv("SERENDIP_IMAGE_HOSTS", hosts)
    with pytest.raises(Invalid, match="image_hosts"):
        read_settings()


@pytest.mark.parametrize(
    ("name", "value"), [("PORT", "x"), ("PORT", "99999"), ("LOG_LEVEL", "loud"), ("POOL_SIZE", "0")]
)
def test_what_is_wrong_is_named_with_the_way_out(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    monkeypatch.setenv(f"SERENDIP_{name}", value)
    with pytest.raises(Invalid, match=f"SERENDIP_{name}"):
        read_settings()


def test_a_file_with_an_unknown_line_or_none_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    Path("serendip.toml").write_text("prot = 1\n")
    with pytest.raises(Invalid, match="no setting 'prot'"):
        read_settings()
    Path("serendip.toml").write_text("port = \n")
    with pytest.raises(Invalid, match="cannot be read"):
        read_settings()
    monkeypatch.setenv("SERENDIP_CONFIG", "elsewhere.toml")
    with pytest.raises(Invalid, match="elsewhere"):
        read_settings()


def test_every_setting_says_what_it_is_for() -> None:
    source = Path(__file__).parents[2] / "src" / "serendip" / "settings.py"
    text = source.read_text()
    for name in Settings.model_fields:
        after = text.split(f"\n    {name}: ", 1)[1].split("\n", 1)[1]
        assert after.lstrip().startswith('"""'), name
