#!/usr/bin/env bash
# Minari 0.5.4: a data set whose observations are a Dict space comes back with the space's keys in alphabetical order,
# whatever order the environment has. Gymnasium's flatten goes by the space's order, so that vectors flattened by the
# data's own space and by the environment's have their columns swapped, and nothing fails.
set -euo pipefail
place=$(mktemp -d) && trap 'rm -rf "$place"' EXIT
python3 -m venv "$place/venv"
"$place/venv/bin/pip" install --quiet --disable-pip-version-check "minari[hdf5]==0.5.4" gymnasium==1.4.0 h5py==3.16.0 numpy==2.4.6 imageio==2.38.1 pillow
MINARI_DATASETS_PATH="$place/data" "$place/venv/bin/python" - <<'PYTHON'
import minari
import numpy as np
from gymnasium import spaces
from minari.data_collector import EpisodeBuffer

world = spaces.Dict(position=spaces.Box(-9, 9, (1,)), goal=spaces.Box(0, 999, (1,)))
seen = {"position": np.array([1.0], np.float32), "goal": np.array([500.0], np.float32)}
episode = EpisodeBuffer(
    id=0,
    observations={name: np.stack([value, value]) for name, value in seen.items()},
    actions=np.zeros((1, 1), np.float32),
    rewards=[0.0],
    terminations=[True],
    truncations=[False],
)
spaces_of = {"observation_space": world, "action_space": spaces.Box(-1, 1, (1,))}
minari.create_dataset_from_buffers("order-v0", [episode], **spaces_of)
read = minari.load_dataset("order-v0")
flat = [spaces.flatten(space, seen).tolist() for space in (world, read.observation_space)]
print("the environment:", list(world), flat[0])
print("the data set:   ", list(read.observation_space), flat[1])
assert flat == [[1.0, 500.0], [500.0, 1.0]], flat
PYTHON
