"""Drafts of avatars as JSON, and what requests say of them."""

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

from visavis.avatar.photo.consent import STATEMENT
from visavis.avatar.photo.image import MAX_BYTES
from visavis.avatar.photo.importer import Stage
from visavis.portraits.draft import Draft, Fault
from visavis.portraits.workshop import MAX_NAME, Workshop

_Place = Annotated[float, Field(ge=0, le=100_000, allow_inf_nan=False)]


class _Body(BaseModel):
    model_config = ConfigDict(strict=True, extra="forbid", hide_input_in_errors=True)


class NewDraft(_Body):
    """What begins a draft. ``consent``: the statement that was agreed to; ``voice``: one of those that are offered."""

    name: Annotated[str, Field(max_length=1000)]
    consent: Annotated[str, Field(max_length=10_000)] = ""
    voice: Annotated[str, Field(max_length=200)] = ""


class DraftChange(_Body):
    """What is changed: places of points, whether glasses are worn, the voice. What is left out stays."""

    points: Annotated[dict[str, tuple[_Place, _Place]], Field(max_length=64)] | None = None
    glasses: bool | None = None
    voice: Annotated[str, Field(max_length=200)] | None = None


def offer_json(workshop: Workshop, finds_faces: bool) -> dict[str, Any]:
    """What a page must know before it begins: the statement to agree to, bounds, voices, the steps of a build; and
    whether faces are found by the networks, or points are placed by hand."""
    stages = [{"name": stage.name.lower(), "label": stage.value} for stage in Stage if stage is not Stage.DONE]
    stages += [{"name": "keeping", "label": "writing its files"}, {"name": "film", "label": "speaking a sentence"}]
    return {
        "statement": STATEMENT,
        "maxBytes": MAX_BYTES,
        "maxName": MAX_NAME,
        "findsFaces": finds_faces,
        "voices": [{"name": voice.name, "label": voice.label} for voice in workshop.voices],
        "stages": stages,
    }


def draft_json(draft: Draft, ahead: int) -> dict[str, Any]:
    """A draft for the page that makes it; ``ahead``: how many are made before it."""
    found = draft.findings
    return {
        "id": draft.id,
        "name": draft.name,
        "voice": draft.voice,
        "state": draft.state.value,
        "ahead": ahead,
        "stage": draft.stage,
        "share": round(draft.share, 3),
        "error": fault_json(draft.fault) if draft.fault else None,
        "face": None
        if found is None
        else {
            "width": found.width,
            "height": found.height,
            "points": {name: list(place) for name, place in found.points.items()},
            "confidence": {name: round(share, 3) for name, share in found.confidence.items()},
            "sure": found.sure,
            "glasses": found.glasses if draft.wish.glasses is None else draft.wish.glasses,
        },
        "built": draft.built,
        "film": draft.film,
        "warnings": list(draft.warnings),
    }


def fault_json(fault: Fault) -> dict[str, str]:
    """Why something did not work."""
    return {"code": fault.code, "message": fault.message}
