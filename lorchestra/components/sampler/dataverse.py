"""Rows as the Dataverse Web API returns them with `Prefer: odata.include-annotations="*"`.

`contact` is the standard table; the sessions are a custom table under `new_`, the prefix of a default publisher.
https://learn.microsoft.com/power-apps/developer/data-platform/webapi/query/overview
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from lorchestra.components.sampler.generator import NOTICE, Generator, iso

Record = dict[str, Any]
_FORMATTED = "OData.Community.Display.V1.FormattedValue"
_LOGICAL_NAME = "Microsoft.Dynamics.CRM.lookuplogicalname"
_SESSION_TYPES = ((100000000, "Individual"), (100000001, "Couple"), (100000002, "Group"))
_SESSION_STATES = ((100000000, "Scheduled"), (100000001, "Completed"), (100000002, "Cancelled"))
_MODES = ((1, "In person"), (2, "Vidéo"), (3, "Telephone"))


def contact(generator: Generator, index: int) -> Record:
    """A row of `contact`. Empty fields are null, as in the API."""
    person, place, created = generator.person(), generator.place(), generator.moment()
    gender = generator.below(3)
    row: Record = {
        "@odata.etag": f'W/"{1_000_000 + index}"',
        "contactid": generator.guid("contact", index),
        "fullname": person.name,
        "firstname": person.given,
        "lastname": person.family,
        "middlename": None,
        "salutation": generator.choice("Dr.", "Ms.", "Herr", "") or None,
        "emailaddress1": person.address,
        "emailaddress2": generator.person().address if generator.chance() < 0.2 else None,
        "telephone1": generator.phone() if generator.chance() < 0.5 else None,
        "mobilephone": generator.phone() if generator.chance() < 0.8 else None,
        "birthdate": f"{1940 + generator.below(70)}-{1 + generator.below(12):02}-{1 + generator.below(28):02}",
        "address1_line1": place.street,
        "address1_line2": None,
        "address1_city": place.city,
        "address1_stateorprovince": place.region,
        "address1_postalcode": place.postcode,
        "address1_country": place.country,
        "jobtitle": None,
        "donotemail": generator.chance() < 0.1,
        "donotphone": False,
        "description": f"{NOTICE} {' '.join(generator.sentences(0, 3))}",
    }
    _option(row, "gendercode", gender or None, (None, "Male", "Female")[gender])
    _option(row, "preferredcontactmethodcode", *((1, "Any"), (2, "Email"), (3, "Phone"))[generator.below(3)])
    _option(row, "statecode", *((0, "Active"), (0, "Active"), (1, "Inactive"))[generator.below(3)])
    _lookup(
        row,
        "_parentcustomerid_value",
        "account",
        generator.guid("account", generator.below(5)),
        "Example Clinic (synthetic)",
    )
    _lookup(row, "_ownerid_value", "systemuser", generator.guid("user", generator.below(5)), generator.person().name)
    return _moments(row, created)


def session(generator: Generator, index: int) -> Record:
    """A row of the custom table of clinical sessions."""
    start, client, clinician = generator.moment(), generator.person(), generator.person()
    minutes = 30 + 5 * generator.below(13)
    row: Record = {
        "@odata.etag": f'W/"{2_000_000 + index}"',
        "new_sessionid": generator.guid("session", index),
        "new_name": f"Synthetic session {index + 1}",
        "new_start": iso(start),
        f"new_start@{_FORMATTED}": f"{start:%d/%m/%Y %H:%M}",
        "new_end": iso(start + timedelta(minutes=minutes)) if generator.chance() < 0.9 else None,
        "new_durationminutes": minutes,
        f"new_durationminutes@{_FORMATTED}": str(minutes),
        "new_location": generator.choice("Room 1", "Raum für Gespräche", "見本室", "") or None,
        "new_fee": 120.5 if generator.chance() < 0.5 else None,
        "new_notes": "\n".join(generator.sentences(2, 9)),
    }
    _option(row, "new_sessiontype", *_SESSION_TYPES[generator.below(3)])
    _option(row, "new_sessionstatus", *_SESSION_STATES[generator.below(3)])
    _option(row, "new_mode", *_MODES[generator.below(3)])
    _lookup(row, "_new_client_value", "contact", generator.guid("contact", index), client.name)
    _lookup(row, "_new_clinician_value", "systemuser", generator.guid("user", generator.below(5)), clinician.name)
    _option(row, "statecode", 0, "Active")
    return _moments(row, start)


def _option(row: Record, column: str, value: int | None, label: str | None) -> None:
    row[column] = value
    if value is not None:
        row[f"{column}@{_FORMATTED}"] = label


def _lookup(row: Record, column: str, table: str, guid: str, label: str) -> None:
    row[column] = guid
    row[f"{column}@{_FORMATTED}"] = label
    row[f"{column}@{_LOGICAL_NAME}"] = table


def _moments(row: Record, created: datetime) -> Record:
    row["createdon"] = iso(created)
    row["modifiedon"] = iso(created + timedelta(hours=1))
    return row
