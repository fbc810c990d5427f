"""Return the login of a request, and which jobs it may see."""

from fastapi import Request

from ...queue.store.listing import Owner
from .middleware import USER


def user_of(request: Request) -> str:
    """Return the login, "" on a page without logins."""
    return request.scope[USER]


def login_of(request: Request) -> str | None:
    """Return the login; None on a page without logins."""
    return user_of(request) if request.app.state.studio.logins.required else None


def owner_of(request: Request) -> Owner:
    """Return whose jobs this request may see, for the queue's functions."""
    return request.app.state.studio.logins.sees(user_of(request))
