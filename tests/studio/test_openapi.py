"""Whatever is sent to whatever address the service describes is answered in words, never with a fault."""

import itertools
import json
import random
import re
import string

import pytest

from tests.studio.service import serving

ODD = [
    None, True, 0, -1, 2**70, 1e308, 0.5, "", "x", "../x", "\x00",
    "a" * 5000, "<b>", "shipped.sprites", [], [1], [[[]]], {}, {"a": {}}, "builtin", ["hero"], 1e-9,
]  # fmt: skip
DEEP, LONG = b"[" * 5000, b'"' + b"x" * 10**5
RAW = [b"", b"{", b"[]", b"null", b"NaN", b'{"kind": NaN}', b"\xff\xfe", DEEP, b'{"a":1}' * 3, LONG]
PARTS = ["0", "1", "-1", "x", "a" * 300, "%00", "..%2f..", "%ff", "shipped.sprites", "builtin", "0" * 16]
ROUNDS = 4


@pytest.fixture(scope="module")
def alone(tmp_path_factory):
    with serving(tmp_path_factory.mktemp("odd"), workers=False) as client:
        yield client


@pytest.mark.slow
def test_no_request_is_a_fault_of_the_service(alone):
    description = alone.get("/api/openapi.json")
    chance, sent = random.Random(0), 0
    for path, operations in description["paths"].items():
        for method, operation in operations.items():
            names = re.findall(r"{(\w+)(?::path)?}", path)
            for parts in itertools.islice(itertools.product(PARTS, repeat=len(names)), 24):
                where = path
                for name, part in zip(names, parts, strict=True):
                    where = where.replace("{" + name + "}", part)
                if where == "/api/events":
                    continue
                for body in bodies(operation, description, chance):
                    status, _, answer = alone.ask(method.upper(), where + query(operation, chance), body)
                    sent += 1
                    assert status < 500, (method, where, body, answer)
                    if status >= 400:
                        assert json.loads(answer)["error"]
    assert sent > 250


def bodies(operation, description, chance):
    """Bodies that are no JSON, and ones that are nearly right."""
    said = operation.get("requestBody", {}).get("content", {})
    if "application/json" not in said:
        return [None, b"x"] if said else [None]
    schema = said["application/json"]["schema"]
    return [*chance.sample(RAW, 2), *(made(schema, description, chance, 0) for _ in range(ROUNDS))]


def query(operation, chance):
    names = [p["name"] for p in operation.get("parameters", []) if p["in"] == "query"]
    odd = ["0", "-1", "x", "1e999", "nan", "9" * 40]
    return (
        "?" + "&".join(f"{name}={chance.choice(odd)}" for name in names)
        if names and chance.random() < 0.7
        else ""
    )


def made(schema, description, chance, depth):
    """A value as the description asks for it, or something odd in its place."""
    if chance.random() < 0.12 or depth > 8:
        return chance.choice(ODD)
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        return made(description["components"]["schemas"][name], description, chance, depth + 1)
    for choice in ("anyOf", "oneOf"):
        if choice in schema:
            return made(chance.choice(schema[choice]), description, chance, depth + 1)
    if "const" in schema:
        return schema["const"]
    if "enum" in schema:
        return chance.choice(schema["enum"])
    kind = schema.get("type")
    if kind == "object":
        needed, found = schema.get("required", []), {}
        for name, part in schema.get("properties", {}).items():
            if name in needed or chance.random() < 0.3:
                found[name] = made(part, description, chance, depth + 1)
        return found
    if kind == "array":
        part = schema.get("items", {})
        return [made(part, description, chance, depth + 1) for _ in range(chance.randint(0, 3))]
    if kind == "integer":
        return chance.choice([schema.get("minimum", 0), schema.get("maximum", 7), 3])
    if kind == "number":
        return chance.choice([schema.get("minimum", 0.0), schema.get("maximum", 1.0), 0.5])
    if kind == "string":
        letters = chance.choices(string.ascii_letters, k=chance.randint(1, 12))
        return chance.choice(["shipped.sprites", "builtin", "kind", "".join(letters)])
    return {"boolean": chance.random() < 0.5, "null": None}.get(kind, chance.choice(ODD))
