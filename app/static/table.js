// A table: sorts, filters, opens a row. All content is set as text, never as markup.

const VERSION = new URL(import.meta.url).search
const { element, styled } = await import(new URL(`feed.js${VERSION}`, import.meta.url).href)
const SWALLOWED_MS = 3000
const tables = new WeakMap()

export default function mount(component, root) {
  let table = tables.get(root)
  if (!table) {
    table = new Table(root)
    tables.set(root, table)
  }
  table.setTriggerValue = component.setTriggerValue
  table.update(component.data)
  return () => tables.delete(root)
}

class Table {
  constructor(root) {
    this.root = root
    this.order = null
    this.query = ""
    this.cells = new Map()
    root.classList.add("table")
    this.search = element("input", { type: "search", placeholder: "Filter", "aria-label": "Filter rows" })
    this.search.oninput = () => { this.query = this.search.value.toLowerCase(); this.draw() }
    this.head = element("tr")
    this.body = element("tbody")
    this.table = element("table", {}, [element("thead", {}, [this.head]), this.body])
    this.none = element("p", { class: "none", text: "No row fits the filter." })
    root.append(this.search, element("div", { class: "scroll" }, [this.table]), this.none)
    styled(root, "table.css", VERSION).then(() => root.classList.add("ready"))
  }

  update(data) {
    this.data = data
    this.search.hidden = !data.searchable
    this.table.setAttribute("aria-label", data.label)
    this.draw()
  }

  draw() {
    const { columns, rows } = this.data
    this.drawHead(columns)
    const shown = this.sorted(rows.filter((row) => this.fits(row)))
    const seen = new Set()
    shown.forEach((row, number) => {
      seen.add(row.id)
      const line = this.line(row, columns)
      if (this.body.children[number] !== line) this.body.insertBefore(line, this.body.children[number] ?? null)
    })
    for (const [id, line] of this.cells) {
      if (!seen.has(id)) {
        line.remove()
        this.cells.delete(id)
      }
    }
    this.none.hidden = shown.length > 0 || rows.length === 0
    this.root.dataset.rows = String(shown.length)
  }

  drawHead(columns) {
    const sorting = this.order ? `${this.order.key}/${this.order.down}` : ""
    const signature = JSON.stringify(columns) + sorting
    if (this.headSignature === signature) return
    this.headSignature = signature
    this.head.replaceChildren(...columns.map((column) => {
      const button = element("button", { type: "button", text: column.label })
      const cell = element("th", { scope: "col", class: column.kind }, [button])
      if (this.order?.key === column.key) cell.setAttribute("aria-sort", this.order.down ? "descending" : "ascending")
      button.onclick = () => {
        const down = this.order?.key === column.key ? !this.order.down : false
        this.order = { key: column.key, down }
        this.draw()
      }
      return cell
    }))
  }

  line(row, columns) {
    let line = this.cells.get(row.id)
    if (!line) {
      line = element("tr")
      this.cells.set(row.id, line)
      if (this.data.opens) this.makeOpen(line, row.id)
    }
    columns.forEach((column, number) => {
      const value = row[column.key]
      const signature = JSON.stringify(value)
      let cell = line.children[number]
      if (!cell) {
        cell = element("td", { class: column.kind })
        line.append(cell)
      }
      if (cell.signature === signature) return
      cell.signature = signature
      fill(cell, column.kind, value)
      if (this.data.opens && number === 0) this.link(cell, row.id)
    })
    return line
  }

  /** The first cell is a link, so that a row opens in a new tab as any link does. */
  link(cell, id) {
    const link = element("a", { href: this.addressOf(id), tabindex: -1 })
    link.append(...cell.childNodes)
    cell.append(link)
  }

  makeOpen(line, id) {
    line.tabIndex = 0
    line.classList.add("opens")
    line.dataset.row = id
    line.onclick = (event) => {
      event.preventDefault()
      if (event.ctrlKey || event.metaKey) window.open(this.addressOf(id), "_blank", "noopener")
      else this.open(id)
    }
    line.onkeydown = (event) => {
      if (event.key !== "Enter") return
      event.preventDefault()
      this.open(id)
    }
  }

  addressOf(id) {
    return new URL(`${this.data.opens}?run=${encodeURIComponent(id)}`, document.baseURI).href
  }

  /** Ask the page to open a row; where a refresh at that moment swallows it, go there directly. */
  open(id) {
    const before = location.href
    this.setTriggerValue("open", id)
    setTimeout(() => { if (location.href === before) location.assign(this.addressOf(id)) }, SWALLOWED_MS)
  }

  fits(row) {
    if (!this.query) return true
    return this.data.columns.some((column) => String(shownOf(row[column.key])).toLowerCase().includes(this.query))
  }

  sorted(rows) {
    if (!this.order) return rows
    const { key, down } = this.order
    const sign = down ? -1 : 1
    return [...rows].sort((a, b) => {
      const left = sortOf(a[key])
      const right = sortOf(b[key])
      if (left === null || right === null) return (left === null) - (right === null)
      return sign * (left < right ? -1 : left > right ? 1 : 0)
    })
  }
}

function shownOf(value) {
  return Array.isArray(value) ? value[0] : value ?? "–"
}

function sortOf(value) {
  return Array.isArray(value) ? value[1] : value ?? null
}

function fill(cell, kind, value) {
  const shown = shownOf(value)
  if (kind === "state") {
    cell.replaceChildren(element("span", { class: "state", "data-state": sortOf(value), text: shown }))
  } else if (kind === "progress") {
    const share = Math.max(0, Math.min(1, Number(sortOf(value)) || 0))
    const bar = element("i")
    bar.style.setProperty("--share", share)
    cell.replaceChildren(element("span", { class: "bar", role: "progressbar", "aria-valuemin": 0, "aria-valuemax": 100, "aria-valuenow": Math.round(100 * share), "aria-label": "Progress" }, [bar]), element("small", { text: shown }))
  } else {
    cell.textContent = shown
  }
}
