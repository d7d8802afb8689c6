"""Events of Google Calendar (`events.list`) and people of the People API (`people.connections.list`).

https://developers.google.com/workspace/calendar/api/v3/reference/events
https://developers.google.com/people/api/rest/v1/people
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from lorchestra.components.sampler.generator import NOTICE, Generator, Person, iso

Record = dict[str, Any]


def event(generator: Generator, index: int) -> Record:
    """An event. About one in ten lasts all day."""
    identity, moment = generator.id("event", index), generator.moment()
    record: Record = {
        "kind": "calendar#event",
        "etag": f'"{identity[:16]}"',
        "id": identity,
        "status": generator.choice("confirmed", "confirmed", "confirmed", "tentative"),
        "htmlLink": f"https://calendar.example.com/event?eid={identity}",
        "created": f"{moment - timedelta(days=3):%Y-%m-%dT%H:%M:%S}.000Z",
        "updated": f"{moment - timedelta(days=2):%Y-%m-%dT%H:%M:%S}.123Z",
        "summary": generator.subject(),
        "description": _description(generator),
        "creator": {"email": generator.person().address, "self": True},
        "organizer": _attendee(generator.person()),
        "iCalUID": f"{identity}@example.com",
        "sequence": 0,
        "reminders": {"useDefault": True},
        "eventType": "default",
        **_times(generator, index),
    }
    if generator.chance() < 0.5:
        record["location"] = generator.place().street
    if generator.chance() < 0.8:
        record["attendees"] = [_guest(generator) for _ in range(1 + generator.below(3))]
    if generator.chance() < 0.3:
        record["hangoutLink"] = f"https://meet.example.com/{identity[:10]}"
    if generator.chance() < 0.2:
        record["recurringEventId"] = identity[:20]
    return record


def person(generator: Generator, index: int) -> Record:
    """A person with the fields that `personFields` can request."""
    who, place = generator.person(), generator.place()
    primary = {"metadata": {"primary": True}}
    record: Record = {
        "resourceName": f"people/c{generator.id('person', index)}",
        "etag": "%EgUBAi43PRoEAQIFBw==",
        "metadata": {"objectType": "PERSON", "sources": [{"type": "CONTACT", "updateTime": iso(generator.moment())}]},
        "names": [{**primary, "displayName": who.name, "givenName": who.given, "familyName": who.family}],
        "biographies": [{**primary, "value": " ".join(generator.sentences(0, 2)), "contentType": "TEXT_PLAIN"}],
    }
    if generator.chance() < 0.9:
        record["emailAddresses"] = [
            {"value": generator.person().address, "type": "other"},
            {**primary, "value": who.address, "type": "home"},
        ]
    if generator.chance() < 0.8:
        kinds = ("mobile", "work", "home", "main", "workFax")
        record["phoneNumbers"] = [
            {"value": generator.phone(), "type": generator.choice(*kinds)} for _ in range(1 + generator.below(2))
        ]
    if generator.chance() < 0.5:
        record["addresses"] = [
            {
                **primary,
                "type": "home",
                "streetAddress": place.street,
                "city": place.city,
                "region": place.region,
                "postalCode": place.postcode,
                "country": place.country,
            }
        ]
    if generator.chance() < 0.5:
        record["birthdays"] = [
            {"date": {"year": 1940 + generator.below(70), "month": 2, "day": 1 + generator.below(28)}}
        ]
    if generator.chance() < 0.3:
        record["organizations"] = [{**primary, "name": "Example Clinic (synthetic)", "title": "Tester"}]
    return record


def _times(generator: Generator, index: int) -> Record:
    start = generator.moment()
    if index % 10 == 9:
        return {"start": {"date": f"{start:%Y-%m-%d}"}, "end": {"date": f"{start + timedelta(days=1):%Y-%m-%d}"}}
    end = start + timedelta(minutes=50)
    offset = generator.choice("Z", "-05:00", "+01:00")
    return {name: {"dateTime": f"{at:%Y-%m-%dT%H:%M:%S}{offset}"} for name, at in (("start", start), ("end", end))}


def _description(generator: Generator) -> str:
    sentences = generator.sentences(1, 3)
    if generator.chance() < 0.5:
        return "<br>".join(sentences)
    return "\n".join([*sentences, NOTICE])


def _attendee(who: Person) -> Record:
    return {"email": who.address, "displayName": who.name}


def _guest(generator: Generator) -> Record:
    response = generator.choice("accepted", "declined", "tentative", "needsAction")
    return {**_attendee(generator.person()), "responseStatus": response}
