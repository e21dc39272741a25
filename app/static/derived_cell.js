// Derived cells: the arc layout of the player with the kept operations only.

const VERSION = new URL(import.meta.url).search
const { element, scroller, styled } = await import(new URL(`feed.js${VERSION}`, import.meta.url).href)
const { shape, nodeShape } = await import(new URL(`shapes.js${VERSION}`, import.meta.url).href)

const TAG_HEIGHT = 17
const STATES = { "+": "added", "−": "removed", "": "both" }
const observers = new WeakMap()

export default function mount(component, root) {
  const { data } = component
  const signature = JSON.stringify(data)
  if (root.dataset.signature !== signature) {
    root.dataset.signature = signature
    root.classList.add("player", "derived")
    root.replaceChildren(...(data.cells.some((cell) => cell.marks) ? [legend(data)] : []), element("div", { class: "cells" }, data.cells.map((cell) => card(data, cell))))
    root.dataset.dead = data.cells.map((cell) => cell.dead.flat().filter(Boolean).length).join(",")
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

/** What line, mark and colour mean, where two cells are compared. */
function legend(data) {
  return element("ul", { class: "legend" }, Object.entries(data.words).map(([state, words]) => {
    const svg = shape("svg", { viewBox: "0 0 30 8", class: "sample", "aria-hidden": "true" })
    svg.append(shape("path", { class: `line ${state}`, d: "M2 4L28 4", "stroke-width": 3 }))
    return element("li", {}, [svg, words])
  }))
}

function scale(root, data) {
  root.querySelector(".cells")?.classList.toggle("beside", root.clientWidth >= 1300)
  for (const svg of root.querySelectorAll(".cell svg")) {
    if (svg.clientWidth) svg.style.setProperty("--unit", String(data.layout.width / svg.clientWidth))
  }
}

function card(data, cell) {
  const { layout, operations } = data
  const words = cell.kept.flatMap((columns, edge) => columns.map((k, place) => `${layout.edges[edge].title}: ${operations[k].label}${spoken(cell, edge, place)}`))
  if (cell.note) words.push(cell.note)
  const kept = layout.edges.filter((edge) => cell.kept[edge.index].length)
  const [top, bottom] = extent(layout, kept, cell)
  const svg = shape("svg", { viewBox: `0 ${top} ${layout.width} ${bottom - top}`, role: "img", "aria-label": `Derived ${cell.kind} cell. ${words.join("; ")}` })
  const outputs = shape("g", { class: "outputs" })
  for (const path of cell.outputs) outputs.append(shape("path", { d: path }))
  svg.append(outputs)
  for (const edge of kept) {
    const change = changeOf(cell, edge.index)
    const alive = cell.kept[edge.index].find((_, place) => !cell.dead[edge.index][place])
    svg.append(shape("path", {
      class: `line ${change}${alive === undefined ? " dead" : ""}`, d: edge.path, "stroke-width": 3, opacity: 0.75,
      ...(change || alive === undefined ? {} : { stroke: operations[alive].colour }),
    }))
  }
  for (const node of layout.nodes) {
    const drawn = nodeShape(node)
    const reason = cell.deadNodes[node.id]
    if (reason) {
      drawn.classList.add("empty")
      drawn.append(tooltip(reason))
    }
    svg.append(drawn)
  }
  for (const edge of kept) svg.append(tags(edge, cell.kept[edge.index], operations, cell.marks?.[edge.index], cell.dead[edge.index]))
  const note = cell.note ? [element("p", { class: "note", text: cell.note })] : []
  return element("section", { class: "cell" }, [element("h4", { text: cell.title }), ...note, scroller(cell.title, [svg])])
}

/** Why a part is dead, shown where the pointer rests. */
function tooltip(reason) {
  const title = shape("title")
  title.append(`Dead: ${reason}`)
  return title
}

/** What becomes of an operation in a comparison, and why it is dead, for those who cannot see it. */
function spoken(cell, edge, place) {
  const mark = cell.marks?.[edge][place]
  const change = mark === "+" ? ", added" : mark === "−" ? ", removed" : cell.marks ? ", in both" : ""
  const reason = cell.dead[edge][place]
  return change + (reason ? `, dead because ${reason}` : "")
}

/** Of a whole edge: a word for its line; empty where nothing is compared. */
function changeOf(cell, edge) {
  const marks = cell.marks?.[edge]
  if (!marks) return ""
  const kinds = new Set(marks)
  return kinds.size === 1 ? STATES[marks[0]] : "changed"
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
function tags(edge, columns, operations, marks, dead) {
  const group = shape("g", { transform: `translate(${edge.x} ${edge.y})` })
  const top = (-(columns.length - 1) * TAG_HEIGHT) / 2
  columns.forEach((k, number) => {
    const y = top + number * TAG_HEIGHT
    const half = marks ? 33 : 27
    const state = marks ? STATES[marks[number]] : ""
    const reason = dead[number]
    const tag = shape("g", reason ? { class: "dead" } : {})
    if (reason) tag.append(tooltip(reason))
    tag.append(shape("rect", { class: `tag ${state}`, x: -half, y: y - 8, width: 2 * half, height: 16, rx: 5, ...(marks || reason ? {} : { stroke: operations[k].colour }) }))
    const text = shape("text", { class: "tag-text", "text-anchor": "middle", y, dy: "0.35em" })
    text.append(marks?.[number] ? `${marks[number]} ${operations[k].short}` : operations[k].short)
    tag.append(text)
    group.append(tag)
  })
  return group
}
