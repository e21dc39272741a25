// A search over time: edges × time as a heat map, the curve of one edge, and how many operations
// the codes switch on at each node.
//
// Everything is read from the frames that the player holds, so that it costs the server nothing.

const VERSION = new URL(import.meta.url).search
const { Painter, element, named, styled } = await import(new URL(`feed.js${VERSION}`, import.meta.url).href)
const { Chart, keyOf, lastKnown, sync } = await import(new URL(`chart.js${VERSION}`, import.meta.url).href)
const { ask, listen, tell } = await import(new URL(`moments.js${VERSION}`, import.meta.url).href)

const ROW = 15
const POINTS = 500 // of a curve; more have no place on a screen
const GROWING_MS = 1000 // between two drawings of a search that goes on
const WINDOW = 0.05 // share of the moments over which drawn numbers are averaged
const LARGEST = "largest"
const ENTROPY = "entropy"
const mounted = new WeakMap()

export default function mount(component, root) {
  let history = mounted.get(root)
  if (!history || history.run !== component.data.run) {
    history?.close()
    root.replaceChildren()
    history = new History(root, component.data)
    mounted.set(root, history)
  }
  history.update(component.data)
  return () => {
    mounted.get(root)?.close()
    mounted.delete(root)
  }
}

class History {
  constructor(root, data) {
    this.root = root
    this.data = data
    this.run = data.run
    this.edge = { kind: 0, edge: 0 }
    this.drawnCount = 0
    this.build()
    this.painter = new Painter(root, () => this.follow())
    this.observer = new ResizeObserver(() => this.resized())
    Promise.all(["vendor/uPlot.min.css", "curves.css", "history.css"].map((name) => styled(root, name, VERSION))).then(() => {
      root.classList.add("ready")
      this.observer.observe(root)
      this.draw()
    })
    this.stops = [
      listen(data.run, "moment", (moment) => this.hear(moment)),
      listen(data.run, "edge", (edge) => this.choose(edge)),
    ]
  }

  close() {
    for (const stop of this.stops) stop()
    this.painter.close()
    clearTimeout(this.growing)
    this.observer.disconnect()
    this.edgeCard.chart.close()
    this.nodeCard.chart.close()
  }

  /* ---- structure ---- */

  build() {
    const { data, root } = this
    root.classList.add("history")
    this.shown = element("select", {}, [
      element("option", { value: LARGEST, text: "largest probability" }),
      element("option", { value: ENTROPY, text: "how undecided (entropy)" }),
      ...data.operations.map((operation, k) => element("option", { value: k, text: operation.label })),
    ])
    this.shown.onchange = () => this.drawMaps()
    this.where = element("output", { class: "where", text: "Point at a row to read it." })
    this.scale = element("i")
    this.top = element("span")
    this.maps = data.kinds.map((kind, number) => new EdgeMap(this, number))
    this.edgeCard = this.card("One edge", data.operations.map((operation) => ({ label: operation.short, colour: operation.colour, dashed: operation.none })), "")
    const lines = data.nodes.flatMap((node) => [
      { label: `node ${node.label}`, colour: node.colour, dashed: false },
      { label: "expected", colour: node.colour, dashed: true },
    ])
    this.nodeCard = this.card("Operations on at a node", lines, `What the codes switch on, averaged over 5 % of the moments, and dashed what the probabilities and ${data.draws} draws expect: the sum of 1 − (1 − p)^M. Both fall as a search decides.`)
    this.nodeCard.root.hidden = !data.nodes.length // a mixture draws no codes
    this.body = element("div", { class: "over-time" }, [
      element("div", { class: "controls" }, [
        element("label", {}, [element("span", { text: "Colour shows" }), this.shown]),
        element("span", { class: "scale", "aria-hidden": "true" }, ["0 %", this.scale, this.top]), this.where,
      ]),
      element("div", { class: "edge-maps" }, this.maps.map((map) => map.root)),
      element("div", { class: "pair" }, [this.edgeCard.root, this.nodeCard.root]),
    ])
    this.waiting = element("p", { class: "waiting", text: "It appears with the first snapshot." })
    this.body.hidden = true
    root.append(this.waiting, this.body)
  }

  card(title, lines, note) {
    const heading = element("h4", { text: title })
    const reset = element("button", { type: "button", class: "reset", text: "Reset zoom" })
    reset.hidden = true
    const values = []
    const legend = element("ul", { class: "legend" }, lines.map((line) => {
      const [item, value] = keyOf(line)
      values.push(value)
      return item
    }))
    const place = element("div", { class: "plot", role: "img" })
    const words = element("p", { text: note })
    const chart = new Chart(place, lines, {
      key: sync(`egs-${this.run}`).key,
      onCursor: (index) => this.readout(index),
      onZoom: (on) => { reset.hidden = !on },
      onPick: (step) => ask(this.run, "go", { step }),
      points: () => false,
    })
    reset.onclick = () => chart.unzoom()
    const root = element("section", { class: "card" }, [element("header", {}, [heading, reset]), legend, place, words])
    return { root, heading, values, place, words, chart }
  }

  update(data) {
    const recoloured = data.colours.join() !== this.data.colours.join()
    this.data = data
    if (recoloured) this.drawMaps()
    this.edgeCard.chart.themed()
    this.nodeCard.chart.themed()
  }

  /* ---- what the timeline says ---- */

  hear(moment) {
    this.moment = moment
    if (!this.drawnCount) this.grow()
    this.painter.ask()
  }

  /** What a moment changes: the marks, and once a second the pictures of a search that goes on. */
  follow() {
    const { count, generation } = this.frames
    if (count !== this.drawnCount || generation !== this.drawnGeneration) this.grow()
    this.mark()
  }

  /** Draw at once what is there at first, then at most once a second. */
  grow() {
    if (this.growing) return
    const wait = this.drawnCount ? GROWING_MS : 0
    this.growing = setTimeout(() => {
      this.growing = null
      this.draw()
    }, wait)
  }

  choose({ kind, edge }) {
    this.edge = { kind, edge }
    for (const map of this.maps) map.select(kind, edge)
    this.drawCharts()
    this.root.dataset.edge = `${this.data.kinds[kind]} ${edge}`
    if (this.moment) this.edgeCard.root.scrollIntoView({ block: "nearest", behavior: matchMedia("(prefers-reduced-motion: reduce)").matches ? "auto" : "smooth" })
  }

  /* ---- drawing ---- */

  get frames() {
    return this.moment?.frames
  }

  draw() {
    if (!this.frames?.count || !this.root.classList.contains("ready")) return
    this.waiting.hidden = true
    this.body.hidden = false
    this.drawnCount = this.frames.count
    this.drawnGeneration = this.frames.generation
    this.root.dataset.n = String(this.drawnCount)
    this.drawMaps()
    this.drawCharts()
  }

  drawMaps() {
    if (!this.frames?.count) return
    const { colours } = this.data
    const top = this.shown.value === ENTROPY ? 1 : Math.max(...this.maps.map((map) => map.gather(this.shown.value)))
    if (this.shown.value === ENTROPY) for (const map of this.maps) map.gather(ENTROPY)
    for (const map of this.maps) map.paint(top || 1, colours)
    this.scale.style.background = `linear-gradient(90deg, ${colours.join(", ")})`
    this.top.textContent = percent(top)
    this.mark()
  }

  drawCharts() {
    if (!this.drawnCount) return
    const { data, frames } = this
    const { kind, edge } = this.edge
    const at = chosen(frames.count)
    const steps = at.map((frame) => frames.steps[frame])
    this.edgeCard.heading.replaceChildren(`${data.titles[kind]}, edge `, ...named(data.edges[edge]).childNodes)
    this.edgeCard.place.setAttribute("aria-label", `Probabilities of the operations of an edge of the ${data.kinds[kind]} cell over steps`)
    const sums = {
      node: "Probability of each operation on this edge; all edges into the node share 100 %.",
      source: "Probability of each operation on this edge, 100 % together where it comes from an input of the cell; the edges from all nodes share 100 %.",
      edge: "Probability of each operation on this edge, 100 % together.",
    }
    this.edgeCard.words.textContent = `${sums[data.scope]} Choose another edge in the maps above, in the heat map or in the graph.`
    this.edgeCard.chart.draw([steps, ...data.operations.map((_, k) => at.map((frame) => 100 * frames.probability(frame, kind, edge, k)))])
    this.nodeCard.heading.textContent = `${data.titles[kind]}: operations on at a node`
    this.nodeCard.place.setAttribute("aria-label", `Operations that the codes switch on at each node of the ${data.kinds[kind]} cell over steps`)
    this.nodeCard.chart.draw([steps, ...data.nodes.flatMap((node) => this.sizes(node, kind, at))])
    this.mark()
  }

  /** Drawn and expected number of operations of a node at some frames. */
  sizes(node, kind, at) {
    const { data, frames } = this
    const half = Math.max(2, Math.round((WINDOW * frames.count) / 2))
    const sums = new Float64Array(frames.count + 1)
    for (let frame = 0; frame < frames.count; frame += 1) {
      let on = 0
      for (const edge of node.edges) on += frames.on(frame, kind, edge)
      sums[frame + 1] = sums[frame] + on
    }
    const drawn = at.map((frame) => {
      const from = Math.max(0, frame - half)
      const to = Math.min(frames.count, frame + half + 1)
      return (sums[to] - sums[from]) / (to - from)
    })
    const expected = at.map((frame) => {
      let sum = 0
      for (const edge of node.edges) {
        for (let k = 0; k < data.operations.length; k += 1) sum += 1 - (1 - frames.probability(frame, kind, edge, k)) ** data.draws
      }
      return sum
    })
    return [drawn, expected]
  }

  mark() {
    if (!this.drawnCount) return
    const { live, step, position } = this.moment
    this.root.dataset.step = String(step)
    for (const map of this.maps) map.mark((position + 0.5) / this.frames.count)
    for (const { chart } of [this.edgeCard, this.nodeCard]) chart.mark(live ? null : step)
    this.readout(null)
  }

  /** Values at the cursor, else at the moment of the timeline. */
  readout(index) {
    for (const [card, unit, digits] of [[this.edgeCard, " %", 0], [this.nodeCard, "", 1]]) {
      const { data } = card.chart
      if (!data?.[0].length) continue
      const at = index ?? card.chart.indexAt(this.moment.step)
      card.values.forEach((place, number) => {
        const value = lastKnown(data[number + 1], at)
        place.textContent = value === null ? "–" : `${value.toFixed(digits)}${unit}`
      })
    }
  }

  resized() {
    const { clientWidth } = this.root
    if (clientWidth === this.width) return
    this.width = clientWidth
    this.edgeCard.chart.resized()
    this.nodeCard.chart.resized()
    this.drawMaps()
  }
}

/** Edges × time of one cell kind: a button for each edge beside one canvas. */
class EdgeMap {
  constructor(owner, kind) {
    this.owner = owner
    this.kind = kind
    const { data } = owner
    this.buttons = data.edges.map((title, edge) => {
      const button = element("button", { type: "button", "aria-pressed": "false" })
      button.append(...named(title).childNodes)
      button.onclick = () => tell(owner.run, "edge", { kind, edge })
      return button
    })
    this.canvas = element("canvas", { role: "img", "aria-label": `Edges of the ${data.kinds[kind]} cell over time` })
    this.head = element("div", { class: "head" })
    this.plot = element("div", { class: "map" }, [this.canvas, this.head])
    this.plot.style.height = `${data.edges.length * ROW}px`
    this.plot.onpointermove = (event) => this.point(event)
    this.plot.onpointerleave = () => { owner.where.textContent = "Point at a row to read it." }
    this.plot.onclick = (event) => this.press(event)
    this.root = element("section", {}, [
      element("h4", { text: data.titles[kind] }),
      element("div", { class: "rows" }, [element("div", { class: "names" }, this.buttons), this.plot]),
    ])
  }

  select(kind, edge) {
    this.buttons.forEach((button, number) => button.setAttribute("aria-pressed", String(kind === this.kind && number === edge)))
  }

  /** Reads what is shown, one value an edge and column; returns the largest. */
  gather(shown) {
    const { frames, data } = this.owner
    const edges = data.edges.length
    this.columns = Math.max(1, Math.min(frames.count, this.plot.clientWidth || 1))
    this.values = new Float32Array(edges * this.columns)
    let largest = 0
    for (let column = 0; column < this.columns; column += 1) {
      const frame = Math.floor(((column + 0.5) * frames.count) / this.columns)
      for (let edge = 0; edge < edges; edge += 1) {
        const value = valueOf(frames, frame, this.kind, edge, shown)
        this.values[edge * this.columns + column] = value
        if (value > largest) largest = value
      }
    }
    return largest
  }

  paint(top, colours) {
    const edges = this.owner.data.edges.length
    const table = ramp(colours)
    this.canvas.width = this.columns
    this.canvas.height = edges
    const context = this.canvas.getContext("2d")
    const image = context.createImageData(this.columns, edges)
    this.values.forEach((value, at) => {
      const colour = table[Math.round(255 * Math.min(1, value / top))]
      image.data.set(colour, 4 * at)
    })
    context.putImageData(image, 0, 0)
    this.select(this.owner.edge.kind, this.owner.edge.edge)
  }

  mark(share) {
    this.head.style.transform = `translateX(${100 * share}%)`
  }

  /** Edge and column under the pointer. */
  under(event) {
    const box = this.plot.getBoundingClientRect()
    const edges = this.owner.data.edges.length
    const edge = Math.max(0, Math.min(edges - 1, Math.floor(((event.clientY - box.top) / box.height) * edges)))
    const share = Math.max(0, Math.min(0.9999, (event.clientX - box.left) / box.width))
    return { edge, column: Math.floor(share * this.columns), frame: Math.floor(share * this.owner.frames.count) }
  }

  point(event) {
    const { edge, column, frame } = this.under(event)
    const { data, frames, shown, where } = this.owner
    const what = shown.selectedOptions[0].text
    const title = data.edges[edge].replace(/_\{([^}]*)\}/g, " $1")
    where.textContent = `${title} at step ${frames.steps[frame].toLocaleString("en")}: ${what} ${percent(this.values[edge * this.columns + column])}`
  }

  press(event) {
    const { edge, frame } = this.under(event)
    tell(this.owner.run, "edge", { kind: this.kind, edge })
    ask(this.owner.run, "go", { step: this.owner.frames.steps[frame] })
  }
}

/** What a cell of the map shows: the largest probability, one of them, or the edge's entropy. */
function valueOf(frames, frame, kind, edge, shown) {
  if (shown !== LARGEST && shown !== ENTROPY) return frames.probability(frame, kind, edge, Number(shown))
  let total = 0
  let largest = 0
  for (let k = 0; k < frames.operations; k += 1) {
    const p = frames.probability(frame, kind, edge, k)
    total += p
    if (p > largest) largest = p
  }
  if (shown === LARGEST) return largest
  let entropy = 0
  for (let k = 0; k < frames.operations && total; k += 1) {
    const share = frames.probability(frame, kind, edge, k) / total
    if (share > 0) entropy -= share * Math.log(share)
  }
  return entropy / Math.log(frames.operations)
}

/** At most POINTS frames, evenly spread, the last among them. */
function chosen(count) {
  const points = Math.min(count, POINTS)
  return Array.from({ length: points }, (_, i) => Math.floor(((i + 1) * count) / points) - 1)
}

/** 256 colours between those of a scale, as [red, green, blue, 255]. */
function ramp(colours) {
  const stops = colours.map((colour) => [1, 3, 5].map((at) => Number.parseInt(colour.slice(at, at + 2), 16)))
  return Array.from({ length: 256 }, (_, i) => {
    const place = (i / 255) * (stops.length - 1)
    const below = Math.min(Math.floor(place), stops.length - 2)
    const part = place - below
    return [...stops[below].map((value, c) => Math.round(value + part * (stops[below + 1][c] - value))), 255]
  })
}

function percent(share) {
  return `${(100 * share).toFixed(0)} %`
}
