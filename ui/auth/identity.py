"""Whose request it is: the login, and the jobs that belong to it."""

from fastapi import Request

from ...queue.store.listing import Owner
from .middleware import USER


def user_of(request: Request) -> str:
    """The login, "" on a page without logins."""
    return request.scope[USER]


def login_of(request: Request) -> str | None:
    """The login; None on a page without logins."""
    return user_of(request) if request.app.state.studio.logins.required else None


def owner_of(request: Request) -> Owner:
    """Whose jobs this request may see, for the queue's functions."""
    return request.app.state.studio.logins.sees(user_of(request))
