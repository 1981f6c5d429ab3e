"""Models that give numbers for texts: the same number whatever stands beside a text."""

import pytest
import torch

from rlft.errors import UserError
from rlft.models.sequence import Reader
from rlft.models.small_language import small_llama
from tests.models.small_readers import small_encoder, small_reader

TEXTS = ["a", "abcabcabcabc", "hgfedcba", "bb", "abcdefgh"]


@pytest.mark.parametrize("reader", [small_reader(), small_reader(3), small_encoder()], ids=["one", "three", "encoder"])
def test_a_text_has_its_numbers_alone_and_in_any_batch(reader):
    rows = [reader.shown("", text) for text in TEXTS]
    alone = torch.cat([reader.logits([row]) for row in rows])
    assert (alone[0] - alone[1]).abs().max() > 1e-3
    for batch in (1, 2, 5):
        torch.testing.assert_close(reader.read(rows, batch), alone, atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(reader.read(rows[::-1], 3), alone.flip(0), atol=1e-5, rtol=1e-5)


def test_the_last_token_is_read_also_where_it_is_the_padding():
    """Of a model whose padding is its end, and whose texts end with it: by its own code alone, and unpadded."""
    reader = small_reader()
    eos = reader.tokenizer.eos_token_id
    row = [*reader.shown("", "abc"), eos]
    reader.model.config.pad_token_id = eos
    states = reader.model.model(input_ids=torch.tensor([row])).last_hidden_state
    expected = reader.model.score(states[0, -1])
    torch.testing.assert_close(reader.logits([row])[0], expected)
    torch.testing.assert_close(reader.logits([row, [*row, 3, 4, 5]])[0], expected, atol=1e-5, rtol=1e-5)
    assert reader.model.config.pad_token_id == eos


def test_what_is_shown():
    plain, chat = small_reader(), small_reader(chat=True)
    said = [{"role": "user", "content": "1+1"}]
    assert plain.tokenizer.decode(plain.shown("1+1=", "2")) == "<bos>1+1=2"
    assert chat.tokenizer.decode(chat.shown("1+1", "2")) == "<u>1+1<a>2"
    assert chat.shown(said, "2") == chat.shown("1+1", "2")
    chat.tokenizer.chat_template = "{{ raise_exception('no') }}"
    with pytest.raises(UserError, match="does not take the conversation"):
        chat.shown("1+1", "2")


def test_it_reads_so_many_tokens():
    reader = small_reader(context=8)
    assert [reader.fits([3] * n) for n in (0, 1, 8, 9)] == [False, True, True, False]


def test_labels_have_names():
    reader = small_reader(2)
    reader.model.config.id2label = {0: "bad", 1: "good"}
    assert [reader.named("good"), reader.named("1"), reader.named("bad")] == [1, 1, 0]
    with pytest.raises(UserError, match="it has bad, good"):
        reader.named("fair")


def test_a_head_is_divided_in_its_weights(tmp_path):
    reader = small_encoder()
    rows = [reader.shown("", text) for text in TEXTS]
    before = reader.read(rows)
    reader.divide(4.0)
    reader.save(tmp_path)
    torch.testing.assert_close(Reader.load(tmp_path, device="cpu").read(rows), before / 4)


def test_folders(tmp_path):
    reader = small_reader()
    rows = [reader.shown("", text) for text in TEXTS]
    reader.save(tmp_path / "one")
    torch.testing.assert_close(Reader.load(str(tmp_path / "one"), device="cpu").read(rows), reader.read(rows))
    state = torch.random.get_rng_state()
    three = [Reader.load(tmp_path / "one", labels=3, device="cpu") for _ in range(2)]
    assert three[0].labels == 3
    torch.testing.assert_close(three[0].read(rows), three[1].read(rows), rtol=0, atol=0)
    assert bool((torch.random.get_rng_state() == state).all())
    small_llama(len(reader.tokenizer), width=16, layers=1, heads=2).save_pretrained(tmp_path / "language")
    reader.tokenizer.save_pretrained(tmp_path / "language")
    assert Reader.load(tmp_path / "language", labels=1, device="cpu").labels == 1
    for wrong, told in (("language", {}), ("nowhere", {}), ("one", {"dtype": "int8"})):
        with pytest.raises(UserError):
            Reader.load(tmp_path / wrong, device="cpu", **told)
