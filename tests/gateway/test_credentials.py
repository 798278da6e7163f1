"""Who is let in: one of the tokens, however its header is written, and nobody else."""

from __future__ import annotations

import pytest

from gateway.credentials import BearerCheck, TokenRefused

OLD, NEW = "s3cret-token-of-ours", "another-s3cret-token"
BOTH = (f"Bearer {NEW}", f"Bearer {OLD}")


@pytest.mark.parametrize("header", [f"Bearer {OLD}", f"bearer {NEW}", f"BEARER   {OLD}\t"])
def test_any_of_the_tokens_stands_for_all_of_them(header: str) -> None:
    assert BearerCheck([NEW, OLD])(header) == BOTH


@pytest.mark.parametrize(
    "header", ["", "Bearer", "Bearer ", OLD, f"Basic {OLD}", f"Bearer {OLD},{NEW}", f"Bearer {OLD}x", "Bearer \udcff"]
)
def test_a_header_without_a_known_token_is_refused(header: str) -> None:
    with pytest.raises(TokenRefused) as refused:
        BearerCheck([NEW, OLD])(header)
    assert OLD not in refused.value.reason


@pytest.mark.parametrize(
    ("header", "reason"),
    [
        ("", "no token"),
        (f"Basic {OLD}", "no bearer token"),
        (f"Bearer {OLD}x", "a wrong token"),
        ("Bearer", "a wrong token"),
    ],
)
def test_the_log_says_why(header: str, reason: str) -> None:
    with pytest.raises(TokenRefused) as refused:
        BearerCheck([NEW, OLD])(header)
    assert refused.value.reason == reason


def test_without_a_token_every_header_stands_for_itself() -> None:
    assert BearerCheck([])("Bearer x") == ("Bearer x",)
    assert BearerCheck([])("") == ("",)
