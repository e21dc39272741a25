// The gap: two marks on one axis, and the distance between them.

const VERSION = new URL(import.meta.url).search
const { element, styled } = await import(new URL(`feed.js${VERSION}`, import.meta.url).href)

export default function mount(component, root) {
  if (!root.firstChild) build(root)
  fill(root, component.data)
  styled(root, "gap_meter.css", VERSION).then(() => root.classList.add("ready"))
  return () => {}
}

function build(root) {
  root.classList.add("meter")
  const mark = () => element("div", { class: "mark" }, [element("i"), element("span")])
  root.append(
    element("div", { class: "axis", role: "img" }, [element("div", { class: "between" }), mark(), mark()]),
    element("p", {}, [element("b", { class: "words" }), element("span", { class: "note" })]),
  )
}

function fill(root, data) {
  const [between, ...marks] = root.querySelector(".axis").children
  const places = data.marks.map((mark) => (100 * mark.value) / data.scale)
  const [left, right] = [Math.min(...places), Math.max(...places)]
  between.style.left = `${left}%`
  between.style.width = `${right - left}%`
  data.marks.forEach((mark, index) => {
    const isLow = places[index] === left && (index === 0 || places[0] !== left)
    marks[index].style.left = `${places[index]}%`
    marks[index].style.setProperty("--colour", mark.colour)
    marks[index].classList.toggle("low", isLow)
    marks[index].lastChild.textContent = `${mark.name} ${mark.text}`
  })
  root.querySelector(".words").textContent = data.words
  root.querySelector(".note").textContent = ` (${data.axis})`
  root.querySelector(".axis").setAttribute("aria-label", data.words)
}
