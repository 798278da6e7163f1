"""What changes a frame leaves alone what later frames are made of."""

from __future__ import annotations

import json

from tests.fuzz.mutator import JsonMutator


def test_a_frame_depends_on_nothing_that_was_made_before_it() -> None:
    seeds = [json.dumps({"type": "x", "of": [[], {}, [None]]}).encode()]
    mutator = JsonMutator(seeds, ["word"])
    first = [mutator(seeds[0], 4096, number) for number in range(2000)]
    assert len(set(first)) > 500
    assert [mutator(seeds[0], 4096, number) for number in range(2000)] == first
