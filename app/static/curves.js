// Curves on uPlot: they poll what is new, share one cursor and keep the person's zoom.

const VERSION = new URL(import.meta.url).search
const { Poller, after, element, styled } = await import(new URL(`feed.js${VERSION}`, import.meta.url).href)
const { default: uPlot } = await import(new URL(`vendor/uPlot.esm.js${VERSION}`, import.meta.url).href)

const HEIGHT = 210
const CURVES_MS = 1000 // drawing them again is dear, and a curve changes little in a second
const mounted = new WeakMap()

export default function mount(component, root) {
  let curves = mounted.get(root)
  if (!curves || curves.run !== component.data.run) {
    curves?.close()
    root.replaceChildren()
    curves = new Curves(root, component.data)
    mounted.set(root, curves)
  }
  curves.update(component.data)
  return () => {
    mounted.get(root)?.close()
    mounted.delete(root)
  }
}

class Curves {
  constructor(root, data) {
    this.root = root
    this.run = data.run
    this.data = data
    this.series = new Map()
    this.last = -1
    this.sync = uPlot.sync(`egs-${data.run}`)
    root.classList.add("curves")
    this.cards = data.charts.map((chart) => new Card(this, chart))
    root.append(...this.cards.map((card) => card.root))
    this.observer = new ResizeObserver(() => this.cards.forEach((card) => card.resized()))
    Promise.all([styled(root, "vendor/uPlot.min.css", VERSION), styled(root, "curves.css", VERSION)]).then(() => {
      root.classList.add("ready")
      this.observer.observe(root)
    })
    if (data.address) this.poll()
  }

  poll() {
    const { address } = this.data
    this.poller = new Poller(
      () => after(address, this.last),
      async (response) => this.take(await response.json()),
      (state) => { this.root.dataset.connection = state },
      CURVES_MS,
    )
  }

  update(data) {
    this.data = data
    if (data.address && !data.ended && this.poller.stopped) this.poll()
    if (data.series) {
      this.series.clear()
      this.take(data.series)
    }
    for (const card of this.cards) card.themed()
  }

  take(message) {
    if (this.attempt !== undefined && this.attempt !== message.attempt) {
      this.series.clear()
      this.last = -1
      this.attempt = message.attempt
      return { lively: true, ended: false, more: true }
    }
    this.attempt = message.attempt
    let grew = false
    for (const [name, columns] of Object.entries(message.series)) {
      const known = this.series.get(name) ?? { steps: [], values: [] }
      this.series.set(name, known)
      columns.steps.forEach((step, number) => {
        known.steps.push(step)
        known.values.push(columns.values[number])
        if (step > this.last) this.last = step
        grew = true
      })
    }
    if (grew) for (const card of this.cards) card.draw(this.series)
    this.root.dataset.n = String(this.last)
    return message
  }

  close() {
    this.poller?.stop()
    this.observer.disconnect()
    for (const card of this.cards) card.plot?.destroy()
  }
}

class Card {
  constructor(owner, chart) {
    this.owner = owner
    this.chart = chart
    this.zoomed = false
    this.reset = element("button", { type: "button", class: "reset", text: "Reset zoom" })
    this.reset.hidden = true
    this.reset.onclick = () => this.unzoom()
    const title = element("h4", { text: chart.unit ? `${chart.title} (${chart.unit})` : chart.title })
    this.legend = element("ul", { class: "legend" })
    this.values = chart.lines.map((line) => {
      const value = element("b", { text: "–" })
      const key = element("i", { class: line.dashed ? "key dashed" : "key" })
      key.style.setProperty("--colour", line.colour)
      this.legend.append(element("li", {}, [key, line.label, " ", value]))
      return value
    })
    this.place = element("div", { class: "plot", role: "img", "aria-label": `${chart.title} over steps` })
    this.root = element("section", { class: "card" }, [
      element("header", {}, [title, this.reset]), this.legend, this.place, element("p", { text: chart.note }),
    ])
  }

  draw(series) {
    const tables = this.chart.lines.map((line) => {
      const known = series.get(line.metric) ?? { steps: [], values: [] }
      return [known.steps, known.values]
    })
    this.data = uPlot.join(tables)
    if (!this.data[0].length) return
    if (!this.plot) this.make()
    else {
      const range = this.zoomed ? { min: this.plot.scales.x.min, max: this.plot.scales.x.max } : null
      this.plot.setData(this.data, !range)
      if (range) this.plot.setScale("x", range)
    }
    this.readout(null)
  }

  make() {
    const width = this.place.clientWidth
    if (!width) return
    const style = getComputedStyle(this.owner.root)
    const ink = style.color
    const grid = style.getPropertyValue("--st-border-color").trim() || "#8884"
    const axis = { stroke: ink, font: `11px ${style.fontFamily}`, grid: { stroke: grid, width: 1 }, ticks: { show: false } }
    this.plot = new uPlot({
      width,
      height: HEIGHT,
      legend: { show: false },
      cursor: { sync: { key: this.owner.sync.key, setSeries: false }, drag: { x: true, y: false, uni: 20 }, points: { size: 6 } },
      scales: { x: { time: false } },
      axes: [{ ...axis, size: 30, space: 70 }, { ...axis, size: 52 }],
      series: [{}, ...this.chart.lines.map((line) => ({
        label: line.label, stroke: line.colour, width: line.dashed ? 1.2 : 2,
        dash: line.dashed ? [4, 3] : undefined, spanGaps: true, points: { show: (plot, number) => this.sparse(number) , size: 5 },
      }))],
      hooks: {
        setSelect: [(plot) => { if (plot.select.width > 0) this.zoom(true) }],
        setCursor: [(plot) => this.readout(plot.cursor.idx)],
      },
    }, this.data, this.place)
    this.plot.over.addEventListener("dblclick", () => this.zoom(false))
    this.ink = ink
  }

  sparse(number) {
    return this.data[number].reduce((count, value) => count + (value !== null && value !== undefined), 0) <= 60
  }

  zoom(on) {
    this.zoomed = on
    this.reset.hidden = !on
    this.root.dataset.zoomed = String(on)
  }

  unzoom() {
    this.zoom(false)
    this.plot.setData(this.data, true)
  }

  readout(index) {
    this.chart.lines.forEach((line, number) => {
      const column = this.data[number + 1]
      let at = index ?? column.length - 1
      while (at > 0 && (column[at] === null || column[at] === undefined)) at -= 1
      const value = column[at]
      this.values[number].textContent = value === null || value === undefined ? "–" : short(value)
    })
  }

  resized() {
    const width = this.place.clientWidth
    if (!width) return
    if (this.plot) this.plot.setSize({ width, height: HEIGHT })
    else if (this.data?.[0].length) this.make()
  }

  themed() {
    if (!this.plot || this.ink === getComputedStyle(this.owner.root).color) return
    const range = { min: this.plot.scales.x.min, max: this.plot.scales.x.max }
    this.plot.destroy()
    this.make()
    if (this.zoomed) this.plot.setScale("x", range)
  }
}

function short(value) {
  const size = Math.abs(value)
  return size >= 100 ? value.toFixed(0) : size >= 10 ? value.toFixed(1) : value.toFixed(size >= 1 ? 2 : 3)
}
