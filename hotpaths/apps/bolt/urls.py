"""Nothing is served by Django itself: every endpoint is in `api`."""

urlpatterns: list[object] = []
