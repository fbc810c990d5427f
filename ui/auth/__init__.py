"""Logins, sessions, and what a request may reach."""
