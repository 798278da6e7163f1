"""The names of the profiles of servers, apart from the profiles."""

from __future__ import annotations

from typing import get_args

from protocols.realtime.profile_names import ProfileName
from protocols.realtime.profiles import PROFILES


def test_each_profile_can_be_named() -> None:
    assert get_args(ProfileName) == tuple(PROFILES)
