// One figure of several runs in one chart, on uPlot: smoothing, log axis, three x axes, zoom that stays.

const VERSION = new URL(import.meta.url).search
const { Poller, after, element, styled } = await import(new URL(`feed.js${VERSION}`, import.meta.url).href)
const { lastKnown, short } = await import(new URL(`chart.js${VERSION}`, import.meta.url).href)
const { default: uPlot } = await import(new URL(`vendor/uPlot.esm.js${VERSION}`, import.meta.url).href)

const HEIGHT = 360
const POLL_MS = 1000
const X_AXES = { epoch: "epochs", step: "steps", time: "minutes of training" }
const mounted = new WeakMap()

export default function mount(component, root) {
  const { data } = component
  const identity = JSON.stringify(data.tracks.map((track) => [track.uid, track.label]))
  let chart = mounted.get(root)
  if (!chart || chart.identity !== identity) {
    chart?.close()
    root.replaceChildren()
    chart = new Overlay(root, data, identity)
    mounted.set(root, chart)
  }
  chart.setStateValue = component.setStateValue
  chart.update(data)
  return () => {
    mounted.get(root)?.close()
    mounted.delete(root)
  }
}

class Overlay {
  constructor(root, data, identity) {
    this.root = root
    this.data = data
    this.identity = identity
    this.view = read(data.view, data.first)
    this.hidden = new Set()
    this.runs = data.tracks.map((track) => new Run(this, track))
    this.build()
    this.observer = new ResizeObserver(() => this.resized())
    Promise.all(["vendor/uPlot.min.css", "curves.css", "overlay.css"].map((name) => styled(root, name, VERSION))).then(() => {
      root.classList.add("ready")
      this.observer.observe(root)
    })
    for (const run of this.runs) run.start()
  }

  build() {
    const { root } = this
    root.classList.add("curves", "overlay")
    this.metric = element("select")
    this.metric.onchange = () => this.change({ metric: this.metric.value })
    this.axis = element("select", {}, Object.entries(X_AXES).map(([name, text]) => element("option", { value: name, text })))
    this.axis.onchange = () => this.change({ x: this.axis.value })
    this.weight = element("input", { type: "range", min: 0, max: 0.99, step: 0.01, "aria-label": "Smoothing" })
    this.weight.oninput = () => { this.view.smooth = Number(this.weight.value); this.soon() }
    this.weight.onchange = () => this.change({})
    this.weightWords = element("output")
    this.log = element("input", { type: "checkbox" })
    this.log.onchange = () => this.change({ log: this.log.checked })
    this.reset = element("button", { type: "button", class: "reset", text: "Reset zoom" })
    this.reset.onclick = () => this.unzoom()
    this.reset.hidden = true
    this.legend = element("ul", { class: "legend" }, this.runs.map((run, number) => this.key(run, number)))
    this.place = element("div", { class: "plot", role: "img" })
    this.none = element("p", { class: "none", text: "Nothing has been measured yet." })
    this.note = element("p")
    root.append(element("section", { class: "card" }, [
      element("div", { class: "controls" }, [
        labelled("Figure", this.metric), labelled("Against", this.axis),
        labelled("Smoothing", this.weight, this.weightWords), labelled("Log axis", this.log), this.reset,
      ]),
      this.legend, this.place, this.none, this.note,
    ]))
  }

  key(run, number) {
    const value = element("b", { text: "–" })
    const box = element("button", { type: "button", "aria-pressed": "true", title: "Show or hide this run" }, [line(run.track), run.track.label, " ", value])
    box.onclick = () => {
      const off = !this.hidden.has(number)
      this.hidden[off ? "add" : "delete"](number)
      box.setAttribute("aria-pressed", String(!off))
      this.plot?.setSeries(number + 1, { show: !off })
      if (run.faint) this.plot?.setSeries(run.faint, { show: !off })
    }
    run.value = value
    return element("li", {}, [box])
  }

  update(data) {
    this.data = data
    data.tracks.forEach((track, number) => this.runs[number].update(track))
    if (this.plot && this.ink !== getComputedStyle(this.root).color) this.draw(true)
  }

  change(part) {
    const rescaled = "metric" in part || "x" in part || "log" in part
    Object.assign(this.view, part)
    if ("metric" in part || "x" in part) this.zoom(false)
    this.setStateValue?.("view", written(this.view))
    this.draw(rescaled)
  }

  /** Draw once with the next frame, however often it is asked for. */
  soon() {
    if (this.frame) return
    this.frame = requestAnimationFrame(() => { this.frame = null; this.draw(false) })
  }

  draw(anew) {
    this.controls()
    const { metric, x, smooth, log } = this.view
    const share = Math.floor(this.data.mostPoints / this.runs.length)
    this.thinned = 0
    const tables = []
    const series = [{}]
    this.runs.forEach((run, number) => {
      const points = run.points(metric, x, log)
      const stride = Math.max(1, Math.ceil(points.xs.length / share))
      this.thinned = Math.max(this.thinned, stride)
      const shown = smooth ? smoothed(points.ys, smooth) : points.ys
      run.last = shown.length ? shown[shown.length - 1] : null
      tables.push([every(points.xs, stride), every(shown, stride)])
      series.push(this.style(run, number, 2, 1))
    })
    this.runs.forEach((run, number) => {
      run.faint = null
      if (!smooth || this.runs.length > 8) return
      const points = run.points(metric, x, log)
      const stride = Math.max(1, Math.ceil(points.xs.length / share))
      run.faint = series.length
      tables.push([every(points.xs, stride), every(points.ys, stride)])
      series.push(this.style(run, number, 1, 0.22))
    })
    const shape = JSON.stringify([metric, x, log, series.length])
    this.points = uPlot.join(tables)
    const empty = !this.points[0].length
    this.none.hidden = !empty
    this.place.hidden = empty
    if (empty) return
    if (anew || !this.plot || this.shape !== shape) this.make(series, log, shape)
    else {
      const range = this.zoomed ? { min: this.plot.scales.x.min, max: this.plot.scales.x.max } : null
      this.plot.setData(this.points, !range)
      if (range) this.plot.setScale("x", range)
    }
    this.readout(null)
    this.root.dataset.lines = String(tables.filter(([xs]) => xs.length).length)
    this.root.dataset.last = this.runs.map((run) => run.last ?? "").join(",")
    this.root.dataset.view = written(this.view)
  }

  style(run, number, width, alpha) {
    return {
      label: run.track.label, stroke: run.track.colour, width, alpha, dash: run.track.dash.length ? run.track.dash : undefined,
      spanGaps: true, show: !this.hidden.has(number), points: { show: false },
    }
  }

  make(series, log, shape) {
    const width = this.place.clientWidth
    if (!width) return
    const range = this.plot && this.zoomed ? { min: this.plot.scales.x.min, max: this.plot.scales.x.max } : null
    this.plot?.destroy()
    const style = getComputedStyle(this.root)
    const grid = style.getPropertyValue("--st-border-color").trim() || "#8884"
    const axis = { stroke: style.color, font: `11px ${style.fontFamily}`, grid: { stroke: grid, width: 1 }, ticks: { show: false } }
    this.plot = new uPlot({
      width,
      height: HEIGHT,
      legend: { show: false },
      cursor: { drag: { x: true, y: false, uni: 20 }, points: { size: 6 } },
      scales: { x: { time: false }, y: log ? { distr: 3 } : {} },
      axes: [{ ...axis, size: 44, space: 70, label: X_AXES[this.view.x], labelSize: 16, labelFont: axis.font }, { ...axis, size: 56 }],
      series,
      hooks: {
        setSelect: [(plot) => { if (plot.select.width > 0) this.zoom(true) }],
        setCursor: [(plot) => this.readout(plot.cursor.idx)],
      },
    }, this.points, this.place)
    this.plot.over.addEventListener("dblclick", () => this.zoom(false))
    if (range) this.plot.setScale("x", range)
    this.ink = style.color
    this.shape = shape
  }

  controls() {
    const names = [...new Set(this.runs.flatMap((run) => [...run.series.keys()]))]
    const listed = Object.keys(this.data.labels).filter((name) => names.includes(name))
    const known = [...listed, ...names.filter((name) => !listed.includes(name)).sort()]
    if (known.length && !known.includes(this.view.metric)) this.view.metric = known[0]
    const signature = known.join()
    if (this.metric.dataset.names !== signature) {
      this.metric.dataset.names = signature
      this.metric.replaceChildren(...known.map((name) => element("option", { value: name, text: this.data.labels[name] ?? name.replaceAll("_", " ") })))
    }
    this.metric.value = this.view.metric
    this.axis.value = this.view.x
    this.weight.value = String(this.view.smooth)
    this.weightWords.textContent = this.view.smooth.toFixed(2)
    this.log.checked = this.view.log
    const label = this.data.labels[this.view.metric] ?? this.view.metric
    this.place.setAttribute("aria-label", `${label} of ${this.runs.length} runs against ${X_AXES[this.view.x]}`)
    this.note.textContent = notes(this.view, this.thinned)
  }

  zoom(on) {
    this.zoomed = on
    this.reset.hidden = !on
    this.root.dataset.zoomed = String(on)
  }

  unzoom() {
    this.zoom(false)
    this.plot?.setData(this.points, true)
  }

  readout(index) {
    this.runs.forEach((run, number) => {
      const column = this.points[number + 1] ?? []
      const value = lastKnown(column, index ?? column.length - 1)
      run.value.textContent = value === null ? "–" : short(value)
    })
  }

  resized() {
    const width = this.place.clientWidth
    if (!width) return
    if (this.plot) this.plot.setSize({ width, height: HEIGHT })
    else this.draw(true)
  }

  close() {
    cancelAnimationFrame(this.frame)
    this.observer.disconnect()
    for (const run of this.runs) run.poller?.stop()
    this.plot?.destroy()
  }
}

class Run {
  constructor(owner, track) {
    this.owner = owner
    this.track = track
    this.series = new Map()
    this.last = -1
    this.seen = -1
  }

  start() {
    const { address, series } = this.track
    if (series) this.take(series)
    if (!address) return
    this.poller = new Poller(
      () => after(address, this.seen), async (response) => this.take(await response.json()), () => {}, POLL_MS,
    )
  }

  update(track) {
    this.track = track
    if (track.series) {
      this.series.clear()
      this.take(track.series)
    }
  }

  take(message) {
    if (this.attempt !== undefined && this.attempt !== message.attempt) {
      this.series.clear()
      this.seen = -1
      this.attempt = message.attempt
      return { lively: true, ended: false, more: true }
    }
    this.attempt = message.attempt
    for (const [name, columns] of Object.entries(message.series)) {
      if (!columns.steps.length) continue
      const known = this.series.get(name) ?? { steps: [], values: [] }
      this.series.set(name, known)
      columns.steps.forEach((step, number) => {
        known.steps.push(step)
        known.values.push(columns.values[number])
        if (step > this.seen) this.seen = step
      })
    }
    this.owner.soon()
    return message
  }

  /** Coordinates of a figure; on a log axis what is not above zero has no place. */
  points(metric, x, log) {
    const known = this.series.get(metric)
    const xs = []
    const ys = []
    known?.steps.forEach((step, number) => {
      const value = known.values[number]
      if (value === null || !Number.isFinite(value) || (log && value <= 0)) return
      xs.push(this.across(step, x))
      ys.push(value)
    })
    return { xs, ys }
  }

  across(step, x) {
    if (x === "step") return step
    if (x === "epoch") return this.track.stepsAnEpoch ? step / this.track.stepsAnEpoch : 0
    return secondsAt(this.track.times, step) / 60
  }
}

/** Straight between the ends of epochs, and on at the last pace. */
function secondsAt(times, step) {
  if (times.length < 2) return 0
  let at = 1
  while (at < times.length - 1 && times[at][0] < step) at += 1
  const [[before, start], [end, stop]] = [times[at - 1], times[at]]
  return end === before ? stop : start + ((stop - start) * (step - before)) / (end - before)
}

function smoothed(values, weight) {
  let mean = 0
  let norm = 1
  return values.map((value) => {
    mean = weight * mean + (1 - weight) * value
    norm *= weight
    return mean / (1 - norm)
  })
}

function every(values, stride) {
  return stride === 1 ? values : values.filter((_, number) => number % stride === 0)
}

function notes(view, stride) {
  const smooth = view.smooth
    ? `Smoothed with an exponential mean that keeps ${view.smooth.toFixed(2)} of itself at each point, corrected at the start; what was measured stands faintly behind.`
    : "Every point is as it was measured."
  const time = view.x === "time" ? " Time is without pauses, measured at the ends of epochs and straight in between." : ""
  const thin = stride > 1 ? ` Of so many points, every ${stride}th is drawn.` : ""
  return `${smooth} Drag across the chart to zoom, and press a name to hide its run.${time}${thin}`
}

function line(track) {
  const key = element("i", { class: "key" })
  key.style.setProperty("--colour", track.colour)
  if (track.dash.length) {
    let at = 0
    const stops = track.dash.flatMap((length, number) => {
      const colour = number % 2 ? "transparent" : track.colour
      const part = `${colour} ${at}px ${at + length}px`
      at += length
      return [part]
    })
    key.style.background = `repeating-linear-gradient(90deg, ${stops.join(", ")})`
  }
  return key
}

function labelled(text, ...controls) {
  return element("label", {}, [element("span", { text }), ...controls])
}

/** `child_accuracy.epoch.0.60.log` and back. */
function written(view) {
  return [view.metric, view.x, view.smooth.toFixed(2), view.log ? "log" : "lin"].join("~")
}

function read(text, first) {
  const [metric, x, smooth, scale] = (text ?? "").split("~")
  const weight = Number(smooth)
  return {
    metric: metric || first,
    x: x in X_AXES ? x : "epoch",
    smooth: weight > 0 && weight < 1 ? weight : 0,
    log: scale === "log",
  }
}
