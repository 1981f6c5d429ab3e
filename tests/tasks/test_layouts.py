"""Rows as LLaVA, VLM-R1, RefCOCO, COCO and MMAU write them, told as prompts and answers."""

import json

import pytest

from rlft.metrics.boxes import detections
from rlft.rewards import box_ap, box_iou, label
from rlft.tasks.files import Files
from rlft.tasks.layouts import LABELS, PHRASE, laid_out
from rlft.types import Text, UserError


def talk(*turns, **columns):
    speakers = ("human", "gpt")
    return {**columns, "conversations": [{"from": speakers[i % 2], "value": v} for i, v in enumerate(turns)]}


def test_a_conversation_shows_its_pictures_where_they_are_marked():
    rows = [
        talk("<image>\nHow many?", "<think>1, 2</think><answer> 2 </answer>", image="a.png", accu_reward_method="math"),
        talk("Is <image> darker than <image>?", "yes", image=["a.png", "b.png"]),
        talk("<image>\nWhat is it?", "a disc", "And its colour?", "red", image="a.png"),
        talk("How many?", 3, image="c.png"),
        talk("Hello", "hi"),
    ]
    told = laid_out(rows)
    first, second, third, fourth, fifth = told
    assert first["prompt"] == [
        {"role": "user", "content": [{"type": "image", "image": "a.png"}, {"type": "text", "text": "How many?"}]}
    ]
    assert first["answer"] == "2" and first["accu_reward_method"] == "math" and first["image"] == "a.png"
    assert [p.get("image", p.get("text")) for p in second["prompt"][0]["content"]] == [
        "Is ",
        "a.png",
        " darker than ",
        "b.png",
        "?",
    ]
    assert [turn["role"] for turn in third["prompt"]] == ["user", "assistant", "user"]
    assert third["prompt"][1:] == [
        {"role": "assistant", "content": "a disc"},
        {"role": "user", "content": "And its colour?"},
    ]
    assert third["answer"] == "red" and fourth["answer"] == 3
    # Without a mark what is shown stands first.
    assert [part["type"] for part in fourth["prompt"][0]["content"]] == ["image", "text"]
    assert fifth["prompt"] == [{"role": "user", "content": "Hello"}]


def test_a_phrase_and_its_box_in_both_spellings():
    rows = [{"image": "a.jpg", "problem": "Where is it?", "solution": [1, 2, 5, 6]}]
    assert laid_out(rows)[0]["prompt"] == "Where is it?"
    rows = [{"image": "a.jpg", "sentence": "the dog", "bbox": [1, 2, 5, 6]}]
    (problem,) = (Files(rows).at(0),)
    assert problem.input == PHRASE.format("the dog") and problem.columns["image"] == "a.jpg"
    assert box_iou()([problem], [Text("[1, 2, 5, 4]")]).tolist() == [0.5]


def test_a_question_about_a_sound():
    rows = [{"audio_id": "./a.wav", "question": "Who speaks?", "choices": ["Man", "Woman"], "answer": "Man"}]
    problem = Files(rows).at(0)
    assert problem.input == "Who speaks? Please choose the answer from the following options: ['Man', 'Woman']."
    assert problem.columns["audio"] == "./a.wav" and label()([problem], [Text("man")]).tolist() == [1.0]


def collection():
    return {
        "images": [{"id": 7, "file_name": "a.jpg", "width": 64, "height": 48}, {"id": 9, "file_name": "b.jpg"}],
        "categories": [{"id": 1, "name": "dog"}, {"id": 3, "name": "cat"}],
        "annotations": [
            {"id": 0, "image_id": 7, "category_id": 3, "bbox": [10, 20, 30, 8.5]},
            {"id": 1, "image_id": 7, "category_id": 1, "bbox": [0, 0, 64, 48], "iscrowd": 1},
        ],
    }


def test_a_collection_of_boxes_is_a_row_a_picture(tmp_path):
    (tmp_path / "pictures").mkdir()
    (tmp_path / "pictures" / "a.jpg").write_bytes(b"-")
    file = tmp_path / "instances.json"
    file.write_text(json.dumps(collection()))
    task = Files(file, media=tmp_path / "pictures")
    first, second = task.at(0), task.at(1)
    assert task.size == 2 and first.input == LABELS.format("dog, cat", '[{"bbox_2d": [x0, y0, x1, y1], "label": "…"}]')
    (box,) = detections(first.answer)
    assert box.box == (10, 20, 40, 28.5) and box.label == "cat" and second.answer == "None"
    assert first.columns["image"] == str(tmp_path / "pictures" / "a.jpg") and first.columns["width"] == 64
    assert box_ap()([first, second], [Text(first.answer), Text("None")]).tolist() == [1.0, 1.0]


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ([talk("a", "b"), {"image": "a.png"}], "row 2 is not written as the first"),
        ([talk("<image> and <image>", "b", image="a.png")], "2 places <image> for 1 pictures"),
        ([talk("a", "b"), {"conversations": [{"from": "nobody", "value": "a"}]}], "row 2 .*nobody"),
    ],
)
def test_rows_of_another_layout_say_which(rows, said):
    with pytest.raises(UserError, match=said):
        Files(rows)


def test_what_a_collection_does_not_list(tmp_path):
    lost = collection()
    lost["annotations"][0]["image_id"] = 8
    file = tmp_path / "instances.json"
    file.write_text(json.dumps(lost))
    with pytest.raises(UserError, match="annotation 0 is of picture 8 and category 3"):
        Files(file)
    with pytest.raises(UserError, match="there is no folder"):
        Files(file, media=tmp_path / "nowhere")


def test_a_prompt_of_their_own_is_left_as_it_is():
    rows = [{**talk("a", "b"), "prompt": "What?", "answer": "c"}]
    assert laid_out(rows) is rows
    assert Files([{"question": "a", "conversations": []}], prompt="question").at(0).input == "a"
