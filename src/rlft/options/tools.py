"""`--tools`, `--agent`, `--record` and `--generator` of the command line: a language policy that may call functions of
the user's files, that a program of the user's speaks to as to a served model, that asks for what the problem's record
says, or that prompts another model.

    --tools tools.py:add            --tools tools.py:add,search other.py:look_up
    --tools tools.py:search --turns 40 --window 4096 --summaries 8
    --agent agent.py:solve --reward result
    --agent "openenv('http://127.0.0.1:8000')" --reward result
    --agent "verifiers('wordle')" --data verifiers:wordle --reward result
    --agent "navigate(side=0.25, door=4)" --reward result
    --record findings --turns 5 --reward label evidence
    --generator owner/coder --turns 4 --reward dafny

The functions are named as rewards are. `policies.conversation.policy` holds conversations, `environments.tools` calls,
`environments.agents` runs agents, `environments.records` reads records, `environments.generated` asks a generator.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from rlft.environments.agents import Agents
from rlft.environments.dialogue import Dialogue
from rlft.environments.generated import Generated, advised
from rlft.environments.navigate import navigate
from rlft.environments.openenv import openenv
from rlft.environments.records import Records
from rlft.environments.tools import Tools
from rlft.environments.verified import verifiers
from rlft.options.calls import Call, called, function_in, parse_call
from rlft.policies.conversation.policy import Conversation, Window
from rlft.policies.language.folder import Loading
from rlft.policies.language.policy import Language
from rlft.policies.language.tokens.sampling import Sampling
from rlft.rewards.attempts import LastAttempt, by_reward
from rlft.runs.folder import model_folder
from rlft.types import Reward, UserError

# What may speak to the policy besides a program of the user's.
ENVIRONMENTS = {"navigate": navigate, "openenv": openenv, "verifiers": verifiers}
_FORGOTTEN = ("generator", "generator_asked", "generator_tokens", "enough")


@dataclass(frozen=True)
class ToolUse:
    """Functions that a language model may call, an agent that asks it, a record that it asks, or a generator that it
    prompts, and how long that may go on.

    Args:
        tools: functions that the model may call, file.py:function or file.py:one,another; see the guide.
        agent: a program that asks the model over the OpenAI protocol, file.py:function, an environment that is
            served as OpenEnv serves it, openenv('URL'), one of the package verifiers, verifiers('NAME'), or a search on
            maps, navigate(); see the guide.
        record: a column of the data, {"name": value, …}, of which the model is told what it asks for by
            <ask>name</ask>, a name a turn.
        turns: with any of these or a generator, turns of the model at most, each of max_new_tokens.
        tool_seconds: with tools, how long one call may take.
        agent_seconds: with an agent, how long it may take between two requests.
        window: with any of them, tokens that are read and written at once, at most; by default what the model has room
            for.
        summaries: with any of them, how often a conversation that fills the window may go on from the model's own
            summary.
        generator: a model that is not trained, given as `model` is, for which the trained one writes prompts: what it
            answers is what the reward judges, and what is wrong with it the trained model's next turn hears.
        generator_asked: what a generator is asked: {prompt} is the question, {advice} what the trained model wrote.
        generator_tokens: tokens of a generator's answer at most.
        enough: the reward with which nothing is wrong and no other turn follows; the last answer's is what is earned.
    """

    tools: tuple[str, ...] = ()
    agent: str = ""
    record: str = ""
    turns: int = 8
    tool_seconds: float = 10.0
    agent_seconds: float = 600.0
    window: int | None = None
    summaries: int = 0
    generator: str | None = None
    generator_asked: str = "{prompt}\n\n{advice}"
    generator_tokens: int = 512
    enough: float = 1.0

    def answering(self, policy: Language, reward: Reward, loading: Loading) -> tuple[Language | Conversation, Reward]:
        """The policy with its tools or its generator, and what it earns: with a generator, what that one's last answer
        does. The generator is prompted as the policy is, but for a system prompt and strings that end a turn, and its
        folder is not remembered. What is too long for it is cut on its left. A turn that
        reaches its limit is the last."""
        if self.generator is None:
            return self.given_to(policy), reward
        if self.speaking_to:
            raise UserError(
                "a model calls --tools, answers an --agent, asks a --record or prompts a --generator; give one of them"
            )
        sampling = Sampling(max_new_tokens=self.generator_tokens)
        prompting = replace(policy.codec.prompting, system=None, stop=(), overlong="cut")
        drawn = Language.load(model_folder(self.generator), sampling, prompting, loading)
        judge, asks = by_reward(reward, self.enough), advised(self.generator_asked)
        heard = Generated(drawn, judge, asks, enough=self.enough)
        return self._conversing(policy, heard), LastAttempt(heard)

    def given_to(self, policy: Language) -> Language | Conversation:
        """The policy with these tools or this agent, in a window of so many tokens, or itself if there are none."""
        if self.generator is not None:
            raise UserError("--generator needs a reward that judges what it writes: it is for rlft train and rlft eval")
        if not self.speaking_to:
            if self.window or self.summaries:
                raise UserError("--window and --summaries are for conversations: give --tools, --agent or --record")
            return policy
        if len(self.speaking_to) > 1:
            raise UserError(
                "--tools are called by us, an agent calls its own, a record is asked; give one of --tools, --agent and "
                f"--record, not {' and '.join(self.speaking_to)}"
            )
        told = {name: value for name, value in vars(self).items() if name not in _FORGOTTEN}
        policy.used_with |= {
            **told,
            "tools": tuple(map(_whole, self.tools)),
            "agent": self.agent and (self.agent if _environment(self.agent) else _whole(self.agent)),
        }
        return self._conversing(policy, self._answering())

    @property
    def speaking_to(self) -> list[str]:
        """The options, of those that one conversation has one of, that were given; a generator is none."""
        return [f"--{name}" for name in ("tools", "agent", "record") if getattr(self, name)]

    def _conversing(self, policy: Language, dialogue: Dialogue) -> Conversation:
        return Conversation(policy, dialogue, self.turns, window=Window(self.window, self.summaries))

    def _answering(self) -> Dialogue:
        if self.record:
            return Records(self.record)
        if not self.agent:
            return Tools([f for words in self.tools for f in _functions(words)], seconds=self.tool_seconds)
        if call := _environment(self.agent):
            return Agents(called(ENVIRONMENTS[call.name], call), seconds=self.agent_seconds)
        found = _functions(self.agent, "--agent")
        if len(found) > 1:
            raise UserError(f"--agent {self.agent!r} names {len(found)} functions; a row has one agent")
        return Agents(found[0], seconds=self.agent_seconds)


def _environment(words: str) -> Call | None:
    """`--agent` as a call, where it names an environment of `ENVIRONMENTS`."""
    name = words.partition("(")[0].strip()
    return parse_call(words) if name in ENVIRONMENTS else None


def _whole(words: str) -> str:
    """The same words with the file's whole path, for whoever is elsewhere."""
    path, _, names = words.strip().rpartition(":")
    return f"{Path(path).expanduser().resolve()}:{names}"


def _functions(words: str, option: str = "--tools") -> list[Callable[..., Any]]:
    path, _, names = words.strip().rpartition(":")
    if not path.endswith(".py") or not names:
        raise UserError(f"{option} {words!r} is not file.py:function, or file.py:one,another")
    return [function_in(Path(path).expanduser(), name.strip()) for name in names.split(",")]
