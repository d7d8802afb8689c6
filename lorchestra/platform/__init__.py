"""What differs between Linux and macOS. Where a system lacks a call, a function here says so instead of failing.

Everything else in this package uses POSIX calls that both systems have.
"""
