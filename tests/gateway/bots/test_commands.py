"""The commands `bots …`, as they are typed."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from gateway.bots.files import EXAMPLE
from gateway.commands.console import WRONG_SETTING
from run import app
from tests.gateway.bots.folders import BOT, written


def told(*command: str) -> Result:
    return CliRunner().invoke(app, ["bots", *command])


def test_bots_without_faults_are_listed_with_their_versions() -> None:
    result = told("check", str(EXAMPLE))
    assert result.exit_code == 0
    assert result.output.startswith("linden  ")
    assert "book_appointment" in result.output


def test_every_fault_is_told_with_file_and_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    written(tmp_path / "bots", "linden", f'{BOT}[hours]\nmon = ["14:00-12:30"]\ntue = ["x"]')
    monkeypatch.chdir(tmp_path)
    result = told("check", "bots")
    assert result.exit_code == WRONG_SETTING
    first, second = result.stderr.splitlines()
    assert first.startswith("bots/linden/bot.toml:5: hours.mon: 12:30 is before 14:00; write ")
    assert second.startswith('bots/linden/bot.toml:6: hours.tue: "x" is no piece of a day')


def test_the_folder_of_the_settings_is_the_default(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    written(tmp_path, "mine")
    monkeypatch.setenv("TIELINE_BOTS", str(tmp_path))
    assert told("check").output.startswith("mine  ")
    monkeypatch.setenv("TIELINE_TIME_ZONE", "Nowhere")
    result = told("check")
    assert (result.exit_code, "TIELINE_TIME_ZONE" in result.stderr) == (WRONG_SETTING, True)


def test_what_an_author_should_know_is_noted(tmp_path: Path) -> None:
    written(tmp_path, "mine", f'{BOT}language = "de-DE"')
    result = told("check", str(tmp_path))
    assert result.exit_code == 0
    assert "note mine: it has no [hours]" in result.stderr
    assert "sentences" not in result.stderr
    assert "recordings" not in result.stderr


def test_what_is_missing_in_a_bots_language_is_noted(tmp_path: Path) -> None:
    written(tmp_path, "mine", f'task = []\n{BOT}language = "fr-FR"')
    told_of = " ".join(told("check", str(tmp_path)).stderr.split())
    assert "note mine: there are no sentences in French (fr-FR): the model is told to translate the English" in told_of
    assert "it has no recordings in French (fr-FR) of one_moment, say_again, call_again, still_there" in told_of
    written(tmp_path, "mine", f'task = []\n{BOT}language = "caller"\nlanguages = ["de-DE", "fr-FR"]')
    told_of = " ".join(told("check", str(tmp_path)).stderr.split())
    assert "it has no recordings in French (fr-FR) of" in told_of
    assert "German" not in told_of


def test_tasks_that_cannot_see_each_others_appointments_are_noted(tmp_path: Path) -> None:
    tasks = '[[task]]\nuse = "book_appointment"\nresource = "dental"\n[[task]]\nuse = "cancel_appointment"\n'
    written(tmp_path, "mine", f'{BOT}[hours]\nmon = ["09:00-17:00"]\n{tasks}')
    told_of = "see nothing of each other's: book_appointment dental, cancel_appointment practice"
    assert told_of in told("check", str(tmp_path)).stderr
    assert "note" not in told("check", str(EXAMPLE)).stderr


@pytest.mark.parametrize(
    ("language", "say", "noted"),
    [
        ("en-GB", "We will call you back.", True),
        ("en-GB", "Your callback is noted.", False),
        ("de-DE", "Notiert.", True),
        ("de-DE", "Ihr Rückruf ist notiert.", False),
    ],
)
def test_a_task_whose_end_could_be_claimed_unnoticed_is_noted(
    tmp_path: Path, language: str, say: str, noted: bool
) -> None:
    task = (
        '[task]\nname = "callback"\ndescription = "x"\n[slot.topic]\ntype = "text"\nask = "What about?"\n'
        f'[flow]\ncollect = ["topic"]\nconfirm = "{{topic}}. Is that right?"\ndone = {{ say = "{say}" }}\n'
    )
    toml = f'{BOT}language = "{language}"\n[[task]]\nfile = "./tasks/callback.toml"\n'
    written(tmp_path, "mine", toml, tasks__callback_dot_toml=task)
    result = told("check", str(tmp_path))
    assert result.exit_code == 0, result.stderr
    assert ("would not be corrected for callback" in result.stderr) is noted


def test_schemas_are_printed_as_they_are() -> None:
    assert told("schema").stdout == (EXAMPLE / "bot.schema.json").read_text()
    assert told("schema", "--routes").stdout == (EXAMPLE / "routes.schema.json").read_text()
    assert told("schema", "--task").stdout == (EXAMPLE / "task.schema.json").read_text()


def test_a_bot_is_made_shown_and_compared(tmp_path: Path) -> None:
    root = ("--in", str(tmp_path))
    assert told("new", "dental", *root).exit_code == 0
    assert told("new", "dental", *root).exit_code == WRONG_SETTING
    shown = told("show", "dental", *root)
    assert "greeting = Hello, this is Dental. How can I help you?" in shown.stdout
    different = told("diff", str(EXAMPLE / "linden"), "dental", *root)
    assert "  + Hello, this is Dental. How can I help you?" in different.stdout
    assert told("diff", "dental", "dental", *root).stdout == ""


def test_a_bot_that_is_not_there_or_wrong_is_told(tmp_path: Path) -> None:
    written(tmp_path, "bad", "[bot]")
    unknown = told("show", "linden", "--in", str(tmp_path))
    assert (unknown.exit_code, "unknown bot linden: there is bad" in unknown.stderr) == (WRONG_SETTING, True)
    wrong = told("show", "bad", "--in", str(tmp_path))
    assert (wrong.exit_code, "bad/bot.toml:1: bot.greeting: is missing" in wrong.stderr) == (WRONG_SETTING, True)
