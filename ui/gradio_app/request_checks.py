"""Check requests to Gradio's own routes: they have the form that Gradio expects, and sessions belong to their login.

Gradio answers many malformed requests with a traceback and status 500, and lets everybody listen to, or cancel in, any
session whose name is known. Here a request is read first, checked, and handed on as it should be.
"""

import hashlib
import json
import re
from collections.abc import Mapping
from typing import Annotated, Any
from urllib.parse import parse_qs, urlencode

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from starlette.requests import ClientDisconnect, Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ...errors import BadInput, NotFound
from ...messages import msg
from ..api.requests import TOO_LARGE, read_body
from ..auth.middleware import USER
from ..error_response import error_response

MOST_BYTES = 1 << 20
PREFIX = "/gradio_api/"
SESSION = re.compile(r"[A-Za-z0-9_-]{1,100}")
EVENT = re.compile(r"[0-9a-f]{32}")
NO_ENDPOINT = msg("This page does not exist.")

Session = Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{1,100}$")]
Event = Annotated[str, Field(pattern=r"^[0-9a-f]{32}$")]
Endpoint = tuple[int, list[str], list[str]]
Values = Annotated[list[Any], Field(max_length=100)]


class _Body(BaseModel):
    """What is not named is left out: Gradio knows more (the request, tokens, events), and nothing here needs it."""

    model_config = ConfigDict(extra="ignore", strict=True)


class Call(_Body):
    """Body of a call of an endpoint."""

    data: Values
    session_hash: Session | None = None


class Join(_Body):
    """Body of a request to join the queue."""

    data: Values
    fn_index: int
    session_hash: Session
    trigger_id: int | None = None


class Cancel(_Body):
    """Body of a request to cancel a call."""

    event_id: Event
    fn_index: int
    session_hash: Session


class Reset(_Body):
    """Body of a request to reset an iterator."""

    event_id: Event


class RequestChecks:
    """ASGI middleware around the mounted app.

    Args:
        app: Gradio's.
        queue: Gradio's own.
        endpoints: Name -> number, its parameters, those of them that must be given.
    """

    def __init__(self, app: ASGIApp, queue: Any, endpoints: Mapping[str, Endpoint]) -> None:
        self._app, self._queue, self._endpoints = app, queue, endpoints
        self._numbers = {number for number, _, _ in endpoints.values()}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Check a request to Gradio's routes, and pass it on."""
        path = scope.get("path", "")
        if scope["type"] != "http" or not path.startswith(PREFIX):
            await self._app(scope, receive, send)
            return
        words = path.removeprefix(PREFIX).rstrip("/").split("/")
        try:
            if scope["method"] == "POST":
                body = self._checked(words, await self._read(scope, receive), scope[USER])
                receive = _once(json.dumps(body).encode(), receive)
                scope = {**scope, "headers": [*_without_body(scope["headers"]), (b"content-type", b"application/json")]}
            else:
                scope = self._own_session(words, scope)
        except NotFound as e:
            await error_response(scope, 404, e.message)(scope, receive, send)
        except BadInput as e:
            await error_response(scope, 400, e.message)(scope, receive, send)
        except ClientDisconnect:
            return
        else:
            await self._app(scope, receive, send)

    async def _read(self, scope: Scope, receive: Receive) -> Any:
        data = await read_body(Request(scope, receive), MOST_BYTES, TOO_LARGE)
        try:
            return json.loads(data)
        except (ValueError, RecursionError) as e:
            raise BadInput(msg("this request is not JSON that can be read")) from e

    def _checked(self, words: list[str], body: Any, user: str) -> Any:
        match words:
            case ["call", name] if name in self._endpoints:
                return _own(_valid(Call, body), user)
            case ["call", "v2", name] if name in self._endpoints:
                _, known, required = self._endpoints[name]
                if not isinstance(body, dict) or not set(required) <= set(body) <= set(known):
                    raise BadInput(msg("this endpoint takes an object with {known}", known=", ".join(known)))
                return body
            case ["queue", "join"]:
                joined = _valid(Join, body)
                if joined.fn_index not in self._numbers:
                    raise NotFound(NO_ENDPOINT)
                return _own(joined, user)
            case ["cancel"]:
                return _own(_valid(Cancel, body), user)
            case ["reset"]:
                return _valid(Reset, body).model_dump()
        raise NotFound(NO_ENDPOINT)

    def _own_session(self, words: list[str], scope: Scope) -> Scope:
        """Return the scope of a request for a stream, with the session's name as this login's."""
        match words:
            case ["call", name, event] | ["call", "v2", name, event]:
                if name not in self._endpoints or not self._is_known(event):
                    raise NotFound(NO_ENDPOINT)
            case ["queue", "data"]:
                session = parse_qs(scope["query_string"].decode("latin-1")).get("session_hash", [""])[0]
                own = _name(_valid_session(session), scope[USER])
                if own not in self._queue.pending_messages_per_session:
                    raise NotFound(NO_ENDPOINT)
                return {**scope, "query_string": urlencode({"session_hash": own}).encode()}
            case ["heartbeat", session]:
                path = f"{PREFIX}heartbeat/{_name(_valid_session(session), scope[USER])}"
                return {**scope, "path": path, "raw_path": path.encode()}
        return scope

    def _is_known(self, event: str) -> bool:
        """Return whether Gradio has the event: of another one its stream fails after it has begun, with a traceback."""
        queue = self._queue
        sessions = queue.pending_event_ids_session.values()
        here = event in queue.event_ids_to_events or event in queue.pending_messages_per_session
        return bool(EVENT.fullmatch(event)) and (here or any(event in events for events in sessions))


def _valid(kind: type[Any], body: Any) -> Any:
    try:
        return kind.model_validate(body)
    except ValidationError as e:
        fields = [str(error["loc"][0]) if error["loc"] else "the request" for error in e.errors(include_url=False)]
        raise BadInput(msg("{field} is not what this endpoint takes", field=fields[0])) from e


def _valid_session(session: str) -> str:
    if not SESSION.fullmatch(session):
        raise BadInput(msg("session_hash is not what this endpoint takes"))
    return session


def _own(body: BaseModel, user: str) -> dict[str, Any]:
    told = body.model_dump(exclude_none=True)
    if session := told.get("session_hash"):
        told["session_hash"] = _name(session, user)
    return told


def _name(session: str, user: str) -> str:
    """Return a session's name of this login alone: two logins that choose the same name have sessions of their own."""
    return f"{hashlib.sha256(user.encode()).hexdigest()[:16]}-{session}" if user else session


def _without_body(headers: list[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
    return [(name, value) for name, value in headers if name not in (b"content-type", b"content-length")]


def _once(body: bytes, receive: Receive) -> Receive:
    """Return a receiver that gives the body as one message, then the connection's own messages."""
    given = False

    async def receiving() -> Message:
        nonlocal given
        if given:
            return await receive()
        given = True
        return {"type": "http.request", "body": body, "more_body": False}

    return receiving
