"""Damage for the tests of readers: always the same for the same random numbers."""

import copy

OTHERS = (
    *(None, True, False, 0, -1, 1.5, 10**400, -(2**63), 1e300, float("nan"), float("-inf"), "", "text", "\ud800"),
    *([], {}, [1], ["text"], {"a": 1}, {"_target_": "os.system"}, "${oc.env:HOME}", "<img src=x onerror=alert(1)>"),
)


def nested(depth):
    """A list in a list in a list ..."""
    node = []
    for _ in range(depth):
        node = [node]
    return node


def damaged_bytes(content, rng):
    """Content with a few bits or bytes changed, cut short, repeated, or with something foreign in it."""
    content = bytearray(content)
    kind = rng.randrange(6)
    place = rng.randrange(len(content) + 1)
    if kind == 0:
        for _ in range(rng.choice((1, 1, 1, 5))):
            content[rng.randrange(len(content))] ^= 1 << rng.randrange(8)
    elif kind == 1:
        del content[place:]
    elif kind == 2:
        del content[place : place + rng.choice((1, 10, 1000))]
    elif kind == 3:
        content[place:place] = rng.choice((b"\0", b"\xff\xfe", b"[" * 5000, b"{", b"9" * 5000, b"\n", b"&a [*a]"))
    elif kind == 4:
        content[place:place] = rng.randbytes(rng.choice((1, 30)))
    else:
        content += content[place:]
    return bytes(content)


def damaged_node(node, rng):
    """A copy of nested lists and mappings in which one value, anywhere, is of another kind, gone, or one too many."""
    node = copy.deepcopy(node)
    places = list(_places(node))
    parent, key = rng.choice(places)
    kind = rng.randrange(5)
    if kind == 0:
        del parent[key]
    elif kind == 1 and isinstance(parent, dict):
        parent[rng.choice(("x" * 10_000, "\ud800", "$x$<b>\n"))] = parent.pop(key)
    elif kind == 2:
        parent[key] = nested(rng.choice((60, 2000)))
    else:
        parent[key] = copy.deepcopy(rng.choice(OTHERS))
    return node


def _places(node):
    keys = node if isinstance(node, dict) else range(len(node)) if isinstance(node, list) else ()
    for key in keys:
        yield node, key
        yield from _places(node[key])
