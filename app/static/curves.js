// Curves on uPlot: they poll what is new, share one cursor, keep the person's zoom, and mark the
// moment that the timeline shows.

const VERSION = new URL(import.meta.url).search
const { Painter, Poller, after, element, styled } = await import(new URL(`feed.js${VERSION}`, import.meta.url).href)
const { Chart, join, keyOf, lastKnown, short, sync } = await import(new URL(`chart.js${VERSION}`, import.meta.url).href)
const { ask, listen } = await import(new URL(`moments.js${VERSION}`, import.meta.url).href)

const CURVES_MS = 2000 // reading and drawing them again is dear, and a curve changes little meanwhile
const FEW_POINTS = 60
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
    this.step = null
    this.sync = sync(`egs-${data.run}`)
    root.classList.add("curves")
    this.cards = data.charts.map((chart) => new Card(this, chart))
    root.append(...this.cards.map((card) => card.root))
    this.painter = new Painter(root, () => this.paint())
    this.observer = new ResizeObserver(() => this.cards.forEach((card) => card.chart.resized()))
    Promise.all([styled(root, "vendor/uPlot.min.css", VERSION), styled(root, "curves.css", VERSION)]).then(() => {
      root.classList.add("ready")
      this.observer.observe(root)
    })
    this.stop = listen(data.run, "moment", (moment) => this.moment(moment))
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
    for (const card of this.cards) card.chart.themed()
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
    if (grew) this.grew()
    this.root.dataset.n = String(this.last)
    return message
  }

  /** The timeline shows another moment: once a frame is enough. */
  moment({ step, live }) {
    const chosen = live ? null : step
    if (chosen === this.step) return
    this.step = chosen
    this.painter.ask()
  }

  /** What is there at first is drawn at once, what comes later when it can be seen. */
  grew() {
    this.grown = true
    if (this.drawn) this.painter.ask()
    else this.paint()
  }

  /** Lines that have grown since they were drawn, and the mark of the moment. */
  paint() {
    this.drawn ||= this.grown
    for (const card of this.cards) {
      if (this.grown) card.draw(this.series)
      else card.marked()
    }
    this.grown = false
    this.root.dataset.moment = this.step ?? ""
  }

  close() {
    this.stop()
    this.painter.close()
    this.poller?.stop()
    this.observer.disconnect()
    for (const card of this.cards) card.chart.close()
  }
}

class Card {
  constructor(owner, spec) {
    this.owner = owner
    this.spec = spec
    this.reset = element("button", { type: "button", class: "reset", text: "Reset zoom" })
    this.reset.hidden = true
    this.reset.onclick = () => this.chart.unzoom()
    const title = element("h4", { text: spec.unit ? `${spec.title} (${spec.unit})` : spec.title })
    this.values = []
    const legend = element("ul", { class: "legend" }, spec.lines.map((line) => {
      const [item, value] = keyOf(line)
      this.values.push(value)
      return item
    }))
    const place = element("div", { class: "plot", role: "img", "aria-label": `${spec.title} over steps` })
    this.root = element("section", { class: "card" }, [
      element("header", {}, [title, this.reset]), legend, place, element("p", { text: spec.note }),
    ])
    this.chart = new Chart(place, spec.lines, {
      key: owner.sync.key,
      onCursor: (index) => this.readout(index),
      onZoom: (on) => this.zoom(on),
      onPick: (step) => ask(owner.run, "go", { step }),
      points: (number) => this.sparse(number),
    })
  }

  draw(series) {
    const tables = this.spec.lines.map((line) => {
      const known = series.get(line.metric) ?? { steps: [], values: [] }
      return [known.steps, known.values]
    })
    this.chart.draw(join(tables))
    this.marked()
  }

  marked() {
    if (this.chart.empty) return
    this.chart.mark(this.owner.step)
    this.readout(null)
  }

  sparse(number) {
    return this.chart.data[number].reduce((count, value) => count + (value !== null && value !== undefined), 0) <= FEW_POINTS
  }

  zoom(on) {
    this.reset.hidden = !on
    this.root.dataset.zoomed = String(on)
  }

  /** Values at the cursor, else at the chosen moment, else the latest. */
  readout(index) {
    const { data } = this.chart
    const { step } = this.owner
    const at = index ?? (step === null ? data[0].length - 1 : this.chart.indexAt(step))
    this.values.forEach((place, number) => {
      const value = lastKnown(data[number + 1], at)
      place.textContent = value === null ? "–" : short(value)
    })
  }
}
