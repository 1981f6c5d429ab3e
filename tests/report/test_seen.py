"""What a problem showed, on the page."""

from rlft.report.seen import boxes_in, drawn

URI = "data:image/png;base64,iVBORw0KGgo="


def test_boxes_of_a_text_are_four_numbers_in_brackets():
    text = 'a [1, 2.5, 30, 40] b {"bbox_2d": [0,0,1,1]} [1, 2, 3] [1, 2, 3, 4, 5] [a, b, c, d]'
    assert boxes_in(text) == [(1, 2.5, 30, 40), (0, 0, 1, 1)]


def test_boxes_are_drawn_in_the_pictures_own_pixels():
    problem = {"shown": [{"kind": "image", "size": [320, 160], "uri": URI, "boxes": [10, 20, 60, 80]}]}
    (svg,) = drawn(problem, [("[0.5, 0, 1, 0.5]", "#123456"), ("[-5, 0, 500, 20]", "#654321")])
    assert f'<image href="{URI}" width="160.0" height="80.0"' in svg
    assert '<rect x="5.0" y="10.0" width="25.0" height="30.0" fill="none" stroke="currentColor"' in svg
    assert '<rect x="80.0" y="0.0" width="80.0" height="40.0" fill="none" stroke="#123456"' in svg
    assert '<rect x="0.0" y="0.0" width="160.0" height="10.0" fill="none" stroke="#654321"' in svg


def test_a_sound_is_its_spectrogram_and_nothing_else_gets_onto_the_page():
    assert drawn({"shown": [{"kind": "audio", "seconds": 1.5, "uri": URI}]}, []) == (
        f'<img class="seen" alt="spectrogram, 1.5 s" src="{URI}">',
    )
    for uri in ("https://elsewhere/x.png", 'data:image/png;base64,"onload="x', "data:image/svg+xml;base64,AA==", 5):
        assert drawn({"shown": [{"kind": "image", "size": [4, 4], "uri": uri}]}, []) == ()
    bad = [{"kind": "image", "size": [0, "x"], "uri": URI, "boxes": "no"}]
    assert drawn({"shown": bad}, []) == (f'<img class="seen" alt="spectrogram" src="{URI}">',)
    assert drawn({"shown": "no"}, []) == drawn({}, []) == ()
