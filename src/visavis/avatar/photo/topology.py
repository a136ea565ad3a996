"""Which of the 468 landmarks of MediaPipe's face mesh lie where.

Left and right are the person's, so that the right eye is on the image's left. Rows go from the image's left to its
right.
"""

from typing import Final

LANDMARKS: Final = 468

UPPER_LIP: Final = (
    (61, 185, 40, 39, 37, 0, 267, 269, 270, 409, 291),
    (76, 184, 74, 73, 72, 11, 302, 303, 304, 408, 306),
    (62, 183, 42, 41, 38, 12, 268, 271, 272, 407, 292),
    (78, 191, 80, 81, 82, 13, 312, 311, 310, 415, 308),
)
"""Rows of the upper lip from its outer border to its inner one; corners included."""
LOWER_LIP: Final = (
    (61, 146, 91, 181, 84, 17, 314, 405, 321, 375, 291),
    (76, 77, 90, 180, 85, 16, 315, 404, 320, 307, 306),
    (62, 96, 89, 179, 86, 15, 316, 403, 319, 325, 292),
    (78, 95, 88, 178, 87, 14, 317, 402, 318, 324, 308),
)
"""Rows of the lower lip from its outer border to its inner one; corners included."""
UPPER_INNER, LOWER_INNER = UPPER_LIP[3], LOWER_LIP[3]
MOUTH_RIGHT, MOUTH_LEFT = 61, 291

OVAL: Final = (
    10, 338, 297, 332, 284, 251, 389, 356, 454, 323, 361, 288, 397, 365, 379, 378, 400, 377,
    152, 148, 176, 149, 150, 136, 172, 58, 132, 93, 234, 127, 162, 21, 54, 103, 67, 109,
)  # fmt: skip
"""The face's outline, from the top of the forehead over the person's left side round."""
FOREHEAD, CHIN, NOSE_TIP = 10, 152, 1

UPPER_LIDS: Final = {
    "right": (33, 246, 161, 160, 159, 158, 157, 173, 133),
    "left": (362, 398, 384, 385, 386, 387, 388, 466, 263),
}
LOWER_LIDS: Final = {
    "right": (33, 7, 163, 144, 145, 153, 154, 155, 133),
    "left": (362, 382, 381, 380, 374, 373, 390, 249, 263),
}
BROWS: Final = {"right": (46, 53, 52, 65, 55), "left": (285, 295, 282, 283, 276)}
"""The brows' lower borders."""
CHEEKS: Final = (50, 101, 205, 280, 330, 425)
SKIN: Final = (50, 101, 205, 280, 330, 425, 151, 9, 108, 337, 6, 197)
"""Points that neither beard nor mask nor glasses usually cover: cheeks, forehead, the ridge of the nose."""
MOUTH_SURROUND: Final = (164, 167, 393, 92, 322, 165, 391, 18, 83, 313, 182, 406, 200, 201, 421, 194, 418, 43, 273)
"""Points of the skin around the lips."""
UNDER_EYES: Final = {"right": (229, 230, 231), "left": (449, 450, 451)}

IRIS_LIDS: Final = (33, 7, 163, 144, 145, 153, 154, 155, 133, 246, 161, 160, 159, 158, 157, 173)
"""The landmarks that the first 16 contour points of the iris model belong to, for the eye on the image's left."""
IRIS_LIDS_MIRRORED: Final = (263, 249, 390, 373, 374, 380, 381, 382, 362, 466, 388, 387, 386, 385, 384, 398)

NAMED: Final = {
    "right_eye_outer": 33,
    "right_eye_inner": 133,
    "right_eye_top": 159,
    "right_eye_bottom": 145,
    "left_eye_inner": 362,
    "left_eye_outer": 263,
    "left_eye_top": 386,
    "left_eye_bottom": 374,
    "mouth_right": 61,
    "mouth_left": 291,
    "upper_lip_top": 0,
    "upper_lip_bottom": 13,
    "lower_lip_top": 14,
    "lower_lip_bottom": 17,
    "chin": 152,
}
"""Points that a person can place by hand, and the landmark that each is."""
