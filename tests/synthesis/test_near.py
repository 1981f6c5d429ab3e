"""What is there already: equal in all words, or a run of thirteen."""

from rlft.synthesis.near import WORDS, Unseen, words_of

TEXT = "If a train leaves at noon and another at one, when do the two trains meet on the way?"


def test_words():
    assert words_of("What is 3+4, please?") == ("what", "is", "3", "+", "4", "please")
    assert words_of("What is 3 + 4 please") == words_of("what is 3+4, PLEASE!")
    assert words_of("x-1") != words_of("x+1")


def test_a_run_of_thirteen_words_is_one_too_many():
    unseen, words = Unseen([TEXT, "Add 2 and 3."]), TEXT.split()
    assert len(words) == 19 and WORDS == 13
    assert unseen.repeats(TEXT.upper()) and unseen.repeats("Now. " + " ".join(words[3:16]) + " tomorrow")
    assert not unseen.repeats("Now. " + " ".join(words[3:15]) + " tomorrow")
    assert (
        unseen.repeats("add 2 and 3") and not unseen.repeats("add 2 and 4") and not unseen.repeats("add 2 and 3 and 4")
    )
    assert not Unseen([]).repeats(TEXT)
