"""Who is let in: one of the tokens, however its header is written, and nobody else."""

from __future__ import annotations

import pytest

from gateway.credentials import MOST_FORMER, BearerCheck, TokenRefused, TokenReload
from tests.counted import counted

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


# --- tokens that are exchanged ---

NEXT = "the-token-after-these"


class File:
    """The tokens of a file as they are read, or what is wrong with it; what is hidden from the log."""

    def __init__(self, *tokens: str) -> None:
        self.holds: tuple[str, ...] | ValueError = tokens
        self.hidden: list[str] = []
        self.check = BearerCheck(tokens)
        self.look = TokenReload(self.read, self.check, tokens, self.hidden.extend)

    def read(self) -> tuple[str, ...]:
        if isinstance(self.holds, ValueError):
            raise self.holds
        return self.holds


def reloads(result: str) -> float:
    return counted("tieline_token_reloads_total", result=result)


def test_tokens_are_exchanged_and_a_call_of_a_former_one_is_resumed_with_the_new() -> None:
    file, before = File(OLD), reloads("ok")
    for holds, let_in in (((NEXT, OLD), (NEXT, OLD)), ((NEXT,), (NEXT,))):
        file.holds = holds
        file.look()
        for token in let_in:
            assert file.check(f"Bearer {token}")[0] == f"Bearer {NEXT}"
        for token in {OLD, NEXT, NEW} - set(let_in):
            with pytest.raises(TokenRefused):
                file.check(f"Bearer {token}")
    assert file.check(f"Bearer {NEXT}") == (f"Bearer {NEXT}", f"Bearer {OLD}")
    file.look()
    assert reloads("ok") - before == 2
    assert set(file.hidden) == {NEXT, OLD}


def test_what_cannot_be_used_keeps_the_former_tokens_and_is_reported_once(log_lines: list[str]) -> None:
    file, before = File(OLD), reloads("failed")
    for holds in ("is empty", "is empty", "cannot be read", "", "cannot be read"):
        file.holds = ValueError(holds) if holds else (OLD,)
        file.look()
        assert file.check(f"Bearer {OLD}") == (f"Bearer {OLD}",)
    assert [line.startswith("ERROR the changed tokens cannot be used") for line in log_lines] == [True] * 3
    assert reloads("failed") - before == 3


def test_the_former_tokens_that_are_remembered_are_limited() -> None:
    check = BearerCheck([OLD])
    for number in range(100):
        check.replace([f"token-{number:016}"])
    told = check("Bearer token-0000000000000099")
    assert told[:2] == ("Bearer token-0000000000000099", "Bearer token-0000000000000098")
    assert len(told) == 1 + MOST_FORMER
