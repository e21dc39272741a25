"""Register a component whose code lies in ``app/static``.

Inline code is sent again with every change of data, so that only a loader of
a few lines is inline; the module is fetched once and kept by the browser under
an address that carries a digest of the file.
"""

from collections.abc import Mapping
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


def digest_of(module: str) -> str:
    """Twelve hexadecimal digits that change with any file of ``app/static``."""
    names = sorted(path for path in STATIC.rglob("*") if path.suffix in {".js", ".css"})
    content = b"".join(path.read_bytes() for path in names)
    return sha256(module.encode() + content).hexdigest()[:12]


class StaticComponent:
    """A component drawn by ``app/static/<module>``; make one at import, not in a page.

    Args:
        name: Unique in the app.
        module: File in ``app/static``.
    """

    def __init__(self, name: str, module: str) -> None:
        self._renderer = st.components.v2.component(
            name,
            html='<div class="egs"></div>\n',
            js=_LOADER.format(module=module, digest=digest_of(module)),
        )

    def __call__(self, data: Mapping[str, Any], *, key: str, **mounting: Any) -> Any:
        """Mount it with plain values; returns its states and triggers.

        The values travel in a list: Streamlit looks for data frames in the
        entries of a dictionary and loads pandas for it, which would double the
        memory of the process.
        """
        return self._renderer(data=[dict(data)], key=key, **mounting)
