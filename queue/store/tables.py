"""Define the store's tables. Models are created per database, so that one process may open several (tests, tools).

peewee has no type information, so the models are `Any` for the type checker; `rows` returns typed values.
"""

# peewee is only partly typed, and each of its models has a class `Meta` of its own.
# pyright: reportMissingTypeStubs=false, reportIncompatibleVariableOverride=false, reportUnknownMemberType=false

from typing import Any, ClassVar

from peewee import (
    SQL,
    AutoField,
    BigIntegerField,
    BlobField,
    BooleanField,
    CharField,
    Database,
    DoubleField,
    Field,
    IntegerField,
    Model,
    SqliteDatabase,
    TextField,
)
from playhouse.sqlite_ext import AutoIncrementField

PAUSED, NOTICE = "paused", "notice"
"""Keys of the table `meta`: "1" while the queue is paused, and the message about a replaced list, as JSON."""


class CleanText(TextField):
    """Text that every database accepts: file names may hold lone surrogates, and PostgreSQL refuses NUL."""

    def db_value(self, value: Any) -> Any:
        """Replace lone surrogates and NUL by "?"."""
        return value.encode("utf-8", "replace").decode().replace("\0", "?") if isinstance(value, str) else value


class Table(Model):
    """A table of which `select()` reads all columns."""

    all_columns: ClassVar[SQL]
    """As SQL, written once: peewee would write them again for each query, which took half of a query's time."""

    @classmethod
    def select(cls, *fields: Any) -> Any:
        """Begin a query of these fields, or of all columns. Joins are not supported: the table is `t1`."""
        return super().select(*fields or (cls.all_columns,))


class Job(Table):
    """A job. `position` orders the waiting ones.

    `lease` grows while the job's worker lives. `lost_place` is the furthest progress at which a worker of it
    died (`transitions.place_of`). `photo` is the size and hash of the photo's file, as JSON, "" for a job of
    an earlier version. `last_photo` is the same of the picture that its video ends with, and its name; "" without one.
    `failure` is the message of `error`, as JSON. `warnings` and `tried` are lists of
    messages, as JSON; `tried` names the plan changes while it ran. `last_death` tells how its last worker
    ended, as JSON. `waits_for` tells why no living worker can run it, a message as JSON.
    """

    id = CharField(32, primary_key=True)
    position = DoubleField()
    name = CleanText()
    owner = CharField(255, default="")
    request = CleanText()
    status = CharField(16)
    cancel = BooleanField(default=False)
    attempt = IntegerField(default=1)
    losses = IntegerField(default=0)
    lost_place = IntegerField(default=-1)
    created = DoubleField()
    started = DoubleField(null=True)
    finished = DoubleField(null=True)
    lease = IntegerField(default=0)
    last_progress = DoubleField(default=0)
    slowest_step = DoubleField(default=0)
    worker = CharField(64, default="")
    stage = CharField(32, default="")
    step = IntegerField(default=0)
    steps = IntegerField(default=0)
    part = CharField(64, default="")
    window = IntegerField(default=0)
    windows = IntegerField(default=0)
    fraction = DoubleField(default=0)
    eta = DoubleField(null=True)
    revision = IntegerField(default=0)
    preview_version = IntegerField(default=0)
    error = CleanText(default="")
    warnings = CleanText(default="[]")
    result = CleanText(default="")
    favourite = BooleanField(default=False)
    failure = CleanText(default="")
    tried = CleanText(default="[]")
    last_death = CleanText(default="")
    photo = CleanText(default="")
    last_photo = CleanText(default="")
    waits_for = CleanText(default="")

    class Meta:
        table_name = "jobs"
        indexes = (
            (("status", "position"), False),
            (("status", "finished"), False),
            (("owner", "finished"), False),
            (("finished",), False),
        )


class Event(Table):
    """An event of a job; `types.Event` explains the columns."""

    id = AutoField()
    job = CharField(32)
    time = DoubleField()
    kind = CharField(16)
    level = CharField(16, default="")
    text = CleanText()
    data = CleanText(default="")

    class Meta:
        table_name = "events"
        indexes = ((("job", "id"), False),)


class Preview(Table):
    """The latest preview of a running job; deleted when the job ends."""

    job = CharField(32, primary_key=True)
    version = IntegerField()
    image = BlobField()

    class Meta:
        table_name = "previews"


class Worker(Table):
    """A worker process.

    `command` is a request to it, "" or one of `exit_codes`. `beats` grows while it lives. `cause` is the
    likely cause of a crash, a message as JSON. `lock` is a file that the process keeps locked until it ends;
    `machine` is where that lock can be tested. `gpu` is `WorkerSlot.gpu`. `abilities` tells what it can run, as JSON.
    `vram` is the video memory that its cached model holds, in bytes. `crashes` counts those of its slot's workers,
    `last_crash` is the latest (`types.Crash`), as JSON.
    """

    id = CharField(64, primary_key=True)
    host = CleanText()
    pid = IntegerField()
    machine = CleanText()
    lock = CleanText()
    beats = IntegerField(default=0)
    state = CharField(16)
    heartbeat = DoubleField()
    started = DoubleField()
    device = CleanText(default="")
    job = CharField(32, default="")
    last_output = CleanText(default="")
    restarts = IntegerField(default=0)
    command = CharField(16, default="")
    cause = CleanText(default="")
    gpu = CharField(64, default="")
    abilities = CleanText(default="")
    vram = BigIntegerField(default=0)
    crashes = IntegerField(default=0)
    last_crash = CleanText(default="")

    class Meta:
        table_name = "workers"


class Folder(Table):
    """A folder without a job: `state` is `filling` (a submit writes into it) or `removing`.

    `lock` and `machine` belong to the process that fills it, as a worker's do.
    """

    id = CharField(32, primary_key=True)
    state = CharField(16)
    machine = CleanText()
    lock = CleanText()

    class Meta:
        table_name = "folders"


class Value(Table):
    """Values of the whole store by key: schema version, pause, notice, loaded models."""

    key = CharField(64, primary_key=True)
    value = CleanText()

    class Meta:
        table_name = "meta"


class Tables:
    """The models above bound to `db`, as `Job, Event, Preview, Worker, Folder, Meta`."""

    def __init__(self, db: Database) -> None:
        # SQLite without AUTOINCREMENT reuses the ids of deleted rows: a follower would miss events.
        event_id = AutoIncrementField if isinstance(db, SqliteDatabase) else AutoField
        self.Job: Any = _bound(Job, db)
        self.Event: Any = _bound(Event, db, id=event_id())
        self.Preview: Any = _bound(Preview, db)
        self.Worker: Any = _bound(Worker, db)
        self.Folder: Any = _bound(Folder, db)
        self.Meta: Any = _bound(Value, db)
        self.all: list[type[Model]] = [self.Job, self.Event, self.Preview, self.Worker, self.Folder, self.Meta]


def _bound(model: Any, db: Database, **fields: Field) -> Any:
    """Return a subclass of `model` in `db`. `model.bind(db)` would change it for the whole process."""
    table = {"database": db, "table_name": model._meta.table_name}
    bound: Any = type(model.__name__, (model,), {**fields, "Meta": type("Meta", (), table)})
    bound.all_columns = SQL(", ".join(f'"t1"."{column}"' for column in bound._meta.columns))
    return bound
