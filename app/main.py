"""The Streamlit entry: navigation over the pages, and the sentence of any refusal."""

from collections.abc import Callable
from pathlib import Path

import streamlit as st

from app.components.top import begin_at_top
from app.frontend import open_frontend
from app.settings import Settings
from app.widgets import plain
from engine.domain.errors import StudioError
from pages import architecture, compare, engine, live, new_search, runs

ICON = Path(__file__).with_name("static") / "icon.png"


def _shown(draw: Callable[[], None]) -> Callable[[], None]:
    def page() -> None:
        try:
            draw()
        except StudioError as error:
            st.error(plain(str(error)), icon=":material/error:")

    return page


def main() -> None:
    """Draw the page that the address names."""
    st.set_page_config(page_title="EGS Studio", page_icon=str(ICON), layout="wide")
    st.logo(str(ICON.with_name("logo.svg")), size="large", icon_image=str(ICON))
    try:
        settings = Settings.from_environment()
        front = open_frontend(settings)
    except StudioError as error:
        st.error(plain(str(error)), icon=":material/error:")
        return
    studio = front.studio
    pages = (
        st.Page(
            _shown(lambda: runs.render(studio)),
            title="Runs",
            icon=":material/view_list:",
            url_path="",
            default=True,
        ),
        st.Page(
            _shown(lambda: new_search.render(studio)),
            title="New search",
            icon=":material/add_circle:",
            url_path="new",
        ),
        st.Page(
            _shown(lambda: live.render(studio, front.feed, front.tables)),
            title="Live",
            icon=":material/monitoring:",
            url_path="live",
        ),
        st.Page(
            _shown(lambda: architecture.render(studio, front.feed, front.tables)),
            title="Architecture",
            icon=":material/account_tree:",
            url_path="architecture",
        ),
        st.Page(
            _shown(lambda: compare.render(studio, front.feed)),
            title="Compare",
            icon=":material/compare_arrows:",
            url_path="compare",
        ),
        st.Page(
            _shown(lambda: engine.render(studio, settings)),
            title="Engine",
            icon=":material/memory:",
            url_path="engine",
        ),
    )
    page = st.navigation(pages)
    begin_at_top(page.url_path)
    page.run()


main()
