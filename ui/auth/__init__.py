"""Check logins and sessions, and limit what a request may reach."""
