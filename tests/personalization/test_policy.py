"""Estimates from the log are right where the truth is known, and silent where the log says too little."""

from __future__ import annotations

import numpy as np
import pytest

from personalization.evaluate.policy import LEAST_SAMPLE, Logged, estimate, logged_choices, soft
from personalization.population import PopulationModel
from personalization.profile import Profile
from personalization.propose import propose
from personalization.request import Request

TRUTH = np.array([0.6, -0.4])


def log_of(count: int, seed: int = 1) -> tuple[list[Logged], float]:
    """Choices by a policy that knows nothing, and what a soft one that knows the truth would have earned."""
    rng = np.random.default_rng(seed)
    wise = soft(PopulationModel.with_weights(TRUTH, 3.0), 0.5)
    log, earned = [], []
    for _ in range(count):
        features = rng.normal(size=(6, 2))
        shares = rng.dirichlet(np.full(6, 4.0))
        taken = int(rng.choice(6, p=shares))
        stars = np.clip(3 + features @ TRUTH, 1, 5)
        log.append(Logged(features, shares, taken, float(np.clip(stars[taken] + rng.normal(0, 0.5), 1, 5))))
        earned.append(float(wise(features) @ stars))
    return log, float(np.mean(earned))


@pytest.mark.parametrize("model", [PopulationModel.with_weights(TRUTH, 3.0), PopulationModel.with_weights([0, 0], 2.0)])
def test_the_value_of_another_policy_is_found_whatever_the_model_thinks(model):
    log, earned = log_of(3000)
    found = estimate(log, soft(PopulationModel.with_weights(TRUTH, 3.0), 0.5), model)
    assert found is not None
    assert found.snips == pytest.approx(earned, abs=0.12)
    assert found.doubly_robust == pytest.approx(earned, abs=4 * found.error + 0.02)
    assert found.served < earned - 0.2, "the log itself was worse"
    assert LEAST_SAMPLE <= found.sample < found.choices == 3000


def test_nothing_is_said_below_fifty_effective_choices():
    policy, model = soft(PopulationModel.with_weights(TRUTH, 3.0), 0.5), PopulationModel.with_weights(TRUTH, 3.0)
    assert estimate(log_of(49)[0], policy, model) is None
    assert estimate([], policy, model) is None
    assert estimate(log_of(400)[0], policy, model) is not None


def test_the_same_policy_earns_what_was_served():
    log, _ = log_of(500)
    fixed = {id(choice.features): choice.shares for choice in log}
    found = estimate(log, lambda features: fixed[id(features)], PopulationModel.with_weights([0, 0], 3.0))
    assert found is not None
    assert found.snips == pytest.approx(found.served)
    assert found.sample == pytest.approx(500)


def test_what_proposals_log_can_be_judged():
    rows = []
    for seed in range(80):
        proposal = propose(Request("chill"), Profile("a"), seed=seed)
        rows.append(({"choice": proposal.choice}, 3.0 + seed % 3))
    log = logged_choices([*rows, (None, 4.0), ({"brief": {}}, 5.0)])
    assert len(log) == 80
    assert all(choice.shares.sum() == pytest.approx(1) for choice in log)
    assert all(0 <= choice.taken < len(choice.shares) for choice in log)
