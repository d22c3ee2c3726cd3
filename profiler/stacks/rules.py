"""The rules of `rules.toml`: which frames are plumbing."""

from __future__ import annotations

import dataclasses
import functools
import re
import tomllib
from importlib import resources
from typing import Literal

import msgspec

from profiler.model.frame import Language


class Rule(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Names of one language that are plumbing, or are not although a later rule says so."""

    language: Language
    decision: Literal["plumbing", "keep"]
    why: str
    patterns: tuple[str, ...]


@dataclasses.dataclass(frozen=True, slots=True)
class Rules:
    """All rules, ready to be asked."""

    by_language: dict[Language, tuple[tuple[re.Pattern[str], bool], ...]]

    @classmethod
    def of(cls, rules: tuple[Rule, ...]) -> Rules:
        """
        Raises:
            ValueError: a pattern that is no regular expression.
        """
        by_language: dict[Language, list[tuple[re.Pattern[str], bool]]] = {}
        for rule in rules:
            try:
                pattern = re.compile("|".join(f"(?:{one})" for one in rule.patterns))
            except re.error as error:
                raise ValueError(f"rule {rule.why!r}: {error}") from error
            by_language.setdefault(rule.language, []).append((pattern, rule.decision == "plumbing"))
        return cls({language: tuple(patterns) for language, patterns in by_language.items()})

    def is_plumbing(self, language: Language, name: str) -> bool:
        """The first rule that matches decides; without one a frame is none."""
        for pattern, plumbing in self.by_language.get(language, ()):
            if pattern.match(name):
                return plumbing
        return False


def parse_rules(text: str) -> Rules:
    """
    Raises:
        ValueError: no TOML, an unknown key, a pattern that is no regular expression.
    """
    tables = tomllib.loads(text).get("rule", [])
    return Rules.of(msgspec.convert(tables, tuple[Rule, ...]))


@functools.cache
def default_rules() -> Rules:
    """The rules that come with the toolkit."""
    return parse_rules(resources.files(__package__).joinpath("rules.toml").read_text("utf-8"))
