// A page that is opened begins at its top; Streamlit leaves the place of the one before.

const VISIT = Symbol.for("egs.visit")

export default function mount({ data }, root) {
  if (!root.firstChild) root.append(document.createElement("i"))
  const before = globalThis[VISIT]
  globalThis[VISIT] = data.visit
  if (before !== undefined && before !== data.visit) document.querySelector("[data-testid=stMain]")?.scrollTo(0, 0)
  return () => {}
}
