"""Attacks on the command line, in this process: whatever comes, it ends in time, in room, in a sentence."""

from __future__ import annotations

import json
import random
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

import pytest

from fogcatcher.base.memory import peak_memory_mb
from tests.commands import fogcatcher
from tests.strange_json import changed

SECONDS = 20
"""Of computing: no attack may take longer."""
MOST_MB = 600
"""No attack may add more to what this process has needed."""
LONGEST_SENTENCE = 3000
SHORT, LONG = 4.0, 45.0
"""Seconds of one kind of attack in the fast tests, and in the slow ones."""


class TooLong(BaseException):
    """As no code catches it."""


@contextmanager
def in_time(seconds: int = SECONDS) -> Iterator[None]:
    """Raises TooLong where what is inside computes longer, or waits ten times as long."""

    def stop(number: int, frame: FrameType | None) -> None:
        raise TooLong(f"{seconds} s")

    limits = (
        (signal.SIGPROF, signal.ITIMER_PROF, seconds),
        (signal.SIGALRM, signal.ITIMER_REAL, 10 * seconds),
    )
    before = [signal.signal(number, stop) for number, _, _ in limits]
    try:
        for _, timer, most in limits:
            signal.setitimer(timer, most)
        yield
    finally:
        for (number, timer, _), handler in zip(limits, before, strict=True):
            signal.setitimer(timer, 0)
            signal.signal(number, handler)


def attacked(*arguments: str, capsys: pytest.CaptureFixture[str], codes: tuple[int, ...] = (0, 2)) -> int:
    """Run a command that may be refused; return its exit code. Fails for all but an answer or a sentence."""
    before = peak_memory_mb()
    with in_time():
        code, out, said = fogcatcher(*arguments, capsys=capsys)
    assert code in codes, said
    shown = (out + said).replace("\n", "").replace("\t", "")
    assert "Traceback" not in said and all(sign.isprintable() or sign == "\r" for sign in shown), shown
    if code == 2:
        sentence = said.rsplit("\r", 1)[-1]
        assert sentence.startswith("fogcatcher: ") and sentence.count("\n") == 1, said
        assert len(sentence) < LONGEST_SENTENCE, sentence[:5000]
    assert not peak_memory_mb() - before > MOST_MB
    return code


def again_and_again(act: Callable[[random.Random], object], seconds: float) -> int:
    """Do it with one seed after another for some seconds of computing; a failure names its seed."""
    start, seed = time.process_time(), 0
    while time.process_time() - start < seconds:
        try:
            act(random.Random(seed))
        except (Exception, TooLong) as error:
            raise AssertionError(f"seed {seed}: {type(error).__name__}: {error}") from error
        seed += 1
    return seed


def wild_json(tree: object, chance: random.Random) -> bytes:
    """A tree with one to three things changed, or text that is no JSON at all."""
    if chance.random() < 0.15:
        return chance.choice(NO_JSON)
    for _ in range(chance.choice([1, 1, 1, 2, 3])):
        tree = changed(tree, chance)
        if not isinstance(tree, dict | list) or not tree:
            break
    return json.dumps(tree).encode()


NO_JSON = [
    *(b"", b"null", b"3", b'"x"', b"[]", b"{}", b"[{}]", b"{", b"\xff\xfe{}", b"\xef\xbb\xbf{}", b"\0" * 100),
    *(b"[" * 100_000, b'{"a":' * 50_000, b"9" * 5000, b"NaN", b"[1e999]", b"-Infinity", b'"\\ud800"'),
    *(b'{"a": 1, "a": 2}', b"[" + b"0," * 100_000 + b"0]", b'{"a": ' + b"1" * 100_000 + b"}"),
]


def wild_bytes(content: bytes, chance: random.Random) -> bytes:
    """A file with some of its bytes changed, cut off, doubled or moved."""
    changed = bytearray(content)
    match chance.randrange(4):
        case 0:
            for _ in range(chance.choice([1, 1, 2, 10])):
                changed[chance.randrange(len(changed))] ^= 1 << chance.randrange(8)
        case 1:
            del changed[chance.randrange(len(changed)) :]
        case 2:
            start = chance.randrange(len(changed))
            changed[start:start] = changed[start : start + chance.randrange(200)]
        case _:
            start = chance.randrange(len(changed))
            changed[start : start + chance.randrange(1, 20)] = chance.randbytes(chance.randrange(20))
    return bytes(changed)


def with_content(path: Path, content: bytes, act: Callable[[], object]) -> None:
    """Do it while a file says something else."""
    before = path.read_bytes()
    try:
        path.write_bytes(content)
        act()
    finally:
        path.write_bytes(before)
