"""The position of arXiv:2505.18536 as far as this library tests it: does reinforcement fine-tuning of models that see,
hear, draw or act bring more than supervised fine-tuning? Collected from the committed results; nothing is run.

What an arm was trained by is read off what its runs spent: rows drawn, rows demonstrated. Two arms are compared where
a statement of the claim does, or where `methods_compared` finds them alike, and where both spent as many updates or as
many rows.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from statistics import mean
from typing import Any, Literal

from rlft.reproduce import methods_compared, results
from rlft.reproduce.catalogue import KINDS, VOCABULARY, System, not_known, systems, words_of
from rlft.reproduce.catalogue_page import kinds

MODALITIES = [word for word in VOCABULARY["modality"] if word not in ("text", "code")]
Trained = Literal["RL", "SFT", "SFT and RL"]
_START = (
    "A position paper ([arXiv:2505.18536](https://arxiv.org/abs/2505.18536)) holds that reinforcement fine-tuning is "
    "what gives multimodal language models their reasoning, over supervised fine-tuning. This page collects every "
    "comparison of the two at one budget, as many updates or as many rows, in the committed results of systems that "
    "see, hear, draw or act. **Ahead** is said where the 95 % interval over the paired seeds leaves 0 out, by the end "
    "of the number that the claim calls better. The tasks are small, and so are the models: what is ahead here was "
    "ahead at this size. SFT and RL are arms that had both; their SFT is part of their budget. A system "
    "counts under each modality of its paper, also where its experiment here is of one: that of Kandinsky 5 draws "
    "pictures, and no video."
)


@dataclass(frozen=True)
class Comparison:
    """Reinforcement against supervised fine-tuning on one number of one result.

    system       of the catalogue
    text         what was predicted; empty for a pair that no statement compares
    metric       the number
    arms         the one with RL, the one with SFT alone
    trained      what the first was trained by
    difference   RL minus SFT; `low` and `high` its interval over seeds
    better       1 if more is better, -1 if less, 0 if the claim does not say
    outcome      of the statement: holds, fails, open; empty for a pair
    """

    system: System
    text: str
    metric: str
    arms: tuple[str, str]
    trained: Trained
    difference: float
    low: float
    high: float
    better: int
    outcome: str

    @property
    def ahead(self) -> str:
        """RL, SFT or level; empty where the number has no better end."""
        if not self.better:
            return ""
        if self.low <= 0 <= self.high:
            return "level"
        return "RL" if self.difference * self.better > 0 else "SFT"


def collected() -> list[Comparison]:
    """Of every committed result of a multimodal system."""
    found: list[Comparison] = []
    for one in systems():
        result = results.load(one.key)
        if result is not None and set(one.modality) & set(MODALITIES):
            found += of_result(one, result, methods_compared.of_key(one.key, result))
    return found


def of_result(
    one: System, result: Mapping[str, Any], alike: Sequence[methods_compared.Compared] = ()
) -> list[Comparison]:
    """The comparisons of one result: its statements, and the pairs of arms that no statement compares."""
    found = list(_stated(one, result))
    known = {(frozenset(its.arms), its.metric) for its in found}
    for pair in alike:
        oriented = _oriented(result, pair.arms)
        if oriented is None or (frozenset(pair.arms), pair.metric) in known:
            continue
        arms, trained, sign = oriented
        low, high = sorted((sign * pair.low, sign * pair.high))
        better = 1 if pair.higher else -1
        found.append(
            Comparison(one, "", pair.metric, arms, trained, sign * pair.difference, low, high, better, outcome="")
        )
    return found


def trained(result: Mapping[str, Any], arm: str) -> Trained | None:
    """What an arm was trained by; None if by nothing."""
    drawn, demonstrated, _ = _spent(result, arm)
    if drawn:
        return "SFT and RL" if demonstrated else "RL"
    return "SFT" if demonstrated else None


def counts(found: Sequence[Comparison]) -> dict[str, int]:
    """How often each was ahead, level, and not to be said."""
    return {word or "unsaid": sum(its.ahead == word for its in found) for word in ("RL", "SFT", "level", "")}


def count_line(found: Sequence[Comparison]) -> str:
    """`12 comparisons in 5 systems: RL ahead in 7, SFT in 2, level in 3`."""
    of = counts(found)
    keys = {its.system.key for its in found}
    rest = f"; of {of['unsaid']} the number has no better end" if of["unsaid"] else ""
    ahead = f"RL ahead in {of['RL']}, SFT in {of['SFT']}, level in {of['level']}{rest}"
    return f"{len(found)} comparisons in {len(keys)} systems: {ahead}"


def gaps(found: Sequence[Comparison]) -> list[str]:
    """The modalities that no committed result compares the two in."""
    return [word for word in MODALITIES if not any(word in its.system.modality for its in found)]


def markdown() -> str:
    """The page, the same for the same catalogue and results."""
    found = collected()
    lines = ["# Reinforcement against supervised fine-tuning", "", _START, "", f"**{count_line(found)}.**", ""]
    missing = ", ".join(f"`{word}`" for word in gaps(found))
    lines += [f"Gaps, modalities without any such comparison: {missing or 'none'}.", ""]
    lines += [*_by_modality(found), "", "## Every comparison", "", kinds(), "", *_all(found), ""]
    return "\n".join([*lines, "## The map", "", *_map(), ""])


def _stated(one: System, result: Mapping[str, Any]) -> Iterator[Comparison]:
    for its in result["statements"]:
        if its["over"] is None or its["mean"] is None or None in its["interval"]:
            continue
        oriented = _oriented(result, (its["arm"], its["over"]))
        if oriented is not None:
            arms, by, sign = oriented
            low, high = sorted(sign * bound for bound in its["interval"])
            better = _better(result, its)
            yield Comparison(
                one, its["text"], its["metric"], arms, by, sign * its["mean"], low, high, better, its["outcome"]
            )


def _oriented(result: Mapping[str, Any], arms: tuple[str, str]) -> tuple[tuple[str, str], Trained, int] | None:
    """RL's arm first, what it was trained by, and the sign that turns a difference so; None if not such a pair."""
    one: Trained | None = trained(result, arms[0])
    two: Trained | None = trained(result, arms[1])
    if one is None or two is None or not _at_one_budget(result, arms) or (one == "SFT") == (two == "SFT"):
        return None
    if two == "SFT":
        return arms, one, 1
    return (arms[1], arms[0]), two, -1


def _better(result: Mapping[str, Any], statement: Mapping[str, Any]) -> int:
    """Which end of a number is better: the claim's own says so, another where the statement has one bound."""
    if statement["metric"] == result["claim"]["metric"]:
        return 1 if result["claim"].get("higher", True) else -1
    bounds = (statement["least"] is not None, statement["most"] is not None)
    return {(True, False): 1, (False, True): -1}.get(bounds, 0)


def _at_one_budget(result: Mapping[str, Any], arms: tuple[str, str]) -> bool:
    (drawn, demonstrated, updates), (others, others_demonstrated, others_updates) = (
        _spent(result, arm) for arm in arms
    )
    rows = drawn + demonstrated == others + others_demonstrated
    return updates == others_updates or rows


def _spent(result: Mapping[str, Any], arm: str) -> tuple[float, float, float]:
    """Rows drawn, rows demonstrated and updates of a seed."""
    runs = result["arms"][arm]["runs"].values()
    names = ("cost/rows/drawn", "cost/rows/demonstrated", "cost/updates")
    drawn, demonstrated, updates = (mean(run.get(name) or 0.0 for run in runs) for name in names)
    return drawn, demonstrated, updates


def _by_modality(found: Sequence[Comparison]) -> list[str]:
    head = "| modality | systems | with a result | that compares the two | comparisons | RL ahead | SFT ahead | level |"
    rows = [head, f"|{'---|' * 8}"]
    for word in MODALITIES:
        having = [one for one in systems() if word in one.modality]
        measured = [one for one in having if results.load(one.key) is not None]
        its = [one for one in found if word in one.system.modality]
        of, where = counts(its), dict.fromkeys(f"[{one.system.key}](evidence/{one.system.key}.md)" for one in its)
        cells = [f"`{word}`", len(having), len(measured), ", ".join(where) or "gap", len(its)]
        rows.append(f"| {' | '.join(map(str, [*cells, of['RL'], of['SFT'], of['level']]))} |")
    return rows


def _all(found: Sequence[Comparison]) -> list[str]:
    head = "| on | RL | SFT | number | RL − SFT | ahead | predicted | outcome | tags |"
    rows = [head, f"|{'---|' * 9}"]
    for its in found:
        on = f"[{its.system.key}](evidence/{its.system.key}.md)"
        by = f"{its.arms[0]} (SFT and RL)" if its.trained == "SFT and RL" else its.arms[0]
        number = f"`{its.metric}`" + {1: "", -1: " (less is better)", 0: " (no better end)"}[its.better]
        difference = f"{its.difference:+.3g} [{its.low:.3g}, {its.high:.3g}]"
        told = [its.ahead or "—", its.text or "—", its.outcome or "—"]
        tags = " ".join(f"`{word}`" for word in (*its.system.modality, *its.system.task))
        rows.append(f"| {' | '.join([on, by, its.arms[1], number, difference, *told, tags])} |")
    return rows


def _map() -> list[str]:
    """How complete the catalogue's tags are, which is what a map of the field is measured by."""
    start = "The paper's other half is a map of the field. This one has these kinds of tags, for every system:"
    rows = [start, "", "| kind | words | systems that carry one | not known |", "|---|---|---|---|"]
    for kind in KINDS:
        lacking = not_known()[kind]
        rows.append(
            f"| {kind} | {len(words_of(kind))} | {len(systems()) - len(lacking)} | {', '.join(lacking) or '—'} |"
        )
    return [*rows, "", "[The systems](index.md) carry them, and [the methods](methods.md) what they are made of."]
