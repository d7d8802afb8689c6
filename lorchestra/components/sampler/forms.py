"""Responses as the Google Forms API gives them: the resource `forms.responses`.

https://developers.google.com/workspace/forms/api/reference/rest/v1/forms.responses
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from lorchestra.components.sampler.draw import Draw, iso

Record = dict[str, Any]
_QUESTIONS = ("1a2b3c4d", "2b3c4d5e", "3c4d5e6f", "4d5e6f70", "5e6f7081", "6f708192", "708192a3")


def response(draw: Draw, index: int) -> Record:
    """One response: text, choices, grades and sometimes an uploaded file. Some respondents stay unknown."""
    moment = draw.moment()
    answers = {question: _answer(draw, question) for question in _QUESTIONS if draw.chance() < 0.9}
    if draw.chance() < 0.15:
        answers["f11e0001"] = _upload(draw)
    record = {
        "formId": "1FAIpQLSampleSynthetic" + draw.id("form", 0)[:12],
        "responseId": "ACYDBN" + draw.id("response", index),
        "createTime": iso(moment),
        "lastSubmittedTime": f"{moment + timedelta(minutes=draw.below(60)):%Y-%m-%dT%H:%M:%S}.123456Z",
        "totalScore": sum(answer.get("grade", {}).get("score", 0) for answer in answers.values()),
        "answers": answers,
    }
    if draw.chance() < 0.7:
        record["respondentEmail"] = draw.person().address
    return record


def _answer(draw: Draw, question: str) -> Record:
    shape = draw.chance()
    if shape < 0.4:
        values = [" ".join(draw.sentences(1, 3))]
    elif shape < 0.7:
        values = [draw.choice("Never", "Several days", "More than half the days", "Fast jeden Tag", "毎日")]
    else:
        values = ["Calm", "Tired", "Cheerful"][: 1 + draw.below(3)]
    answer: Record = {"questionId": question, "textAnswers": {"answers": [{"value": value} for value in values]}}
    if draw.chance() < 0.3:
        answer["grade"] = {"score": draw.below(4), "correct": True, "feedback": {"text": "Thank you."}}
    return answer


def _upload(draw: Draw) -> Record:
    file = {
        "fileId": "1SampleFile" + draw.id("file", draw.below(10**6)),
        "fileName": draw.choice("synthetic diary.pdf", "Tagebuch für November.pdf"),
        "mimeType": "application/pdf",
    }
    return {"questionId": "f11e0001", "fileUploadAnswers": {"answers": [file]}}
