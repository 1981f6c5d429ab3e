"""Prompts as the model was asked: what it remembers stands before them."""

from rlft.report import read
from rlft.report.page import about
from rlft.report.samples import gallery
from tests.report import run_folders

ROW = {"kind": "text", "text": "x", "reward": 0.0}


def asked(path, prompt, **told):
    info = run_folders.information("grpo", 1)
    info["arguments"] |= told
    run_folders.folder(path, info=info, samples=[{"step": 1, "problem": {"input": prompt}, "rows": [ROW]}])
    run = read(path)
    found = gallery(run)
    assert found is not None
    return found.pairs[0][1].prompt, dict(about(run))


def test_a_system_prompt_chat_and_tools(tmp_path):
    told = {"system": "be brief", "chat": True, "tools": ["/home/me/t.py:add"], "stop": []}
    prompt, shown = asked(tmp_path / "a", "hi", **told)
    assert prompt == (("tools", "t.py:add"), ("system", "be brief"), ("user", "hi"))
    assert (shown["System"], shown["Tools"], shown["Chat"]) == ("be brief", '["/home/me/t.py:add"]', "true")
    assert "Stop" not in shown


def test_prompts_that_say_it_themselves_and_plain_text(tmp_path):
    own = [{"role": "system", "content": "mine"}, {"role": "user", "content": "hi"}]
    assert asked(tmp_path / "a", own, system="be brief")[0] == (("system", "mine"), ("user", "hi"))
    assert asked(tmp_path / "b", own[1:], system="be brief")[0] == (("system", "be brief"), ("user", "hi"))
    assert asked(tmp_path / "c", "hi", system="be brief", chat=False)[0] == (("", "hi"),)  # no message has a system
    assert asked(tmp_path / "d", 3, system="be brief", chat=True)[0] == (("input", "3"),)
