"""From a config to the rival of an adversarial training."""

from __future__ import annotations

from dataclasses import replace

import torch

from fogcatcher.base.devices import best_device
from fogcatcher.base.errors import Message, UserError
from fogcatcher.data.conditions.conditions import ConditionSpec
from fogcatcher.data.pictures.spec import PictureSpec
from fogcatcher.diffusion.adversarial import Adversarial, Rival
from fogcatcher.diffusion.denoiser import LATENT
from fogcatcher.model.build import wanted_of
from fogcatcher.model.config import RunConfig
from fogcatcher.networks.critic import PairCritic

LEVELS = 3


def with_rival(objective: Adversarial, config: RunConfig, conditions: ConditionSpec) -> Adversarial:
    """Return the objective with an untrained critic, whose weights follow from the seed of the run.

    Raises UserError for data that are no pictures.
    """
    kind = config.kind
    if not isinstance(kind, PictureSpec):
        message = Message("the adversarial loss is for pictures yet; these are {kind}.", kind=kind.name)
        raise UserError(message, about="loss")
    told = {name: how for name, how in wanted_of(config, conditions).inputs.items() if name != LATENT}
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(config.training.seed)
        critic = PairCritic(kind.channels, config.network.width, LEVELS, told)
    rate = config.method.of_adversary("critic_rate")
    return replace(objective, rival=Rival(critic.to(best_device()), rate))
