"""Store the jobs in a database: tables, rows, and every change of a status."""
