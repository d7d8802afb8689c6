"""What differs between Linux and macOS. If a system lacks a call, a function here reports that instead of failing.

Everything else in this package uses POSIX calls that both systems have.
"""
