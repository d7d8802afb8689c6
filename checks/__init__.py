"""Checks of our own rules, which no linter on the market knows."""
