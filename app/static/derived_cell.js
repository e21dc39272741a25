// Derived cells: the arc layout of the player with the kept operations only.

const VERSION = new URL(import.meta.url).search
const { element, styled } = await import(new URL(`feed.js${VERSION}`, import.meta.url).href)
const { shape, nodeShape } = await import(new URL(`shapes.js${VERSION}`, import.meta.url).href)

const TAG_HEIGHT = 17
const observers = new WeakMap()

export default function mount(component, root) {
  const { data } = component
  const signature = JSON.stringify(data)
  if (root.dataset.signature !== signature) {
    root.dataset.signature = signature
    root.classList.add("player", "derived")
    root.replaceChildren(element("div", { class: "cells" }, data.cells.map((cell) => card(data, cell))))
    root.dataset.kept = data.cells.map((cell) => cell.kept.flat().length).join(",")
    styled(root, "cell_player.css", VERSION).then(() => { root.classList.add("ready"); scale(root, data) })
  }
  if (!observers.has(root)) {
    const observer = new ResizeObserver(() => scale(root, component.data))
    observer.observe(root)
    observers.set(root, observer)
  }
  return () => {
    observers.get(root)?.disconnect()
    observers.delete(root)
  }
}

function scale(root, data) {
  root.querySelector(".cells")?.classList.toggle("beside", root.clientWidth >= 1300)
  for (const svg of root.querySelectorAll("svg")) {
    if (svg.clientWidth) svg.style.setProperty("--unit", String(data.layout.width / svg.clientWidth))
  }
}

function card(data, cell) {
  const { layout, operations } = data
  const words = cell.kept.flatMap((columns, edge) => columns.map((k) => `${layout.edges[edge].title}: ${operations[k].label}`))
  const kept = layout.edges.filter((edge) => cell.kept[edge.index].length)
  const [top, bottom] = extent(layout, kept, cell)
  const svg = shape("svg", { viewBox: `0 ${top} ${layout.width} ${bottom - top}`, role: "img", "aria-label": `Derived ${cell.kind} cell. ${words.join("; ")}` })
  const outputs = shape("g", { class: "outputs" })
  for (const path of layout.outputs) outputs.append(shape("path", { d: path }))
  svg.append(outputs)
  for (const edge of kept) {
    svg.append(shape("path", {
      class: "line", d: edge.path, stroke: operations[cell.kept[edge.index][0]].colour, "stroke-width": 3, opacity: 0.75,
    }))
  }
  const fed = new Set(kept.map((edge) => edge.target))
  for (const node of layout.nodes) {
    const drawn = nodeShape(node)
    if (node.kind === "node" && !fed.has(node.id)) drawn.classList.add("empty")
    svg.append(drawn)
  }
  for (const edge of kept) svg.append(tags(edge, cell.kept[edge.index], operations))
  return element("section", { class: "cell" }, [element("h4", { text: cell.title }), element("div", { class: "scroll" }, [svg])])
}

/** Height that is in use: boxes, and arcs with their tags. */
function extent(layout, kept, cell) {
  const boxes = layout.nodes.flatMap((node) => [node.y - node.height, node.y + node.height])
  const arcs = kept.flatMap((edge) => {
    const half = (cell.kept[edge.index].length * TAG_HEIGHT) / 2 + 10
    return [edge.y - half, edge.y + half]
  })
  return [Math.min(...boxes, ...arcs), Math.max(...boxes, ...arcs)]
}

/** One tag for each kept operation of an edge, stacked at its apex. */
function tags(edge, columns, operations) {
  const group = shape("g", { transform: `translate(${edge.x} ${edge.y})` })
  const top = (-(columns.length - 1) * TAG_HEIGHT) / 2
  columns.forEach((k, number) => {
    const y = top + number * TAG_HEIGHT
    group.append(shape("rect", { class: "tag", x: -27, y: y - 8, width: 54, height: 16, rx: 5, stroke: operations[k].colour }))
    const text = shape("text", { class: "tag-text", "text-anchor": "middle", y, dy: "0.35em" })
    text.append(operations[k].short)
    group.append(text)
  })
  return group
}
