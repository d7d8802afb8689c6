"""The parts of every record: invented people, addresses under example.org, sentences, times, ids.

No person or address is real. The domains are those that RFC 2606 reserves for examples, the telephone numbers those
reserved for fiction.
"""

# ruff: noqa: RUF001 - texts in other scripts are intended

from __future__ import annotations

import hashlib
from datetime import UTC, datetime, timedelta
from random import Random
from typing import NamedTuple

NOTICE = "This is a synthetic sample record: no real person is meant."

_PEOPLE = (
    ("Ada", "Sampleton", "ada.sampleton"),
    ("Ben", "Mockridge", "ben.mockridge"),
    ("Jürgen", "Müster", "juergen.muester"),
    ("Zoë", "Fauxbert", "zoe.fauxbert"),
    ("Léa", "Exemplaire", "lea.exemplaire"),
    ("Søren", "Prøvesen", "soeren.proevesen"),
    ("Małgorzata", "Przykład", "malgorzata.przyklad"),
    ("花子", "見本", "hanako.mihon"),
    ("示例", "王", "wang.shili"),
    ("Иван", "Образцов", "ivan.obraztsov"),
    ("Priya", "Testwala", "priya.testwala"),
    ("Noor", "Al-Mithal", "noor.almithal"),
    ("Seán", "O'Specimen", "sean.ospecimen"),
    ("Maria José", "Ejemplo", "maria.ejemplo"),
    ("Tom", "Placeholder, Jr.", "tom.placeholder"),
    ("Olga", "Dummy-Döring", "olga.doering"),
)
_DOMAINS = ("example.org", "example.com", "example.net", "clinic.example.org", "mail.example.com")
_SENTENCES = (
    "Thank you for the session last week; the exercises have helped me to sleep a little better.",
    "Could we move the appointment by one hour? The bus from the invented suburb is often late.",
    "Please find the questionnaire attached, I have answered everything except question seven.",
    "I have noted the new time in my calendar and will bring the referral letter with me.",
    "The headaches come less often now, about twice a week, mostly after long days at the screen.",
    "Let us talk about the breathing practice again, I am not sure whether I do it right.",
    "The insurance asks for a confirmation of the last four sessions; a short note is enough.",
    "Können wir den Termin auf nächste Woche verschieben? Das Wetter macht mir sehr zu schaffen.",
    "Vielen Dank für die schnelle Rückmeldung, die Übungen fallen mir schon leichter.",
    "Merci beaucoup pour votre réponse, je serai là à dix heures comme prévu.",
    "La prochaine séance est bien notée, et je vous apporterai le formulaire signé.",
    "先週の面談をありがとうございました。次回もどうぞよろしくお願いいたします。",
    "谢谢您的帮助，我下周三上午十点会准时到诊所。",
    "Спасибо, новое время мне подходит, увидимся в четверг.",
    "The score of the weekly form went from 14 to 11, which is a small but real step.",
    "As agreed, I keep a short diary; the pages of this week say: calm, tired, calm, cheerful 🙂.",
)
_SUBJECTS = (
    "Your appointment",
    "Questionnaire of this week",
    "Re: Exercises between the sessions",
    "Terminänderung für nächste Woche",
    "Séance du mardi",
    "次回のご予約について",
    "预约确认",
    "Invoice and confirmation for the insurance",
    "A question about the breathing practice, the diary and everything else that we spoke about last Tuesday",
    "Fwd: Referral letter",
)
_STREETS = ("Example Street", "Musterstraße", "Rue de l’Exemple", "Sample Lane", "見本通り", "Calle de Prueba")
_CITIES = (
    ("Sampleville", "Ontario", "Canada"),
    ("Musterstadt", "Hessen", "Deutschland"),
    ("Exempleville", "Québec", "Canada"),
    ("見本市", "見本県", "日本"),
    ("Placeholder Bay", "Nova Scotia", "Canada"),
)


class Person(NamedTuple):
    """An invented person."""

    given: str
    family: str
    address: str

    @property
    def name(self) -> str:
        """Given and family name."""
        return f"{self.given} {self.family}"


class Place(NamedTuple):
    """A postal address that does not exist."""

    street: str
    city: str
    region: str
    postcode: str
    country: str


class Generator:
    """One day's stream of invented values: the same seed, source and day always give the same stream."""

    def __init__(self, seed: int, source: str, date: str, canary: str = "") -> None:
        self.random = Random(f"{seed}/{source}/{date}")  # noqa: S311 - repeatable, not secret
        self.chance = self.random.random
        self._scope = f"{seed}/{source}/{date}/".encode()
        self._midnight = datetime.strptime(date, "%Y%m%d").replace(tzinfo=UTC)
        self._canary = f" {canary}" if canary else ""
        self._address_canary = f".{canary}" if canary else ""

    def choice(self, *options: str) -> str:
        """One of several texts."""
        return options[int(self.chance() * len(options))]

    def below(self, limit: int) -> int:
        """A whole number from 0 to below the limit."""
        return int(self.chance() * limit)

    def id(self, kind: str, index: int) -> str:
        """32 hexadecimal digits, different for every record of every source and day."""
        return hashlib.blake2b(self._scope + f"{kind}/{index}".encode(), digest_size=16).hexdigest()

    def guid(self, kind: str, index: int) -> str:
        """An id in the form of a GUID."""
        text = self.id(kind, index)
        return f"{text[:8]}-{text[8:12]}-4{text[13:16]}-a{text[17:20]}-{text[20:]}"

    def person(self) -> Person:
        """A person with a number in the address, so that a source has many different people."""
        given, family, local = _PEOPLE[self.below(len(_PEOPLE))]
        address = f"{local}{self.below(500)}{self._address_canary}@{self.choice(*_DOMAINS)}"
        return Person(given, family + self._canary, address)

    def place(self) -> Place:
        """A postal address."""
        city, region, country = _CITIES[self.below(len(_CITIES))]
        street = f"{self.below(400) + 1} {self.choice(*_STREETS)}{self._canary}"
        return Place(street, city, region, f"X{self.below(10)}X {self.below(10)}X{self.below(10)}", country)

    def phone(self) -> str:
        """A telephone number from the range reserved for fiction."""
        return f"+1 613 555 01{self.below(100):02}"

    def subject(self) -> str:
        """The subject of a message."""
        return self.choice(*_SUBJECTS) + self._canary

    def sentences(self, least: int, most: int) -> list[str]:
        """Some sentences; the last one states that the text is synthetic."""
        many = least + self.below(most - least + 1)
        return [*self.random.choices(_SENTENCES, k=many), NOTICE + self._canary]

    def moment(self) -> datetime:
        """A moment of the day, to the second, UTC."""
        return self._midnight + timedelta(seconds=self.below(86_400))


def iso(moment: datetime) -> str:
    """A moment as the web APIs write it: `2025-11-12T10:30:45Z`."""
    return f"{moment:%Y-%m-%dT%H:%M:%SZ}"
