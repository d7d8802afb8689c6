"""The only room that knows doit."""
