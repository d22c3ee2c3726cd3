"""The contract's paths."""

from __future__ import annotations

import views
from django.urls import path

urlpatterns = [
    path("hello", views.hello),
    path("json/<int:size>", views.json_of),
    path("bytes/<int:size>", views.bytes_of),
    path("await", views.awaited),
    path("orm", views.orm),
]
