"""Settings: where they come from, what wins, and what each mistake is answered with."""

from pathlib import Path

import pytest
from pydantic import SecretStr

from visavis.config import AvatarSettings, LicenseSettings, ServerSettings, Settings
from visavis.config_loading import Flag, load_settings, settings_fields, variable_name
from visavis.config_values import SettingsError, cores, is_loopback


def problems(config: Path | None = None, flags: list[Flag] | None = None, **environ: str) -> tuple[str, ...]:
    with pytest.raises(SettingsError) as caught:
        load_settings(config, flags or (), environ)
    return caught.value.problems


@pytest.fixture
def toml(tmp_path: Path):
    def write(text: str) -> Path:
        path = tmp_path / "visavis.toml"
        path.write_text(text, encoding="utf-8")
        return path

    return write


class TestPrecedence:
    def test_defaults_need_no_source(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.chdir(tmp_path)
        assert load_settings(environ={}) == Settings()
        assert Settings().server.host == "127.0.0.1"
        assert Settings().session.max_sessions == 4 * cores()

    def test_flags_over_environment_over_file_over_defaults(self, toml) -> None:
        path = toml('[server]\nport = 1\nhost = "127.0.0.2"\nlog_level = "debug"\n[media]\nfps = 30\n')
        environ = {"VISAVIS_SERVER__PORT": "2", "VISAVIS_SERVER__HOST": "127.0.0.3"}
        settings = load_settings(path, [Flag("server.port", 3, "--port")], environ)
        assert (settings.server.port, settings.server.host, settings.server.log_level) == (3, "127.0.0.3", "debug")
        assert (settings.media.fps, settings.media.width) == (30, 512)

    def test_file_by_flag_then_variable_then_working_folder(self, toml, tmp_path, monkeypatch) -> None:
        first = toml("[server]\nport = 1\n")
        second = tmp_path / "other.toml"
        second.write_text("[server]\nport = 2\n")
        monkeypatch.chdir(tmp_path)
        assert load_settings(environ={}).server.port == 1
        assert load_settings(environ={"VISAVIS_CONFIG": str(second)}).server.port == 2
        assert load_settings(first, environ={"VISAVIS_CONFIG": str(second)}).server.port == 1

    def test_lists_in_variables_are_json_or_separated_by_commas(self) -> None:
        assert load_settings(
            environ={"VISAVIS_SERVER__ALLOWED_ORIGINS": "https://a.example, https://b.example"}
        ).server.allowed_origins == ("https://a.example", "https://b.example")
        settings = load_settings(environ={"VISAVIS_ICE__SERVERS": '[{"urls": ["stun:stun.example.org"]}]'})
        assert [server.urls for server in settings.ice.servers] == [("stun:stun.example.org",)]

    def test_an_empty_variable_counts_as_not_set(self, toml) -> None:
        path = toml("[server]\nport = 1\n")
        assert load_settings(path, environ={"VISAVIS_SERVER__PORT": ""}).server.port == 1

    def test_license_variable_replaces_the_files_licenses(self, toml) -> None:
        path = toml('[[licenses]]\nkey = "from-file"\nname = "shop"\nmax_sessions = 2\n')
        (license,) = load_settings(path, environ={}).licenses
        assert (license.key.get_secret_value(), license.name, license.max_sessions) == ("from-file", "shop", 2)
        (license,) = load_settings(path, environ={"VISAVIS_LICENSE": "from-variable"}).licenses
        assert license.key.get_secret_value() == "from-variable"

    def test_every_setting_can_come_from_a_variable(self) -> None:
        """A value of a wrong type is an error of exactly that setting, so the variable was taken for it."""
        checked = 0
        for path, field in settings_fields():
            if field.annotation not in (int, float, bool):
                continue
            (line,) = problems(**{variable_name(path): "nonsense"})
            assert line.startswith(".".join(path) + ": ")
            assert line.endswith(f"got 'nonsense' (from {variable_name(path)})")
            checked += 1
        assert checked > 20


class TestMistakes:
    def test_unknown_key_in_the_file(self, toml) -> None:
        path = toml("[server]\nprot = 1\n")
        assert problems(path) == (f"server.prot is no setting; did you mean port? (from {path})",)

    def test_unknown_section_in_the_file(self, toml) -> None:
        path = toml("[serer]\nport = 1\n")
        assert problems(path) == (f"serer is no setting; did you mean server? (from {path})",)

    def test_unknown_key_in_an_array_of_tables(self, toml) -> None:
        path = toml('[[licenses]]\nkey = "k1"\n[[licenses]]\nkey = "k2"\nmax_session = 3\n')
        assert problems(path) == (f"licenses[1].max_session is no setting; did you mean max_sessions? (from {path})",)

    def test_unknown_variables(self) -> None:
        lines = problems(VISAVIS_MEDIA__WIDHT="640", VISAVIS_ZZZZ="1", OTHER__NAME="x")
        assert lines == (
            "environment variable VISAVIS_MEDIA__WIDHT names no setting; did you mean VISAVIS_MEDIA__WIDTH?",
            "environment variable VISAVIS_ZZZZ names no setting",
        )

    def test_unknown_flag(self) -> None:
        assert problems(flags=[Flag("server.prot", "1", "--set")]) == (
            "server.prot is no setting; did you mean server.port? (from --set)",
        )

    def test_wrong_value_names_setting_value_and_origin(self, toml) -> None:
        path = toml('[server]\nport = "x"\n')
        (line,) = problems(path)
        assert line.startswith("server.port: ")
        assert line.endswith(f"got 'x' (from {path})")
        (line,) = problems(path, VISAVIS_SERVER__PORT="70000")
        assert line.endswith("got '70000' (from VISAVIS_SERVER__PORT)")
        (line,) = problems(path, [Flag("server.port", -1, "--port")], VISAVIS_SERVER__PORT="70000")
        assert line.endswith("got -1 (from --port)")

    def test_every_problem_is_told_at_once(self, toml) -> None:
        path = toml("[server]\nprot = 1\n[media]\nwidth = 333\n")
        assert len(problems(path, [Flag("x.y", 1, "--set")], VISAVIS_NOTHING="1")) == 4

    def test_file_that_is_missing_broken_or_no_text(self, toml, tmp_path) -> None:
        (line,) = problems(tmp_path / "none.toml")
        assert "none.toml" in line
        assert "--config" in line
        (line,) = problems(VISAVIS_CONFIG=str(tmp_path / "none.toml"))
        assert "VISAVIS_CONFIG" in line
        (line,) = problems(toml("[server\nport = 1\n"))
        assert "not valid TOML" in line
        assert "line 1" in line
        binary = tmp_path / "binary.toml"
        binary.write_bytes(b"\xff\xfe\x00")
        (line,) = problems(binary)
        assert "not valid TOML" in line

    def test_section_that_is_no_table(self, toml) -> None:
        path = toml("server = 3\n")
        (line,) = problems(path)
        assert line.startswith("server: ")
        assert str(path) in line

    def test_broken_json_in_a_variable(self) -> None:
        (line,) = problems(VISAVIS_ICE__SERVERS='[{"urls": ')
        assert line.startswith("ice.servers: is not valid JSON")
        assert "VISAVIS_ICE__SERVERS" in line

    @pytest.mark.parametrize(
        ("text", "expected"),
        [
            ("[ice]\nport_min = 5000\n", "ice: port_min and port_max are set together"),
            ("[ice]\nport_min = 6000\nport_max = 5000\n", "ice: port_min must not be above port_max"),
            ('[ice]\npublic_address = "nowhere"\n', "ice.public_address: should be an IP address"),
            ("[ice]\nservers = []\n", "ice.servers: "),
            ('[[ice.servers]]\nurls = ["turn:t.example"]\n', "ice.servers[0]: a TURN server needs username"),
            ('[[ice.servers]]\nurls = ["http://t.example"]\n', "ice.servers[0].urls[0]: should be like stun:"),
            ('[[ice.servers]]\nurls = ["stun:a:x"]\n', "ice.servers[0].urls[0]: should be like stun:"),
            ('[[licenses]]\nkey = ""\n', "licenses[0].key: should be a string without spaces"),
            ('[[licenses]]\nkey = "k"\n[[licenses]]\nkey = "k"\n', "two licenses have the same key"),
            ("[media]\nwidth = 333\n", "media.width: should be even, got 333"),
            ("[media]\nvideo_bitrate_max = 100000\n", "media: video_bitrate_min"),
            ('[media]\nvideo_codecs = ["vp8", "vp8"]\n', "media: video_codecs names a codec twice"),
            ('[chat]\nprovider = "openai"\n', "chat: model is needed"),
            ('[speech]\nprovider = "piper"\n', "speech: model is needed"),
            ("[turn]\nsilence_short_ms = 500\n", "turn: silence_short_ms"),
            ('[server]\npublic_url = "example.org"\n', "server.public_url: should be an http:// or https:// address"),
            ('[server]\nallowed_origins = ["example.org"]\n', "server.allowed_origins[0]: should be * or a web origin"),
            ('[server]\ntrusted_proxies = ["x"]\n', "server.trusted_proxies[0]: should be an IP address, a network"),
            ("[session]\nmedia_timeout = nan\n", "session.media_timeout: "),
        ],
    )
    def test_values_that_cannot_work(self, toml, text: str, expected: str) -> None:
        (line,) = problems(toml(text))
        assert line.startswith(expected)

    def test_two_ways_to_give_licenses_at_once(self) -> None:
        (line,) = problems(VISAVIS_LICENSE="a", VISAVIS_LICENSES='[{"key": "b"}]')
        assert line == "VISAVIS_LICENSE and VISAVIS_LICENSES exclude each other"

    def test_license_and_licenses_exclude_each_other_but_keep_secrets(self) -> None:
        lines = problems(
            VISAVIS_LICENSE="hunter2 hunter2", VISAVIS_CHAT__API_KEY="hunter3", VISAVIS_CHAT__MODL="hunter4"
        )
        assert not any("hunter" in line for line in lines)


class TestOrigins:
    """They are compared with what browsers send, which is in one form alone."""

    @pytest.mark.parametrize(
        ("written", "read"),
        [
            ("*", "*"),
            ("https://Example.org", "https://example.org"),
            ("https://example.org:443", "https://example.org"),
            ("http://example.org:80", "http://example.org"),
            ("http://example.org:443", "http://example.org:443"),
            ("HTTP://[::1]:8000", "http://[::1]:8000"),
            ("http://[::1]", "http://[::1]"),
        ],
    )
    def test_origins_are_read_as_browsers_write_them(self, written: str, read: str) -> None:
        assert ServerSettings(allowed_origins=(written,)).allowed_origins == (read,)
        assert LicenseSettings(key=SecretStr("k"), allowed_origins=(written,)).allowed_origins == (read,)


class TestSecrets:
    def test_are_not_in_any_text_of_the_settings(self, toml) -> None:
        path = toml(
            '[[licenses]]\nkey = "hunter1"\n[chat]\napi_key = "hunter2"\n'
            '[[ice.servers]]\nurls = ["turn:t"]\nusername = "u"\ncredential = "hunter3"\n'
        )
        settings = load_settings(path, environ={"VISAVIS_SPEECH__API_KEY": "hunter4"})
        assert "hunter" not in f"{settings!r} {settings} {settings.model_dump()} {settings.model_dump_json()}"
        assert settings.speech.api_key is not None
        assert settings.speech.api_key.get_secret_value() == "hunter4"

    def test_wrong_secrets_are_not_in_the_error(self, toml) -> None:
        path = toml('[chat]\napi_key = ["hunter2"]\nbase_url = "ftp://u:hunter3@x"\n')
        lines = problems(path)
        assert len(lines) == 2
        assert not any("hunter" in line for line in lines)


class TestLicenseRule:
    @pytest.mark.parametrize("host", ["127.0.0.1", "127.8.8.8", "::1", "localhost"])
    def test_loopback_gets_a_fresh_development_license(self, host: str) -> None:
        settings = Settings(server=ServerSettings(host=host))
        assert is_loopback(host)
        assert settings.exposure_problem is None
        first, second = (settings.with_license().licenses[0].key.get_secret_value() for _ in range(2))
        assert first.startswith("dev_")
        assert first != second
        assert settings.licenses == ()
        assert settings.with_license().development
        assert not settings.development

    @pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1", "talk.example.org"])
    def test_other_interfaces_are_refused_without_a_license(self, host: str) -> None:
        settings = Settings(server=ServerSettings(host=host))
        with pytest.raises(SettingsError, match=r"VISAVIS_LICENSE .* 127\.0\.0\.1"):
            settings.with_license()

    def test_a_configured_license_allows_any_interface(self) -> None:
        license = LicenseSettings(key=SecretStr("k"))
        settings = Settings(server=ServerSettings(host="0.0.0.0"), licenses=(license,))
        assert settings.with_license() is settings
        assert not settings.development


def test_own_avatars_have_a_place(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    assert AvatarSettings().own_folder == tmp_path / "visavis" / "avatars"
    assert AvatarSettings(folder=tmp_path / "mine").own_folder == tmp_path / "mine"


@pytest.mark.parametrize(
    ("server", "bind", "expected"),
    [
        ("127.0.0.1", (), ("127.0.0.1",)),
        ("localhost", (), ("127.0.0.1",)),
        ("0.0.0.0", (), ()),
        ("::", (), ()),
        ("talk.example.org", (), ()),
        ("0.0.0.0", ("192.0.2.1",), ("192.0.2.1",)),
    ],
)
def test_media_listens_where_the_server_does(server: str, bind: tuple[str, ...], expected: tuple[str, ...]) -> None:
    settings = Settings.model_validate({"server": {"host": server}, "ice": {"bind_addresses": bind}})
    assert settings.media_addresses == expected


@pytest.mark.parametrize(
    "url",
    ["stun:stun.example.org", "stuns:192.0.2.1:5349", "turn:t.example:3478?transport=tcp", "turns:[2001:db8::1]:443"],
)
def test_addresses_of_ice_servers(url: str) -> None:
    server = {"urls": [url], "username": "u", "credential": "c"}
    settings = Settings.model_validate({"ice": {"servers": [server]}})
    assert settings.ice.servers[0].urls == (url,)


def test_settings_cannot_be_changed() -> None:
    with pytest.raises(ValueError, match="frozen"):
        Settings().server.port = 1  # type: ignore[misc]
