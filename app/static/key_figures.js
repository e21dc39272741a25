// Progress and key figures of a run. They follow it over a socket; where the head of the page must
// be drawn anew, since a state or a notice has changed, Python is told once.

const VERSION = new URL(import.meta.url).search
const { Poller, element, styled } = await import(new URL(`feed.js${VERSION}`, import.meta.url).href)

const PACE_MS = 2000
const boards = new WeakMap()

export default function mount(component, root) {
  let board = boards.get(root)
  if (!board || board.run !== component.data.run) {
    board?.close()
    boards.set(root, board = new Board(root, component.data))
  }
  board.tellPython = (version) => component.setStateValue("version", version)
  board.update(component.data)
  return () => {
    boards.get(root)?.close()
    boards.delete(root)
  }
}

class Board {
  constructor(root, data) {
    this.root = root
    this.run = data.run
    root.classList.add("board")
    this.fill = element("i")
    this.bar = element("div", { class: "progress", role: "progressbar", "aria-label": "Steps done", "aria-valuemin": "0", "aria-valuemax": "100" }, [this.fill])
    this.words = element("p", { class: "words" })
    this.tiles = element("dl", { class: "tiles" })
    root.replaceChildren(this.words, this.bar, this.tiles)
    styled(root, "key_figures.css", VERSION).then(() => root.classList.add("ready"))
  }

  update(data) {
    this.data = data
    this.told = data.version
    this.show(data)
    if (data.address && !data.ended && (!this.poller || this.poller.stopped)) this.poll()
  }

  poll() {
    this.poller = new Poller(
      () => this.data.address,
      async (response) => this.take(await response.json()),
      (state) => { this.root.dataset.connection = state },
      PACE_MS,
    )
  }

  take(message) {
    this.show(message)
    if (message.version !== this.told) this.tellPython((this.told = message.version))
    return message
  }

  show({ share, words, tiles }) {
    const percent = Math.round(100 * share)
    this.fill.style.width = `${100 * share}%`
    this.bar.setAttribute("aria-valuenow", percent)
    this.words.textContent = words
    const labels = tiles.map(([label]) => label).join("|")
    if (this.root.dataset.labels !== labels) {
      this.root.dataset.labels = labels
      this.tiles.style.setProperty("--count", tiles.length)
      this.tiles.style.setProperty("--half", Math.ceil(tiles.length / 2))
      this.tiles.replaceChildren(...tiles.map(([label, , help]) => tile(label, help)))
    }
    tiles.forEach(([, value], number) => {
      const place = this.tiles.children[number].lastChild
      if (place.textContent !== value) place.textContent = value
    })
  }

  close() {
    this.poller?.stop()
  }
}

function tile(label, help) {
  const name = element("dt", { text: label })
  if (help) name.append(element("span", { class: "help", tabindex: "0", role: "note", "aria-label": help, "data-words": help, text: "?" }))
  return element("div", { class: "tile" }, [name, element("dd")])
}
