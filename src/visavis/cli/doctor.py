"""``visavis doctor``: checks everything that a call needs, and says what to do."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from typing import TYPE_CHECKING

import typer

from visavis.cli.common import EXIT_FAILURE, EXIT_SETTINGS, ConfigOption, SetOption, parse_assignments

if TYPE_CHECKING:
    from rich.console import Console

    from visavis.cli.findings import Finding
    from visavis.config import Settings

PATIENCE = 60.0
"""Seconds that one check may take; loading a large model is the longest."""


def doctor(config: ConfigOption = None, assignments: SetOption = None) -> None:
    """Check Python, ports, codecs, network, providers, models and avatars; exit code 1 when one does not work."""
    from rich.console import Console
    from rich.status import Status

    from visavis.cli.findings import Level, bad, ok
    from visavis.config import SettingsError
    from visavis.config_loading import load_with_origins
    from visavis.log import configure_logging

    console = Console()
    try:
        settings, origins = load_with_origins(config, parse_assignments(assignments))
    except SettingsError as error:
        _print(console, [bad("settings", problem, "correct it: see docs/settings.md") for problem in error.problems])
        raise typer.Exit(EXIT_SETTINGS) from None
    sources = ", ".join(dict.fromkeys(origins.values()))
    findings = [ok("settings", f"{len(origins)} set, from {sources}" if origins else "all at their defaults")]
    configure_logging("error", settings.server.log_format)
    with Status("", console=Console(stderr=True)) as status:
        findings += asyncio.run(_run(settings, lambda name: status.update(f"checking {name} …")))
    _print(console, findings)
    if any(finding.level is Level.FAIL for finding in findings):
        raise typer.Exit(EXIT_FAILURE)


async def _run(settings: "Settings", tell: Callable[[str], None]) -> "list[Finding]":
    """Every check in turn; one that breaks or takes too long is a finding of its own."""
    from visavis.cli import network_checks, provider_checks, system_checks
    from visavis.cli.findings import bad

    checks: list[tuple[str, Callable[[], Awaitable[list[Finding]]]]] = [
        ("Python", lambda: _at_once(system_checks.python())),
        ("license", lambda: _at_once(system_checks.licenses(settings))),
        ("TCP port", lambda: _at_once(system_checks.tcp_port(settings))),
        ("UDP ports", lambda: _at_once(network_checks.udp_ports(settings))),
        ("slots", lambda: _at_once(system_checks.load(settings))),
        ("codecs", lambda: _at_once(system_checks.codecs(settings))),
        ("media addresses", lambda: _all(network_checks.candidates(settings))),
        ("STUN and TURN", lambda: _all(network_checks.ice_servers(settings))),
        ("models", lambda: _at_once(provider_checks.models())),
        ("avatars", lambda: _all(provider_checks.avatars(settings))),
        ("speech, hearing and thinking", lambda: _all(provider_checks.providers(settings))),
    ]
    findings: list[Finding] = []
    for name, check in checks:
        tell(name)
        try:
            async with asyncio.timeout(PATIENCE):
                findings += await check()
        except TimeoutError:
            findings.append(bad(name, f"no result within {PATIENCE:g} s", "try again when the machine is less busy"))
        except Exception as error:
            # A check must not take the report with it, whatever a library throws.
            findings.append(bad(name, f"the check itself failed: {type(error).__name__}: {error}", "report this"))
    return findings


async def _at_once(findings: "Iterable[Finding]") -> "list[Finding]":
    return await asyncio.to_thread(list, findings)


async def _all(findings: "AsyncIterator[Finding]") -> "list[Finding]":
    return [finding async for finding in findings]


def _print(console: "Console", findings: "Iterable[Finding]") -> None:
    from rich.table import Table
    from rich.text import Text

    colours = {"ok": "green", "warn": "yellow", "fail": "bold red"}
    table = Table(box=None, pad_edge=False, show_header=False)
    table.add_column(no_wrap=True)
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for finding in findings:
        seen = Text(finding.seen)
        if finding.advice:
            seen.append(f"\n→ {finding.advice}", style="bold")
        table.add_row(Text(finding.level.value, style=colours[finding.level.value]), Text(finding.subject), seen)
    console.print(table)
