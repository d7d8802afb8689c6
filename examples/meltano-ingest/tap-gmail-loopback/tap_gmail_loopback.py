"""meltanolabs-tap-gmail as it is, except that Google's servers are at $GMAIL_API_URL."""

from __future__ import annotations

import os

from tap_gmail.auth import GmailAuthenticator
from tap_gmail.client import GmailStream
from tap_gmail.tap import TapGmail


def main() -> None:
    url = os.environ["GMAIL_API_URL"]
    GmailStream.url_base = url
    GmailAuthenticator.auth_endpoint = property(lambda _self: f"{url}/token")
    TapGmail.cli()


if __name__ == "__main__":
    main()
