"""Every error that genrescope raises on purpose.

```
GenrescopeError
├── AudioError         a file whose sound cannot be used: each decoder tried, and its reason
│   └── AudioNotFoundError
├── DataError          a folder, list, store or split that cannot be used as asked
│   └── DataNotFoundError
├── RecipeError        a recipe with a wrong name, key or value
├── TrainingError      a training run that cannot go on
├── ModelFileError     a model file that is damaged, foreign, or too new
│   └── ModelNotFoundError
└── OutputError        a file that cannot be written
```

The errors called `...NotFoundError` are a `FileNotFoundError`, too. Each message says what was given, what is accepted,
and what to do. Errors of other libraries are wrapped once, where they arise, with the cause kept.
"""

from __future__ import annotations

import difflib
import errno
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence


class GenrescopeError(Exception):
    """Base of every error that genrescope raises on purpose."""


class AudioError(GenrescopeError):
    """A file whose sound cannot be used.

    Attributes:
        name: the file's path, or what stands for it when bytes were given.
        attempts: pairs of decoder and reason, in the order they were tried.
        fault: what is wrong in a word: `empty`, `truncated`, `damaged`, `non-finite`, or `unreadable` for all else.
    """

    def __init__(self, name: str, attempts: Sequence[tuple[str, str]], fault: str = "unreadable") -> None:
        self.name = name
        self.attempts = tuple(attempts)
        self.fault = fault
        super().__init__(f"{name}: {self.reason}")

    @property
    def reason(self) -> str:
        """The decoders and their reasons on one line."""
        return "; ".join(f"{decoder}: {reason}" for decoder, reason in self.attempts)

    def __reduce__(self) -> tuple[type[AudioError], tuple[str, tuple[tuple[str, str], ...], str]]:
        return type(self), (self.name, self.attempts, self.fault)


class _NotFoundError(FileNotFoundError):
    """What the errors about missing files share: a `FileNotFoundError` with the message of ours."""

    errno = errno.ENOENT

    def __str__(self) -> str:
        return str(self.args[0])  # OSError would show its number and repeat the name


class AudioNotFoundError(AudioError, _NotFoundError):
    """An audio file that does not exist."""


class DataError(GenrescopeError):
    """A folder, list, store or split that cannot be used as asked."""


class DataNotFoundError(DataError, _NotFoundError):
    """A folder or file of DATA that does not exist."""


class RecipeError(GenrescopeError):
    """A recipe with a wrong name, key or value."""


class TrainingError(GenrescopeError):
    """A training run that cannot go on."""


class ModelFileError(GenrescopeError):
    """A model file that is damaged, foreign, or made by a newer version."""


class ModelNotFoundError(ModelFileError, _NotFoundError):
    """A model file, run folder or name of a model that does not exist."""


class OutputError(GenrescopeError):
    """A file that cannot be written."""


def reason_of(error: Exception) -> str:
    """Say in one line why a file could not be used, whatever a decoder has thrown.

    Example:
        >>> reason_of(FileNotFoundError(2, "No such file")), reason_of(KeyError("x"))
        ('file: No such file', "KeyError: 'x'")
    """
    if isinstance(error, AudioError):
        return error.reason
    if isinstance(error, GenrescopeError):
        return str(error)
    if isinstance(error, MemoryError):
        return "it needs more memory than a file may take"
    if isinstance(error, OSError):
        return f"file: {error.strerror or error}"
    return f"{type(error).__name__}: {error}"


def nearest(given: str, accepted: Iterable[str]) -> str:
    """Say what was meant: `did you mean "mgcc"?`, or the accepted names if none is near.

    Example:
        >>> nearest("mgc", ["scratch", "mgcc"])
        'did you mean "mgcc"?'
        >>> nearest("x", ["scratch", "mgcc"])
        'one of: scratch, mgcc'
    """
    names = list(accepted)
    close = difflib.get_close_matches(given, names, n=1, cutoff=0.6)
    return f'did you mean "{close[0]}"?' if close else "one of: " + ", ".join(names)
