// The network as a strip of blocks: height is the resolution, the bar below the compute.

const VERSION = new URL(import.meta.url).search
const { element, styled } = await import(new URL(`feed.js${VERSION}`, import.meta.url).href)

const SMALLEST = 0.22

export default function mount(component, root) {
  const { data, setStateValue } = component
  root.classList.add("strip")
  const blocks = data.blocks.map((block) => drawn(block, data, (cell) => {
    mark(root, cell)
    setStateValue("cell", cell)
  }))
  root.replaceChildren(element("ol", {}, blocks))
  mark(root, Number(root.dataset.chosen ?? 0))
  styled(root, "network_strip.css", VERSION).then(() => root.classList.add("ready"))
  return () => {}
}

function drawn(block, data, choose) {
  const tall = block.height ? Math.max(SMALLEST, block.height / data.tallest) : SMALLEST
  const cost = block.dead ? `dead, and left out: ${block.dead}` : `${count(block.parameters)} parameters, ${count(block.adds)} multiply-adds`
  const words = `${block.label}${block.size ? `, ${block.size}` : ""}: ${cost}`
  const isCell = block.cell !== null
  const box = element(isCell ? "button" : "div", {
    class: `block ${block.kind ?? "end"}${block.dead ? " dead" : ""}`, title: words, type: isCell ? "button" : null,
    "aria-label": isCell ? `Cell ${block.cell + 1}. ${words}` : null,
  }, [element("span", { class: "name", text: short(block) })])
  box.style.height = `${Math.round(34 + 66 * tall)}px`
  if (isCell) box.addEventListener("click", () => choose(block.cell))
  const bar = element("i")
  bar.style.width = `${data.dearest ? (100 * block.adds) / data.dearest : 0}%`
  const item = element("li", { "data-cell": isCell ? String(block.cell) : null }, [
    element("div", { class: "room" }, [box]),
    element("div", { class: "bar", "aria-hidden": "true" }, [bar]),
    element("span", { class: "size", text: block.size || "scores" }),
    element("span", { class: "adds", text: block.dead ? "dead" : count(block.adds) }),
  ])
  return item
}

function mark(root, cell) {
  for (const item of root.querySelectorAll("li")) {
    const chosen = item.dataset.cell !== undefined && Number(item.dataset.cell) === cell
    item.classList.toggle("chosen", chosen)
    item.querySelector("button")?.setAttribute("aria-pressed", String(chosen))
  }
  root.dataset.chosen = cell
}

function short(block) {
  if (block.cell === null) return block.label
  const kind = { normal: "N", reduction: "R", recurrent: "cell" }[block.kind] ?? "C"
  return block.kind === "recurrent" ? kind : `${kind}${block.cell + 1}`
}

function count(value) {
  for (const [size, unit] of [[1e9, " G"], [1e6, " M"], [1e3, " k"]]) {
    if (value >= size) return `${(value / size).toFixed(value >= 100 * size ? 0 : 1)}${unit}`
  }
  return String(value)
}
