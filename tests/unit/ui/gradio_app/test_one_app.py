"""A page has one web application of Gradio's, and Gradio itself stays as it is."""

import pytest
from fanslymotion.settings import Settings
from fanslymotion.ui.app import build_app
from fanslymotion.ui.auth.logins import Logins
from fanslymotion.ui.gradio_app.fast_import import gradio
from gradio.routes import App


def test_a_page_makes_one_application(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[object] = []
    register = App.configure_app
    monkeypatch.setattr(App, "configure_app", lambda app, blocks: (made.append(blocks), register(app, blocks)))
    studio = build_app(settings, Logins({}, b"k" * 32), "127.0.0.1")
    try:
        assert len(made) == 1
        assert gradio.blocks.App is App
    finally:
        studio.close()
        studio.photos.close()
        studio.jobs.close()
