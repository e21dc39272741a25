// How often operations were drawn: in each cell the band, what is expected, and what was seen.

const VERSION = new URL(import.meta.url).search
const { element, named, scroller, styled } = await import(new URL(`feed.js${VERSION}`, import.meta.url).href)

export default function mount(component, root) {
  const { data } = component
  const frame = JSON.stringify([data.edges, data.operations, data.records.map((record) => record.kind)])
  if (root.dataset.frame !== frame) {
    root.dataset.frame = frame
    root.classList.add("draws")
    root.replaceChildren(...data.records.map((record) => section(data, record)))
    styled(root, "draws.css", VERSION).then(() => root.classList.add("ready"))
  }
  root.dataset.step = data.step
  data.records.forEach((record, index) => fill(root.children[index], data, record))
  return () => {}
}

function section(data, record) {
  const head = element("tr", {}, [
    element("td"), ...data.operations.map((name) => element("th", { scope: "col", text: name })),
  ])
  const rows = data.edges.map((edge) =>
    element("tr", {}, [named(edge), ...data.operations.map(() => element("td", {}, [track()]))]))
  const nodes = record.nodes.map((node) => element("li", {}, [
    element("span", { class: "node", text: `node ${node.label}` }), element("span", { class: "size" }),
  ]))
  return element("section", {}, [
    scroller(`Draws of the ${record.kind} cell`, [
      element("table", {}, [element("caption"), element("thead", {}, [head]), element("tbody", {}, rows)]),
    ]),
    element("p", { class: "head", text: "Operations on at each node (drawn / expected)" }),
    element("ul", {}, nodes),
  ])
}

function track() {
  return element("div", { class: "track" }, [
    element("i", { class: "band" }), element("i", { class: "expected" }), element("i", { class: "seen" }),
  ])
}

function fill(section, data, record) {
  section.querySelector("caption").replaceChildren(
    element("strong", { text: record.title }), element("span", { text: record.words }),
  )
  section.querySelectorAll("tbody tr").forEach((row, edge) => {
    record.rows[edge].forEach((entry, k) => show(row.children[k + 1], row, data.operations[k], entry))
  })
  section.querySelectorAll("li .size").forEach((size, index) => {
    const node = record.nodes[index]
    size.textContent = `${node.drawn.toFixed(2)} / ${node.expected.toFixed(2)}`
  })
}

function show(cell, row, operation, [seen, expected, low, high]) {
  const [band, tick, dot] = cell.firstChild.children
  const outside = seen < low - 1e-9 || seen > high + 1e-9
  band.style.setProperty("--at", share(low))
  band.style.setProperty("--width", share(high - low))
  tick.style.setProperty("--at", share(expected))
  dot.style.setProperty("--at", share(seen))
  cell.classList.toggle("outside", outside)
  const words = `drawn ${share(seen)}, expected ${share(expected)}, band ${share(low)} to ${share(high)}`
  cell.setAttribute("aria-label", outside ? `${words}, outside` : words)
  cell.title = `${row.children[0].textContent}, ${operation}: ${words}`
}

function share(value) {
  return `${(100 * value).toFixed(1)}%`
}
