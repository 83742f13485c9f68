"""Every schedule by name, for tests of what all of them must obey."""

from fogcatcher.diffusion.schedules import (
    BetaSchedule,
    CosineSchedule,
    EDMSchedule,
    FlowSchedule,
    SubVPSchedule,
    VESchedule,
    VPSchedule,
    cosine_betas,
    linear_betas,
    quadratic_betas,
    scaled_linear_betas,
    sigmoid_alpha_bar_betas,
    sigmoid_betas,
    zero_terminal_snr,
)

PRESERVING = {
    "cosine": CosineSchedule(),
    "vp": VPSchedule(),
    "linear betas": BetaSchedule(linear_betas()),
    "300 linear betas": BetaSchedule(linear_betas(300)),
    "cosine betas": BetaSchedule(cosine_betas()),
    "tutorial's cosine betas": BetaSchedule(cosine_betas(max_beta=0.9999, min_beta=1e-4)),
    "quadratic betas": BetaSchedule(quadratic_betas()),
    "scaled linear betas": BetaSchedule(scaled_linear_betas()),
    "sigmoid betas": BetaSchedule(sigmoid_betas()),
    "sigmoid alpha_bar": BetaSchedule(sigmoid_alpha_bar_betas()),
    "zero-terminal linear": BetaSchedule(zero_terminal_snr(linear_betas())),
    "zero-terminal scaled linear": BetaSchedule(zero_terminal_snr(scaled_linear_betas())),
}
SCHEDULES = {
    "edm": EDMSchedule(),
    "ve": VESchedule(),
    "flow": FlowSchedule(),
    "shifted flow": FlowSchedule(shift=3),
    "sub-vp": SubVPSchedule(),
    **PRESERVING,
}
