const COLUMN = 200
const ROW = 36
const TOP = 46
/** Characters of a message beside an arrow; what is longer goes on below. */
const LINE = 27

type Step =
  | { readonly kind: 'message'; from: number; to: number; text: string; lost: boolean }
  | { readonly kind: 'note'; over: number; text: string }
  | { readonly kind: 'frame'; text: string }

/**
 * Draws a sequence diagram as SVG when the site is built, so that no script draws it in the
 * browser. The source is the part of Mermaid's language that the pages use, which the repository's
 * own viewer draws too: `participant A as name`, `A->>B: text`, `A--xB: text` for a message that is
 * lost, `Note over A: text`, and `loop text` to `end`.
 */
export function drawSequence(source: string): string {
  const { names, steps } = readSequence(source)
  const width = names.length * COLUMN
  const x = (at: number) => at * COLUMN + COLUMN / 2
  const drawn: string[] = []
  let y = TOP
  for (const step of steps) {
    const lines = step.kind === 'message' ? split(step.text, step) : [step.text]
    y += (lines.length - 1) * 15
    drawn.push(drawStep(step, lines, y + 22, x, width))
    y += ROW
  }
  const height = y + 12
  const lives = names.map((_, at) => `<path class="life" d="M${x(at)} 34V${height}"/>`)
  const heads = names.map((name, at) => text('head', x(at), 22, name))
  return (
    `<div class="sequence" tabindex="0" role="group" aria-label="Sequence diagram">` +
    `<svg viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" role="img" ` +
    `aria-label="${escapeText(inWords(names, steps))}">` +
    `${[...lives, ...heads, ...drawn].join('')}</svg></div>`
  )
}

function readSequence(source: string): { names: string[]; steps: Step[] } {
  const ids: string[] = []
  const names: string[] = []
  const column = (id: string, name = id) => {
    const at = ids.indexOf(id)
    if (at >= 0) return at
    ids.push(id)
    return names.push(name) - 1
  }
  const steps = source
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '' && line !== 'sequenceDiagram')
    .flatMap((line): Step[] => {
      const [, id, name] = /^participant (\S+)(?: as (.+))?$/.exec(line) ?? []
      if (id !== undefined) {
        column(id, name)
        return []
      }
      const [, over, note = ''] = /^Note over ([^:]+): (.+)$/.exec(line) ?? []
      if (over !== undefined) {
        const columns = over.split(',').map((one) => column(one.trim()))
        const middle = columns.reduce((sum, one) => sum + one, 0) / columns.length
        return [{ kind: 'note', over: middle, text: note }]
      }
      const [, loop] = /^loop (.+)$/.exec(line) ?? []
      if (loop !== undefined) return [{ kind: 'frame', text: `repeated: ${loop}` }]
      if (line === 'end') return [{ kind: 'frame', text: '' }]
      const [, from, end, to, said = ''] = /^(\w+)--?(>>|x)(\w+): (.+)$/.exec(line) ?? []
      if (from === undefined || to === undefined) {
        throw new Error(`docs/.vitepress/sequence.ts does not know how to draw "${line}"`)
      }
      return [
        { kind: 'message', from: column(from), to: column(to), text: said, lost: end === 'x' },
      ]
    })
  return { names, steps }
}

function drawStep(
  step: Step,
  lines: readonly string[],
  y: number,
  x: (at: number) => number,
  width: number,
): string {
  if (step.kind === 'note') return text('note', x(step.over), y, step.text)
  if (step.kind === 'frame') {
    const line = `<path class="life" d="M0 ${y + 6}H${width}"/>`
    return step.text === '' ? line : line + text('note', width / 2, y, step.text)
  }
  if (step.from === step.to) return text('said', x(step.from), y, step.text)
  const way = Math.sign(step.to - step.from)
  const end = step.lost ? (x(step.from) + x(step.to)) / 2 : x(step.to) - way * 2
  const tip = step.lost
    ? `M${end - 5} ${y - 5}l10 10m0-10l-10 10`
    : `M${end - way * 8} ${y - 5}L${end} ${y}L${end - way * 8} ${y + 5}`
  const middle = (x(step.from) + x(step.to)) / 2
  const said = lines.map((line, at) =>
    text('said', middle, y - 7 - (lines.length - 1 - at) * 15, line),
  )
  return `<path class="arrow" d="M${x(step.from)} ${y}H${end}${tip}"/>${said.join('')}`
}

/** A message in lines that fit between its two columns. */
function split(message: string, { from, to }: { from: number; to: number }): string[] {
  const room = LINE * Math.max(1, Math.abs(to - from))
  const lines: string[] = []
  for (const word of message.split(' ')) {
    const last = lines.at(-1)
    if (last !== undefined && last.length + word.length < room) lines.push(`${lines.pop()} ${word}`)
    else lines.push(word)
  }
  return lines
}

function inWords(names: readonly string[], steps: readonly Step[]): string {
  return steps
    .map((step) => {
      if (step.kind !== 'message') return step.text
      const lost = step.lost ? ' (lost)' : ''
      return `${names[step.from]} to ${names[step.to]}: ${step.text}${lost}`
    })
    .filter((words) => words !== '')
    .join('; ')
}

function text(kind: string, x: number, y: number, said: string): string {
  return `<text class="${kind}" x="${x}" y="${y}">${escapeText(said)}</text>`
}

function escapeText(said: string): string {
  return said
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('"', '&quot;')
    .replaceAll('{', '&#123;')
}
