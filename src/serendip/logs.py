"""Logs as lines of JSON, on standard output or in a file that is rotated."""

from __future__ import annotations

import logging
import logging.handlers
import sys
from datetime import UTC, datetime

import orjson

from serendip.settings import Settings

FILE_BYTES = 10 * 1024 * 1024
FILES = 5

_PLAIN = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName", "color_message"}


class JsonLines(logging.Formatter):
    """One object a line: moment, level, logger, message, and whatever the caller added."""

    def format(self, record: logging.LogRecord) -> str:
        """The line of ``record``."""
        line: dict[str, object] = {
            "at": datetime.fromtimestamp(record.created, UTC),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        line.update((name, value) for name, value in vars(record).items() if name not in _PLAIN and value is not None)
        if record.exc_info:
            line["error"] = self.formatException(record.exc_info)
        return orjson.dumps(line, default=str).decode()


def set_up_logs(settings: Settings, rotated: bool = True) -> None:
    """Everything that is logged from here on goes where the settings say.

    Not ``rotated``: another process rotates the file, and this one follows it.
    """
    handler: logging.Handler
    if settings.log_file is None:
        handler = logging.StreamHandler(sys.stdout)
    else:
        settings.log_file.parent.mkdir(parents=True, exist_ok=True)
        handler = (
            logging.handlers.RotatingFileHandler(
                settings.log_file, maxBytes=FILE_BYTES, backupCount=FILES - 1, encoding="utf-8"
            )
            if rotated
            else logging.handlers.WatchedFileHandler(settings.log_file, encoding="utf-8")
        )
    handler.setFormatter(JsonLines())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(settings.log_level.upper())
