// Heat maps of edge probabilities: a table a cell kind, whose cells only change colour.
//
// While the timeline moves, the maps follow it with the frames that the player holds; where Python
// has said the same moment, its exact values are shown.

const VERSION = new URL(import.meta.url).search
const { Painter, element, named, scroller, styled } = await import(new URL(`feed.js${VERSION}`, import.meta.url).href)
const { listen, tell } = await import(new URL(`moments.js${VERSION}`, import.meta.url).href)

const VISIBLE = 0.1 // share of the largest change from which a cell carries its sign
const REST_MS = 150 // after the last move, cells get their words anew
const mounted = new WeakMap()

export default function mount(component, root) {
  let maps = mounted.get(root)
  if (!maps) mounted.set(root, maps = new Maps(root))
  maps.update(component.data)
  return () => {
    mounted.get(root)?.close()
    mounted.delete(root)
  }
}

class Maps {
  constructor(root) {
    this.root = root
    root.classList.add("maps")
    this.painter = new Painter(root, () => this.draw())
  }

  update(data) {
    const { root } = this
    this.data = data
    const frame = JSON.stringify([data.run, data.maps.map((map) => [map.kind, map.edges, map.operations])])
    if (root.dataset.frame !== frame) {
      root.dataset.frame = frame
      this.tables = data.maps.map((map, kind) => table(data.run, map, kind))
      root.replaceChildren(...this.tables.map(({ section }) => section))
      styled(root, "heatmap.css", VERSION).then(() => root.classList.add("ready"))
      this.stop?.()
      this.moment = null
      if (data.run) this.stop = listen(data.run, "moment", (moment) => this.hear(moment))
    }
    this.draw()
  }

  hear(moment) {
    this.moment = moment
    this.painter.ask()
  }

  draw() {
    const { data, moment, root } = this
    const follows = moment && moment.step !== data.step
    root.dataset.step = follows ? moment.step : data.step
    const shown = data.maps.map((map, kind) => (follows ? at(moment, map, kind, data) : map))
    shown.forEach((map, kind) => fill(this.tables[kind], map, data))
    clearTimeout(this.resting)
    const speak = () => shown.forEach((map, kind) => describe(this.tables[kind], map, data))
    if (follows) this.resting = setTimeout(speak, REST_MS)
    else speak()
  }

  close() {
    this.stop?.()
    clearTimeout(this.resting)
    this.painter.close()
  }
}

/** A map as it is at a moment of the timeline. */
function at({ frames, position, step }, map, kind, { since = null }) {
  const before = since === null ? null : frames.indexOf(since)
  const change = (edge, k) => {
    const now = frames.probability(position, kind, edge, k)
    return before === null ? now : now - frames.probability(before, kind, edge, k)
  }
  const steps = since === null ? `step ${grouped(step)}` : `from step ${grouped(since)} to ${grouped(step)}`
  return {
    ...map,
    title: `${map.name}, ${steps}`,
    probabilities: map.edges.map((_, edge) => map.operations.map((_, k) => change(edge, k))),
    drawn: map.edges.map((_, edge) => map.operations.map((_, k) => frames.drawn(position, kind, edge, k))),
  }
}

/** The parts of one table; `shades` holds what each cell shows, so that only changes are written. */
function table(run, map, kind) {
  const head = element("tr", {}, [element("td"), ...map.operations.map((name) => element("th", { scope: "col", text: name }))])
  const rows = map.edges.map((title, edge) => {
    const row = element("tr", {}, [named(title), ...map.operations.map(() => element("td"))])
    if (run) leads(row, run, { kind, edge })
    return row
  })
  const caption = element("caption")
  const key = [element("span"), element("i"), element("span")]
  const section = element("section", {}, [
    scroller(map.name ?? map.title, [
      element("table", {}, [caption, element("thead", {}, [head]), element("tbody", {}, rows)]),
    ]),
    element("div", { class: "key", "aria-hidden": "true" }, key),
  ])
  return { section, caption, key, rows, cells: rows.map((row) => [...row.children].slice(1)), shades: rows.map(() => []) }
}

/** A row leads to the curve of its edge; its head is a button for the keyboard. */
function leads(row, run, edge) {
  const [head] = row.children
  const button = element("button", { type: "button", title: "Show this edge over time" })
  button.append(...head.childNodes)
  head.append(button)
  row.classList.add("leads")
  row.onclick = () => tell(run, "edge", edge)
}

function fill({ caption, key, cells, shades }, map, { colours, top, signed = false }) {
  const largest = largestOf(map, top)
  caption.replaceChildren(element("strong", { text: map.title }), element("span", { text: map.normalisation }))
  key[1].style.background = `linear-gradient(90deg, ${colours.join(", ")})`
  key[0].textContent = signed ? points(-largest) : "0 %"
  key[2].textContent = signed ? points(largest) : percent(largest)
  cells.forEach((row, edge) => row.forEach((cell, k) => {
    const share = largest ? map.probabilities[edge][k] / largest : 0
    const colour = shade(signed ? (share + 1) / 2 : share, colours)
    if (shades[edge][k] !== colour) cell.style.background = shades[edge][k] = colour
    cell.classList.toggle("drawn", map.drawn[edge][k] && !signed)
    const sign = signed && Math.abs(share) >= VISIBLE ? (share > 0 ? "+" : "−") : ""
    if (cell.textContent !== sign) cell.textContent = sign
  }))
}

/** What a cell says to those who point at it or listen. */
function describe({ rows, cells }, map, { signed = false, mark = "drawn" }) {
  cells.forEach((row, edge) => {
    const title = rows[edge].children[0].textContent
    row.forEach((cell, k) => {
      const probability = map.probabilities[edge][k]
      const words = `${signed ? points(probability) : percent(probability)}${map.drawn[edge][k] ? `, ${mark}` : ""}`
      cell.setAttribute("aria-label", words)
      cell.title = `${title}, ${map.operations[k]}: ${words}`
    })
  })
}

function largestOf(map, top) {
  return top ?? Math.max(...map.probabilities.flat().map(Math.abs))
}

/** Between two neighbours of the scale; `share` from 0 to 1. */
function shade(share, colours) {
  const place = Math.min(share, 1) * (colours.length - 1)
  const below = Math.min(Math.floor(place), colours.length - 2)
  const part = Math.round((place - below) * 100)
  return `color-mix(in srgb, ${colours[below + 1]} ${part}%, ${colours[below]})`
}

function grouped(step) {
  return step.toLocaleString("en")
}

function points(share) {
  return `${share < 0 ? "−" : "+"}${Math.abs(100 * share).toFixed(1)} points`
}

function percent(share) {
  return `${(100 * share).toFixed(1)} %`
}
