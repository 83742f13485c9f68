"""By which a run knows its data again."""

from __future__ import annotations

import hashlib
import json

from fogcatcher.data.conditions.conditions import ConditionSpec
from fogcatcher.data.reading import Dataset
from fogcatcher.data.splitting import Split


def fingerprint(dataset: Dataset, conditions: ConditionSpec, parts: Split) -> str:
    """A hash of all that training sees."""
    digest = hashlib.sha256(f"{dataset.digest} {conditions.to_json()}".encode())
    for a in conditions.attributes:
        digest.update(json.dumps(dataset.columns.get(a.name)).encode())
    digest.update(parts.train.numpy().tobytes())
    return digest.hexdigest()[:16]
