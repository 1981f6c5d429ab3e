"""A language policy that speaks several turns, between which an environment answers: tools, a simulated user, a game.

Not an agent framework: one policy, one row, and whatever answers it. How an answer is written into the row is
`replies`, what a tool is `environments.tools`.
"""

from __future__ import annotations

import copy
import sys
from collections.abc import Iterable, Sequence
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from rlft.environments.dialogue import Checking, Dialogue, Opening
from rlft.policies.conversation.replies import reply
from rlft.policies.conversation.turns import Spoken, Talk, Window, columns
from rlft.policies.language.policy import Language
from rlft.policies.language.text import Codec, called, padded
from rlft.policies.language.tokens.sampling import pack
from rlft.policies.language.tokens.scoring import context_of
from rlft.policies.language.tokens.segments import segments
from rlft.policies.perception.media import Encoded
from rlft.types import Message, Policy, Problem, Rollouts, Transcript, UserError


class Conversation(nn.Module):
    """A language policy in conversation: it writes a turn, the dialogue answers, it goes on, until nobody answers.

    language    draws every turn, at most `max_new_tokens` long; critic, adapters, stop strings, sampling are its own
    dialogue    what answers it, `environments.tools.Tools` for instance
    turns       the policy's turns in a row at most
    max_tokens  tokens of a row at most, answers included; None is what there is room for
    window      the working context: `turns.Window`, in which a summary may stand for what was said

    A row is the whole conversation: `completion` holds the policy's tokens, the very ones that were drawn, and between
    them the answers', which are off the mask. The column `turn` [N D] counts the policy's turns from 0, `unfinished`
    [N] are rows that their limits ended, and not a turn that was cut off. The trace is that of `Language`, so a row is
    scored in one forward pass. Outputs are `Transcript`s. An answer goes into the row only if another turn of full
    length has room behind it. A row that ends there, with a turn that reached `max_new_tokens`, or unanswered after
    `turns` turns, is truncated.

    With `Window(tokens, summaries)` a row goes on where the window is full: the last turn is taken back with its
    answer, the policy is asked for a summary, and what follows is read behind prompt and summary. So a row has several
    segments, each in a context of its own, in which its decisions are scored, and nothing that is read or written is
    longer than `tokens`. A turn that was taken back is no decision of the row, and who answers never hears of it, nor
    of summaries. A summary is as long as a turn at most, one that is cut off stands as it is; it counts in the column
    `turn`, not in `turns`, and the column `summary` [N D] marks it. A row is truncated where the first turn of a
    segment and its answer have no room.

    Chat messages are prompted with the dialogue's schemas, and answers are written by the chat template. A prompt that
    is plain text stands as it is, and the dialogue's stop strings end its turns; see `replies`.

    The noise of the first turn is that of (seed, problem, number in the group), that of later ones the same under
    another name of the task, so a row does not depend on its neighbours. Where the dialogue answers nothing it is
    `Language`, draw for draw. Every turn reads its row from the beginning.
    """

    def __init__(
        self,
        language: Language,
        dialogue: Dialogue,
        turns: int = 8,
        max_tokens: int | None = None,
        window: Window | None = None,
    ):
        super().__init__()
        if turns < 1:
            raise UserError(f"a conversation has at least one turn; got turns={turns}")
        if max_tokens is not None and max_tokens < language.sampling.max_new_tokens:
            raise UserError(
                f"a turn of {language.sampling.max_new_tokens} tokens does not fit in a row of max_tokens={max_tokens}"
            )
        self.language, self.dialogue, self.turns, self.max_tokens = language, dialogue, turns, max_tokens
        self.window = window or Window()
        if self.window.summaries:
            # What is seen has its places in the prompt, and a summary takes the prompt's place.
            language.front.alone_with("a window with summaries")

    def check(self, problems: Iterable[Problem]) -> None:
        """UserError for the first problem that could not be sampled, answered, or whose template could not write that.

        Where the dialogue words the prompts one problem is looked at: each costs a conversation.
        """
        for problem in self._put([*islice(problems, 1)]) if isinstance(self.dialogue, Opening) else problems:
            if isinstance(self.dialogue, Checking):
                self.dialogue.check(problem)
            self._speaker(problem).check([problem])
            codec, summed = self._codec(problem), self.window.summaries > 0
            self._check_window(problem, codec.encode(problem))
            if self.dialogue.schemas or summed:
                reply(codec, problem, [Message("tool", "?"), *[self.window.asking] * summed], "")

    def check_lessons(self, problems: Iterable[Problem]) -> None:
        """UserError for the first problem whose lesson could not be imitated."""
        for problem in problems:
            self._taught(problem)

    @torch.no_grad()
    def sample(self, problems: Sequence[Problem], group: int, seed: int) -> Rollouts:
        """`group` conversations about each problem. Rows that are in the same turn are drawn together."""
        problems = self._put(problems)
        rows = [Talk(problem, []) for problem in problems for _ in range(group)]
        spoken = self._opened(rows, problems, group, seed)
        going, turn = self._answered(rows, list(range(len(rows)))), 1
        while going:
            spoken += self._spoken(rows, going, group, seed, turn)
            going, turn = self._answered(rows, going), turn + 1
        return self._rollouts(rows, group, spoken)

    def log_prob(self, rollouts: Rollouts) -> Float[Tensor, "N D"]:
        """log p(token | everything before it), answers included, of the policy's own tokens; 0 off the mask."""
        return self.language.log_prob(rollouts)

    def value(self, rollouts: Rollouts) -> Float[Tensor, "N D"]:
        """The expected reward from each decision on, seen before it; 0 off the mask. Needs `critic=True`."""
        return self.language.value(rollouts)

    def value_parameters(self) -> Iterable[nn.Parameter]:
        """The value head's parameters; none without `critic=True`."""
        return self.language.value_parameters()

    def loss_on(self, rollouts: Rollouts) -> Float[Tensor, "N D"]:
        """-log softmax(logits)[token] of the policy's own tokens; 0 off the mask."""
        return self.language.loss_on(rollouts)

    def reference(self) -> Policy:
        """The language policy as it is now, without gradient: a row is scored as any other."""
        return self.language.reference()

    def save(self, folder: str | Path) -> None:
        """Write the language model's folder; what answers it is not part of it."""
        self.language.save(folder)

    def illustrate(self, problem: Problem) -> dict[str, Any]:
        """See `types.Illustrating`."""
        return self.language.illustrate(problem)

    def show(self, output: Transcript) -> dict[str, Any]:
        """Every message with who said it, the length of what the policy said, and whether a limit ended it."""
        messages = [
            {"role": m.role, "text": m.content, "own": m.own, **({"failed": True} if m.failed else {})}
            for m in output.messages
        ]
        count = len(output.tokens)
        return {"kind": "conversation", "messages": messages, "truncated": output.truncated, "tokens": count}

    @torch.no_grad()
    def demonstrate(self, problems: Sequence[Problem], seed: int) -> Rollouts:
        """One row for each problem that is its answer; `seed` is not used.

        An answer is a text, the policy's only turn, or a list of messages {"role": …, "content": …} that begins with
        the assistant's; its messages are the decisions, the others stand between them as answers do. A turn ends
        with an end-of-sequence token, in plain text also where the dialogue's stop string does. A message whose role
        is `summary` is asked for and followed as a summary is, wherever it stands.
        """
        made = self.lessons(problems)
        return replace(made, logp_old=self.log_prob(made))

    def lessons(self, problems: Sequence[Problem]) -> Rollouts:
        """The same rows without saying how likely they were, which imitation has no use for."""
        rows = [self._taught(problem) for problem in self._put(problems)]
        made = self._rollouts(rows, 1, [])
        mask = self._decided(rows, made.mask.shape[1])
        trace = dict(made.trace)
        if self.language.sampling.truncates:
            everything = pack(mask.new_ones(self.language.causal.get_output_embeddings().weight.shape[0]))
            trace["support"] = everything * mask[..., None]
        return replace(made, mask=mask, trace=trace)

    def _codec(self, problem: Problem) -> Codec:
        """Told of the tools, and stopped by their tags where there is no template."""
        codec = self.language.codec
        stop = (*codec.stop, *self.dialogue.stop) if codec.plain(problem) else codec.stop
        return Codec(codec.front, replace(codec.prompting, stop=stop), self.dialogue.schemas)

    def _put(self, problems: Sequence[Problem]) -> Sequence[Problem]:
        """The problems as the policy is asked them."""
        return self.dialogue.opened(problems) if isinstance(self.dialogue, Opening) else problems

    def _by_kind(self, problems: Sequence[Problem]) -> list[list[int]]:
        """Which problems are plain text and which chat messages: their turns end differently."""
        kinds: dict[bool, list[int]] = {}
        for i, problem in enumerate(problems):
            kinds.setdefault(self.language.codec.plain(problem), []).append(i)
        return list(kinds.values())

    def _speaker(self, problem: Problem) -> Language:
        """The same weights, not a copy, as they speak in the conversation about this problem."""
        view = copy.copy(self.language)
        view.codec = self._codec(problem)
        return view

    def _opened(self, rows: list[Talk], problems: Sequence[Problem], group: int, seed: int) -> list[Spoken]:
        """The first turn of all rows: a prompt is read once for its group."""
        spoken = []
        for some in self._by_kind(problems):
            asked = [problems[i] for i in some]
            drawn = self._speaker(asked[0]).sample(asked, group, seed)
            places = [i * group + sample for i in some for sample in range(group)]
            prompts = zip(drawn.trace["prompt"].tolist(), drawn.trace["prompt_length"].tolist(), strict=True)
            for place, (prompt, length) in zip(places, prompts, strict=True):
                rows[place].prompt = prompt[:length]
            for place in places[::group]:
                self._check_window(rows[place].problem, rows[place].prompt)
            spoken.append(self._heard(rows, places, drawn))
        return spoken

    def _spoken(self, rows: list[Talk], going: list[int], group: int, seed: int, turn: int) -> list[Spoken]:
        """A later turn of the rows that go on."""
        spoken = []
        for kind in self._by_kind([rows[i].problem for i in going]):
            some = [going[i] for i in kind]
            asked = [
                replace(
                    row.problem,
                    input=Encoded.of(row.read, row.problem),
                    task=f"{row.problem.task}/turn/{turn}/{i % group}",
                )
                for i, row in ((i, rows[i]) for i in some)
            ]
            drawn = self._speaker(rows[some[0]].problem).sample(asked, 1, seed)
            spoken.append(self._heard(rows, some, drawn))
        return spoken

    def _heard(self, rows: list[Talk], some: list[int], drawn: Rollouts) -> Spoken:
        """Add what was drawn to its rows."""
        starts, ends = [len(rows[i].tokens) for i in some], set(self.language.ends.tolist())
        for i, text in zip(some, drawn.outputs, strict=True):
            words = [token for token in text.tokens if token not in ends]
            role = "summary" if rows[i].summing else "assistant"
            rows[i].add(text.tokens, [Message(role, self.language.codec.decoded(words, False))])
            rows[i].own += text.tokens
            rows[i].said, rows[i].truncated = text, text.truncated
        return Spoken(some, starts, drawn)

    def _answered(self, rows: list[Talk], going: list[int]) -> list[int]:
        """The rows that were answered, or summed up, and go on; those without a turn or room left are cut off."""
        summed = [i for i in going if rows[i].summing]
        asked = [i for i in going if not rows[i].summing and not rows[i].truncated]
        answers = self.dialogue.respond([rows[i].problem for i in asked], [rows[i].heard for i in asked])
        on = []
        for i, messages in zip(asked, answers, strict=True):
            if messages and messages[-1].role == "result":
                rows[i].add([], messages)
            elif messages and self._heeded(rows[i], messages):
                on.append(i)
        for i in summed:
            self._fold(rows[i])
            rows[i].truncated = rows[i].unfinished = not self._fits(rows[i], 0)
        return sorted(on + [i for i in summed if not rows[i].truncated])

    def _heeded(self, row: Talk, messages: Sequence[Message]) -> bool:
        """Whether a row goes on after this answer: with it, or with a summary of what was before."""
        between = reply(self._codec(row.problem), row.problem, messages, self._ending(row))
        left = sum(message.role == "assistant" for message in row.messages) < self.turns
        if left and self._fits(row, max(len(between), len(self._asking(row, messages)))):
            row.add(between, messages)
            return True
        last = row.take_back() if left and row.summaries < self.window.summaries else []
        if not last:
            row.truncated = row.unfinished = True
            return False
        row.add(self._asking(row, last), [*last, self.window.asking])
        row.summing = True
        return True

    def _asking(self, row: Talk, answers: Sequence[Message]) -> list[int]:
        """The tokens of answers behind which a summary is asked for; none where no summary is left."""
        if row.summaries >= self.window.summaries:
            return []
        return reply(self._codec(row.problem), row.problem, [*answers, self.window.asking], self._ending(row))

    def _fold(self, row: Talk) -> None:
        after = self.window.after
        row.fold(reply(self._codec(row.problem), row.problem, [after], self._ending(row)), after)

    def _fits(self, row: Talk, count: int) -> bool:
        """Whether a turn of full length has room behind so many more tokens, in what is read and in the row."""
        more = count + self.language.sampling.max_new_tokens
        return len(row.read) + more <= self._room() and len(row.tokens) + more <= (self.max_tokens or sys.maxsize)

    def _check_window(self, problem: Problem, prompt: Sequence[int]) -> None:
        turn, room = self.language.sampling.max_new_tokens, self._room()
        after = self.window.summaries and len(reply(self._codec(problem), problem, [self.window.after], "")) + turn
        if len(prompt) + after + turn > room:
            summary = f", a summary and what follows it, {after}," if after else ""
            raise UserError(
                f"{called(problem)}: its prompt of {len(prompt)} tokens{summary} and a turn of {turn} do not fit in a "
                f"window of {room}; widen it or lower max_new_tokens"
            )

    def _ending(self, row: Talk) -> str:
        """The text of the token that ended a row, if it was one that does; only a chat template writes it too."""
        if self.language.codec.plain(row.problem):
            return ""
        ended = row.tokens[-1] in self.language.ends.tolist()
        return self.language.codec.decoded(row.tokens[-1:], False) if ended else ""

    def _room(self) -> int:
        """Tokens that are read and written at once, at most."""
        context = context_of(self.language.causal.config)
        return min(context or sys.maxsize, self.window.tokens or sys.maxsize)

    def _taught(self, problem: Problem) -> Talk:
        """The row whose turns are those of the problem's lesson."""
        row, answers = Talk(problem, self._codec(problem).encode(problem)), list[Message]()
        for message in _answer(row.problem):
            if not message.own:
                answers.append(message)
                continue
            if message.role == "summary":
                if not self.window.summaries:
                    raise UserError(f"{called(row.problem)}: its answer has a summary, and the window none")
                answers.append(self.window.asking)
            if answers:
                row.add(reply(self._codec(row.problem), row.problem, answers, self._ending(row)), answers)
            self._say(row, message)
            self._check_length(row)
            if message.role == "summary":
                self._fold(row)
            answers = []
        return row

    def _check_length(self, row: Talk) -> None:
        begin = row.later[-1][0] if row.later else 0
        if len(row.read) > self._room() or len(row.tokens) > (self.max_tokens or sys.maxsize):
            raise UserError(
                f"{called(row.problem)}: its answer of {len(row.tokens) - begin} tokens does not fit behind its prompt"
            )

    def _say(self, row: Talk, message: Message) -> None:
        """Write a turn of the policy's into a row."""
        codec, text = self._codec(row.problem), message.content
        words = codec.tokens(row.problem, text, False)
        if not row.messages:
            words = codec.lesson(replace(row.problem, demonstration=text))
        said = words if text.endswith(codec.stop) else words + self.language.ends[:1].tolist()
        row.add(said, [message])
        row.own += said
        row.said = codec.text(said, False)

    def _decided(self, rows: list[Talk], width: int) -> Bool[Tensor, "N D"]:
        """The policy's own tokens."""
        decided = padded([row.decided for row in rows], self.language.device).bool()
        return nn.functional.pad(decided, (0, width - decided.shape[1]))

    def _rollouts(self, rows: list[Talk], group: int, spoken: Sequence[Spoken]) -> Rollouts:
        device = self.language.device
        completion = padded([row.tokens for row in rows], device)
        least = self.language.sampling.max_new_tokens if spoken else 0
        width = max(completion.shape[1], least)
        completion = nn.functional.pad(completion, (0, width - completion.shape[1]))
        turn = padded([row.turns for row in rows], device)
        filled = columns(spoken, self._decided(rows, width))
        trace = {"prompt": padded([row.prompt for row in rows], device)}
        trace["prompt_length"] = torch.tensor([len(row.prompt) for row in rows], device=device)
        later = segments([row.later for row in rows], device) if self.window.summaries else {}
        mask = filled.pop("mask", torch.zeros(completion.shape, dtype=torch.bool, device=device))
        logp = filled.pop("logp", torch.zeros(completion.shape, device=device))
        made = Rollouts(
            problems=tuple(row.problem for row in rows),
            group=group,
            outputs=[Transcript(row.said, row.own, row.truncated, row.messages) for row in rows],
            trace={**trace, "completion": completion, **filled, **later},
            mask=mask,
            logp_old=logp,
        )
        unfinished = torch.tensor([row.unfinished for row in rows], dtype=torch.bool, device=device)
        told = {"turn": turn, "summary": padded([row.summed for row in rows], device).bool()}
        told = {name: nn.functional.pad(column, (0, width - column.shape[1])) for name, column in told.items()}
        return made.fill(**told, unfinished=unfinished)


def _answer(problem: Problem) -> list[Message]:
    """The problem's answer as messages, of which the first is the assistant's."""
    answer = problem.lesson
    if answer is None:
        raise UserError(f"{called(problem)} has no answer to demonstrate")
    if not isinstance(answer, list):
        return [Message("assistant", str(answer))]
    if not all(isinstance(one, dict) and {"role", "content"} <= set(one) for one in answer):
        raise UserError(f'{called(problem)}: an answer\'s messages are {{"role": …, "content": …}}, not {answer!r:.60}')
    messages = [Message(one["role"], str(one["content"])) for one in answer]
    if not messages or messages[0].role != "assistant":
        raise UserError(f"{called(problem)}: its answer does not begin with what the assistant says: {answer!r:.60}")
    return messages
