#!/usr/bin/env bash
# dm_control 1.0.50 does not pin the mujoco it binds to, and pip resolves it beside mujoco 4.0.0, with which loading any
# of its suites fails; with 3.17.0 it works. gymnasium[mujoco] takes 4.0.0: no one mujoco serves both without a pin.
set -uo pipefail
place=$(mktemp -d) && trap 'rm -rf "$place"' EXIT
for version in 3.17.0 4.0.0; do
  python3 -m venv "$place/$version"
  "$place/$version/bin/pip" install --quiet --disable-pip-version-check "dm_control==1.0.50" "mujoco==$version" || exit 1
  MUJOCO_GL=disable "$place/$version/bin/python" -c "
from dm_control import suite
print('mujoco $version:', suite.load('cartpole', 'swingup').reset().observation.keys())" 2>"$place/error"
  code=$?
  tail -n 1 "$place/error"
  [ "$version" = 3.17.0 ] && works=$code || fails=$code
done
[ "$works" -eq 0 ] && [ "$fails" -ne 0 ]
