"""What a client is refused for: a status and a sentence."""

from __future__ import annotations

from typing import TYPE_CHECKING

from genrescope.errors import GenrescopeError

if TYPE_CHECKING:
    from starlette.responses import JSONResponse


class Refused(GenrescopeError):  # noqa: N818 - its message is the sentence that the client gets
    """A request, or a song of it, that is not answered as asked.

    Attributes:
        status: of HTTP.
        retry_after: seconds after which another try may do; 0 where none will.
    """

    def __init__(self, status: int, sentence: str, *, retry_after: int = 0) -> None:
        self.status, self.retry_after = status, retry_after
        super().__init__(sentence)

    @property
    def headers(self) -> dict[str, str]:
        """The headers that the answer has beside the usual ones."""
        return {"retry-after": str(self.retry_after)} if self.retry_after else {}

    def answer(self) -> JSONResponse:
        """Return the answer that the client gets."""
        from starlette.responses import JSONResponse

        return JSONResponse({"detail": str(self)}, self.status, headers=self.headers)
