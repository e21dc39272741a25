// Changing an architecture by hand: a switch for each operation on each edge, and what differs.

const VERSION = new URL(import.meta.url).search
const { element, named, styled } = await import(new URL(`feed.js${VERSION}`, import.meta.url).href)

const SEND_MS = 250
const editors = new WeakMap()

export default function mount(component, root) {
  const signature = JSON.stringify(component.data)
  let editor = editors.get(root)
  if (!editor || editor.signature !== signature) {
    editor = new Editor(root, component.data, signature)
    editors.set(root, editor)
  }
  editor.setStateValue = component.setStateValue
  return () => {}
}

class Editor {
  constructor(root, data, signature) {
    this.root = root
    this.data = data
    this.signature = signature
    this.masks = Object.fromEntries(data.cells.map((cell) => [cell.kind, [...cell.masks]]))
    root.classList.add("editor")
    this.words = element("p", { class: "words", role: "status" })
    const reset = element("button", { type: "button", class: "reset", text: "As derived" })
    reset.onclick = () => this.reset()
    this.sections = data.cells.map((cell) => this.section(cell))
    root.replaceChildren(
      element("div", { class: "sections" }, this.sections), element("footer", {}, [this.words, reset]),
    )
    this.show()
    styled(root, "genotype_editor.css", VERSION).then(() => root.classList.add("ready"))
  }

  section(cell) {
    const { data } = this
    const head = element("tr", {}, [element("td"), ...data.operations.map((operation) => {
      const all = element("button", { type: "button", class: "all", text: operation.short, title: `${operation.label}: take it off every edge of this cell` })
      all.onclick = () => this.change(cell.kind, (mask) => mask & ~(1 << operation.column))
      return element("th", { scope: "col" }, [all])
    })])
    const rows = data.edges.map((edge, number) => {
      const label = named(edge)
      const switches = data.operations.map((operation) => {
        const button = element("button", { type: "button", class: "switch" })
        button.style.setProperty("--colour", operation.colour)
        button.onclick = () => this.toggle(cell.kind, number, operation.column)
        button.dataset.name = `${label.textContent}, ${operation.label}`
        return element("td", {}, [button])
      })
      return element("tr", {}, [label, ...switches])
    })
    return element("section", { "data-kind": cell.kind }, [
      element("h4", { text: cell.title }),
      element("div", { class: "scroll" }, [
        element("table", {}, [element("thead", {}, [head]), element("tbody", {}, rows)]),
      ]),
    ])
  }

  toggle(kind, edge, column) {
    this.masks[kind][edge] ^= 1 << column
    this.changed()
  }

  change(kind, rule) {
    this.masks[kind] = this.masks[kind].map(rule)
    this.changed()
  }

  reset() {
    for (const cell of this.data.cells) this.masks[cell.kind] = [...cell.masks]
    this.changed()
  }

  changed() {
    this.show()
    clearTimeout(this.sending)
    this.sending = setTimeout(() => this.setStateValue("masks", structuredClone(this.masks)), SEND_MS)
  }

  show() {
    let added = 0
    let removed = 0
    this.data.cells.forEach((cell, index) => {
      this.sections[index].querySelectorAll("tbody tr").forEach((row, edge) => {
        this.data.operations.forEach((operation, place) => {
          const button = row.children[place + 1].firstChild
          const on = Boolean(this.masks[cell.kind][edge] & (1 << operation.column))
          const was = Boolean(cell.masks[edge] & (1 << operation.column))
          const change = on === was ? "" : on ? "added" : "removed"
          added += change === "added" ? 1 : 0
          removed += change === "removed" ? 1 : 0
          button.setAttribute("aria-pressed", String(on))
          button.dataset.change = change
          button.textContent = { added: "+", removed: "−" }[change] ?? (on ? "●" : "")
          const words = `${button.dataset.name}: ${on ? "kept" : "not kept"}${change ? `, ${change}` : ""}`
          button.title = words
          button.setAttribute("aria-label", words)
        })
      })
    })
    this.root.dataset.added = added
    this.root.dataset.removed = removed
    this.words.textContent = added || removed
      ? `${added} added, ${removed} removed against what was derived.`
      : "As derived. Press a field to keep or drop an operation, a heading to drop it everywhere."
  }
}
