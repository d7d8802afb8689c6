"""Tells the user how a run ended: a command or email, without PHI."""
