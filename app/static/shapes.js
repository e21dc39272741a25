// SVG parts that the player and the derived cells share.

const SVG = "http://www.w3.org/2000/svg"

export function shape(name, attributes = {}) {
  const node = document.createElementNS(SVG, name)
  for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value)
  return node
}

export function nodeShape(place) {
  const group = shape("g", { class: `node ${place.kind}`, transform: `translate(${place.x} ${place.y})` })
  group.append(shape("rect", { x: -place.width / 2, y: -place.height / 2, width: place.width, height: place.height, rx: 8 }))
  const text = shape("text", { "text-anchor": "middle", dy: "0.35em" })
  text.append(place.label)
  if (place.subscript) {
    const below = shape("tspan", { class: "subscript", dy: "0.35em" })
    below.append(place.subscript)
    text.append(below)
  }
  group.append(text)
  return group
}
