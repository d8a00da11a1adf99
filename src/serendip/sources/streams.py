"""The bytes of a text file as UTF-8: gunzipped, decoded, every line ending in one newline."""

from __future__ import annotations

import codecs
import gzip
import io
import zlib
from contextlib import closing
from pathlib import Path
from typing import BinaryIO, cast

from serendip.domain import Invalid

PEEK = 64 << 20
"""The encoding is told from this many bytes; what comes later and is not text becomes errors of single rows."""

BOMS = [
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
]
ARCHIVES = {b"PK\x03\x04": "zip", b"7z\xbc\xaf": "7z", b"BZh": "bzip2", b"\xfd7zXZ": "xz", b"(\xb5/\xfd": "zstd"}


def is_gzip(path: Path) -> bool:
    """Whether the file is gzip, whatever its name says."""
    with path.open("rb") as file:
        return file.read(2) == b"\x1f\x8b"


def refuse_archives(path: Path) -> None:
    """Invalid for compressed formats that are not read as they are."""
    with path.open("rb") as file:
        head = file.read(8)
    for magic, name in ARCHIVES.items():
        if head.startswith(magic):
            raise Invalid(f"{path} is a {name} archive; unpack it first (gzip is read as it is)")


def guess_encoding(path: Path) -> tuple[str, str | None]:
    """The file's encoding, and a note where it is not plain UTF-8."""
    with closing(_Bytes(path)) as reader:
        head = reader.read(4)
        for bom, name in BOMS:
            if head.startswith(bom):
                return name, None if name == "utf-8" else f"read as {name}, as its first bytes say"
        decoder = codecs.getincrementaldecoder("utf-8")()
        seen, block = 0, head
        while block and seen < PEEK:
            try:
                decoder.decode(block)
            except UnicodeDecodeError as error:
                byte = error.object[error.start]
                return (
                    "latin-1",
                    f"read as latin-1, for byte 0x{byte:02x} is not UTF-8; say --encoding if it is another",
                )
            seen += len(block)
            block = reader.read(1 << 20)
    return "utf-8", None


class _Bytes:
    """A file's bytes, gunzipped, with how far along it is."""

    def __init__(self, path: Path) -> None:
        self.path, self.size = path, path.stat().st_size
        self.raw = path.open("rb")
        self.file: BinaryIO = cast(BinaryIO, gzip.GzipFile(fileobj=self.raw)) if is_gzip(path) else self.raw

    def read(self, n: int) -> bytes:
        try:
            return self.file.read(n)
        except (EOFError, zlib.error, gzip.BadGzipFile) as error:
            raise Invalid(f"{self.path} is cut short or damaged ({error}); fetch it again") from None

    def close(self) -> None:
        self.file.close()
        self.raw.close()

    @property
    def done(self) -> float:
        return self.raw.tell() / self.size if self.size else 1.0


class Utf8Stream:
    """A text file read block by block as UTF-8 bytes; ``\\r\\n`` and lone ``\\r`` of old files become ``\\n``."""

    def __init__(self, path: Path, encoding: str = "utf-8", *, lone_returns: bool = False) -> None:
        self.bytes = _Bytes(path)
        self.encoding, self.lone_returns = encoding, lone_returns
        plain = codecs.lookup(encoding).name in ("utf-8", "ascii")
        self._decoder = None if plain else codecs.getincrementaldecoder(encoding)()
        self._at_start, self._held = True, b""

    def read(self, n: int) -> bytes:
        """The next about ``n`` bytes; nothing at the end."""
        while True:
            raw = self.bytes.read(n)
            data = self._held + self._utf8(raw)
            self._held = b""
            if self._at_start and data:
                data, self._at_start = data.removeprefix(codecs.BOM_UTF8), False
            if raw and data.endswith(b"\r"):
                data, self._held = data[:-1], b"\r"
            if data or not raw:
                data = data.replace(b"\r\n", b"\n")
                return data.replace(b"\r", b"\n") if self.lone_returns else data

    def _utf8(self, raw: bytes) -> bytes:
        if self._decoder is None:
            return raw
        try:
            return self._decoder.decode(raw, final=not raw).encode()
        except UnicodeError as error:
            raise Invalid(
                f"{self.bytes.path} is not {self.encoding} throughout ({error}); say another --encoding"
            ) from None

    @property
    def done(self) -> float:
        """How much of the file is read, from 0 to 1."""
        return self.bytes.done

    def close(self) -> None:
        """Let the file go."""
        self.bytes.close()


def head(path: Path, encoding: str, size: int = 1 << 18) -> str:
    """The first about ``size`` bytes as text, ending with a whole line where there is one; bad bytes are replaced."""
    parts = io.BytesIO()
    with closing(Utf8Stream(path, encoding)) as stream:
        while parts.tell() < size and (block := stream.read(size)):
            parts.write(block)
        ended = not stream.read(1)
    data = parts.getvalue()
    if not ended and b"\n" in data:
        data = data[: data.rfind(b"\n") + 1]
    return data.decode("utf-8", "replace")
