"""What is left out of an evaluation, and the row that says what is wrong with a prompt."""

import json

import pytest

from rlft.models.small_language import character_tokenizer, small_llama
from rlft.options.fitting import fitting
from rlft.policies.language.policy import Language
from rlft.tasks.files import Files
from rlft.tool.main import main
from rlft.types import UserError


def speaker(**told):
    tokenizer = character_tokenizer("ab")
    model = small_llama(len(tokenizer), width=16, layers=1, heads=2, context=12)
    return Language(model, tokenizer, max_new_tokens=4, **told)


def rows(*lengths):
    return [{"prompt": "a" * length, "answer": "b"} for length in lengths]


def test_exactly_what_does_not_fit_is_left_out(capsys):
    model = speaker(overlong="drop")
    most = max(
        n for n in range(1, 12) if len(model.codec.encode(Files(rows(n)).at(0))) <= 8
    )  # of 12 places 4 are its own
    kept = fitting(Files(rows(most, most + 1, 2)), model)
    assert [len(kept.at(i).input) for i in range(kept.size)] == [most, 2]
    assert capsys.readouterr().err == "rlft: 1 of 3 problems of rows do not fit\n"
    whole = Files(rows(1, 2))
    assert fitting(whole, model) is whole and fitting(Files(rows(99)), speaker()).size == 1
    with pytest.raises(UserError, match="no problem of rows fits"):
        fitting(Files(rows(99)), model)


def test_eval_takes_the_option(tmp_path, capsys):
    speaker().save(tmp_path / "model")
    (tmp_path / "data.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows(2, 50, 3)))
    words = ["eval", "--model", tmp_path / "model", "--data", tmp_path / "data.jsonl", "--reward", "similarity"]
    words = [*map(str, words), "--device", "cpu", "--json"]
    for more, code in (([], 2), (["--overlong", "drop"], 0), (["--overlong", "cut"], 0)):
        with pytest.raises(SystemExit) as stopped:
            main([*words, *more])
        said = capsys.readouterr()
        assert stopped.value.code == code
        assert code or json.loads(said.out)["problems"] == (2 if more[1] == "drop" else 3)


def test_numbers_as_prompts_are_said():
    with pytest.raises(UserError, match=r'row 2: the prompt \(column \'prompt\'\) is the number 7; .* as text, "7"'):
        Files([{"prompt": "6"}, {"prompt": 7}])
