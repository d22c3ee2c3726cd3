"""Nothing that looks like a secret is shown."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from profiler.targets.masking import mask


@pytest.mark.parametrize(
    ("argv", "shown"),
    [
        (("serve", "--token", "abc"), ("serve", "--token", "***")),
        (("serve", "--db-password=abc"), ("serve", "--db-password=***")),
        (("env", "SECRET_KEY=abc", "run"), ("env", "SECRET_KEY=***", "run")),
        (("sh", "-c", "API_KEY=abc run --port 1"), ("sh", "-c", "API_KEY=*** run --port 1")),
        (("run", "postgres://me:abc@host/db"), ("run", "postgres://me:***@host/db")),
        (("run", "--header", "Authorization: abc"), ("run", "--header", "Authorization: ***")),
        (("run", "-H", "Authorization: Bearer abc.d"), ("run", "-H", "Authorization: ***")),
        (("run", "--token", "--port", "8000"), ("run", "--token", "--port", "8000")),
        (("python", "-m", "uvicorn", "main:app"), ("python", "-m", "uvicorn", "main:app")),
        (("monkey", "--keyboard", "de"), ("monkey", "--keyboard", "de")),
    ],
)
def test_secrets_are_masked_and_the_rest_is_not(argv: tuple[str, ...], shown: tuple[str, ...]) -> None:
    assert mask(argv) == shown


@given(
    value=st.text("abcdefghijklmnopqrstuvwxyz0123456789+/.!%", min_size=8).map(lambda text: "q" + text),
    name=st.sampled_from(["PASSWORD", "aws_secret", "GITHUB_TOKEN", "api-key", "apikey", "private_key"]),
)
def test_a_secret_never_comes_through(value: str, name: str) -> None:
    shown = mask(
        [
            "run",
            f"--{name}",
            value,
            f"--{name}={value}",
            f"{name}={value}",
            f"http://user:{value.replace('/', '')}@host",
        ]
    )
    assert value not in " ".join(shown)
