"""What a service accepts, and how it is reached."""

from __future__ import annotations

from dataclasses import dataclass, field

from genrescope.errors import DataError

LOOPBACK = ("localhost", "127.0.0.1", "::1")


@dataclass(frozen=True)
class Limits:
    """What a service accepts.

    Attributes:
        file_bytes: of one file.
        body_bytes: of all files of a request together.
        files: files of a request.
        sound_seconds: sound of one file.
        decode_seconds: time that decoding one file may take.
        body_seconds: time in which a request must have arrived.
        waiting: songs that wait for their turn, over all clients.
        live: streams of live sound at a time; 0 accepts none.
    """

    file_bytes: int = 200 << 20
    body_bytes: int = 1 << 30
    files: int = 20
    sound_seconds: float = 3600.0
    decode_seconds: float = 60.0
    body_seconds: float = 120.0
    waiting: int = 64
    live: int = 2

    def __post_init__(self) -> None:
        if self.files > self.waiting:
            raise DataError(
                f"--max-files {self.files} and --queue {self.waiting}: a request of so many files would never find "
                "room; give a longer queue, or fewer files"
            )


@dataclass(frozen=True)
class Settings:
    """How a service is reached, and what it accepts.

    Attributes:
        host: the address that it listens on.
        port: its port; 0 takes a free one.
        token: what clients must know; empty where everybody is let in.
        allowed_hosts: names by which clients may address it, beside `host` and those of this machine; where it listens
            on other addresses than this machine's own and none is named, every name is accepted.
        limits: what it accepts.
        jobs: processes that decode; None takes one for each core.
    """

    host: str = "127.0.0.1"
    port: int = 8000
    token: str = ""
    allowed_hosts: tuple[str, ...] = ()
    limits: Limits = field(default_factory=Limits)
    jobs: int | None = None

    @property
    def is_local(self) -> bool:
        """Whether it is reached from this machine only."""
        return self.host in LOOPBACK or self.host.startswith("127.")

    @property
    def hosts(self) -> frozenset[str]:
        """The names by which clients may address it, in lower case; empty where all are accepted."""
        if not self.is_local and not self.allowed_hosts:
            return frozenset()
        return frozenset(name.lower() for name in (*LOOPBACK, self.host, *self.allowed_hosts))
