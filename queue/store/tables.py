"""The store's tables. Models are made per database, so that one process may hold several (tests, tools)."""

from typing import Any

from peewee import (
    AutoField,
    BlobField,
    BooleanField,
    CharField,
    Database,
    DoubleField,
    IntegerField,
    Model,
    SqliteDatabase,
    TextField,
)
from playhouse.sqlite_ext import AutoIncrementField


class CleanText(TextField):
    """Text that every database takes: file names may hold halves of surrogate pairs, and PostgreSQL refuses NUL."""

    def db_value(self, value: Any) -> Any:
        return value.encode("utf-8", "replace").decode().replace("\0", "?") if isinstance(value, str) else value


class Tables:
    """Models `Job, Event, Preview, Worker, Folder, Meta` bound to `db`. Times are Unix seconds, as doubles."""

    def __init__(self, db: Database) -> None:
        # SQLite without AUTOINCREMENT hands the ids of deleted rows out again: a follower would miss events.
        growing = AutoIncrementField if isinstance(db, SqliteDatabase) else AutoField

        class Base(Model):
            class Meta:
                database = db

        class Job(Base):
            """The truth about a job. `position` orders the line.

            `lease` grows while its worker lives; `lost_place` is the furthest place at which a worker of it died.
            `failure`: the message of `error`, and `warnings` and `tried` lists of messages, as JSON. `tried`: the ways
            of working that were changed to while it ran. `last_death`: how its last worker ended, as JSON.
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

            class Meta:
                table_name = "jobs"
                indexes = (
                    (("status", "position"), False),
                    (("status", "finished"), False),
                    (("owner", "finished"), False),
                    (("finished",), False),
                )

        class Event(Base):
            id = growing()
            job = CharField(32)
            time = DoubleField()
            kind = CharField(16)
            level = CharField(16, default="")
            text = CleanText()
            data = CleanText(default="")

            class Meta:
                table_name = "events"
                indexes = ((("job", "id"), False),)

        class Preview(Base):
            """The latest preview of a running job only; it goes when the job ends."""

            job = CharField(32, primary_key=True)
            version = IntegerField()
            image = BlobField()

            class Meta:
                table_name = "previews"

        class Worker(Base):
            """`command` is what somebody asks of it: "", or one of codes.py's. `beats` grows while it lives.

            `cause`: of a crash, a message as JSON.
            `lock`: a file that the process holds locked until it ends, in whatever way; `machine`: where that can be
            tried.
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

            class Meta:
                table_name = "workers"

        class Folder(Base):
            """A job's folder that no job owns: `state` is `filling` (a submit is at work in it) or `removing`.

            `lock`, `machine`: of the process that fills it, as a worker's.
            """

            id = CharField(32, primary_key=True)
            state = CharField(16)
            machine = CleanText()
            lock = CleanText()

            class Meta:
                table_name = "folders"

        class Meta_(Base):
            key = CharField(64, primary_key=True)
            value = CleanText()

            class Meta:
                table_name = "meta"

        self.Job, self.Event, self.Preview, self.Worker, self.Meta = Job, Event, Preview, Worker, Meta_
        self.Folder = Folder
        self.all: list[type[Model]] = [Job, Event, Preview, Worker, Folder, Meta_]
