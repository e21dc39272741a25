"""Register a component whose code lies in ``app/static``.

Inline code is sent again with every change of data, so that only a loader of
a few lines is inline; the module is fetched once and kept by the browser under
an address that carries a digest of the file.
"""

from collections.abc import Mapping
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Any

import streamlit as st

STATIC = Path(__file__).parent.parent / "static"

_LOADER = """\
export default function (component) {{
  const root = component.parentElement.querySelector(".egs")
  const address = new URL("app/static/{module}?v={digest}", document.baseURI).href
  let ended = false
  let unmount = null
  import(address).then((module) => {{
    if (!ended) unmount = module.default({{ ...component, data: component.data[0] }}, root)
  }}).catch(() => {{
    root.textContent = "This part could not be loaded; reload the page."
  }})
  return () => {{
    ended = true
    if (unmount) unmount()
  }}
}}
"""


@cache
def digest() -> str:
    """Twelve hexadecimal digits that change with any file of ``app/static``.

    All modules carry the same, so that what they share is fetched once.
    """
    names = sorted(path for path in STATIC.rglob("*") if path.suffix in {".js", ".css"})
    content = b"".join(path.read_bytes() for path in names)
    return sha256(content).hexdigest()[:12]


class StaticComponent:
    """A component drawn by ``app/static/<module>``; make one at import, not in a page.

    Args:
        name: Unique in the app.
        module: File in ``app/static``.
        room: Height in pixels that it takes until it is ``ready``, so that what
            stands below does not jump.
    """

    def __init__(self, name: str, module: str, *, room: int = 0) -> None:
        kept = f"<style>.egs:not(.ready) {{ min-height: {room}px }}</style>" if room else ""
        self._renderer = st.components.v2.component(
            name,
            html=f'{kept}<div class="egs"></div>\n',
            js=_LOADER.format(module=module, digest=digest()),
        )

    def __call__(self, data: Mapping[str, Any], *, key: str, **mounting: Any) -> Any:
        """Mount it with plain values; returns its states and triggers.

        The values travel in a list: Streamlit looks for data frames in the
        entries of a dictionary and loads pandas for it, which would double the
        memory of the process.
        """
        return self._renderer(data=[dict(data)], key=key, **mounting)
