"""Singer tap for an HTTP API in the manner of Gmail's: list the messages, then get each of them.

Every message is kept as the API gave it. The bookmark is the moment of the newest message (`internalDate`, in
milliseconds); it moves only when all messages were fetched, so that a failed run is made again from the same place. A
message that is put into a mailbox later under an older date is not seen: a tap for real use would follow `historyId`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from http import HTTPStatus
from typing import Any, ClassVar

from singer_sdk import Stream, Tap
from singer_sdk import typing as th
from singer_sdk.authenticators import BearerTokenAuthenticator
from singer_sdk.exceptions import FatalAPIError, RetriableAPIError
from singer_sdk.helpers.conform import TypeConformanceLevel
from singer_sdk.pagination import JSONPathPaginator
from singer_sdk.streams import RESTStream

Record = dict[str, Any]
SEEN = "seen"


class Messages(RESTStream[str]):
    """All messages of one account, each as `users.messages.get` returns it."""

    name = "messages"
    path = "/gmail/v1/users/{user}/messages"
    primary_keys: ClassVar[tuple[str, ...]] = ("id",)
    replication_key = "internalDate"
    is_sorted = False
    records_jsonpath = "$.messages[*]"
    TYPE_CONFORMANCE_LEVEL = TypeConformanceLevel.NONE
    schema: ClassVar[Record] = th.PropertiesList(
        th.Property("id", th.StringType, required=True),
        th.Property("threadId", th.StringType),
        th.Property("labelIds", th.ArrayType(th.StringType)),
        th.Property("snippet", th.StringType),
        th.Property("historyId", th.StringType),
        th.Property("internalDate", th.StringType, required=True),
        th.Property("payload", th.ObjectType(additional_properties=True)),
        th.Property("sizeEstimate", th.IntegerType),
        th.Property("raw", th.StringType),
        additional_properties=True,
    ).to_dict()

    @property
    def url_base(self) -> str:
        return str(self.config["api_url"])

    @property
    def authenticator(self) -> BearerTokenAuthenticator:
        return BearerTokenAuthenticator(token=self.config["token"])

    def get_new_paginator(self) -> JSONPathPaginator:
        return JSONPathPaginator("$.nextPageToken")

    def get_url_params(self, context: Any, next_page_token: str | None) -> Record:
        params: Record = {"maxResults": self.config["page_size"]}
        since = self.get_starting_replication_key_value(context)
        if since:  # seconds, and inclusive: what came in the bookmark's own second is told apart by `seen`
            params["q"] = f"after:{int(since) // 1000}"
        if next_page_token:
            params["pageToken"] = next_page_token
        return params

    def get_records(self, context: Any) -> Iterator[Record]:
        """Yield what is new. A message that cannot be had does not hold back the others, but it fails the run."""
        since = int(self.get_starting_replication_key_value(context) or 0)
        seen = set(self.stream_state.get(SEEN, ()))
        dates: dict[str, int] = {}
        missing = 0
        for entry in super().get_records(context):
            if entry["id"] in seen:
                continue
            try:
                message = self._get(entry["id"])
            except (FatalAPIError, RetriableAPIError):
                missing += 1
                continue
            dates[message["id"]] = int(message["internalDate"])
            yield message
        if missing:
            raise FatalAPIError(f"{missing} messages could not be fetched")
        newest = max(dates.values(), default=since)
        if newest // 1000 > since // 1000:
            seen.clear()
        seen.update(identity for identity, date in dates.items() if date // 1000 == newest // 1000)
        self.stream_state[SEEN] = sorted(seen)

    def _get(self, identity: str) -> Record:
        url = f"{self.get_url(self.context)}/{identity}"
        request = self.build_prepared_request(
            method="GET", url=url, params={"format": "full"}, headers=self.http_headers
        )
        response = self.request_decorator(self._request)(self.authenticator(request), self.context)
        message: Record = response.json()
        if message.get("id") != identity or not str(message.get("internalDate", "")).isdecimal():
            raise FatalAPIError("the answer is not the message that was asked for")
        return message

    def validate_response(self, response: Any) -> None:
        """A body that is cut short or no JSON object is worth another attempt, as is whatever HTTP says is."""
        super().validate_response(response)
        try:
            whole = isinstance(response.json(), dict)
        except ValueError:
            whole = False
        if not whole:
            raise RetriableAPIError("the response is not a JSON object", response)

    def backoff_wait_generator(self) -> Any:
        """Wait as long as the server asks for; without its word 0.5, 1, 2, 4 ... seconds."""
        waits = iter(0.5 * 2**n for n in range(64))

        def wait(error: Exception) -> float:
            response = getattr(error, "response", None)
            asked = response.headers.get("Retry-After", "") if response is not None else ""
            return float(asked) if asked.isdigit() else next(waits)

        return self.backoff_runtime(value=wait)

    def backoff_max_tries(self) -> int:
        return int(self.config["max_tries"])

    def response_error_message(self, response: Any) -> str:
        """The status alone: a URL names a message, and a body holds one."""
        return f"HTTP {HTTPStatus(response.status_code).phrase} ({response.status_code})"


class TapMailbox(Tap):
    """The tap."""

    name = "tap-mailbox"
    config_jsonschema: ClassVar[Record] = th.PropertiesList(
        th.Property("api_url", th.StringType, required=True, description="Where the API is, without /gmail"),
        th.Property("token", th.StringType, required=True, secret=True, description="OAuth access token"),
        th.Property("user", th.StringType, default="me", description="Whose mailbox"),
        th.Property("page_size", th.IntegerType, default=100, description="Messages a page of the list"),
        th.Property("max_tries", th.IntegerType, default=5, description="Attempts at one request"),
    ).to_dict()

    def discover_streams(self) -> Iterable[Stream]:
        return [Messages(self)]


if __name__ == "__main__":
    TapMailbox.cli()
