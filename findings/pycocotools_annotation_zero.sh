#!/usr/bin/env bash
# pycocotools 2.0.11 remembers which annotation a detection has found by its id, and reads 0 as none: an annotation with
# id 0, which the format allows and which numbering from 0 gives, is never found. One perfect box has an average precision
# of 0 under id 0 and of 1 under id 1; nothing is said.
set -uo pipefail
place=$(mktemp -d) && trap 'rm -rf "$place"' EXIT
python3 -m venv "$place/venv"
"$place/venv/bin/pip" install --quiet --disable-pip-version-check "pycocotools==2.0.11" "numpy==2.4.6" || exit 1
"$place/venv/bin/python" - <<'PYTHON'
import contextlib, io
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

def precision(number):
    box = {"image_id": 1, "category_id": 1, "bbox": [2, 2, 10, 10], "area": 100, "iscrowd": 0}
    gold = COCO()
    gold.dataset = {"images": [{"id": 1}], "categories": [{"id": 1, "name": "a"}], "annotations": [{**box, "id": number}]}
    gold.createIndex()
    run = COCOeval(gold, gold.loadRes([{**box, "score": 1.0}]), "bbox")
    run.evaluate()
    run.accumulate()
    run.summarize()
    return float(run.stats[0])

with contextlib.redirect_stdout(io.StringIO()):
    seen = {number: round(precision(number), 6) for number in (0, 1)}
print("average precision by the annotation's id:", seen)
raise SystemExit(seen != {0: 0.0, 1: 1.0})
PYTHON
