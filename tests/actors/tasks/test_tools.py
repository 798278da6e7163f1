"""The functions of all open tasks, each name once; and calls that say which of two runs they mean."""

from __future__ import annotations

from actors.tasks.tools import amended, merged, which_language, which_run, with_language
from fsm.spec import ToolSpec


def tool(name: str, *required: str) -> ToolSpec:
    properties = {each: {"type": "string"} for each in required}
    schema: dict[str, object] = {"type": "object", "properties": properties, "additionalProperties": False}
    return ToolSpec(name, "Does it.", {**schema, "required": list(required)} if required else schema)


def test_functions_of_one_run_are_left_as_they_are() -> None:
    tools = (tool("book_provide"), tool("book_confirm", "yes"))
    assert merged(("t1", each) for each in tools) == tools


def test_two_runs_of_one_task_share_their_functions_and_are_told_apart_by_a_parameter() -> None:
    both = merged([("t1", tool("book_provide")), ("t1", tool("book_cancel")), ("t2", tool("book_confirm", "yes")),
                   ("t2", tool("book_provide"))])  # fmt: skip
    assert [each.name for each in both] == ["book_provide", "book_cancel", "book_confirm"]
    provide = both[0].parameters
    assert provide["properties"]["task"]["enum"] == ["t1", "t2"]  # type: ignore[index]
    assert provide["required"] == ["task"]
    assert "task" not in both[1].parameters["properties"]  # type: ignore[operator]


def test_a_call_that_names_its_run_is_read_without_that() -> None:
    assert which_run('{"task": "t2", "yes": true}') == ("t2", '{"yes": true}')


def test_arguments_without_a_run_are_passed_on_unchanged() -> None:
    for arguments in ('{"yes": true}', "{", "[]", "", '{"task": 3}', "[" * 3000 + "]" * 3000):
        assert which_run(arguments) == (None, arguments)


def test_fields_of_an_output_can_be_replaced_or_added() -> None:
    assert amended('{"say": "Done."}', next="At what time?") == '{"say": "Done.", "next": "At what time?"}'


def test_an_opening_function_asks_for_the_language_if_there_are_several() -> None:
    asked = with_language(tool("book", "day"), ("de-DE", "en-GB")).parameters
    assert list(asked["properties"]) == ["day", "language"]  # type: ignore[call-overload]
    assert asked["properties"]["language"]["enum"] == ["de-DE", "en-GB"]  # type: ignore[index]
    assert asked["required"] == ["day"]
    for same in (with_language(tool("book", "day"), ()), with_language(tool("learn", "language"), ("de-DE", "en-GB"))):
        assert "enum" not in str(same.parameters)


def test_the_language_is_taken_out_of_the_arguments() -> None:
    assert which_language('{"language": "de-DE", "day": "x"}') == ("de-DE", '{"day": "x"}')
    assert which_language('{"day": "x"}') == ("", '{"day": "x"}')
    assert which_language("[") == ("", "[")
