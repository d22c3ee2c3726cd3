"""Names cut to a width."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from profiler.views.shorten import shorten


@pytest.mark.parametrize(
    ("name", "width", "expected"),
    [
        ("hello", 5, "hello"),
        ("hello_world", 6, "hello…"),
        (
            "<actix_http::h1::Dispatcher as core::future::Future>::poll",
            45,
            "<actix_http::h1::Dispatcher as Future>::poll",
        ),
        ("<actix_http::h1::Dispatcher as core::future::Future>::poll", 40, "<Dispatcher as Future>::poll"),
        ("<actix_http::h1::Dispatcher as core::future::Future>::poll", 20, "Dispatcher::poll"),
        ("actix_http::h1::dispatcher::Inner::poll_request", 38, "actix_http::…::Inner::poll_request"),
        ("django::handler::route::{closure#0}", 30, "django::…::route::{closure#0}"),
        ("<bolt::middleware::Cors<…>>::call::{closure}", 30, "Cors<…>::call::{closure}"),
        ("server::handle", 10, "…::handle"),
        ("server::handle", 5, "hand…"),
        ("<a::Compression<…> as b::Service<…>>::call", 10, "Compressi…"),
        ("f::<fn(a) -> b::c>::g", 10, "f::…::g"),
    ],
)
def test_examples(name: str, width: int, expected: str) -> None:
    assert shorten(name, width) == expected


@given(st.text(alphabet="ab:<>(){}as -", max_size=60), st.integers(1, 60))
def test_a_name_that_fits_is_kept_and_one_that_does_not_fits_afterwards(name: str, width: int) -> None:
    short = shorten(name, width)
    assert len(short) <= max(width, 2)
    if len(name) <= width:
        assert short == name
