"""List and count jobs (running, waiting, ended) with filters and pages, along the tables' indexes."""

import json
from collections.abc import Iterable
from typing import Any, cast

from peewee import fn

from ..types import JobFilter, Page, Status
from .rows import searched
from .store import Store

Owner = str | tuple[str, ...] | None
"""Whose jobs: one login, several logins, or None for all."""

ENDED = frozenset(status for status in Status if status.final)


def rows(
    store: Store,
    owner: Owner,
    statuses: Iterable[Status] | None,
    sought: JobFilter | None,
    page: Page,
) -> list[Any]:
    """List jobs: running first, then waiting in their order, then ended ones with the newest first.

    Args:
        store: the open store.
        owner: whose jobs.
        statuses: which ones; None for all.
        sought: further filters; None for none.
        page: how many, and from where.

    Returns:
        Rows of the table `jobs`.
    """
    job, wanted = store.tables.Job, frozenset(Status if statuses is None else statuses)
    groups = [  # each query follows one index
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
    """Count jobs. Arguments as in `rows`."""
    job = store.tables.Job
    query = job.select().where(True, *_conditions(store, owner, sought))
    if statuses is not None:
        query = query.where(job.status.in_([str(status) for status in statuses]))
    return query.count()


def logins(owner: str | tuple[str, ...]) -> tuple[str, ...]:
    """Return one or several logins as a tuple."""
    return (owner,) if isinstance(owner, str) else owner


def _in_group(job: Any, statuses: frozenset[Status]) -> Any:
    """Return the condition for a group. For ended jobs it uses the same index as their order: `finished` is set."""
    if statuses == ENDED:
        return job.finished.is_null(False)
    return job.status.in_([str(status) for status in statuses])


def _conditions(store: Store, owner: Owner, sought: JobFilter | None) -> list[Any]:
    """Return the conditions of `rows` on owner and filter."""
    job, sought = store.tables.Job, sought or JobFilter()
    found: list[Any] = []
    if owner is not None:
        found.append(job.owner.in_(logins(owner)))
    if sought.text:
        folded = fn.searched(job.name) if store.sqlite else fn.lower(job.name)
        found.append(cast(Any, folded).contains(searched(sought.text)))
    for key in ("model", "resolution"):
        if wanted := getattr(sought, key):
            found.append(job.request.contains(f"{json.dumps(key)}: {json.dumps(wanted)}"))
    if sought.favourite:
        found.append(job.favourite == True)  # noqa: E712
    if sought.since:
        found.append(job.finished > sought.since)
    return found
