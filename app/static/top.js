// A page that is opened begins at its top; Streamlit leaves the place of the one before.
// And a page that was emptied is asked for again.

const VISIT = Symbol.for("egs.visit")
const WATCHER = Symbol.for("egs.empty-page")
const LOOK_MS = 250
const PARTS = "[data-testid=stMain] [data-testid=stElementContainer]:not(.st-key-top)"

// A page that a browser is leaving may ask to be drawn anew until the browser hears of the next one.
// Streamlit answers that after the next page, with nothing, and takes nothing for all there is.
// A step in the history, to where it is already, has it draw the page of the address.
function emptyPageWatcher() {
  let emptyBefore = false
  return () => {
    const app = document.querySelector("[data-testid=stApp]")
    if (!app) return location.reload() // news for a place that is no longer there ends Streamlit's own script
    const isIdle = app.dataset.testScriptState === "notRunning" && app.dataset.testConnectionState === "CONNECTED"
    const isEmpty = isIdle && !document.querySelector(PARTS)
    if (isEmpty && emptyBefore) dispatchEvent(new PopStateEvent("popstate"))
    emptyBefore = isEmpty && !emptyBefore
  }
}

globalThis[WATCHER] ??= setInterval(emptyPageWatcher(), LOOK_MS)

export default function mount({ data }, root) {
  if (!root.firstChild) root.append(document.createElement("i"))
  const before = globalThis[VISIT]
  globalThis[VISIT] = data.visit
  if (before !== undefined && before !== data.visit) document.querySelector("[data-testid=stMain]")?.scrollTo(0, 0)
  return () => {}
}
