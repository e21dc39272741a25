// Examined data: a bar a class or word for each split, and sample pictures on one sheet.

const VERSION = new URL(import.meta.url).search
const { element, styled } = await import(new URL(`feed.js${VERSION}`, import.meta.url).href)
const numbers = new Intl.NumberFormat("en")

export default function mount(component, root) {
  const { data } = component
  root.className = "egs examination"
  root.replaceChildren(
    element("p", { class: "head", text: data.head }),
    bars(data),
    element("p", { class: "note", text: data.rest }),
    ...(data.sheet ? [sheet(data.sheet)] : []),
  )
  styled(root, "examination.css", VERSION).then(() => root.classList.add("ready"))
  return () => {}
}

function bars(data) {
  const rows = data.rows.map((row) =>
    element("li", { "aria-label": row.words }, [
      element("span", { class: "name", text: row.name, title: row.name, "aria-hidden": "true" }),
      element("span", { class: "bars", "aria-hidden": "true" }, row.counts.map((count, place) =>
        element("i", {
          class: `split-${place}`,
          style: `width: ${(100 * count) / data.largest}%`,
          title: `${numbers.format(count)} ${data.unit}, ${data.splits[place]}`,
        }))),
      element("span", {
        class: "counts", text: row.counts.map((count) => numbers.format(count)).join(" · "), "aria-hidden": "true",
      }),
    ]))
  return element("ul", {}, rows)
}

function sheet(picture) {
  return element("figure", {}, [
    element("img", { src: picture.address, width: picture.width, alt: picture.words }),
    element("figcaption", { text: `${picture.words}.` }),
  ])
}
