"""`rlft make-data`: problems that models write, validate and work out, as a folder of training data."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import tyro

from rlft.options.calls import called, parse_call
from rlft.options.counts import at_least
from rlft.policies.language.folder import Loading
from rlft.policies.language.policy import Language
from rlft.policies.language.text import Prompting
from rlft.policies.language.tokens.sampling import Sampling
from rlft.rewards.judging.replies import Replies
from rlft.rewards.judging.server import Server
from rlft.rewards.mathematics import compared
from rlft.runs.folder import model_folder
from rlft.synthesis import make
from rlft.synthesis.folder import REPLIES, begin, write
from rlft.synthesis.make import Asked, Data
from rlft.synthesis.near import Unseen
from rlft.synthesis.taxonomy import read
from rlft.synthesis.writers import Drawn, Says, Served
from rlft.tasks.files import Files
from rlft.tool.show import show
from rlft.types import UserError


@dataclass(frozen=True)
class Amount:
    """How much is made.

    Args:
        topics: new ones that the writer names below each of the taxonomy's leaves; 0 takes the leaves.
        problems: written for each topic.
        tries: workings of each problem, of which the first right one is kept.
        most: problems that a topic may have in the end; by default all.
        batch: prompts that a model of this machine answers at once; memory, not results.
    """

    topics: int = 0
    problems: int = 4
    tries: int = 4
    most: int | None = None
    batch: int = 32

    def __post_init__(self) -> None:
        at_least(self, topics=0, problems=1, tries=1, batch=1, most=1)


@dataclass(frozen=True)
class Prompts:
    """Files with prompts of your own.

    Args:
        expand_prompt: for new topics, with {topic} and {count}.
        write_prompt: for a problem, with {topic}, {number} and {count}.
        check_prompt: for a verdict, with {problem} and {answer}. Replies end with {"valid": …, "correct": …}.
        instruct: what stands behind a problem that is worked out.
    """

    expand_prompt: Path | None = None
    write_prompt: Path | None = None
    check_prompt: Path | None = None
    instruct: str = "\n\nReason step by step, and put the answer in \\boxed{}."

    def asked(self) -> Asked:
        """The prompts themselves."""
        own = {"expand": self.expand_prompt, "write": self.write_prompt, "check": self.check_prompt}
        try:
            return Asked(**{name: file.read_text(encoding="utf-8") for name, file in own.items() if file is not None})
        except (OSError, ValueError) as error:
            raise UserError(f"a prompt cannot be read: {error}") from None


def make_data(
    taxonomy: str,
    writer: str,
    out: Path,
    check: tyro.conf.UseAppendAction[tuple[str, ...]] = (),
    solver: str | None = None,
    unseen: tyro.conf.UseAppendAction[tuple[str, ...]] = (),
    unseen_field: str = "prompt",
    amount: Amount = Amount(),
    prompts: Prompts = Prompts(),
    sampling: Sampling = Sampling(max_new_tokens=1024),
    prompting: Prompting = Prompting(chat=True),
    loading: Loading = Loading(),
    seed: int = 0,
    json: bool = False,
) -> int:
    """Make training data: a writer's problems about topics, those that all checkers take, worked out by a solver.

    Models are folders, hub ids or run folders, which are drawn from here, or served:
    "served(url='http://127.0.0.1:8000/v1', model='NAME')". What a server has answered is kept in the folder: the same
    command goes on where it was stopped, and asks nothing twice.

    Args:
        taxonomy: a JSON file of subjects and topics below them, or subjects with commas between them.
        writer: the model that names topics and writes problems with their answers.
        out: a folder for train.jsonl, dropped.jsonl and README.md; a new one, or that of the same command.
        check: a model that says of each problem whether it is well posed and its answer right; repeat it for several,
            which are asked apart. What one of them does not take is dropped.
        solver: the model whose working is imitated, where its answer is the problem's; without one there is none.
        unseen: files of problems, as rlft train reads them, that none may repeat, such as a benchmark; repeat it.
        unseen_field: the column with their text.
        json: print one JSON object instead of a table.
        seed: of everything random.
    """
    asked, subjects = prompts.asked(), read(taxonomy)
    kept_apart = Unseen(text for file in unseen for text in _texts(file, unseen_field))
    told = {"taxonomy": [list(leaf) for leaf in subjects.leaves], "writer": writer, "check": list(check)}
    told |= {"solver": solver, "unseen": list(unseen), "seed": seed, **asdict(asked), "instruct": prompts.instruct}
    told |= {name: value for name, value in asdict(amount).items() if name != "batch"}
    begin(out, told)
    settings = {"sampling": sampling, "prompting": prompting, "loading": loading}
    known: dict[str, Says] = {}

    def of(spec: str) -> Says:
        if spec not in known:
            known[spec] = _model(spec, out / REPLIES, amount.batch, **settings)
        return known[spec]

    data = Data(make.expanded(subjects, of(writer), amount.topics, asked, seed) if amount.topics else subjects)
    found = make.written(data.taxonomy, of(writer), amount.problems, asked, seed)
    found = make.validated(make.without_repeated(found, kept_apart), [of(one) for one in check], asked, seed)
    if solver is not None:
        found = make.worked_out(found, of(solver), amount.tries, _same, prompts.instruct, seed)
    data.problems = make.balanced(found, amount.most)
    who = {"written by": of(writer).name, **{f"checked by ({n})": of(one).name for n, one in enumerate(check, 1)}}
    who |= {"worked out by": of(solver).name} if solver is not None else {}
    counts = write(data, who, out)
    return show({"out": str(out), **counts, **{f"dropped/{why}": n for why, n in data.reasons().items()}}, json)


def served(
    url: str,
    model: str,
    temperature: float = 1.0,
    max_tokens: int = 0,
    concurrency: int = 16,
    timeout: float = 600.0,
    patience: float = 300.0,
    key: str = "OPENAI_API_KEY",
    extra: dict[str, Any] | None = None,
) -> tuple[Server, dict[str, Any], int]:
    """A model behind a server, as `judge` has it: server, what a request holds beside messages, requests at once."""
    body: dict[str, Any] = {"model": model, "temperature": temperature, **(extra or {})}
    body |= {"max_tokens": max_tokens} if max_tokens else {}
    return Server(url, key, timeout, patience), body, concurrency


def _model(spec: str, replies: Path, batch: int, **settings: Any) -> Says:
    call = parse_call(spec) if spec.strip().startswith("served(") else None
    if call is not None:
        server, body, concurrency = called(served, call)
        return Served(server, body, concurrency, Replies(str(replies)))
    policy = Language.load(model_folder(spec), settings["sampling"], settings["prompting"], settings["loading"])
    return Drawn(policy, Path(spec).name, batch)


def _texts(file: str, field: str) -> list[str]:
    task = Files(file, prompt=field)
    return [str(task.at(number).input) for number in range(task.size or 0)]


def _same(answer: str, text: str) -> bool:
    return compared(answer, text, 5.0) == 1
