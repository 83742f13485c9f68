"""The section of the page that shows which places look at which word."""

from __future__ import annotations

from fogcatcher.diffusion.tensors import Samples
from fogcatcher.drawing import html
from fogcatcher.drawing.letters import formula, lettered, sentence
from fogcatcher.explain.explaining import Steps
from fogcatcher.explain.seen import words_seen
from fogcatcher.explain.shown import Section, Shown, code, figure, picture_table, section, sentences
from fogcatcher.explain.word_maps import WordMaps, lit_by, word_maps
from fogcatcher.networks.blocks import CrossAttention


def words_section(maps: WordMaps, steps: Steps, show: Shown) -> Section:
    """One row of pictures per word: the guess of each step, lit where places look at the word."""

    def cells(x: Samples, said: str) -> list[str]:
        return [show.image(x[i : i + 1], said) for i in range(len(x))]

    rows = [(lettered("x0_hat, guess"), cells(steps.x0_hat, "x0_hat"))]
    for word, each in zip(maps.words, maps.each, strict=True):
        rows.append((html.text(word), cells(lit_by(each, steps.x0_hat), f"looks at {word}")))
    return section(
        "Which places look at which word",
        [
            sentence(
                "Every place of the network's features asks q, every word answers with a key k, and a place "
                "takes over the values v of the words in the shares A, which sum to 1 with that of a learned "
                "vector that means no word (Rombach et al. 2021, section 3.3):"
            ),
            formula("A = softmax(q k^T / sqrt(d))   h = h + W A v"),
            sentence(
                "Below is the guess of each step, lit where A is larger than at the middle place of all: "
                "the mean over heads and over the layers with the most places. The network was asked for the "
                "wish alone, without guidance."
            ),
            sentences(words_seen(maps)),
        ],
        code(CrossAttention.weights, word_maps),
        picture_table([lettered(f"sigma = {figure(sigma)}") for sigma in steps.sigma.tolist()], rows),
    )
