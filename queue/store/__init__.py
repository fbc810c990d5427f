"""The jobs' database: tables, rows, and every change of a status."""
