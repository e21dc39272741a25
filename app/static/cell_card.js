// The graph of one cell kind in the player: its SVG is drawn once, and a moment only changes attributes.

const VERSION = new URL(import.meta.url).search
const { element, scroller } = await import(new URL(`feed.js${VERSION}`, import.meta.url).href)
const { tell } = await import(new URL(`moments.js${VERSION}`, import.meta.url).href)
const { shape, nodeShape } = await import(new URL(`shapes.js${VERSION}`, import.meta.url).href)

const BAR_WIDTH = 68
const BAR_HEIGHT = 8

/** One cell kind; `player` explains an edge that is pointed at. */
export class CellCard {
  constructor(player, kind, number) {
    this.player = player
    this.number = number
    const { layout, operations } = player.data
    this.svg = shape("svg", { viewBox: `0 0 ${layout.width} ${layout.height}`, role: "group", "aria-label": `Graph of the ${kind} cell` })
    const lines = shape("g", { class: "outputs" })
    for (const path of layout.outputs) lines.append(shape("path", { d: path }))
    this.svg.append(lines)
    this.edges = layout.edges.map((place) => this.buildEdge(place, operations))
    for (const edge of this.edges) this.svg.append(edge.line)
    for (const node of layout.nodes) this.svg.append(nodeShape(node))
    for (const edge of this.edges) this.svg.append(edge.node)
    this.root = element("section", { class: "cell" }, [
      element("h4", { text: player.data.titles[number] }), scroller(player.data.titles[number], [this.svg]),
    ])
  }

  buildEdge(place, operations) {
    const line = shape("path", { class: "line", d: place.path, stroke: "currentColor", "stroke-opacity": 0.12 })
    const node = shape("g", { class: "edge", role: "button", tabindex: "0", transform: `translate(${place.x} ${place.y})`, "data-edge": place.index, "aria-label": place.title })
    const target = shape("rect", { class: "target", x: -BAR_WIDTH / 2 - 6, y: -22, width: BAR_WIDTH + 12, height: 42 })
    const back = shape("rect", { class: "back", x: -BAR_WIDTH / 2 - 1.5, y: -BAR_HEIGHT / 2 - 1.5, width: BAR_WIDTH + 3, height: BAR_HEIGHT + 3, rx: 2.5 })
    const bar = shape("g", { class: "bar" })
    const parts = operations.map((operation) => shape("rect", { y: -BAR_HEIGHT / 2, height: BAR_HEIGHT, fill: operation.colour }))
    bar.append(...parts)
    const label = shape("text", { class: "label", "text-anchor": "middle", y: -BAR_HEIGHT / 2 - 5 })
    const pitch = BAR_WIDTH / operations.length
    const marks = operations.map((operation, number) => shape("circle", {
      class: "mark", cx: -BAR_WIDTH / 2 + pitch * (number + 0.5), cy: BAR_HEIGHT / 2 + 7, r: Math.min(2.8, pitch / 3), stroke: operation.colour, fill: operation.colour,
    }))
    node.append(target, back, bar, label, ...marks)
    const edge = { index: place.index, kind: this.number, place, line, node, parts, label, marks }
    node.addEventListener("pointerenter", () => this.player.explain(edge))
    node.addEventListener("pointerleave", () => { if (this.pinned !== edge) this.player.hideDetail() })
    node.addEventListener("focus", () => this.player.explain(edge))
    node.addEventListener("blur", () => { this.pinned = null; this.player.hideDetail() })
    node.addEventListener("click", () => {
      this.pinned = edge
      this.player.explain(edge)
      tell(this.player.run, "edge", { kind: edge.kind, edge: edge.index })
    })
    node.addEventListener("keydown", (event) => {
      if (event.key !== "Enter" && event.key !== " ") return
      event.preventDefault()
      event.stopPropagation()
      this.player.explain(edge)
    })
    return edge
  }

  resized() {
    const width = this.svg.clientWidth
    if (!width) return
    this.svg.style.setProperty("--unit", String(this.player.data.layout.width / width))
  }

  show(frames, position) {
    const { operations, draws } = this.player.data
    for (const edge of this.edges) {
      const [winner, share, total, standing] = frames.winner(position, this.number, edge.index)
      const operation = operations[winner]
      const probability = share * total
      const kept = 1 - (1 - probability) ** draws
      const decided = standing === "decided"
      put(edge.line, "stroke", decided ? operation.colour : "currentColor")
      put(edge.line, "stroke-width", (1.2 + 5.2 * (decided ? kept : 0)).toFixed(1))
      put(edge.line, "stroke-opacity", (decided ? 0.3 + 0.6 * kept : standing === "lost" ? 0.1 : 0.25).toFixed(2))
      edge.node.classList.toggle("lost", standing === "lost")
      edge.line.classList.toggle("dashed", decided && operation.none)
      let x = -BAR_WIDTH / 2
      for (let number = 0; number < operations.length; number += 1) {
        const width = (BAR_WIDTH * frames.probability(position, this.number, edge.index, number)) / total
        put(edge.parts[number], "x", x.toFixed(1))
        put(edge.parts[number], "width", width.toFixed(1))
        edge.marks[number].classList.toggle("on", frames.drawn(position, this.number, edge.index, number))
        x += width
      }
      const text = decided ? `${operation.short} ${percent(probability)}` : standing === "lost" ? "≈ 0%" : "undecided"
      if (edge.label.textContent !== text) {
        edge.label.textContent = text
        const words = decided ? `${operation.label} ${percent(probability)}` : standing === "lost" ? "hardly ever drawn" : "undecided"
        edge.node.setAttribute("aria-label", `${edge.place.title}: ${words}`)
      }
    }
  }
}

/** Sets an attribute that differs; even an equal one would be laid out and painted again. What was set
 *  is remembered on the node, since asking a node for its attribute costs as much as setting it. */
function put(node, name, value) {
  node.put ??= {}
  if (node.put[name] === value) return
  node.put[name] = value
  node.setAttribute(name, value)
}

function percent(probability) {
  return `${(100 * probability).toFixed(0)}%`
}
