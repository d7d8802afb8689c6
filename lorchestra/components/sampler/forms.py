"""Responses as the Google Forms API gives them: the resource `forms.responses`.

https://developers.google.com/workspace/forms/api/reference/rest/v1/forms.responses
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from lorchestra.components.sampler.generator import Generator, iso

Record = dict[str, Any]
_QUESTIONS = ("1a2b3c4d", "2b3c4d5e", "3c4d5e6f", "4d5e6f70", "5e6f7081", "6f708192", "708192a3")


def response(generator: Generator, index: int) -> Record:
    """One response: text, choices, grades and sometimes an uploaded file. Some respondents stay unknown."""
    moment = generator.moment()
    answers = {question: _answer(generator, question) for question in _QUESTIONS if generator.chance() < 0.9}
    if generator.chance() < 0.15:
        answers["f11e0001"] = _upload(generator)
    record = {
        "formId": "1FAIpQLSampleSynthetic" + generator.id("form", 0)[:12],
        "responseId": "ACYDBN" + generator.id("response", index),
        "createTime": iso(moment),
        "lastSubmittedTime": f"{moment + timedelta(minutes=generator.below(60)):%Y-%m-%dT%H:%M:%S}.123456Z",
        "totalScore": sum(answer.get("grade", {}).get("score", 0) for answer in answers.values()),
        "answers": answers,
    }
    if generator.chance() < 0.7:
        record["respondentEmail"] = generator.person().address
    return record


def _answer(generator: Generator, question: str) -> Record:
    shape = generator.chance()
    if shape < 0.4:
        values = [" ".join(generator.sentences(1, 3))]
    elif shape < 0.7:
        values = [generator.choice("Never", "Several days", "More than half the days", "Fast jeden Tag", "毎日")]
    else:
        values = ["Calm", "Tired", "Cheerful"][: 1 + generator.below(3)]
    answer: Record = {"questionId": question, "textAnswers": {"answers": [{"value": value} for value in values]}}
    if generator.chance() < 0.3:
        answer["grade"] = {"score": generator.below(4), "correct": True, "feedback": {"text": "Thank you."}}
    return answer


def _upload(generator: Generator) -> Record:
    file = {
        "fileId": "1SampleFile" + generator.id("file", generator.below(10**6)),
        "fileName": generator.choice("synthetic diary.pdf", "Tagebuch für November.pdf"),
        "mimeType": "application/pdf",
    }
    return {"questionId": "f11e0001", "fileUploadAnswers": {"answers": [file]}}
