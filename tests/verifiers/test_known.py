"""Questions that are asked once."""

from rlft.verifiers.known import Known


def test_what_is_asked_and_what_is_kept():
    """Twice in a batch and again later once; what is not settled each time; all anew when there are too many."""
    asked = []

    def lengths(new):
        asked.append(new)
        return [len(one) for one in new]

    known = Known[str, int](settled=lambda found: found < 3, most=2)
    assert known.of(["a", "bb", "a", "ccc"], lengths) == [1, 2, 1, 3]
    assert known.of(["bb", "ccc"], lengths) == [2, 3]
    assert known.of(["a"], lengths) == [1]
    assert asked == [["a", "bb", "ccc"], ["ccc"], []]
    assert known.of(["d", "a"], lengths) == [1, 1]  # two were kept, which is not too many
    assert known.of(["a", "d"], lengths) == [1, 1]
    assert asked[3:] == [["d"], ["a", "d"]]


def test_equal_content_is_the_same_question_also_where_it_cannot_be_hashed():
    known = Known[dict, str]()
    assert known.of([{"a": [1]}, {"a": [1]}], lambda new: ["one"] * len(new)) == ["one", "one"]
    assert known.of([{"a": [1]}, {"a": [2]}], lambda new: ["two"] * len(new)) == ["one", "two"]
