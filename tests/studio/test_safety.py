"""What must not pass: other pages, other names, too much; and what a stranger may send as pictures."""

import io
import struct
import time
import zipfile
import zlib

import pytest
from PIL import Image

from fogcatcher.studio import uploads
from fogcatcher.studio.guard import Guard, Pace
from tests.studio.service import form

TINY = {"kind": "draw", "request": {"model": "shipped.sprites", "seeds": [1], "settings": {"steps": 1}}}


def png(colour=(200, 10, 10, 255), size=(16, 16)) -> bytes:
    file = io.BytesIO()
    Image.new("RGBA", size, colour).save(file, "PNG")
    return file.getvalue()


def zipped(*entries: tuple[str | zipfile.ZipInfo, bytes], how=zipfile.ZIP_DEFLATED) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", how) as packed:
        for name, content in entries:
            packed.writestr(name, content)
    return file.getvalue()


# --- who may ask --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:80", "127.0.0.1.evil.example", "192.168.1.7", ""]
)
def test_a_name_that_somebody_else_gave_this_address_is_refused(studio, host):
    assert studio.ask("GET", "/api/state", headers={"Host": host})[0] == 421


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "LOCALHOST:1234", "[::1]", "[::1]:8631"])
def test_names_of_this_machine_pass(studio, host):
    assert studio.ask("GET", "/api/state", headers={"Host": host})[0] == 200


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "http://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://127.0.0.1:1"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
    ],
)
def test_another_page_may_neither_read_nor_write(studio, headers):
    assert studio.ask("POST", "/api/jobs", TINY, headers)[0] == 403
    assert studio.ask("GET", "/api/models", headers=headers)[0] == 403


def test_a_form_of_another_page_lacks_the_header(studio):
    import http.client

    connection = http.client.HTTPConnection("127.0.0.1", studio.port)
    connection.request("POST", "/api/jobs", b"{}", {"Content-Type": "text/plain"})
    assert connection.getresponse().status == 403
    connection.close()


def test_nothing_is_open_to_other_origins_and_no_script_may_stand_in_a_page(studio):
    for path in ("/", "/api/state", "/nowhere"):
        _, headers, _ = studio.ask("GET", path)
        policy = headers["content-security-policy"]
        assert "access-control-allow-origin" not in headers and "unsafe-inline" not in policy
        assert "default-src 'none'" in policy and "script-src 'self'" in policy
        assert headers["x-content-type-options"] == "nosniff" and headers["referrer-policy"] == "no-referrer"


def test_a_studio_for_other_machines_wants_its_token():
    """By the middleware itself: no test listens to the world."""
    import asyncio

    async def app(scope, receive, send):
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"in"})

    def ask(query=b"", host=b"192.168.1.7:8631", **headers):
        sent = []

        async def send(message):
            sent.append(message)

        async def receive():
            return {"type": "http.request", "body": b""}

        named = [(b"host", host), *((k.encode(), v) for k, v in headers.items())]
        scope = {"type": "http", "method": "GET", "path": "/", "query_string": query, "headers": named}
        asyncio.run(Guard(app, "secret")(scope, receive, send))
        return sent[0]["status"], dict(sent[0]["headers"])

    assert ask()[0] == 401 and ask(b"token=wrong")[0] == 401 and ask(cookie=b"fogcatcher=wrong")[0] == 401
    status, headers = ask(b"token=secret&x=1")
    assert status == 303 and headers[b"location"] == b"/?x=1"
    assert b"HttpOnly" in headers[b"set-cookie"] and b"SameSite=Strict" in headers[b"set-cookie"]
    assert ask(cookie=b"a=b; fogcatcher=secret")[0] == 200
    assert ask(host=b"evil.example", cookie=b"fogcatcher=secret")[0] == 421


def test_so_many_requests_pass_and_no_more():
    pace = Pace(a_second=0.001, at_once=3)
    assert [pace.allows() for _ in range(5)] == [True, True, True, False, False]


def test_a_body_that_claims_or_is_too_much_is_refused(studio):
    said = {"Content-Length": str(10**10), "Content-Type": "application/json"}
    assert studio.ask("POST", "/api/jobs", b"", said)[0] == 413
    status, said = studio.refused("POST", "/api/presets", {"name": "x", "request": {"a": "b" * 9_000_000}})
    assert status == 413 and "8 MB" in said


@pytest.mark.parametrize(
    "request_",
    [
        {"model": "../runs/x"},
        {"model": "shipped.sprites", "seeds": [-1]},
        {"model": "shipped.sprites", "seeds": [2**63]},
        {"model": "shipped.sprites", "count": 10**6},
        {"model": "shipped.sprites", "settings": {"steps": 0}},
        {"model": "shipped.sprites", "settings": {"sampler": "nope"}},
        {"model": "shipped.sprites", "settings": {"guidance": {"nope": 2}}},
        {"model": "shipped.sprites", "settings": {"guide_with": "/etc"}},
        {"model": "shipped.sprites", "finish": {"palette": "/etc/passwd"}},
        {"model": "shipped.sprites", "conditions": {"kind": "nope"}},
        {"model": "shipped.sprites", "what": 1},
        {},
    ],
)
def test_what_cannot_be_drawn_is_said_before_it_waits(studio, request_):
    status, _ = studio.refused("POST", "/api/jobs", {"kind": "draw", "request": request_})
    assert status in (400, 404, 422)


# --- what a stranger sends ----------------------------------------------------------------------


def link() -> zipfile.ZipInfo:
    entry = zipfile.ZipInfo("link.png")
    entry.external_attr = 0o120777 << 16
    return entry


def bomb() -> bytes:
    """Ten entries that say they unpack to a thousand million bytes each, and hold one thousand."""
    packed = bytearray(zipped(*((f"{k}.png", b"0" * 1000) for k in range(10))))
    start = 0
    while (start := packed.find(b"PK\x01\x02", start)) >= 0:
        packed[start + 24 : start + 28] = struct.pack("<I", 10**9)
        start += 4
    return bytes(packed)


def true_bomb() -> bytes:
    """A few hundred kB that unpack to six hundred million bytes, and say so."""
    return zipped(*((f"{k}.png", bytes(60_000_000)) for k in range(10)))


def huge() -> bytes:
    """A PNG that says it has 60,000 x 60,000 pixels."""
    head = b"IHDR" + struct.pack(">II", 60_000, 60_000) + png()[24:29]
    return png()[:12] + head + struct.pack(">I", zlib.crc32(head)) + png()[33:]


HOSTILE = {
    "a way out": (lambda: [("a.zip", zipped(("../../evil.png", png())))], "outside"),
    "a way out by Windows": (lambda: [("a.zip", zipped(("..\\..\\evil.png", png())))], "outside"),
    "an absolute path": (lambda: [("a.zip", zipped(("/tmp/evil.png", png())))], "outside"),
    "a drive": (lambda: [("a.zip", zipped(("C:/evil.png", png())))], "outside"),
    "a link": (lambda: [("a.zip", zipped((link(), b"/etc/passwd")))], "link"),
    "a bomb that says so": (lambda: [("a.zip", bomb())], "10,000 MB"),
    "a bomb": (lambda: [("a.zip", true_bomb())], "600 MB"),
    "half a zip": (lambda: [("a.zip", zipped(("a.png", png()))[:-30])], "damaged"),
    "no zip": (lambda: [("a.zip", b"MZ" + bytes(1000))], "damaged"),
    "a program": (lambda: [("a.exe", b"MZ" + bytes(1000))], "no pictures"),
    "a program called picture": (lambda: [("a.png", b"MZ" + bytes(1000))], "no pictures"),
    "an empty zip": (lambda: [("a.zip", zipped())], "no pictures"),
    "nothing": (list, "no files"),
    "markup": (lambda: [("<img src=x onerror=alert(1)>.png", png())], "rename"),
    "markup in a zip": (lambda: [("a.zip", zipped(("<b>/a.png", png())))], "rename"),
    "control characters": (lambda: [("a\x1b[31m.png", png())], "rename"),
    "control characters in a zip": (lambda: [("a.zip", zipped(("a\x07.png", png())))], "rename"),
    "a way out of a folder": (lambda: [("../evil.png", png())], "outside"),
    "one name twice": (lambda: [("a.png", png()), ("a.png", png())], "twice"),
    "far too many pixels": (lambda: [("a.png", huge())], "pixels"),
    "a deep path": (lambda: [("a/" * 20 + "a.png", png())], "too deep"),
    "a long name": (lambda: [("a" * 250 + ".png", png())], "too long"),
}


@pytest.mark.parametrize("kind", HOSTILE)
@pytest.mark.slow
def test_hostile_uploads_are_refused_in_words_and_leave_nothing(studio, kind):
    make, reason = HOSTILE[kind]
    files, before = make(), everything(studio)
    start = time.process_time()
    status, said = studio.upload(files)
    took = time.process_time() - start
    assert status == 400 and reason in said["error"] and said["error"].isprintable(), said
    assert took < 2.0  # of this process, which is the service too
    assert everything(studio) == before


def everything(studio):
    areas = ("data", "runs", "exports", ".studio/uploads", "bin")
    return [sorted((studio.root / area).rglob("*")) for area in areas]


def test_a_hundred_thousand_files_are_refused_soon(studio):
    sent = form([(f"{k}.png", b"x") for k in range(100_000)])
    packed = zipped(*((f"{k}.png", b"") for k in range(100_000)), how=zipfile.ZIP_STORED)
    for body in (sent, form([("a.zip", packed)])):
        before, start = everything(studio), time.process_time()
        kind = {"Content-Type": "multipart/form-data; boundary=edge"}
        status, _, answer = studio.ask("POST", "/api/data", body, kind)
        took = time.process_time() - start
        assert status == 400 and b"20,000" in answer, answer
        assert took < 2.0
        assert everything(studio) == before


def test_a_form_that_is_cut_short_or_is_none_is_refused(studio):
    body = form([("a.png", png())])
    kind = {"Content-Type": "multipart/form-data; boundary=edge"}
    for sent, headers in (
        (body[:-20], kind),
        (body, {"Content-Type": "text/plain"}),
        (b"", kind),
        (b"x", kind),
    ):
        status, said = studio.refused("POST", "/api/data", sent, headers=headers)
        assert (status == 400 and "form" in said) or "too early" in said, said


def test_a_limit_holds_while_bytes_come_in(tmp_path):
    incoming = uploads.Incoming(tmp_path, left=10_000)
    incoming.take(9_999)
    with pytest.raises(uploads.Refused, match="more than"):
        incoming.take(2)


@pytest.mark.slow
def test_pictures_become_a_data_set_that_can_be_looked_at_deleted_and_had_back(studio):
    colours = [(k * 20, 255 - k * 20, 7, 255) for k in range(12)]
    files = [(f"mine/{'warm' if k % 2 else 'cold'}/{k}.png", png(c)) for k, c in enumerate(colours)]
    status, row = studio.upload([*files, ("mine/readme.exe", b"x"), ("mine/.DS_Store", b"x")])
    assert status == 201 and (row["name"], row["pictures"]) == ("mine", 12)
    found = studio.post("/api/data/mine/inspect", {"size": [24, 32], "where": "label != 'hot'"})
    assert found["pictures"] == 12 and found["size"] == [24, 32]
    assert found["conditions"] == [{"name": "label", "type": "category", "classes": ["cold", "warm"]}]
    status, said = studio.refused("POST", "/api/data/mine/inspect", {"classes": ["hot"]})
    assert status == 400 and "cold, warm" in said
    undo = studio.post("/api/data/mine", method="DELETE")["undo"]
    assert studio.refused("GET", "/api/data/mine")[0] == 404
    assert studio.post(f"/api/bin/{undo}/restore") == {"path": "data/mine"}
    assert studio.get("/api/data/mine")["pictures"] == 12
    assert studio.refused("POST", f"/api/bin/{undo}/restore")[0] == 404


@pytest.mark.slow
def test_a_class_may_be_called_anything(studio):
    """Only names of files are refused; what a table says is text."""
    table = b"file,label\n" + b"".join(b"%d.png,<b>bold</b>\n" % k for k in range(6))
    table += b"".join(b"%d.png,plain\n" % k for k in range(6, 12))
    files = [(f"odd/{k}.png", png((k * 20, 9, 7, 255))) for k in range(12)]
    status, _ = studio.upload(
        [*files, ("odd/metadata.csv", table.replace(b"file,", b"file_name,"))], name="odd"
    )
    assert status == 201
    found = studio.post("/api/data/odd/inspect", {})
    assert found["conditions"][0]["classes"] == ["<b>bold</b>", "plain"]
