"""Every sampler by its name: the step that it takes, and what a person may set of it.

A step declares its options itself (``options.py``). The files of the steps are imported when a step is asked
for: they need torch, and the help of the command line, which lists the names, does not wait for that.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from fogcatcher.diffusion.later import Later
from fogcatcher.diffusion.sampling.options import Option, options_of

if TYPE_CHECKING:
    from fogcatcher.diffusion.sampling import probability_flow, runge_kutta, samplers, solvers, stochastic
    from fogcatcher.diffusion.sampling.samplers import Step
else:
    probability_flow, runge_kutta, samplers, solvers, stochastic = (
        Later(f"{__package__}.{name}")
        for name in ("probability_flow", "runge_kutta", "samplers", "solvers", "stochastic")
    )


@dataclass(frozen=True)
class Sampler:
    """One row of the table."""

    usual: Callable[[], Step]
    """Return the step as it is when nothing is set."""
    noisy: bool = False
    """Whether it adds fresh noise on the way."""
    fixed: tuple[str, ...] = ()
    """Options of the step that make this row what it is, and are not to be set."""

    @property
    def options(self) -> dict[str, Option]:
        """What a person may set, by name."""
        found = options_of(self.usual())
        return {name: option for name, option in found.items() if name not in self.fixed}

    def step(self, given: Mapping[str, float]) -> Step:
        """Return the step with some of its options set.

        Raises KeyError for a name that is none of them, ValueError for a number that cannot be.
        """
        options, step = self.options, self.usual()
        values = {name: options[name].value(number) for name, number in given.items()}
        return _with(step, values)


def _with(step: Any, values: Mapping[str, float]) -> Step:  # noqa: ANN401 - every step is a dataclass
    return replace(step, **values)


SAMPLERS: Mapping[str, Sampler] = {
    "dpmpp_2m": Sampler(lambda: solvers.DPMpp2M(), fixed=("eta",)),
    "dpmpp_3m": Sampler(lambda: solvers.DPMpp3M(bend=0.5)),
    "dpmpp_3s": Sampler(lambda: solvers.DPMpp3S()),
    "dpmpp_2s": Sampler(lambda: solvers.DPMpp2S()),
    "unipc_2": Sampler(lambda: solvers.UniPC(2)),
    "unipc_3": Sampler(lambda: solvers.UniPC(3)),
    "lms": Sampler(lambda: solvers.LMS()),
    "deis": Sampler(lambda: solvers.LMS(3, variable="lambda")),
    "pndm": Sampler(lambda: runge_kutta.PNDM()),
    "heun": Sampler(lambda: solvers.Heun()),
    "heun_in_time": Sampler(lambda: runge_kutta.HeunInTime()),
    "dpm2": Sampler(lambda: runge_kutta.DPM2()),
    "rk2": Sampler(lambda: runge_kutta.RungeKutta2()),
    "euler": Sampler(lambda: samplers.DDIM(), fixed=("eta",)),
    "ddim": Sampler(lambda: samplers.DDIM()),
    "rk45": Sampler(lambda: probability_flow.RK45()),
    "ddpm": Sampler(lambda: samplers.DDPM(), noisy=True),
    "ddpm_large": Sampler(lambda: samplers.DDPM("large"), noisy=True),
    "ddpm_learned": Sampler(lambda: samplers.DDPM("learned"), noisy=True),
    "ddgan": Sampler(lambda: samplers.DDGAN(), noisy=True),
    "dpmpp_2m_sde": Sampler(lambda: solvers.DPMpp2M(eta=1.0), noisy=True),
    "dpm2_ancestral": Sampler(lambda: stochastic.Ancestral(), noisy=True),
    "dpmpp_2s_ancestral": Sampler(lambda: stochastic.Ancestral(solvers.DPMpp2S()), noisy=True),
    "churn": Sampler(lambda: stochastic.Churn(), noisy=True),
    "euler_churn": Sampler(lambda: stochastic.EulerChurn(), noisy=True),
    "euler_maruyama": Sampler(lambda: stochastic.EulerMaruyama(), noisy=True),
    "predictor_corrector": Sampler(lambda: stochastic.PredictorCorrector(), noisy=True),
    "annealed_langevin": Sampler(lambda: stochastic.AnnealedLangevin(), noisy=True),
}
