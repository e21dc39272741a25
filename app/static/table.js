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
  table.setStateValue = component.setStateValue
  table.update(component.data)
  return () => tables.delete(root)
}

class Table {
  constructor(root) {
    this.root = root
    this.order = null
    this.query = ""
    this.cells = new Map()
    this.selected = new Set()
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
    if (this.data && this.data.clear !== data.clear) this.selected.clear()
    this.data = data
    if (data.order !== null && data.order !== undefined) this.order = orderOf(data.order)
    this.search.hidden = !data.searchable
    this.table.classList.toggle("dense", Boolean(data.selectable))
    this.table.setAttribute("aria-label", data.label)
    this.draw()
  }

  draw() {
    const { columns, rows } = this.data
    this.drawHead(columns)
    const fitting = rows.filter((row) => this.fits(row))
    const shown = this.ordersItself() ? this.sorted(fitting) : fitting
    this.root.dataset.selected = [...this.selected].join(",")
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
    if (this.all) this.all.checked = shown.length > 0 && shown.every((row) => this.selected.has(row.id))
    this.none.hidden = shown.length > 0 || rows.length === 0
    this.root.dataset.rows = String(shown.length)
  }

  drawHead(columns) {
    const sorting = this.order ? `${this.order.key}/${this.order.down}` : ""
    const signature = JSON.stringify(columns) + sorting + this.data.selectable
    if (this.headSignature === signature) return
    this.headSignature = signature
    const shape = JSON.stringify([columns, this.data.selectable])
    if (this.bodyShape !== shape) {
      this.bodyShape = shape
      this.cells.clear()
      this.body.replaceChildren()
    }
    this.head.replaceChildren(...(this.data.selectable ? [this.chooseAll()] : []), ...columns.map((column) => {
      const button = element("button", { type: "button", text: column.label })
      const cell = element("th", { scope: "col", class: column.kind }, [button])
      if (this.order?.key === column.key) cell.setAttribute("aria-sort", this.order.down ? "descending" : "ascending")
      button.onclick = () => {
        const down = this.order?.key === column.key ? !this.order.down : false
        this.order = { key: column.key, down }
        if (!this.ordersItself()) this.setStateValue("order", `${down ? "-" : ""}${column.key}`)
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
      if (this.data.selectable) line.append(this.choice(row))
    }
    const before = this.data.selectable ? 1 : 0
    if (before) line.firstChild.firstChild.firstChild.checked = this.selected.has(row.id)
    line.classList.toggle("selected", this.selected.has(row.id))
    columns.forEach((column, number) => {
      const value = row[column.key]
      const signature = JSON.stringify(value)
      let cell = line.children[number + before]
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

  /** Whether rows are put in order here; otherwise the page is asked to, since it has more rows. */
  ordersItself() {
    return this.data.order === null || this.data.order === undefined
  }

  /** A box of its own, whose clicks do not open the row. */
  choice(row) {
    const box = element("input", { type: "checkbox", "aria-label": `Choose ${shownOf(row[this.data.columns[0].key])}` })
    box.onchange = () => this.choose([row.id], box.checked)
    const cell = element("td", { class: "choice" }, [element("label", {}, [box])])
    cell.onclick = (event) => event.stopPropagation()
    cell.onkeydown = (event) => event.stopPropagation()
    return cell
  }

  chooseAll() {
    this.all = element("input", { type: "checkbox", "aria-label": "Choose all rows on this page" })
    this.all.onchange = () => this.choose(this.data.rows.map((row) => row.id), this.all.checked)
    return element("th", { scope: "col", class: "choice" }, [element("label", {}, [this.all])])
  }

  choose(ids, on) {
    for (const id of ids) this.selected[on ? "add" : "delete"](id)
    this.setStateValue("selected", [...this.selected])
    this.draw()
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

/** `-score` is by score, downwards. */
function orderOf(text) {
  return text ? { key: text.replace(/^-/, ""), down: text.startsWith("-") } : null
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
  } else if (kind === "tags") {
    cell.replaceChildren(...shown.map((tag) => element("span", { class: "tag", text: tag })))
  } else {
    cell.textContent = shown
  }
}
