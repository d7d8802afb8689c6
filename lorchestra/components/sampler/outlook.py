"""Events and contacts as Microsoft Graph returns them: the resources `event` and `contact`.

https://learn.microsoft.com/graph/api/resources/event
https://learn.microsoft.com/graph/api/resources/contact
"""

from __future__ import annotations

from datetime import datetime, timedelta
from html import escape
from typing import Any

from lorchestra.components.sampler.generator import Generator, Person, Place, iso

Record = dict[str, Any]


def event(generator: Generator, index: int) -> Record:
    """An event, with times in UTC as without the header `Prefer: outlook.timezone`. One in ten lasts all day."""
    identity, start = generator.id("event", index), generator.moment()
    all_day = index % 10 == 9
    if all_day:
        start = start.replace(hour=0, minute=0, second=0)
    sentences = generator.sentences(1, 4)
    return {
        "@odata.etag": f'W/"{identity[:20]}"',
        "id": f"AAMkSampleEvent{identity}=",
        "createdDateTime": f"{start - timedelta(days=3):%Y-%m-%dT%H:%M:%S}.1234567Z",
        "lastModifiedDateTime": iso(start - timedelta(days=2)),
        "iCalUId": identity,
        "subject": generator.subject(),
        "bodyPreview": sentences[0],
        "importance": "normal",
        "sensitivity": generator.choice("normal", "normal", "private"),
        "isAllDay": all_day,
        "isCancelled": generator.chance() < 0.05,
        "isOnlineMeeting": False,
        "onlineMeeting": None,
        "showAs": generator.choice("busy", "busy", "tentative", "free"),
        "type": generator.choice("singleInstance", "occurrence"),
        "seriesMasterId": None,
        "responseStatus": {"response": "organizer", "time": "0001-01-01T00:00:00Z"},
        "body": {"contentType": "html", "content": "".join(f"<p>{escape(line)}</p>" for line in sentences)},
        "start": _time(start),
        "end": _time(start + (timedelta(days=1) if all_day else timedelta(minutes=50))),
        "location": {
            "displayName": generator.place().street if generator.chance() < 0.5 else "",
            "locationType": "default",
        },
        "organizer": _recipient(generator.person()),
        "attendees": [_attendee(generator) for _ in range(generator.below(4))],
        "categories": [],
    }


def contact(generator: Generator, index: int) -> Record:
    """A contact. Empty fields are null, as in the API; an unknown address is an empty object."""
    who, created = generator.person(), generator.moment()
    phones = [generator.phone() if generator.chance() < 0.5 else None for _ in range(3)]
    return {
        "@odata.etag": f'W/"{generator.id("etag", index)[:20]}"',
        "id": f"AAMkSampleContact{generator.id('contact', index)}=",
        "createdDateTime": iso(created),
        "lastModifiedDateTime": iso(created + timedelta(hours=1)),
        "displayName": who.name,
        "givenName": who.given,
        "middleName": None,
        "surname": who.family,
        "title": generator.choice("Dr.", "") or None,
        "jobTitle": None,
        "companyName": "Example Clinic (synthetic)" if generator.chance() < 0.3 else None,
        "mobilePhone": phones[0],
        "businessPhones": [phones[1]] if phones[1] else [],
        "homePhones": [phones[2]] if phones[2] else [],
        "emailAddresses": [{"name": person.name, "address": person.address} for person in (who, generator.person())],
        "homeAddress": _address(generator.place()) if generator.chance() < 0.5 else {},
        "businessAddress": {},
        "birthday": f"19{40 + generator.below(60)}-03-0{1 + generator.below(9)}T11:59:00Z"
        if generator.chance() < 0.4
        else None,
        "personalNotes": " ".join(generator.sentences(0, 2)),
        "categories": [],
    }


def _time(moment: datetime) -> Record:
    return {"dateTime": f"{moment:%Y-%m-%dT%H:%M:%S}.0000000", "timeZone": "UTC"}


def _recipient(person: Person) -> Record:
    return {"emailAddress": {"name": person.name, "address": person.address}}


def _attendee(generator: Generator) -> Record:
    response = generator.choice("accepted", "declined", "tentativelyAccepted", "none", "notResponded")
    return {
        "type": generator.choice("required", "optional"),
        "status": {"response": response, "time": "0001-01-01T00:00:00Z"},
        **_recipient(generator.person()),
    }


def _address(place: Place) -> Record:
    return {
        "street": place.street,
        "city": place.city,
        "state": place.region,
        "countryOrRegion": place.country,
        "postalCode": place.postcode,
    }
