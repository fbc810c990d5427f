"""Lists of jobs: running, waiting, ended; narrowed, counted, page by page along the tables' indexes."""

import json
from collections.abc import Iterable
from typing import Any

from peewee import fn

from ..types import JobFilter, Page, Status
from .store import Store

Owner = str | tuple[str, ...] | None
"""Whose jobs: of one login, of several; None = everybody's."""

ENDED = frozenset(status for status in Status if status.final)


def rows(
    store: Store,
    owner: Owner,
    statuses: Iterable[Status] | None,
    sought: JobFilter | None,
    page: Page,
) -> list[Any]:
    """Running first, then waiting in their order, then the ended ones, newest first."""
    job, wanted = store.tables.Job, set(statuses) if statuses is not None else set(Status)
    groups = [  # each is one walk along an index
        (wanted & {Status.RUNNING}, (job.position, job.id)),
        (wanted & {Status.QUEUED}, (job.position, job.id)),
        (wanted & ENDED, (job.finished.desc(), job.id.desc())),
    ]
    found: list[Any] = []
    offset = page.offset
    for group, order in groups:
        if not group or len(found) >= page.limit:
            continue
        query = job.select().where(_in_group(job, group), *_conditions(store, owner, sought)).order_by(*order)
        if page.after is not None:
            finished, job_id = page.after
            query = query.where((job.finished <= finished) & ((job.finished < finished) | (job.id < job_id)))
        some = list(query.offset(offset).limit(page.limit - len(found)))
        offset = 0 if some else max(0, offset - query.count())
        found += some
    return found


def count(store: Store, owner: Owner, statuses: Iterable[Status] | None, sought: JobFilter | None) -> int:
    job = store.tables.Job
    query = job.select().where(True, *_conditions(store, owner, sought))
    if statuses is not None:
        query = query.where(job.status.in_([str(status) for status in statuses]))
    return query.count()


def logins(owner: str | tuple[str, ...]) -> tuple[str, ...]:
    return (owner,) if isinstance(owner, str) else owner


def _in_group(job: Any, statuses: set[Status]) -> Any:
    """All ended ones are those with an end: this condition and the order by it use the same index."""
    if statuses == ENDED:
        return job.finished.is_null(False)
    return job.status.in_([str(status) for status in statuses])


def _conditions(store: Store, owner: Owner, sought: JobFilter | None) -> list[Any]:
    job, found, sought = store.tables.Job, [], sought or JobFilter()
    if owner is not None:
        found.append(job.owner.in_(logins(owner)))
    if sought.text:
        folded = fn.casefold(job.name) if store.sqlite else fn.lower(job.name)
        found.append(folded.contains(sought.text.casefold()))
    for key in ("model", "resolution"):
        if wanted := getattr(sought, key):
            found.append(job.request.contains(f"{json.dumps(key)}: {json.dumps(wanted)}"))
    if sought.favourite:
        found.append(job.favourite == True)  # noqa: E712
    if sought.since:
        found.append(job.finished > sought.since)
    return found
