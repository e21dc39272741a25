// Frames of a run: decoded from the wire form of app/wire.py and kept in growing typed arrays.

export function decode(buffer) {
  const view = new DataView(buffer)
  const magic = String.fromCharCode(...new Uint8Array(buffer, 0, 4))
  if (magic !== "EGSF") throw new Error("not a frame message")
  const length = view.getUint32(4, true)
  const header = JSON.parse(new TextDecoder().decode(new Uint8Array(buffer, 8, length)))
  const { n, kinds, edges, operations } = header
  let at = 8 + length
  const steps = Uint32Array.from({ length: n }, (_, i) => view.getUint32(at + 4 * i, true))
  at += 4 * n
  const epochs = Uint32Array.from({ length: n }, (_, i) => view.getUint32(at + 4 * i, true))
  at += 4 * n
  const size = kinds * edges * operations
  const probabilities = new Uint8Array(buffer, at, n * size)
  at += n * size
  const codes = new Uint8Array(buffer, at, n * kinds * edges * Math.ceil(operations / 8))
  return { header, steps, epochs, probabilities, codes }
}

export class Frames {
  constructor(kinds, edges, operations) {
    this.kinds = kinds
    this.edges = edges
    this.operations = operations
    this.width = kinds * edges * operations
    this.maskBytes = Math.ceil(operations / 8)
    this.codeWidth = kinds * edges * this.maskBytes
    this.clear()
  }

  clear() {
    this.generation = (this.generation ?? 0) + 1 // tells a history that was taken back from the one before
    this.count = 0
    this.stride = 1
    this.steps = new Uint32Array(1024)
    this.epochs = new Uint32Array(1024)
    this.probabilities = new Uint8Array(1024 * this.width)
    this.codes = new Uint8Array(1024 * this.codeWidth)
  }

  get lastStep() {
    return this.count ? this.steps[this.count - 1] : -1
  }

  append(message) {
    const { n } = message.header
    if (!n) return false
    while (this.steps.length < this.count + n) this.grow()
    this.steps.set(message.steps, this.count)
    this.epochs.set(message.epochs, this.count)
    this.probabilities.set(message.probabilities, this.count * this.width)
    this.codes.set(message.codes, this.count * this.codeWidth)
    this.count += n
    this.stride = message.header.stride
    return true
  }

  grow() {
    const size = 2 * this.steps.length
    for (const [name, width] of [["steps", 1], ["epochs", 1], ["probabilities", this.width], ["codes", this.codeWidth]]) {
      const larger = new this[name].constructor(size * width)
      larger.set(this[name])
      this[name] = larger
    }
  }

  /** Index of the last frame at or before a step. */
  indexOf(step) {
    let low = 0
    let high = this.count - 1
    while (low < high) {
      const middle = (low + high + 1) >> 1
      if (this.steps[middle] <= step) low = middle
      else high = middle - 1
    }
    return low
  }

  probability(frame, kind, edge, operation) {
    return this.probabilities[frame * this.width + (kind * this.edges + edge) * this.operations + operation] / 255
  }

  drawn(frame, kind, edge, operation) {
    const at = frame * this.codeWidth + (kind * this.edges + edge) * this.maskBytes + (operation >> 3)
    return ((this.codes[at] >> (operation & 7)) & 1) === 1
  }

  /** How many operations of an edge the code switches on. */
  on(frame, kind, edge) {
    const start = frame * this.codeWidth + (kind * this.edges + edge) * this.maskBytes
    let count = 0
    for (let at = start; at < start + this.maskBytes; at += 1) {
      for (let bits = this.codes[at]; bits; bits &= bits - 1) count += 1
    }
    return count
  }

  /** [column of the most probable operation, its share of the edge, sum of the edge, standing].
   *  An edge is "lost" when its operations hold less than one unit of the wire each, and
   *  "undecided" when they differ by no more than one unit; otherwise "decided". */
  winner(frame, kind, edge) {
    const start = frame * this.width + (kind * this.edges + edge) * this.operations
    let best = 0
    let least = 255
    let total = 0
    for (let operation = 0; operation < this.operations; operation += 1) {
      const value = this.probabilities[start + operation]
      total += value
      if (value < least) least = value
      if (value > this.probabilities[start + best]) best = operation
    }
    const most = this.probabilities[start + best]
    const standing = total < this.operations ? "lost" : most - least <= 1 ? "undecided" : "decided"
    return [best, total ? most / total : 0, Math.max(total, 1) / 255, standing]
  }
}
