"""Schedule, prediction, training times, loss and weighting by name, and the numbers of their own.

Each column of docs/methods.md is a table here, and each row says what it makes, in words, and which numbers a
person may set. Options of the command, checks, errors and the page of methods are made from these rows. The
files of the mathematics are imported when a row is used, as help does not wait for torch.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from fogcatcher.base.errors import Message, UserError, unknown_name
from fogcatcher.diffusion.later import Later
from fogcatcher.diffusion.sampling.options import Option

if TYPE_CHECKING:
    from torch import Tensor

    from fogcatcher.diffusion import adversarial, denoiser, objectives, schedules
    from fogcatcher.diffusion.denoiser import Preconditioning
    from fogcatcher.diffusion.objectives import Objective, TimeDistribution, Weighting
    from fogcatcher.diffusion.schedules import Schedule
else:
    adversarial, denoiser, objectives, schedules = (
        Later(f"fogcatcher.diffusion.{name}")
        for name in ("adversarial", "denoiser", "objectives", "schedules")
    )

Made = TypeVar("Made")
MOST_STEPS = 100_000
T_OF_NO_TABLE = 1000
"""T of training in steps where the schedule is no table of betas."""


@dataclass(frozen=True)
class Choice(Generic[Made]):
    """One row: what a name stands for."""

    make: Callable[..., Made]
    """Takes the options by keyword; of some columns first what is said there."""
    about: str
    """For people, in a few words."""
    options: Mapping[str, Option] = field(default_factory=dict)
    """What a person may set, by name."""

    def __call__(self, *known: Any, given: Mapping[str, float] | None = None) -> Made:  # noqa: ANN401
        """Return what the row makes, with some of its options set; others in ``given`` are not heard.

        Raises UserError for a number that cannot be.
        """
        values = {name: option.default for name, option in self.options.items()} | {
            name: number for name, number in (given or {}).items() if name in self.options
        }
        try:
            return self.make(*known, **{name: self.options[name].value(n) for name, n in values.items()})
        except ValueError as error:
            raise UserError(f"{error}.", about="method_options") from error


Numbers = Mapping[str, tuple[float, float, float, str]]
"""Name of an option -> usual, least, most, help; where the usual is an int, only whole numbers will do."""


def _options(**numbers: tuple[float, float, float, str]) -> dict[str, Option]:
    return {name: Option(name, *said) for name, said in numbers.items()}


# --- schedules ----------------------------------------------------------------------------------


def _betas(
    name: str, about: str, T: int, *, zero_snr: int = 0, more: Numbers | None = None
) -> Choice[Schedule]:
    """The row of a table of T betas, which ``schedules.py`` makes by the function ``name``."""

    def make(T: float, zero_snr: float, **numbers: float) -> Schedule:
        betas: Tensor = getattr(schedules, name)(int(T), **numbers)
        return schedules.BetaSchedule(schedules.zero_terminal_snr(betas) if zero_snr else betas)

    always = {
        "T": (T, 2, MOST_STEPS, "T, the number of steps"),
        "zero_snr": (zero_snr, 0, 1, "1 rescales the table so that no signal is left at the end"),
    }
    return Choice(make, about, _options(**always, **(more or {})))


def _rising(first: float, last: float) -> Numbers:
    return {"first": (first, 1e-6, 0.999, "beta of step 1"), "last": (last, 1e-6, 0.999, "beta of step T")}


def _linear(T: int, whose: str) -> Choice[Schedule]:
    return _betas("linear_betas", f"betas rising in a line{whose}", T, more=_rising(1e-4, 0.02))


def _scaled_linear(zero_snr: int) -> Choice[Schedule]:
    about = "betas of Stable Diffusion" + ", no signal left" * zero_snr
    return _betas("scaled_linear_betas", about, 1000, zero_snr=zero_snr)


def _cosine(T: int, whose: str) -> Choice[Schedule]:
    return _betas(
        "cosine_betas",
        f"betas whose alpha_bar is a squared cosine{whose}",
        T,
        more={
            "s": (0.008, 0, 1, "offset that keeps the first betas from being too small"),
            "min_beta": (0.0, 0, 0.01, "least beta; 0.0001 in the annotated tutorial"),
            "max_beta": (0.999, 0.01, 0.9999, "largest beta"),
        },
    )


SCHEDULES: Mapping[str, Choice[Schedule]] = {
    "edm": Choice(
        lambda sigma_max: schedules.EDMSchedule(sigma_max),
        "pure added noise, sigma in a line",
        _options(sigma_max=(80.0, 0.1, 10_000, "noise at the end, for a signal of 1")),
    ),
    "ve": Choice(
        lambda sigma_min, sigma_max: schedules.VESchedule(sigma_min, sigma_max),
        "pure added noise, geometric (score SDE)",
        _options(
            sigma_min=(0.01, 1e-5, 0.09, "noise where it begins"),
            sigma_max=(50.0, 0.1, 10_000, "noise at the end, for a signal of 1"),
        ),
    ),
    "vp": Choice(
        lambda beta_min, beta_max: schedules.VPSchedule(beta_min, beta_max),
        "the limit of linear betas (score SDE)",
        _options(
            beta_min=(0.1, 1e-3, 0.9, "rate of noise at t = 0"), beta_max=(20.0, 1, 100, "rate at t = 1")
        ),
    ),
    "sub_vp": Choice(
        lambda beta_min, beta_max: schedules.SubVPSchedule(beta_min, beta_max),
        "the signal of vp with less noise (score SDE)",
        _options(
            beta_min=(0.1, 1e-3, 0.9, "rate of noise at t = 0"), beta_max=(20.0, 1, 100, "rate at t = 1")
        ),
    ),
    "cosine": Choice(
        lambda: schedules.CosineSchedule(), "a cosine without steps; no signal is left at the end"
    ),
    "flow": Choice(
        lambda shift: schedules.FlowSchedule(shift),
        "the straight line of flow matching",
        _options(shift=(1.0, 1e-3, 1000, "above 1, more of the time is spent on noise")),
    ),
    "flow_shift_3": Choice(
        lambda shift: schedules.FlowSchedule(shift),
        "the same, with more time for noise",
        _options(shift=(3.0, 1e-3, 1000, "above 1, more of the time is spent on noise")),
    ),
    "linear": _linear(1000, ""),
    "ddpm": _linear(1000, " (DDPM)"),
    "course": _linear(500, " (the course)"),
    "annotated": _linear(300, " (the annotated tutorial)"),
    "sr3": _betas("linear_betas", "betas rising in a line (SR3)", 2000, more=_rising(1e-6, 0.01)),
    "ddpm_zero_snr": _betas(
        "linear_betas", "betas in a line, no signal left", 1000, zero_snr=1, more=_rising(1e-4, 0.02)
    ),
    "cosine_betas": _cosine(1000, ""),
    "iddpm": _cosine(4000, " (improved DDPM)"),
    "quadratic": _betas(
        "quadratic_betas", "betas whose roots rise in a line", 1000, more=_rising(1e-4, 0.02)
    ),
    "sigmoid": _betas("sigmoid_betas", "betas rising in an S", 1000, more=_rising(1e-4, 0.02)),
    "sigmoid_alpha_bar": _betas(
        "sigmoid_alpha_bar_betas",
        "alpha_bar falling in an S",
        1000,
        more={
            "start": (-3.0, -20, 20, "where on the sigmoid it begins"),
            "end": (3.0, -20, 20, "where on the sigmoid it ends"),
            "tau": (1.0, 0.05, 20, "how gently it falls"),
            "max_beta": (0.999, 0.01, 0.9999, "largest beta"),
        },
    ),
    "scaled_linear": _scaled_linear(0),
    "scaled_linear_zero_snr": _scaled_linear(1),
}

# --- what the network predicts ------------------------------------------------------------------

PREDICTIONS: Mapping[str, Choice[Preconditioning]] = {
    "edm": Choice(
        lambda sigma_data: denoiser.EDMPreconditioning(sigma_data=sigma_data),
        "EDM's mix of picture and noise, of unit variance",
    ),
    "eps": Choice(lambda sigma_data: denoiser.PredictEps(), "the noise"),
    "x0": Choice(lambda sigma_data: denoiser.PredictX0(), "the clean picture"),
    "v": Choice(lambda sigma_data: denoiser.PredictV(), "alpha eps - sigma x0"),
    "velocity": Choice(lambda sigma_data: denoiser.PredictVelocity(), "eps - x0, as flow matching does"),
}
"""Made from the spread of the data."""

# --- training times -----------------------------------------------------------------------------


def _lognormal(mean: float, std: float, about: str) -> Choice[TimeDistribution]:
    return Choice(
        lambda steps, mean, std: objectives.LogNormalTimes(mean, std),
        about,
        _options(
            mean=(mean, -10, 10, "mean of ln(sigma / alpha), or of logit t"),
            std=(std, 0.01, 10, "spread of it"),
        ),
    )


TIMES: Mapping[str, Choice[TimeDistribution]] = {
    "lognormal": _lognormal(-0.4, 1.2, "ln(sigma / alpha) is normal"),
    "lognormal_low": _lognormal(-0.7, 1.35, "the same, with less noise"),
    "lognormal_edm": _lognormal(-1.2, 1.2, "the same, as EDM has it"),
    "uniform": Choice(lambda steps: objectives.UniformTimes(), "all times alike"),
    "discrete": Choice(
        lambda steps: objectives.UniformTimes(steps or T_OF_NO_TABLE), "the steps 1 to T alike, spread evenly"
    ),
    "independent": Choice(
        lambda steps: objectives.UniformTimes(steps or T_OF_NO_TABLE, draw="independent"),
        "the steps 1 to T alike, each drawn by itself",
    ),
    "antithetic": Choice(
        lambda steps: objectives.UniformTimes(steps or T_OF_NO_TABLE, draw="antithetic"),
        "the steps 1 to T alike, in pairs of early and late",
    ),
    "importance": Choice(
        lambda steps, remember, even: objectives.ImportanceTimes(steps or T_OF_NO_TABLE, int(remember), even),
        "the steps 1 to T, the more often the larger their loss was",
        _options(
            remember=(10, 1, 100, "so many losses of each step are remembered"),
            even=(0.001, 1e-6, 1, "share of the times that is drawn evenly"),
        ),
    ),
    "logitnormal": Choice(
        lambda steps, mean, std: objectives.LogitNormalTimes(mean, std),
        "logit t is normal: the middle more often than the ends",
        _options(
            mean=(0.0, -10, 10, "mean of ln(sigma / alpha), or of logit t"),
            std=(1.0, 0.01, 10, "spread of it"),
        ),
    ),
}
"""Made from T, or None where the schedule is no table of betas."""

# --- how errors are measured, and what they weigh -----------------------------------------------


def _variational(
    times: TimeDistribution, weighting: Weighting | None, simple: float, bound: float
) -> Objective:
    in_steps = isinstance(times, objectives.UniformTimes | objectives.ImportanceTimes)
    if not in_steps or times.steps is None:
        raise UserError(
            Message(
                "the hybrid loss is a sum over steps and needs discrete times: "
                "choose {@times} discrete, independent, antithetic or importance."
            ),
            about="times",
        )
    if simple == bound == 0:
        raise UserError("with simple = 0 and bound = 0 the hybrid loss is always 0: set one of them.")
    return objectives.Variational(times, weighting, simple=simple, bound=bound)


def _adversarial(
    times: TimeDistribution,
    weighting: Weighting | None,
    calls: float,
    latents: float,
    r1: float,
    r1_every: float,
    critic_rate: float,
    paired: float,
) -> Objective:
    """Without its rival, which is made for the data (``model/rival.py``)."""
    if weighting is not None or not isinstance(times, objectives.UniformTimes):
        raise UserError(
            Message(
                "the adversarial loss learns at its own few steps, all alike: choose {@times} discrete, "
                "independent or antithetic, and leave {@weighting} as it is."
            ),
            about="times",
        )
    return adversarial.Adversarial(
        replace(times, steps=int(calls)),
        steps=int(calls),
        r1=r1,
        r1_every=int(r1_every),
        paired=bool(paired),
    )


HYBRID = "hybrid"
ADVERSARIAL = "adversarial"
LOSSES: Mapping[str, Choice[Objective]] = {
    "l2": Choice(lambda times, weighting: objectives.Objective(times, weighting), "squared errors"),
    "l1": Choice(lambda times, weighting: objectives.Objective(times, weighting, "l1"), "sizes of errors"),
    "huber": Choice(
        lambda times, weighting, delta: objectives.Objective(times, weighting, "huber", delta=delta),
        "squares of small errors, sizes of large ones",
        _options(delta=(1.0, 1e-3, 100, "size at which an error counts as large")),
    ),
    HYBRID: Choice(
        _variational,
        "l2 and the variational bound, with a learned variance",
        _options(
            simple=(1.0, 0, 100, "weight of l2; 0 leaves the bound alone"),
            bound=(0.001, 0, 100, "weight of the bound"),
        ),
    ),
    ADVERSARIAL: Choice(
        _adversarial,
        "a second network tells steps of the data from steps of the model (denoising diffusion GAN)",
        _options(
            calls=(4, 1, 64, "steps, and calls of the network, in which it will draw"),
            latents=(64, 1, 1024, "numbers that pick one of the pictures that may lie behind a noisy one"),
            r1=(0.02, 0, 1000, "weight of the critic's squared slope"),
            r1_every=(15, 1, 1000, "so many steps lie between two looks at the slope"),
            critic_rate=(1.25e-4, 1e-7, 1, "learning rate of the critic"),
            paired=(0, 0, 1, "1 sets each drawn step against a real one, so that no mode is left out"),
        ),
    ),
}
"""Made from training times and a weighting."""

WEIGHTINGS: Mapping[str, Choice[Weighting | None]] = {
    "own": Choice(lambda sigma_data: None, "errors of what the network predicts count equally"),
    "x0": Choice(lambda sigma_data: objectives.uniform, "errors of the clean picture count equally"),
    "snr": Choice(lambda sigma_data: objectives.snr, "errors of the noise count equally (L_simple)"),
    "snr_plus_one": Choice(lambda sigma_data: objectives.snr_plus_one, "errors of v count equally"),
    "min_snr": Choice(
        lambda sigma_data, gamma: objectives.min_snr(gamma),
        "min(SNR, gamma)",
        _options(gamma=(5.0, 0.01, 1000, "most that an error of the clean picture weighs")),
    ),
    "edm": Choice(lambda sigma_data: objectives.edm(sigma_data), "EDM's lambda"),
}
"""Made from the spread of the data."""

# --- all columns --------------------------------------------------------------------------------

COLUMNS: Mapping[str, Mapping[str, Choice[Any]]] = {
    "schedule": SCHEDULES,
    "prediction": PREDICTIONS,
    "times": TIMES,
    "loss": LOSSES,
    "weighting": WEIGHTINGS,
}
"""A field of ``Method`` -> its table."""


def check_options(chosen: Mapping[str, str], given: Iterable[str]) -> None:
    """Raises UserError for the name of an option that no chosen row has: column -> row, in ``chosen``."""
    rows = [(row, COLUMNS[column].get(row)) for column, row in chosen.items()]
    known = {name for _, choice in rows if choice for name in choice.options}
    for name in given:
        if name in known:
            continue
        others = [
            f"{column} {row}"
            for column, table in COLUMNS.items()
            for row in table
            if name in table[row].options
        ]
        if not others:
            raise unknown_name("number of the method", name, sorted(known), about="method_options")
        raise UserError(
            f"{name} is a number of {_or(others)}, and none of those is chosen here.", about="method_options"
        )


def _or(names: list[str]) -> str:
    shown = names[:4]
    return ", ".join(shown[:-1]) + (" or " if len(shown) > 1 else "") + shown[-1]


def row_in_words(chosen: Mapping[str, str], given: Mapping[str, float]) -> str:
    """Return a row of choices with all its numbers: "schedule course (T = 500, ...), prediction eps, ..."."""
    parts = []
    for column, name in chosen.items():
        choice = COLUMNS[column].get(name)
        options = choice.options.values() if choice else ()
        numbers = ", ".join(f"{o.name} = {given.get(o.name, o.default):g}" for o in options)
        parts.append(f"{column} {name}" + (f" ({numbers})" if numbers else ""))
    return ", ".join(parts)
