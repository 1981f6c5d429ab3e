"""What models that read texts share: types and places, batches by length, chat templates that refuse."""

from __future__ import annotations

import pytest
import torch

from rlft.errors import UserError
from rlft.models.texts import in_batches, placed, templated


def test_types_and_places():
    assert placed("bfloat16", "cpu") == (torch.bfloat16, "cpu")
    for name in ("int8", "float33"):
        with pytest.raises(UserError, match=f"dtype='{name}' is not one of float32"):
            placed(name, None)


def test_batches_are_of_like_length_and_in_order():
    rows, seen = [[1], [2, 2, 2, 2], [3, 3], [4, 4, 4]], []

    def once(some):
        seen.append([len(row) for row in some])
        return torch.tensor([[float(row[0])] for row in some])

    assert in_batches(rows, 2, once, torch.zeros(4, 1)).flatten().tolist() == [1, 2, 3, 4]
    assert seen == [[1, 2], [3, 4]]


def test_a_template_that_refuses_is_named():
    class Refusing:
        def apply_chat_template(self, messages, tokenize, **more):
            raise ValueError("no system role")

    with pytest.raises(UserError, match="it takes none: no system role"):
        templated(Refusing(), [], "it takes none")
