// The cell player: graph of each cell kind, genome strips and a timeline.
//
// Its data do not change while a run goes on. Frames are fetched as binary deltas and kept
// here, so that playing and scrubbing need no server at all.

const VERSION = new URL(import.meta.url).search
const { Poller, after, element, styled } = await import(new URL(`feed.js${VERSION}`, import.meta.url).href)
const { Frames, decode } = await import(new URL(`frames.js${VERSION}`, import.meta.url).href)
const { hush, listen, tell } = await import(new URL(`moments.js${VERSION}`, import.meta.url).href)
const { CellCard } = await import(new URL(`cell_card.js${VERSION}`, import.meta.url).href)

const STRIP_ROW = 5
const SPEEDS = [5, 15, 30, 60, 120, 300]
const GROWING_MS = 2000 // between two drawings of strips of a search that goes on
const RESEND_MS = 1500
const RESENDS = 5
const calm = matchMedia("(prefers-reduced-motion: reduce)")
const players = new WeakMap()

export default function mount(component, root) {
  let player = players.get(root)
  if (!player || player.run !== component.data.run) {
    player?.close()
    root.replaceChildren()
    player = new Player(root, component.data)
    players.set(root, player)
  }
  player.setStateValue = component.setStateValue
  player.update(component.data)
  return () => {
    players.get(root)?.close()
    players.delete(root)
  }
}

class Player {
  constructor(root, data) {
    this.root = root
    this.data = data
    this.run = data.run
    this.frames = new Frames(data.kinds.length, data.layout.edges.length, data.operations.length)
    this.position = -1
    this.live = data.step === null || data.step === undefined
    this.wanted = this.live ? null : data.step
    this.known = data.step
    this.awaited = null
    this.playing = false
    this.connection = data.address ? "connecting" : "connected"
    this.status = { state: "", lively: false, ended: false }
    root.dataset.state = "loading"
    this.build()
    styled(root, "cell_player.css", VERSION).then(() => root.classList.add("ready"))
    this.observer = new ResizeObserver(() => this.resized())
    this.observer.observe(root)
    this.onTheme = () => this.drawStrips()
    calm.addEventListener("change", this.onTheme)
    this.stopListening = listen(data.run, "go", ({ step }) => this.go(step))
    if (data.address) this.poll()
  }

  close() {
    this.poller?.stop()
    clearTimeout(this.resending)
    clearTimeout(this.growing)
    this.observer.disconnect()
    cancelAnimationFrame(this.animation)
    calm.removeEventListener("change", this.onTheme)
    this.stopListening()
    hush(this.run, "moment")
  }

  /* ---- data ---- */

  update(data) {
    this.data = data
    if (data.message) {
      const bytes = Uint8Array.from(atob(data.message), (character) => character.charCodeAt(0))
      const message = decode(bytes.buffer)
      if (this.isNewAttempt(message)) this.forget()
      else this.frames.clear()
      this.status = message.header
      this.take(message)
    }
    if (data.address && !data.ended && this.poller.stopped) this.poll()
    this.hear(data.step)
    this.drawStrips()
  }

  poll() {
    this.poller = new Poller(
      () => after(this.data.address, this.frames.lastStep),
      async (response) => this.take(decode(await response.arrayBuffer())),
      (state) => this.connected(state),
    )
  }

  take(message) {
    if (this.isNewAttempt(message)) {
      this.status = message.header
      this.forget()
      return { lively: true, ended: false, more: true }
    }
    this.status = message.header
    const grew = this.frames.append(message)
    if (grew) this.received()
    this.describe()
    return { ...message.header, more: grew && message.header.n >= 20000 }
  }

  isNewAttempt(message) {
    return this.status.attempt !== undefined && message.header.attempt !== this.status.attempt
  }

  /** Another attempt may have taken history back: all frames come anew, and the moment is found again. */
  forget() {
    if (!this.live && this.position >= 0) this.wanted = this.frames.steps[this.position]
    this.playing = false
    this.position = -1
    this.frames.clear()
  }

  received() {
    if (this.wanted !== null) {
      this.seek(this.wanted)
    } else if (this.live) {
      this.show(this.frames.count - 1, true)
    } else {
      this.say()
    }
    this.range.max = String(Math.max(0, this.frames.count - 1))
    this.growStrips()
  }

  connected(state) {
    this.connection = state
    this.describe()
  }

  /* ---- structure ---- */

  build() {
    const { data } = this
    this.root.classList.add("player")
    this.legend = element("ul", { class: "legend", "aria-label": "Operations" })
    for (const operation of data.operations) {
      const item = element("li", {}, [element("i", { class: operation.none ? "swatch dashed" : "swatch" }), operation.label])
      item.firstChild.style.setProperty("--colour", operation.colour)
      this.legend.append(item)
    }
    this.cells = element("div", { class: "cells" })
    this.cards = data.kinds.map((kind, number) => new CellCard(this, kind, number))
    for (const card of this.cards) this.cells.append(card.root)
    this.popover = element("div", { class: "popover", role: "tooltip", id: "edge-detail" })
    this.popover.hidden = true
    this.root.append(this.legend, this.cells, this.buildTimeline(), this.popover)
    this.root.tabIndex = -1
    this.root.addEventListener("keydown", (event) => this.pressed(event))
    this.root.addEventListener("keyup", (event) => {
      if (["ArrowLeft", "ArrowRight", "Home", "End"].includes(event.key)) this.report()
    })
  }

  buildTimeline() {
    this.play = element("button", { type: "button", class: "play", "aria-label": "Play" })
    this.play.innerHTML = '<svg viewBox="0 0 16 16" aria-hidden="true"><path class="go" d="M4 2.5v11l9-5.5z"/><path class="wait" d="M3.5 2.5h3.2v11H3.5zM9.3 2.5h3.2v11H9.3z"/></svg>'
    this.play.onclick = () => this.toggle()
    this.badge = element("button", { type: "button", class: "badge" })
    this.badge.onclick = () => this.goLive()
    this.speed = element("select", { "aria-label": "Playing speed" })
    for (const speed of SPEEDS) this.speed.append(element("option", { value: speed, text: `${speed} moments/s` }))
    this.speed.value = "30"
    this.where = element("output", { class: "where", text: "waiting for the first snapshot" })
    this.range = element("input", { type: "range", min: 0, max: 0, value: 0, step: 1, "aria-label": "Moment of the search" })
    this.range.oninput = () => this.scrub(Number(this.range.value))
    this.range.onchange = () => this.report()
    this.strips = element("div", { class: "strips" })
    this.strip = { left: 0, width: 0 }
    this.playhead = element("div", { class: "playhead" })
    this.ticks = element("canvas", { class: "ticks", "aria-hidden": "true" })
    this.strips.append(this.ticks)
    this.stripCanvases = this.data.kinds.map((kind) => {
      const canvas = element("canvas", { class: "strip", role: "img", "aria-label": `Winning operation of each edge of the ${kind} cell over time` })
      this.strips.append(element("div", { class: "strip-row" }, [element("span", { class: "strip-name", text: kind }), canvas]))
      return canvas
    })
    this.strips.append(this.playhead)
    this.strips.onpointerdown = (event) => this.grab(event)
    const controls = element("div", { class: "controls" }, [this.play, this.badge, this.speed, this.where])
    const note = element("p", {
      class: "note",
      text: "Each row of a strip is an edge, each column a moment: colour is the winning operation, depth its probability, blank is undecided or never drawn. Marks above show where a winner changed. Space plays, arrows step, Home and End jump.",
    })
    return element("div", { class: "timeline" }, [controls, this.strips, this.range, note])
  }

  /* ---- moving in time ---- */

  show(index, live) {
    if (!this.frames.count) return
    this.position = Math.max(0, Math.min(index, this.frames.count - 1))
    this.live = live
    for (const card of this.cards) card.show(this.frames, this.position)
    this.range.max = String(this.frames.count - 1)
    this.range.value = String(this.position)
    this.movePlayhead()
    this.describe()
    this.say()
    if (this.open) this.explain(this.open)
  }

  /** Tells the other parts of the page which moment is shown. */
  say() {
    const { frames, position, live } = this
    if (position >= 0) tell(this.run, "moment", { frames, position, live, step: frames.steps[position] })
  }

  /** Goes to a step, and there again when its frame has come. */
  seek(step) {
    this.wanted = step > this.frames.lastStep ? step : null
    this.show(this.frames.indexOf(step), false)
  }

  /** Another part of the page asks for a moment. */
  go(step) {
    if (!this.frames.count) return
    this.scrub(this.frames.indexOf(step))
    this.report()
  }

  scrub(index) {
    this.playing = false
    this.wanted = null
    this.show(index, false)
  }

  /** The latest moment; that of a search that goes on is followed. */
  toEnd() {
    this.wanted = null
    this.show(this.frames.count - 1, this.status.lively)
  }

  step(distance) {
    this.scrub(this.position + distance)
  }

  goLive() {
    this.playing = false
    this.follow()
    this.report()
  }

  /** Shows the latest moment, whichever it is, from now on. */
  follow() {
    this.wanted = null
    this.show(this.frames.count - 1, true)
  }

  toggle() {
    if (this.playing) {
      this.playing = false
      this.describe()
      this.report()
      return
    }
    if (this.frames.count < 2) return
    if (this.position >= this.frames.count - 1) this.position = 0
    this.playing = true
    this.wanted = null
    this.live = false
    this.moved = performance.now()
    this.exact = this.position
    this.animation = requestAnimationFrame((now) => this.advance(now))
    this.describe()
  }

  advance(now) {
    if (!this.playing) return
    this.exact += ((now - this.moved) / 1000) * Number(this.speed.value)
    this.moved = now
    const last = this.frames.count - 1
    if (this.exact >= last) {
      this.playing = false
      this.show(last, this.status.lively)
      this.report()
      return
    }
    if (Math.floor(this.exact) !== this.position) this.show(Math.floor(this.exact), false)
    this.animation = requestAnimationFrame((next) => this.advance(next))
  }

  grab(event) {
    if (!this.frames.count) return
    const move = (at) => this.scrub(this.indexAt(at.clientX))
    const drop = () => {
      this.strips.removeEventListener("pointermove", move)
      this.report()
    }
    this.strips.setPointerCapture(event.pointerId)
    this.strips.addEventListener("pointermove", move)
    this.strips.addEventListener("pointerup", drop, { once: true })
    move(event)
  }

  indexAt(clientX) {
    const box = this.stripCanvases[0].getBoundingClientRect()
    const share = Math.max(0, Math.min(1, (clientX - box.left) / box.width))
    return Math.min(this.frames.count - 1, Math.floor(share * this.frames.count))
  }

  pressed(event) {
    const inside = event.composedPath()[0]
    const native = inside.tagName === "SELECT" || inside.tagName === "BUTTON" || inside.closest?.("[role=button]")
    if (event.key === " " && !native) this.toggle()
    else if (event.key === "ArrowLeft" && inside.tagName !== "SELECT") this.step(-1)
    else if (event.key === "ArrowRight" && inside.tagName !== "SELECT") this.step(1)
    else if (event.key === "Home" && inside.tagName !== "SELECT") this.scrub(0)
    else if (event.key === "End" && inside.tagName !== "SELECT") this.toEnd()
    else if (event.key === "Escape") this.hideDetail()
    else return
    event.preventDefault()
  }

  /** Tells Python the chosen step, on release only. */
  report() {
    const step = this.live ? null : this.frames.steps[this.position]
    if (step === this.reported || this.position < 0) return
    this.reported = step
    if (!this.awaited) this.send(RESENDS)
  }

  /** Says the latest choice and waits for its echo; one at a time, since a choice that is sent
   *  before the address has followed the last one would travel with an outdated address. */
  send(resends) {
    this.awaited = { step: this.reported }
    this.setStateValue?.("step", this.reported)
    this.resending = setTimeout(() => (resends > 0 ? this.send(resends - 1) : (this.awaited = null)), RESEND_MS)
  }

  /** What Python says: the echo of an own choice, or a wish of its own. */
  hear(step) {
    if (this.awaited && step === this.awaited.step) {
      clearTimeout(this.resending)
      this.awaited = null
      if (this.reported !== step) this.send(RESENDS)
    } else if (!this.awaited && step !== this.known) {
      this.reported = step
      if (step === null) this.follow()
      else this.seek(step)
    }
    this.known = step
  }

  describe() {
    const { frames, position, status } = this
    const [text, kind] = this.badgeText()
    this.badge.textContent = text
    this.badge.dataset.kind = kind
    this.badge.title = kind === "live" ? "Following the search" : "Go to the latest moment"
    this.play.classList.toggle("playing", this.playing)
    this.play.setAttribute("aria-label", this.playing ? "Pause" : "Play")
    if (position >= 0) {
      const stride = frames.stride > 1 ? `, one in ${frames.stride} shown` : ""
      this.where.textContent = `step ${frames.steps[position].toLocaleString("en")} · epoch ${frames.epochs[position]} of ${this.data.epochs} · moment ${(position + 1).toLocaleString("en")} of ${frames.count.toLocaleString("en")}${stride}`
      this.range.setAttribute("aria-valuetext", `step ${frames.steps[position]}`)
    }
    Object.assign(this.root.dataset, {
      step: position < 0 ? "" : String(frames.steps[position]),
      n: String(frames.count),
      range: frames.count ? `${frames.steps[0]}-${frames.lastStep}` : "",
      state: this.playing ? "playing" : this.live ? "live" : "paused",
      connection: this.connection,
      run: status.state ?? "",
    })
  }

  badgeText() {
    if (this.connection === "reconnecting") return ["RECONNECTING", "trouble"]
    if (this.connection === "gone") return ["RELOAD", "trouble"]
    if (this.playing) return ["PLAYING", "away"]
    if (!this.live) return ["GO TO LATEST", "away"]
    if (this.status.lively) return ["LIVE", "live"]
    if (this.status.state) return [this.status.state.toUpperCase(), "still"]
    return ["LOADING", "still"]
  }

  /* ---- drawing ---- */

  resized() {
    for (const card of this.cards) card.resized()
    this.measureStrips()
    this.cells.classList.toggle("beside", this.root.clientWidth >= 1300)
    this.drawStrips()
  }

  /** Where the strips stand; read here only, since a step that reads it would force a layout. */
  measureStrips() {
    const { offsetLeft: left, clientWidth: width } = this.stripCanvases[0]
    this.strip = { left, width }
  }

  movePlayhead() {
    const { left, width } = this.strip
    const share = (this.position + 0.5) / Math.max(1, this.frames.count)
    this.playhead.style.transform = `translateX(${left + width * share}px)`
    this.playhead.hidden = this.position < 0
  }

  /** Strips that have grown are drawn again, but not with every moment that comes. */
  growStrips() {
    if (!this.stripped) this.drawStrips()
    else this.growing ??= setTimeout(() => this.drawStrips(), GROWING_MS)
  }

  drawStrips() {
    cancelAnimationFrame(this.stripping)
    clearTimeout(this.growing)
    this.growing = null
    this.stripping = requestAnimationFrame(() => {
      this.measureStrips()
      const { width } = this.strip
      if (!width || !this.frames.count) return
      this.stripped = true
      const columns = Math.min(this.frames.count, width * Math.min(2, devicePixelRatio || 1))
      const changes = new Float32Array(columns)
      this.stripCanvases.forEach((canvas, kind) => this.drawStrip(canvas, kind, columns, changes))
      this.drawTicks(columns, changes)
      this.movePlayhead()
    })
  }

  drawStrip(canvas, kind, columns, changes) {
    const { frames, data } = this
    const edges = data.layout.edges.length
    canvas.width = columns
    canvas.height = edges
    canvas.style.height = `${edges * STRIP_ROW}px`
    const context = canvas.getContext("2d")
    const image = context.createImageData(columns, edges)
    const colours = data.operations.map((operation) => rgb(operation.colour))
    for (let edge = 0; edge < edges; edge += 1) {
      let before = null
      for (let column = 0; column < columns; column += 1) {
        const frame = Math.floor(((column + 0.5) * frames.count) / columns)
        const [best, share, , standing] = frames.winner(frame, kind, edge)
        const winner = standing === "decided" ? best : -1
        const at = 4 * (edge * columns + column)
        if (winner >= 0) {
          const [red, green, blue] = colours[winner]
          image.data[at] = red
          image.data[at + 1] = green
          image.data[at + 2] = blue
          image.data[at + 3] = 50 + 205 * share
        }
        if (before !== null && winner !== before) changes[column] += 1
        before = winner
      }
    }
    context.putImageData(image, 0, 0)
  }

  drawTicks(columns, changes) {
    const canvas = this.ticks
    const strip = this.stripCanvases[0]
    canvas.style.left = `${strip.offsetLeft}px`
    canvas.style.width = `${strip.clientWidth}px`
    canvas.width = strip.clientWidth
    canvas.height = 8
    const context = canvas.getContext("2d")
    context.fillStyle = getComputedStyle(this.root).color
    const scale = canvas.width / columns
    for (let column = 0; column < columns; column += 1) {
      if (!changes[column]) continue
      context.globalAlpha = Math.min(1, 0.25 + 0.15 * changes[column])
      const height = Math.min(8, 3 + changes[column])
      context.fillRect(column * scale, 8 - height, Math.max(1, Math.min(1.5, scale)), height)
    }
  }

  /* ---- detail of an edge ---- */

  explain(edge) {
    this.open = edge
    const { frames, data, position } = this
    if (position < 0) return
    const place = data.layout.edges[edge.index]
    const rows = data.operations
      .map((operation, number) => ({
        operation, probability: frames.probability(position, edge.kind, edge.index, number),
        drawn: frames.drawn(position, edge.kind, edge.index, number),
      }))
      .sort((a, b) => b.probability - a.probability)
    const list = element("ol")
    for (const row of rows) {
      const bar = element("i")
      bar.style.cssText = `--colour:${row.operation.colour};--share:${row.probability / Math.max(1e-6, rows[0].probability)}`
      list.append(element("li", {}, [
        element("b", { text: row.drawn ? "●" : "○", title: row.drawn ? "drawn" : "not drawn" }),
        element("span", { text: row.operation.label }), bar,
        element("em", { text: `${(100 * row.probability).toFixed(0)} %` }),
      ]))
    }
    const total = rows.reduce((sum, row) => sum + row.probability, 0)
    const words = {
      node: `This edge holds ${(100 * total).toFixed(0)} % of its node, whose incoming operations sum to 100 %.`,
      source: `This edge holds ${(100 * total).toFixed(0)} %. The operations from an input of the cell sum to 100 %, and so do those from all nodes.`,
      edge: "The operations of this edge sum to 100 %.",
    }[data.scope]
    this.popover.replaceChildren(
      element("strong", { text: `${data.kinds[edge.kind]} cell, ${place.title}` }), list,
      element("p", { text: `● drawn at this step, ○ not drawn. ${words}` }),
    )
    this.popover.hidden = false
    this.placeDetail(edge.node)
  }

  placeDetail(node) {
    const mark = node.querySelector(".bar").getBoundingClientRect()
    const box = this.root.getBoundingClientRect()
    const width = this.popover.offsetWidth
    const left = Math.max(0, Math.min(box.width - width, mark.left - box.left + mark.width / 2 - width / 2))
    this.popover.style.left = `${left}px`
    this.popover.style.top = `${mark.bottom - box.top + 14}px`
  }

  hideDetail() {
    this.open = null
    this.popover.hidden = true
  }
}

function rgb(colour) {
  return [1, 3, 5].map((at) => Number.parseInt(colour.slice(at, at + 2), 16))
}
