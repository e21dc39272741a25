// What is new of a run: fetched at first, and from then on heard over a socket. Where no socket can be
// opened, it is fetched again and again, and tried anew after a while. A hidden tab rests; both end
// with the run.

const LIVELY_MS = 300
const RESTING_MS = 3000
const LONGEST_WAIT_MS = 10000
const DEAF_MS = 30000 // between two tries to listen where no socket could be opened
const GONE = new Set([4403, 4404]) // codes of a closed socket: no longer allowed, no longer there

/** Calls `receive(response)` for each answer and `report(state)` on changes of the connection.
 *  `receive` returns a promise of {lively, ended, more}; `pace` is what it waits while lively and
 *  nothing can be heard. */
export class Poller {
  constructor(addressOf, receive, report, pace = LIVELY_MS) {
    this.addressOf = addressOf
    this.receive = receive
    this.report = report
    this.pace = pace
    this.timer = null
    this.failures = 0
    this.deafUntil = 0
    this.stopped = false
    this.onVisible = () => {
      if (document.hidden) this.hangUp()
      else this.soon(0)
    }
    document.addEventListener("visibilitychange", this.onVisible)
    this.soon(0)
  }

  soon(milliseconds) {
    if (this.stopped) return
    clearTimeout(this.timer)
    this.timer = setTimeout(() => this.tick(), milliseconds)
  }

  async tick() {
    if (this.stopped || document.hidden || this.busy || this.socket) return
    this.busy = true
    let wait = RESTING_MS
    try {
      const response = await fetch(new URL(this.addressOf(), document.baseURI), { cache: "no-store" })
      if (response.status === 403 || response.status === 404) {
        this.gone()
        return
      }
      if (!response.ok) throw new Error(String(response.status))
      const answer = await this.take(response)
      if (!answer.more && !answer.ended && this.attend()) return
      wait = answer.more ? 0 : answer.lively ? this.pace : RESTING_MS
    } catch (error) {
      wait = this.failed()
    } finally {
      this.busy = false
    }
    this.soon(wait)
  }

  /** Hands an answer on, and ends with the run. */
  async take(response) {
    const answer = await this.receive(response)
    this.failures = 0
    this.report("connected")
    if (answer.ended && !answer.more) {
      this.report("ended")
      this.stop()
    }
    return answer
  }

  /** Listens from now on; false where that has just been tried in vain. */
  attend() {
    if (this.stopped || document.hidden || performance.now() < this.deafUntil) return false
    const address = new URL(this.addressOf(), document.baseURI)
    address.protocol = address.protocol.replace("http", "ws")
    const socket = new WebSocket(address)
    socket.binaryType = "arraybuffer"
    this.socket = socket
    let [heard, last] = [false, Promise.resolve()]
    socket.onmessage = ({ data }) => {
      heard = true
      last = last.then(() => this.hear(socket, data)).catch(() => socket.close())
    }
    socket.onclose = ({ code }) => {
      if (this.socket !== socket) return
      this.socket = null
      if (GONE.has(code)) this.gone()
      else if (heard) this.soon(this.failed())
      else {
        this.deafUntil = performance.now() + DEAF_MS
        this.soon(this.pace)
      }
    }
    return true
  }

  async hear(socket, data) {
    if (this.socket !== socket) return
    const answer = await this.take(new Response(data))
    if (!answer.more) return
    this.hangUp()
    this.soon(0)
  }

  /** Says that the connection is lost; returns how long to wait. */
  failed() {
    this.failures += 1
    this.report("reconnecting")
    return Math.min(LONGEST_WAIT_MS, 500 * 2 ** this.failures)
  }

  gone() {
    this.report("gone")
    this.stop()
  }

  hangUp() {
    const { socket } = this
    this.socket = null
    socket?.close()
  }

  stop() {
    this.stopped = true
    clearTimeout(this.timer)
    this.hangUp()
    document.removeEventListener("visibilitychange", this.onVisible)
  }
}

/** Calls `draw` at most once a frame, and only while a part of the page can be seen; what was asked
 *  for meanwhile is made up for when it comes into view. */
export class Painter {
  constructor(root, draw) {
    this.draw = draw
    this.seen = true
    this.due = false
    this.observer = new IntersectionObserver((entries) => {
      this.seen = entries.at(-1).isIntersecting
      if (this.due) this.ask()
    }, { scrollMargin: "200px" })
    this.observer.observe(root)
  }

  ask() {
    this.due = true
    if (!this.seen) return
    this.frame ??= requestAnimationFrame(() => {
      this.frame = null
      this.due = false
      this.draw()
    })
  }

  close() {
    this.observer.disconnect()
    cancelAnimationFrame(this.frame)
  }
}

/** Adds `&after=…` to an address that already carries its token. */
export function after(address, step, rest = "") {
  return `${address}&after=${step}${rest}`
}

export function element(name, attributes = {}, children = []) {
  const node = document.createElement(name)
  for (const [key, value] of Object.entries(attributes)) {
    if (key === "text") node.textContent = value
    else if (value !== null && value !== undefined) node.setAttribute(key, value)
  }
  for (const child of children) node.append(child)
  return node
}

/** What is wider than a phone scrolls sideways, by keyboard, too. */
export function scroller(label, children) {
  return element("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": label }, children)
}

/** A row's head of a table of edges; what stands in _{…} becomes a subscript. */
export function named(edge) {
  const head = element("th", { scope: "row" })
  edge.split(/_\{([^}]*)\}/).forEach((part, index) => {
    head.append(index % 2 ? element("sub", { text: part }) : part)
  })
  return head
}

/** Attaches a stylesheet of app/static to a component once; resolves when it applies. */
export function styled(root, name, version) {
  const host = root.getRootNode()
  const target = host instanceof ShadowRoot ? host : document.head
  if (target.querySelector(`link[data-name="${name}"]`)) return Promise.resolve()
  return new Promise((resolve) => {
    const link = element("link", {
      rel: "stylesheet", "data-name": name, href: new URL(`${name}${version}`, import.meta.url).href,
    })
    link.onload = link.onerror = () => resolve()
    target.append(link)
  })
}
