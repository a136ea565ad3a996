"""Cloth materials: knitted wool, woven cotton, suiting; with folds as bump."""

from __future__ import annotations

from bake.blender import Material, Nodes, Socket
from bake.identity import Colour


def knit(colour: Colour) -> Material:
    """Ribbed wool with fuzz."""
    nodes = Nodes("knit")
    ribs = _wave(nodes, 12.0, (1, 1, 0.3), 0.8)
    fuzz = nodes.noise(55)
    relief = nodes.total(nodes.math("MULTIPLY", ribs, 0.6), nodes.math("MULTIPLY", fuzz, 0.8), _folds(nodes, 1.2))
    return _finish(nodes, colour, fuzz, relief, 0.55, sheen=0.5, contrast=0.3)


def cotton(colour: Colour) -> Material:
    """Fine plain weave with soft folds."""
    nodes = Nodes("cotton")
    warp, weft = _wave(nodes, 34.0, (1, 0.1, 0.1), 0.4), _wave(nodes, 34.0, (0.1, 0.1, 1), 0.4, "Z")
    weave = nodes.math("MULTIPLY", nodes.math("ADD", warp, weft), 0.18)
    relief = nodes.total(weave, nodes.math("MULTIPLY", nodes.noise(60), 0.3), _folds(nodes, 4.5))
    return _finish(nodes, colour, nodes.noise(18), relief, 0.45, sheen=0.15, contrast=0.08)


def suiting(colour: Colour) -> Material:
    """Twilled wool for jackets."""
    nodes = Nodes("suiting")
    twill = _wave(nodes, 30.0, (1, 0.2, 1), 0.5, "DIAGONAL")
    fuzz = nodes.noise(70, 4, 0.7)
    relief = nodes.total(nodes.math("MULTIPLY", twill, 0.3), nodes.math("MULTIPLY", fuzz, 0.6), _folds(nodes, 3.0))
    return _finish(nodes, colour, fuzz, relief, 0.45, sheen=0.35, contrast=0.25)


def _wave(
    nodes: Nodes, scale: float, stretch: tuple[float, float, float], distortion: float, direction: str = "X"
) -> Socket:
    mapping = nodes.add("ShaderNodeMapping", {"Scale": stretch})
    nodes.set(mapping, "Vector", nodes.position())
    wave = nodes.add("ShaderNodeTexWave", {"Scale": scale, "Distortion": distortion, "Detail": 3.0})
    wave.bands_direction = direction
    nodes.set(wave, "Vector", mapping.outputs[0])
    return wave.outputs["Fac"]


def _folds(nodes: Nodes, depth: float) -> Socket:
    mapping = nodes.add("ShaderNodeMapping", {"Scale": (1.6, 1.0, 0.7), "Rotation": (0.0, 0.6, 0.0)})
    nodes.set(mapping, "Vector", nodes.position())
    return nodes.math("MULTIPLY", nodes.noise(1.5, 2, 0.5, mapping.outputs[0]), depth)


def _finish(
    nodes: Nodes, colour: Colour, variation: Socket, relief: Socket, strength: float, *, sheen: float, contrast: float
) -> Material:
    shader = nodes.principled
    dark, light = tuple((1 - contrast) * c for c in colour), tuple((1 + contrast) * c for c in colour)
    nodes.set(shader, "Base Color", nodes.mix(variation, dark, light))
    nodes.set(shader, "Normal", nodes.bump(relief, strength, 0.02))
    shader.inputs["Roughness"].default_value = 0.85
    shader.inputs["Specular IOR Level"].default_value = 0.25
    shader.inputs["Sheen Weight"].default_value = sheen
    shader.inputs["Sheen Roughness"].default_value = 0.4
    return nodes.material
