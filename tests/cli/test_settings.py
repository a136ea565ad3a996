"""``visavis settings``: what holds and where it came from; the documentation page stays in step with the code."""

import tomllib
from pathlib import Path

from visavis.cli.settings import markdown
from visavis.config_loading import settings_fields

DOCUMENTATION = Path(__file__).parents[2] / "docs" / "settings.md"


def test_documentation_is_in_step() -> None:
    assert DOCUMENTATION.read_text(encoding="utf-8") == markdown(), (
        "run: visavis settings --markdown > docs/settings.md"
    )


def test_every_setting_is_documented_with_a_meaning() -> None:
    page = DOCUMENTATION.read_text(encoding="utf-8")
    for path, field in settings_fields():
        assert f"| `{'.'.join(path)}` |" in page
        assert field.description


def test_shows_values_origins_and_no_secrets(visavis, tmp_path: Path) -> None:
    (tmp_path / "visavis.toml").write_text('[media]\nfps = 30\n[chat]\napi_key = "hunter2"\n')
    done = visavis("settings", "--set", "media.width=640", VISAVIS_SERVER__PORT="9000", VISAVIS_LICENSE="hunter3")
    assert done.returncode == 0, done.stderr
    assert "media.fps = 30  # from visavis.toml\n" in done.stdout
    assert "media.width = 640  # from --set\n" in done.stdout
    assert "server.port = 9000  # from VISAVIS_SERVER__PORT\n" in done.stdout
    assert 'server.host = "127.0.0.1"\n' in done.stdout
    assert "hunter" not in done.stdout
    shown = tomllib.loads(done.stdout)
    assert shown["media"]["fps"] == 30
    assert shown["licenses"][0]["name"] == "environment"


def test_mistakes_are_plain_lines_and_exit_code_2(visavis, tmp_path: Path) -> None:
    (tmp_path / "visavis.toml").write_text("[media]\nfsp = 30\n")
    done = visavis("settings", VISAVIS_SERVR__PORT="1")
    assert done.returncode == 2
    assert done.stderr.splitlines() == [
        "visavis: environment variable VISAVIS_SERVR__PORT names no setting; did you mean VISAVIS_SERVER__PORT?",
        "visavis: media.fsp is no setting; did you mean fps? (from visavis.toml)",
    ]
    assert done.stdout == ""


def test_malformed_assignment(visavis) -> None:
    done = visavis("settings", "--set", "media.fps")
    assert done.returncode == 2
    assert done.stderr == "visavis: --set takes SECTION.NAME=VALUE, such as --set media.fps=30\n"


def test_missing_settings_file(visavis) -> None:
    done = visavis("settings", "--config", "none.toml")
    assert done.returncode == 2
    assert done.stderr == (
        "visavis: cannot read the settings file none.toml (from --config): No such file or directory\n"
    )
