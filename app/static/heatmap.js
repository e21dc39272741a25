// Heat maps of edge probabilities: a table a cell kind, whose cells only change colour.

const VERSION = new URL(import.meta.url).search
const { element, named, styled } = await import(new URL(`feed.js${VERSION}`, import.meta.url).href)

const VISIBLE = 0.1 // share of the largest change from which a cell carries its sign

export default function mount(component, root) {
  const { data } = component
  const frame = JSON.stringify(data.maps.map((map) => [map.kind, map.edges, map.operations]))
  if (root.dataset.frame !== frame) {
    root.dataset.frame = frame
    root.classList.add("maps")
    root.replaceChildren(...data.maps.map(table))
    styled(root, "heatmap.css", VERSION).then(() => root.classList.add("ready"))
  }
  root.dataset.step = data.step
  data.maps.forEach((map, index) => fill(root.children[index], map, data))
  return () => {}
}

function table(map) {
  const head = element("tr", {}, [element("td"), ...map.operations.map((name) => element("th", { scope: "col", text: name }))])
  const rows = map.edges.map((edge) => {
    const cells = map.operations.map(() => element("td"))
    return element("tr", {}, [named(edge), ...cells])
  })
  return element("section", {}, [
    element("div", { class: "scroll" }, [
      element("table", {}, [element("caption"), element("thead", {}, [head]), element("tbody", {}, rows)]),
    ]),
    element("div", { class: "key", "aria-hidden": "true" }, [element("span", { text: "0 %" }), element("i"), element("span")]),
  ])
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

function points(share) {
  return `${share < 0 ? "−" : "+"}${Math.abs(100 * share).toFixed(1)} points`
}

function percent(share) {
  return `${(100 * share).toFixed(1)} %`
}
