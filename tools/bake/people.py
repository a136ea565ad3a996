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
        "eyes/l-eye-scale-incr": 0.75,
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
    brow=Brow(thickness=0.9),
    lash_length=1.0,
    shoulder_width=1.55,
)

MARCUS = Identity(
    name="marcus",
    macro=macro("male", "young", {"african": 0.85, "caucasian": 0.15}, muscle="average", proportions=0.5),
    detail={
        "head/head-rectangular": 0.35,
        "eyes/l-eye-scale-incr": 0.35,
        "forehead/forehead-scale-vert-decr": 0.35,
        "nose/nose-scale-horiz-decr": 0.2,
        "chin/chin-jaw-drop-incr": 0.15,
        "chin/chin-prominent-incr": 0.25,
        "chin/chin-width-incr": 0.2,
        "mouth/mouth-angles-up": 0.2,
        "cheek/l-cheek-bones-incr": 0.35,
        "neck/neck-scale-horiz-decr": 0.2,
        "asym/asym-brown-1-l": 0.2,
        "asym/asym-mouth-1-r": 0.25,
    },
    rest={"mouthSmileLeft": 0.2, "mouthSmileRight": 0.24, "eyeSquintLeft": 0.12, "eyeSquintRight": 0.12},
    skin=Skin(tone=(0.155, 0.070, 0.038), lips=(0.19, 0.075, 0.062), freckles=0.1, flush=0.25, mottle=0.6, gloss=0.5),
    hair=Hair("crop", 26000, melanin=0.97, redness=0.1, recession=0.15, seed=4),
    iris=(0.030, 0.016, 0.009),
    garment="shirt",
    cloth=(0.42, 0.50, 0.60),
    brow=Brow(strands=560, thickness=1.25, arch=0.6, length=0.95),
    beard=Beard(strands=9000, length=0.045),
    lash_length=0.75,
    shoulder_width=1.66,
    key_warmth=0.3,
)

HENRIK = Identity(
    name="henrik",
    macro=blend(
        macro("male", "old", {"caucasian": 1.0}, proportions=0.3),
        macro("male", "young", {"caucasian": 1.0}, proportions=0.3),
        0.35,
    ),
    detail={
        "head/head-square": 0.3,
        "head/head-fat-incr": 0.15,
        "nose/nose-hump-incr": 0.4,
        "nose/nose-scale-vert-incr": 0.3,
        "nose/nose-point-down": 0.2,
        "eyes/l-eye-bag-incr": 0.5,
        "eyes/l-eye-scale-incr": 0.3,
        "eyes/l-eye-eyefold-down": 0.4,
        "mouth/mouth-upperlip-height-decr": 0.3,
        "mouth/mouth-laugh-lines-in": 0.5,
        "ears/l-ear-scale-incr": 0.3,
        "chin/chin-width-incr": 0.3,
        "asym/asym-eye-1-l": 0.2,
        "asym/asym-nose-1-r": 0.25,
    },
    rest={"mouthSmileLeft": 0.24, "mouthSmileRight": 0.2, "eyeSquintLeft": 0.18, "eyeSquintRight": 0.18},
    skin=Skin(
        tone=(0.62, 0.36, 0.27),
        lips=(0.46, 0.20, 0.17),
        freckles=0.6,
        flush=0.75,
        mottle=0.9,
        wrinkles=1.0,
        under_eye=0.6,
    ),
    hair=Hair(
        "short", 16000, melanin=0.55, redness=0.1, grey=0.85, recession=0.55, hairline=0.03, parting=-0.25, seed=7
    ),
    iris=(0.10, 0.16, 0.22),
    garment="cardigan",
    cloth=(0.06, 0.065, 0.05),
    second_cloth=(0.62, 0.66, 0.72),
    brow=Brow(strands=460, thickness=1.3, arch=0.5, length=1.3),
    lash_length=0.55,
    shoulder_width=1.66,
    key_warmth=-0.2,
)

ASHA = Identity(
    name="asha",
    macro=macro("female", "young", {"caucasian": 0.5, "asian": 0.25, "african": 0.25}, proportions=0.9),
    detail={
        "head/head-diamond": 0.3,
        "head/head-round": 0.2,
        "chin/chin-triangle": 0.3,
        "chin/chin-height-decr": 0.15,
        "forehead/forehead-scale-vert-decr": 0.5,
        "eyes/l-eye-scale-incr": 1.0,
        "eyes/l-eye-corner2-up": 0.3,
        "nose/nose-scale-vert-decr": 0.2,
        "nose/nose-point-width-incr": 0.2,
        "mouth/mouth-upperlip-volume-incr": 0.45,
        "mouth/mouth-lowerlip-volume-incr": 0.4,
        "mouth/mouth-scale-horiz-decr": 0.15,
        "cheek/l-cheek-volume-incr": 0.25,
        "neck/neck-scale-horiz-decr": 0.4,
        "asym/asym-mouth-1-l": 0.15,
    },
    rest={
        "mouthSmileLeft": 0.3,
        "mouthSmileRight": 0.27,
        "eyeSquintLeft": 0.1,
        "eyeSquintRight": 0.1,
        "browInnerUp": 0.05,
    },
    skin=Skin(
        tone=(0.36, 0.19, 0.112), lips=(0.34, 0.105, 0.095), freckles=0.1, flush=0.35, mottle=0.45, under_eye=0.6
    ),
    hair=Hair("bun", 17000, melanin=0.96, redness=0.2, parting=-0.03, seed=9),
    iris=(0.055, 0.028, 0.013),
    garment="blazer",
    cloth=(0.10, 0.030, 0.035),
    second_cloth=(0.75, 0.72, 0.66),
    brow=Brow(strands=560, thickness=1.15, arch=1.1),
    lash_length=1.15,
    shoulder_width=1.5,
    key_warmth=0.15,
)

PEOPLE = {person.name: person for person in (VERA, MARCUS, HENRIK, ASHA)}
