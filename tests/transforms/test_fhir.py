"""Every resource that the FHIR transforms write is valid for the models of fhir.resources.

The package has no R4 any more; R4B has the same definition of these five resources.
"""

from __future__ import annotations

import importlib
import json
from pathlib import Path
from typing import Any

import pytest

from tests.transforms.test_transforms import REGISTRY, canonized, samples

__all__ = ["samples"]  # a fixture

GOLDENS = sorted((REGISTRY / "fhir" / "tests").glob("*/*.output.json"))
CHAINS = {
    "contact/dataverse_contact_to_canonical_v1": "fhir/contact_to_patient_v1",
    "contact/google_person_to_canonical_v1": "fhir/contact_to_patient_v1",
    "appointment/google_calendar_to_canonical_v1": "fhir/appointment_to_appointment_v1",
    "appointment/graph_event_to_canonical_v1": "fhir/appointment_to_appointment_v1",
    "clinical_session/dataverse_session_to_canonical_v1": "fhir/clinical_session_to_encounter_v1",
    "form_response/google_forms_to_canonical_v1": "fhir/form_response_to_questionnaire_response_v1",
    "email/gmail_to_canonical_v1": "fhir/email_to_communication_v1",
}


def require_valid(resource: dict[str, Any]) -> None:
    """Raise ValueError for a resource that its model refuses."""
    name = resource["resourceType"]
    getattr(importlib.import_module(f"fhir.resources.R4B.{name.lower()}"), name).model_validate(resource)


@pytest.mark.parametrize("path", GOLDENS, ids=lambda path: f"{path.parts[-2]}/{path.name}")
def test_golden_resources_are_valid(path: Path) -> None:
    require_valid(json.loads(path.read_text("utf-8")))


@pytest.mark.parametrize("transform", CHAINS)
def test_samples_of_each_source_become_valid_resources(transform: str, samples: dict[str, Path]) -> None:
    records = [json.loads(line) for line in samples[transform].read_bytes().splitlines()]
    resources = canonized(CHAINS[transform], canonized(transform, records))
    assert len(resources) == len(records)
    for resource in resources:
        require_valid(resource)
