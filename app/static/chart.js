// One small chart of lines over steps, on uPlot: axes in the page's ink, a zoom that stays, and a
// mark at the chosen moment.

const VERSION = new URL(import.meta.url).search
const { element } = await import(new URL(`feed.js${VERSION}`, import.meta.url).href)
const { default: uPlot } = await import(new URL(`vendor/uPlot.esm.js${VERSION}`, import.meta.url).href)

const HEIGHT = 210
const SECOND_CLICK_MS = 250
const STILL_PX = 4

export const join = (tables) => uPlot.join(tables)
export const sync = (key) => uPlot.sync(key)

export class Chart {
  /** `lines`: [{label, colour, dashed}]; `onCursor(index | null)`, `onZoom(on)`, `onPick(step)`. */
  constructor(place, lines, { key, onCursor, onZoom, onPick, points = () => true }) {
    Object.assign(this, { place, lines, key, onCursor, onZoom, onPick, points })
    this.zoomed = false
    this.step = null
    this.marker = element("div", { class: "moment", "aria-hidden": "true" })
    this.marker.hidden = true
  }

  get empty() {
    return !this.data?.[0].length
  }

  draw(data) {
    this.data = data
    if (this.empty) return
    if (!this.plot) this.make()
    else {
      const range = this.zoomed ? this.range() : null
      this.plot.setData(data, !range)
      if (range) this.plot.setScale("x", range)
    }
  }

  range() {
    return { min: this.plot.scales.x.min, max: this.plot.scales.x.max }
  }

  make() {
    const width = this.place.clientWidth
    if (!width) return
    const style = getComputedStyle(this.place)
    const grid = style.getPropertyValue("--st-border-color").trim() || "#8884"
    const axis = { stroke: style.color, font: `11px ${style.fontFamily}`, grid: { stroke: grid, width: 1 }, ticks: { show: false } }
    this.plot = new uPlot({
      width,
      height: HEIGHT,
      legend: { show: false },
      cursor: { sync: { key: this.key, setSeries: false }, drag: { x: true, y: false, uni: 20 }, points: { size: 6 } },
      scales: { x: { time: false } },
      axes: [{ ...axis, size: 30, space: 70 }, { ...axis, size: 52 }],
      series: [{}, ...this.lines.map((line) => ({
        label: line.label, stroke: line.colour, width: line.dashed ? 1.2 : 2,
        dash: line.dashed ? [4, 3] : undefined, spanGaps: true, points: { show: (plot, number) => this.points(number), size: 5 },
      }))],
      hooks: {
        setSelect: [(plot) => { if (plot.select.width > 0) this.zoom(true) }],
        setCursor: [(plot) => this.onCursor(plot.cursor.idx ?? null)],
        setScale: [(plot, name) => { if (name === "x") this.said() }],
        draw: [() => this.mark(this.step)],
      },
    }, this.data, this.place)
    this.plot.over.append(this.marker)
    this.listen(this.plot.over)
    this.ink = style.color
  }

  /** The first and last step in view, for those who look from outside. */
  said() {
    if (!this.plot) return
    const { min, max } = this.range()
    this.place.dataset.range = `${Math.round(min)}-${Math.round(max)}`
  }

  /** A drag zooms, two clicks show everything, and one click goes to that moment. */
  listen(over) {
    let pressed = 0
    over.addEventListener("mousedown", (event) => { pressed = event.clientX })
    over.addEventListener("click", (event) => {
      clearTimeout(this.picking)
      if (event.detail > 1 || Math.abs(event.clientX - pressed) > STILL_PX) return
      const step = this.plot.posToVal(event.clientX - over.getBoundingClientRect().left, "x")
      this.picking = setTimeout(() => this.onPick?.(Math.round(step)), SECOND_CLICK_MS)
    })
    over.addEventListener("dblclick", () => {
      clearTimeout(this.picking)
      this.zoom(false)
    })
  }

  /** Put the mark at a step; null takes it away. */
  mark(step) {
    this.step = step
    const { min, max } = this.plot?.scales.x ?? {}
    this.marker.hidden = step === null || !(step >= min && step <= max)
    if (!this.marker.hidden) this.marker.style.transform = `translateX(${this.plot.valToPos(step, "x")}px)`
  }

  /** Index of the last point at or before a step. */
  indexAt(step) {
    const steps = this.data[0]
    let low = 0
    let high = steps.length - 1
    while (low < high) {
      const middle = (low + high + 1) >> 1
      if (steps[middle] <= step) low = middle
      else high = middle - 1
    }
    return low
  }

  zoom(on) {
    this.zoomed = on
    this.onZoom(on)
  }

  unzoom() {
    this.zoom(false)
    this.plot.setData(this.data, true)
  }

  resized() {
    const width = this.place.clientWidth
    if (!width) return
    if (this.plot?.width === width) return
    if (this.plot) this.plot.setSize({ width, height: HEIGHT })
    else if (this.data && !this.empty) this.make()
  }

  themed() {
    if (!this.plot || this.ink === getComputedStyle(this.place).color) return
    const range = this.range()
    this.plot.destroy()
    this.make()
    if (this.zoomed) this.plot.setScale("x", range)
  }

  close() {
    clearTimeout(this.picking)
    this.plot?.destroy()
  }
}

/** A number with three digits that count. */
export function short(value) {
  const size = Math.abs(value)
  return size >= 100 ? value.toFixed(0) : size >= 10 ? value.toFixed(1) : value.toFixed(size >= 1 ? 2 : 3)
}

/** The last value of a column at or before an index; null where there is none. */
export function lastKnown(column, index) {
  let at = Math.min(index, column.length - 1)
  while (at > 0 && (column[at] === null || column[at] === undefined)) at -= 1
  return column[at] ?? null
}

/** A line's key with its name and, beside it, its value. */
export function keyOf(line) {
  const value = element("b", { text: "–" })
  const key = element("i", { class: line.dashed ? "key dashed" : "key" })
  key.style.setProperty("--colour", line.colour)
  return [element("li", {}, [key, line.label, " ", value]), value]
}
