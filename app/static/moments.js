// What a person looks at, said by one part of a page and heard by the others: the moment of a run,
// and one of its edges.
//
// Parts are modules of their own, each with its own copy of this one, so that what they share
// hangs on the window.

const BUS = Symbol.for("egs.moments")
const bus = (globalThis[BUS] ??= Object.assign(new EventTarget(), { last: new Map() }))

/** Says something about a run to all who listen now or later.
 *  "moment": {frames, position, step, live}; "edge": {kind, edge}. */
export function tell(run, what, detail) {
  bus.last.set(`${what} ${run}`, detail)
  bus.dispatchEvent(new CustomEvent(`${what} ${run}`, { detail }))
}

/** Asks for something once: "go" to {step}. */
export function ask(run, what, detail) {
  bus.dispatchEvent(new CustomEvent(`${what} ${run}`, { detail }))
}

/** Hears what is said from now on, and at once what was said last; returns how to stop. */
export function listen(run, what, hear) {
  const name = `${what} ${run}`
  const onSaid = (event) => hear(event.detail)
  bus.addEventListener(name, onSaid)
  if (bus.last.has(name)) hear(bus.last.get(name))
  return () => bus.removeEventListener(name, onSaid)
}

/** Forgets what was said last, when the part that said it goes. */
export function hush(run, what) {
  bus.last.delete(`${what} ${run}`)
}
