"""The only package that knows doit."""
