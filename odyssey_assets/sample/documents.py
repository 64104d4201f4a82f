"""JSON documents as the application stores them in TEXT columns.

Belongs here: pools of whole documents and the putting together of documents out of columns.
Does not belong here: which column holds which document (the domain modules).
"""

import json
import math
from functools import reduce

import numpy as np

from odyssey_assets.sample.identifiers import Texts
from odyssey_assets.sample.text import UNUSUAL_TEXTS

QUOTED_UNUSUAL_TEXTS = tuple(
    json.dumps(text, ensure_ascii=number % 2 == 0) for number, text in enumerate(UNUSUAL_TEXTS)
)

DETAILS = (
    "{}",
    '{"from":"new","to":"triaged"}',
    '{"channel":"in-app","locale":"fr"}',
    '{"before":null,"after":{"state":"triaged","tags":["rx","guest-experience"]}}',
    '{"a":[1,{"b":null,"c":[true,false,{"d":{}}]}]}',
    '{"ratio":0.1234567890123456789,"tiny":1e-300,"big":12345678901234567890,"minus":-0.5E+3}',
    '{ "spaced" : [ 1 , 2 ],\n\t"zone":"Europe/Paris" }',
    '{"":"empty key","ключ":"значение","emoji":"\\ud83c\\udf89","path":"C:\\\\temp\\n"}',
    '{"quote":' + QUOTED_UNUSUAL_TEXTS[14] + ',"script":' + QUOTED_UNUSUAL_TEXTS[3] + "}",
)

MODERATION_SIGNALS = ("[]", '["caps_lock"]', '[{"kind":"pii","span":[4,19],"score":0.9731}]', '["toxicity","spam"]')
ATTACHMENTS = (
    "[]",
    "[]",
    '[{"url":"https://files.odyssey.example/a.png","bytes":20481,"name":"écran d\'accueil.png"}]',
)
TRANSLATIONS = (
    "{}",
    '{"fr":{"title":"Lecture du passeport"}}',
    '{"ja":{"title":"\\u53d7\\u4ed8","body":"受付"},"ar":{"title":"الوصول"}}',
)
VILLAGE_HISTORIES = (
    '[{"village_id":"vlg-001","from":"2024-01-01","to":null}]',
    '[{"village_id":"vlg-002","from":"2023-05-01","to":"2023-12-31"},'
    '{"village_id":"vlg-003","from":"2024-01-01","to":null}]',
    "[]",
)
CONSENTS = ('["research_contact","email_updates","usage_analytics"]', '["email_updates"]', "[]")
CONSENT_HISTORIES = ("[]", '[{"consent":"email_updates","given":true,"at":"2025-03-01T08:15:30.250Z"}]')
QUESTIONS = (
    '[{"id":"nps","type":"nps","text":{"en":"How likely are you to recommend it?","fr":"Le recommanderiez-vous ?"}}]',
    '[{"id":"q1","type":"likert","scale":5,"text":{"en":"Was it easy?"}},'
    '{"id":"q2","type":"text","maxLength":2000,"text":{"de":"Was fehlt noch für später?"}}]',
)
ANSWERS = (
    '{"nps":9,"pain_points":"Sometimes the app is slow"}',
    '{"q1":4,"q2":' + QUOTED_UNUSUAL_TEXTS[9] + "}",
    '{"nps":0,"pain_points":' + QUOTED_UNUSUAL_TEXTS[0] + "}",
)
ANNOTATIONS = ("[]", '[{"timestamp":12.5,"text":"ici","tags":["hésitation"]}]')
CHUNK_URLS = ("[]", '["https://rec.odyssey.example/c/0","https://rec.odyssey.example/c/1"]')


def joined(*parts: str | Texts) -> Texts:
    """The parts put together row by row."""
    return np.asarray(reduce(np.add, parts), dtype=object)


def id_list(*columns: Texts) -> Texts:
    """A JSON list of the ids of each row."""
    quoted = [part for column in columns for part in ('"', column, '",')]
    return joined("[", *quoted[:-1], '"]')


def embeddings(random: np.random.Generator) -> list[str]:
    """Vectors as JSON lists of floats: one hundred of 12 dimensions, one of the full 1536."""
    short = [_vector(random, 12) for _ in range(100)]
    return [*short, _vector(random, 1536)]


def _vector(random: np.random.Generator, dimensions: int) -> str:
    values = random.normal(size=dimensions)
    return json.dumps((values / math.sqrt(dimensions)).tolist(), separators=(",", ":"))
