"""What a service writes to stderr: a line for each thing that happened, as text or as JSON."""

from __future__ import annotations

import json
import logging
import sys
from datetime import UTC, datetime
from typing import Any

_LOGGER = logging.getLogger("genrescope.serve")


def log(event: str, *, level: str = "info", **facts: Any) -> None:
    """Note that something happened.

    Args:
        event: what, in a word.
        level: `info`, `warning` or `error`.
        facts: JSON-like values; no names of files or songs.
    """
    _LOGGER.log(logging.getLevelNamesMapping()[level.upper()], event, extra={"facts": facts})


def prepare(kind: str, *, quiet: bool) -> None:
    """Write what is noted to stderr, uvicorn's warnings too.

    Args:
        kind: `text` or `json`.
        quiet: only errors.
    """
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_Json() if kind == "json" else _Text())
    for name, level in (("genrescope.serve", logging.INFO), ("uvicorn.error", logging.WARNING)):
        logger = logging.getLogger(name)
        logger.handlers, logger.propagate = [handler], False
        logger.setLevel(logging.ERROR if quiet else level)


def _facts(record: logging.LogRecord) -> dict[str, Any]:
    found: dict[str, Any] = getattr(record, "facts", {})
    if record.exc_info:
        found = found | {"error": repr(record.exc_info[1])}
    return found


class _Json(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        time = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
        line = {"time": time, "level": record.levelname.lower(), "event": record.getMessage(), **_facts(record)}
        return json.dumps(line, ensure_ascii=True, default=str)


class _Text(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        time = datetime.fromtimestamp(record.created).astimezone().strftime("%H:%M:%S")
        facts = " ".join(f"{name}={value}" for name, value in _facts(record).items())
        return ascii(f"{time} {record.getMessage()} {facts}".rstrip())[1:-1]
