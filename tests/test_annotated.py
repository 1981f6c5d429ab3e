"""Calls of the library are held to their annotations while the tests run."""

import typing

import jaxtyping
import pytest
import torch

from rlft.losses.divergence import kl_k1
from rlft.noise import uniform
from rlft.types import Rollouts
from tests import annotated as annotations
from tests.annotated import annotated, attentive


@pytest.fixture(autouse=True)
def looked_at():
    with attentive():
        yield


def test_shapes_and_types_of_the_library_are_checked():
    ones = torch.ones(2, 3)
    assert kl_k1(ones, ones).shape == (2, 3)
    for wrong in (torch.ones(2, 4), torch.ones(2, 3, dtype=torch.long), None):
        with pytest.raises(jaxtyping.TypeCheckError, match=r"kl_k1: logp_ref is .*Float"):
            kl_k1(ones, wrong)
    with pytest.raises(jaxtyping.TypeCheckError, match="uniform: keys is"):
        uniform(torch.ones(2, 2, dtype=torch.long), 3)
    rows = torch.ones(2, 3)
    with pytest.raises(jaxtyping.TypeCheckError, match=r"Rollouts\.__init__: mask is"):
        Rollouts((), 1, [], {}, rows, rows)


def test_what_is_returned_is_checked_and_shares_the_sizes_of_what_was_given():
    @annotated(typechecker=None)
    def first(x: jaxtyping.Float[torch.Tensor, "N D"], n: int) -> jaxtyping.Float[torch.Tensor, "N"]:
        return x[:n, 0]

    x = torch.ones(2, 3)
    assert len(first(x, 2)) == 2
    with pytest.raises(jaxtyping.TypeCheckError, match="first: return is"):
        first(x, 1)  # of arguments that were right before
    with pytest.raises(jaxtyping.TypeCheckError, match="first: n is"):
        first(x, 1.0)


def test_all_kinds_of_arguments_and_of_functions():
    class Kinds:
        @annotated(typechecker=None)
        @classmethod
        def of_class(cls, *each: int, **named: str) -> int:
            return sum(each)

        @annotated(typechecker=None)
        @property
        def half(self) -> int:
            return 0.5

        @annotated(typechecker=None)
        def some(self, values: list[int]) -> None: ...

    assert Kinds.of_class(1, 2, a="b") == 3
    for wrong in (lambda: Kinds.of_class(1, "2"), lambda: Kinds.of_class(a=1), lambda: Kinds().half):
        with pytest.raises(jaxtyping.TypeCheckError):
            wrong()
    Kinds().some([1])
    with pytest.raises(jaxtyping.TypeCheckError):
        Kinds().some(["a"])


def test_which_string_it_is_matters_where_the_annotation_says_which():
    """Also behind a call that was right, and inside of a union or a container."""

    @annotated(typechecker=None)
    def said(which: typing.Literal["one", "other"] | None, several: list[typing.Literal["one"]] = []) -> str:  # noqa: B006
        return str(which)

    @annotated(typechecker=None)
    def any_of_them(which: str) -> typing.Literal["one"]:
        return which  # type: ignore[return-value]

    assert said("one") == said("one", ["one"]) == any_of_them("one") == "one"
    for wrong in (lambda: said("none"), lambda: said("one", ["other"]), lambda: any_of_them("other")):
        with pytest.raises(jaxtyping.TypeCheckError):
            wrong()


def test_a_call_within_a_check_is_not_checked_and_not_taken_for_right():
    """As a finalizer's, when garbage is collected in the middle of a check, which holds `beartype`'s lock."""

    @annotated
    def end(number: int) -> int:
        return 0

    class Kind(type):
        def __instancecheck__(cls, value):
            return end("no number") == 0

    class Held(metaclass=Kind):
        pass

    @annotated
    def outer(value: Held) -> None:
        return None

    outer(3)
    with pytest.raises(jaxtyping.TypeCheckError, match="end: number is"):
        end("no number")


def test_calls_that_long_looked_the_same_are_looked_at_less_often_and_not_never(monkeypatch):
    @annotated(typechecker=None)
    def said(n: int) -> object:
        return n

    def refused(times):
        found = 0
        for _ in range(times):
            try:
                said("1")
            except jaxtyping.TypeCheckError:
                found += 1
        return found

    def right(times):
        for _ in range(times):
            said(1)

    right(600)
    assert refused(3) == 3  # by a test that is attentive, as this one still is
    monkeypatch.setattr(annotations, "_sparing", True)
    right(31)
    assert refused(1) == 1  # of few calls that looked the same every one is looked at
    right(32)
    assert refused(3) == 2  # of many every other
    right(10_000)
    assert [refused(16), refused(4)] == [1, 4]  # in the end one of sixteen, and after a wrong one all again
