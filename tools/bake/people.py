"""The house's own people."""

from __future__ import annotations

from bake.identity import Beard, Brow, Hair, Identity, Skin, blend, macro

VERA = Identity(
    name="vera",
    macro=macro("female", "young", {"caucasian": 0.62, "asian": 0.23, "african": 0.15}, proportions=0.7),
    detail={
        "mouth/mouth-upperlip-volume-incr": 0.3,
        "mouth/mouth-lowerlip-volume-incr": 0.25,
        "mouth/mouth-cupidsbow-incr": 0.3,
        "eyes/l-eye-scale-incr": 0.45,
        "nose/nose-scale-horiz-decr": 0.2,
        "nose/nose-point-up": 0.15,
        "head/head-oval": 0.6,
        "chin/chin-width-decr": 0.35,
        "head/head-scale-horiz-decr": 0.25,
        "forehead/forehead-scale-vert-decr": 0.6,
        "cheek/l-cheek-bones-incr": 0.3,
        "cheek/l-cheek-volume-decr": 0.2,
        "neck/neck-scale-horiz-decr": 0.35,
    },
    rest={
        "mouthSmileLeft": 0.22,
        "mouthSmileRight": 0.20,
        "eyeSquintLeft": 0.10,
        "eyeSquintRight": 0.10,
        "browInnerUp": 0.05,
    },
    skin=Skin(tone=(0.60, 0.335, 0.235), lips=(0.50, 0.185, 0.165), freckles=0.3, flush=0.55),
    hair=Hair("shoulder", 16000, melanin=0.80, redness=0.45, parting=0.2),
    iris=(0.10, 0.062, 0.030),
    garment="jumper",
    cloth=(0.030, 0.060, 0.085),
    brow=Brow(strands=230, thickness=0.85),
    lash_length=1.0,
    shoulder_width=1.55,
)

PEOPLE = {person.name: person for person in (VERA,)}
