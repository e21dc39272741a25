// Heat maps of edge probabilities: a table a cell kind, whose cells only change colour.
//
// While the timeline moves, the maps follow it with the frames that the player holds; where Python
// has said the same moment, its exact values are shown.

const VERSION = new URL(import.meta.url).search
const { element, named, scroller, styled } = await import(new URL(`feed.js${VERSION}`, import.meta.url).href)
const { listen, tell } = await import(new URL(`moments.js${VERSION}`, import.meta.url).href)

const VISIBLE = 0.1 // share of the largest change from which a cell carries its sign
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
  }

  update(data) {
    const { root } = this
    this.data = data
    const frame = JSON.stringify([data.run, data.maps.map((map) => [map.kind, map.edges, map.operations])])
    if (root.dataset.frame !== frame) {
      root.dataset.frame = frame
      root.replaceChildren(...data.maps.map((map, kind) => table(data.run, map, kind)))
      styled(root, "heatmap.css", VERSION).then(() => root.classList.add("ready"))
      this.stop?.()
      this.moment = null
      if (data.run) this.stop = listen(data.run, "moment", (moment) => this.hear(moment))
    }
    this.draw()
  }

  hear(moment) {
    this.moment = moment
    this.frame ??= requestAnimationFrame(() => {
      this.frame = null
      this.draw()
    })
  }

  draw() {
    const { data, moment, root } = this
    const follows = moment && moment.step !== data.step
    root.dataset.step = follows ? moment.step : data.step
    data.maps.forEach((map, kind) => fill(root.children[kind], follows ? at(moment, map, kind, data) : map, data))
  }

  close() {
    this.stop?.()
    cancelAnimationFrame(this.frame)
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

function table(run, map, kind) {
  const head = element("tr", {}, [element("td"), ...map.operations.map((name) => element("th", { scope: "col", text: name }))])
  const rows = map.edges.map((title, edge) => {
    const row = element("tr", {}, [named(title), ...map.operations.map(() => element("td"))])
    if (run) leads(row, run, { kind, edge })
    return row
  })
  return element("section", {}, [
    scroller(map.name ?? map.title, [
      element("table", {}, [element("caption"), element("thead", {}, [head]), element("tbody", {}, rows)]),
    ]),
    element("div", { class: "key", "aria-hidden": "true" }, [element("span", { text: "0 %" }), element("i"), element("span")]),
  ])
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

function fill(section, map, { colours, top, signed = false, mark = "drawn" }) {
  const largest = top ?? Math.max(...map.probabilities.flat().map(Math.abs))
  section.querySelector("caption").replaceChildren(
    element("strong", { text: map.title }), element("span", { text: map.normalisation }),
  )
  section.querySelector(".key i").style.background = `linear-gradient(90deg, ${colours.join(", ")})`
  section.querySelector(".key span:first-child").textContent = signed ? points(-largest) : "0 %"
  section.querySelector(".key span:last-child").textContent = signed ? points(largest) : percent(largest)
  section.querySelectorAll("tbody tr").forEach((row, edge) => {
    map.probabilities[edge].forEach((probability, k) => {
      const cell = row.children[k + 1]
      const drawn = map.drawn[edge][k]
      const words = `${signed ? points(probability) : percent(probability)}${drawn ? `, ${mark}` : ""}`
      const share = largest ? probability / largest : 0
      cell.style.background = shade(signed ? (share + 1) / 2 : share, colours)
      cell.classList.toggle("drawn", drawn && !signed)
      cell.textContent = signed && Math.abs(share) >= VISIBLE ? (share > 0 ? "+" : "−") : ""
      cell.setAttribute("aria-label", words)
      cell.title = `${row.children[0].textContent}, ${map.operations[k]}: ${words}`
    })
  })
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
