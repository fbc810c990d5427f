"""Store the jobs in a database: tables, rows, and every change of a status."""

from . import drivers as drivers  # before any module here imports peewee
