"""Settings are read from the environment. An error message explains a wrong value without showing it."""

from pathlib import Path

import pytest
from pydantic import Json, SecretStr

from chassis.postgres.replica import with_credentials
from chassis.settings import Settings, SettingsError, load_settings

URL = "postgresql://user:hunter2@host:5432/name"
HOSTS = "postgresql://user:hunter2@one:5432,two:5433/name?target_session_attrs=read-write"


def test_all_mistakes_are_named_at_once_without_their_values(monkeypatch: pytest.MonkeyPatch) -> None:
    wrong = {
        "DATABASE_URL": "mysql://user:hunter2@host/name",
        "PORT": "65536",
        "DRAIN_SECONDS": "-1",
        "REQUEST_TIMEOUT_SECONDS": "inf",
        "LOG_LEVEL": "hunter2",
        "DATABASE_POOL_SIZE": "many",
    }
    for name, value in wrong.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(SettingsError) as caught:
        load_settings(Settings)
    lines = str(caught.value).splitlines()
    assert lines[0] == "The service cannot start: 6 settings are wrong in the environment."
    assert {line.split(":")[0].strip() for line in lines[1:]} == wrong.keys()
    assert all("(for example: " in line for line in lines[1:])
    assert "hunter2" not in str(caught.value)


def test_a_missing_setting_is_named_with_an_example(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DATABASE_URL", raising=False)
    with pytest.raises(SettingsError, match="DATABASE_URL: is required"):
        load_settings(Settings)


def test_a_service_may_require_settings_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    class Own(Settings):
        currency: str

    monkeypatch.setenv("DATABASE_URL", URL)
    with pytest.raises(SettingsError) as caught:
        load_settings(Own)
    assert str(caught.value).splitlines()[1:] == ["  CURRENCY: is required"]


def test_a_service_may_have_a_list_as_a_setting(monkeypatch: pytest.MonkeyPatch) -> None:
    class Own(Settings):
        countries: Json[list[str]]

    monkeypatch.setenv("DATABASE_URL", URL)
    monkeypatch.setenv("COUNTRIES", '["DE", "AT"]')
    assert load_settings(Own).countries == ["DE", "AT"]
    monkeypatch.setenv("COUNTRIES", "DE, AT")
    with pytest.raises(SettingsError, match="COUNTRIES: invalid JSON"):
        load_settings(Own)


def test_a_value_may_be_in_a_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    secret = tmp_path / "database-url"
    secret.write_text(f"{URL}\n", encoding="utf-8")
    monkeypatch.delenv("DATABASE_URL", raising=False)
    monkeypatch.setenv("DATABASE_URL_FILE", str(secret))
    assert load_settings(Settings).database_url.get_secret_value() == URL

    monkeypatch.setenv("DATABASE_URL", URL)
    with pytest.raises(SettingsError, match="DATABASE_URL_FILE: should not be set beside DATABASE_URL"):
        load_settings(Settings)
    monkeypatch.delenv("DATABASE_URL")
    secret.unlink()
    with pytest.raises(SettingsError) as caught:
        load_settings(Settings)
    assert str(caught.value).splitlines()[1:] == ["  DATABASE_URL_FILE: cannot be read: No such file or directory"]


def test_the_two_ports_differ(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", URL)
    monkeypatch.setenv("PORT", "8081")
    with pytest.raises(SettingsError, match="INTERNAL_PORT: should be another port than PORT"):
        load_settings(Settings)


@pytest.mark.parametrize(
    "url",
    [
        "",
        "name",
        "host:5432/name",
        "postgresql:",
        "postgresql://host:port/name",
        "postgresql://[::1/name",
        "http://host/name",
        "postgresql://one:5432,two:port/name",
        "postgresql://user:12/hunter2@host/name",
    ],
)
def test_what_is_no_postgresql_address_is_refused(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    monkeypatch.setenv("DATABASE_URL", url)
    with pytest.raises(SettingsError, match="DATABASE_URL: should be a PostgreSQL address"):
        load_settings(Settings)


def test_the_address_of_a_replica_is_optional_and_checked(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("DATABASE_URL", URL)
    assert load_settings(Settings).database_replica_url is None
    monkeypatch.setenv("DATABASE_REPLICA_URL", "http://user:hunter2@host/name")
    with pytest.raises(SettingsError, match="DATABASE_REPLICA_URL: should be a PostgreSQL address") as caught:
        load_settings(Settings)
    assert "hunter2" not in str(caught.value)
    monkeypatch.delenv("DATABASE_REPLICA_URL")
    secret = tmp_path / "replica-url"
    secret.write_text("postgresql://standby/name\n", encoding="utf-8")
    monkeypatch.setenv("DATABASE_REPLICA_URL_FILE", str(secret))
    replica = load_settings(Settings).database_replica_url
    assert replica
    assert replica.get_secret_value() == "postgresql://standby/name"


@pytest.mark.parametrize(
    ("primary", "url", "expected"),
    [
        ("me:p%40ss@one/name", "two:5433/name", "me:p%40ss@two:5433/name"),
        (
            "me@one/name",
            "two,three/name?target_session_attrs=standby",
            "me@two,three/name?target_session_attrs=standby",
        ),
        ("me:p%40ss@one/name", "you:own@two/name", "you:own@two/name"),
        ("me:p%40ss@one/name", "two/name?user=you", "two/name?user=you"),
        ("/name?host=/one", "/name?host=/two", "/name?host=/two"),
    ],
)
def test_a_replica_has_the_credentials_of_its_primary(primary: str, url: str, expected: str) -> None:
    found = with_credentials(SecretStr(f"postgresql://{url}"), SecretStr(f"postgresql://{primary}"))
    assert found.get_secret_value() == f"postgresql://{expected}"


def test_each_wait_is_shorter_than_the_one_that_contains_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """The defaults are consistent. Settings that override them have to be, too; the error names every violation."""
    wrong = {
        "DATABASE_LOCK_TIMEOUT_SECONDS": "4",
        "DATABASE_STATEMENT_TIMEOUT_SECONDS": "4",
        "DATABASE_COMMAND_TIMEOUT_SECONDS": "3",
        "REQUEST_TIMEOUT_SECONDS": "3",
        "DRAIN_SECONDS": "30",
        "TERMINATION_GRACE_PERIOD_SECONDS": "30",
        "DATABASE_POOL_SIZE": "0",
    }
    monkeypatch.setenv("DATABASE_URL", URL)
    load_settings(Settings)
    for name, value in wrong.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(SettingsError) as caught:
        load_settings(Settings)
    assert set(str(caught.value).splitlines()[1:]) == {
        "  DATABASE_POOL_SIZE: input should be greater than or equal to 1 (for example: 10)",
        *(
            f"  {longer}: should be longer than {shorter}: raise it, or lower the other"
            for longer, shorter in {
                "DATABASE_STATEMENT_TIMEOUT_SECONDS": "DATABASE_LOCK_TIMEOUT_SECONDS",
                "DATABASE_COMMAND_TIMEOUT_SECONDS": "DATABASE_LOCK_TIMEOUT_SECONDS",
                "REQUEST_TIMEOUT_SECONDS": "DATABASE_LOCK_TIMEOUT_SECONDS",
                "TERMINATION_GRACE_PERIOD_SECONDS": "DRAIN_SECONDS + REQUEST_TIMEOUT_SECONDS",
            }.items()
        ),
    }


def test_a_default_that_no_longer_fits_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", URL)
    monkeypatch.setenv("DATABASE_LOCK_TIMEOUT_SECONDS", "4.5")
    with pytest.raises(SettingsError, match="DATABASE_STATEMENT_TIMEOUT_SECONDS: should be longer than"):
        load_settings(Settings)


@pytest.mark.parametrize("url", [URL, "postgres://host/name", "postgresql:///name?host=/run/postgresql", HOSTS])
def test_the_usual_addresses_are_taken_and_kept_out_of_sight(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    monkeypatch.setenv("DATABASE_URL", url)
    settings = load_settings(Settings)
    assert settings.database_url.get_secret_value() == url
    assert url not in repr(settings)
