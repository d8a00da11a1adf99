"""Who sends a request, and what of somebody's data they may touch."""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import parse_qs, unquote

from starlette.requests import Request

from serendip.web.problems import Refused

MEMBER = "member"


@dataclass(frozen=True)
class Asker:
    """Who sends a request, by key or by session; without either, somebody without rights."""

    rights: tuple[str, ...] = ()
    key: str | None = None
    """The key's public prefix."""
    session: str | None = None
    """The secret of the browser's session."""
    role: str | None = None
    account: str | None = None
    """The account's id."""
    name: str | None = None
    """The account's name."""
    user: str | None = None
    """Whose history the account reads and writes."""

    @property
    def actor(self) -> str:
        """What the logs call the asker."""
        if self.name is not None:
            return f"account:{self.name}"
        if self.key is not None:
            return f"key:{self.key}"
        return f"link:{self.role}" if self.role else "nobody"

    @property
    def is_member(self) -> bool:
        """Whether only what is public and the asker's own may be touched."""
        return self.role == MEMBER


def current(request: Request) -> Asker:
    """Who the guard let in."""
    asker: Asker = request.scope["state"]["asker"]
    return asker


def noted(request: Request, **detail: object) -> None:
    """What the audit log is to say of this request besides its address, if it succeeds; never a secret."""
    request.scope["state"]["noted"] = detail


def own(asker: Asker, *users: str | None) -> None:
    """Refuse a member who asks about, or in the name of, anybody else; routes call it for users named in bodies."""
    if not asker.is_member:
        return
    for user in users:
        if user is None or user != asker.user:
            yours = f"yours is {asker.user!r}" if asker.user is not None else "yours has none linked"
            raise Refused(403, f"a member's account reads and writes its own user only; {yours}")


CATALOGUE = re.compile(r"/v1/items(/[^/]+(/neighbours)?)?|/posters/[^/]+|/docs(/.*)?|/openapi\.json")
"""What members may read: what is about no user."""
SELF = ("/sign-out", "/v1/me", "/account")
"""What is about the account itself, with all that lies below."""
PAGES = ("/", "/somebody")
"""Pages that lead a member to the own page."""
IN_BODY = (("POST", "/v1/recommendations"), ("POST", "/v1/interactions"))
"""The user stands in the body: these routes call ``own``."""
IN_QUERY = ("/v1/recommendations", "/v1/interactions", "/v1/slates", "/v1/relations")
"""Reading these, a member says ``user=`` and names the own one."""
OWN_ROW = re.compile(r"/v1/recommenders/[^/]+/recommendations")
"""The same of a recommender's row."""
IN_PATH = ("/v1/users/", "/people/")
"""The user is the segment that follows."""
READS = frozenset({"GET", "HEAD"})


def check_member(asker: Asker, method: str, path: str, query: bytes) -> None:
    """Refuse what a member may not reach; whatever is not listed here is not a member's business."""
    if path in PAGES and method in READS:
        return
    if method in READS and CATALOGUE.fullmatch(path):
        return
    if any(path == about or path.startswith(about + "/") for about in SELF):
        return
    if (method, path) in IN_BODY:
        return
    if method in READS and (path in IN_QUERY or OWN_ROW.fullmatch(path)):
        named = parse_qs(query.decode("latin-1"), keep_blank_values=True).get("user")
        own(asker, *(named or (None,)))
        return
    for folder in IN_PATH:
        if path.startswith(folder):
            user = unquote(path.removeprefix(folder).partition("/")[0])
            own(asker, user)
            if method in READS or (folder == "/people/" and path.endswith("/did")):
                return
    raise Refused(403, "this needs the role operator or administrator; yours is member")
