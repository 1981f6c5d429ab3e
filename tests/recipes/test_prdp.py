"""What the arms of the PRDP recipe spend."""

from rlft.reproduce import arms


def test_arms_of_a_setting_spend_alike():
    """`shared` counts would have to be equal over both settings."""
    spent: dict[bool, set[tuple[int, int]]] = {True: set(), False: set()}
    for arm in arms.claim("prdp").arms.values():
        given = {"steps": 8, "prompts": 64, "group": 4, **arm.arguments}
        if given["steps"] and "method" in arm.arguments:
            method = given["method"]
            rows = given["steps"] * given["prompts"] * given["group"]
            spent[given.get("setting") == "plane"].add((rows, given["steps"] * method.epochs * method.minibatches))
    assert spent == {True: {(8192, 256)}, False: {(2048, 64)}}
