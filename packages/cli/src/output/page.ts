import stringWidth from 'string-width'
import { visible, visibleBlock } from './visible.ts'

/**
 * A page of text for a person. Values come from outside, so their control characters are made
 * visible. Titles, labels and templates are ours.
 */
export interface Page {
  /** Prints a line: `page.line\`${count} keys\`.` */
  line(texts: TemplateStringsArray, ...values: readonly unknown[]): void
  /** Prints text in lines of the terminal's width; all lines but the first are indented. */
  paragraph(text: string, options?: { readonly indent?: number; readonly mark?: Mark }): void
  blank(): void
  title(text: string): void
  /** Prints rows of a label and a value. A row whose value is `undefined` or null is left out. */
  fields(rows: readonly (readonly [label: string, value: unknown])[]): void
  /**
   * Prints text of several lines, indented, so that it cannot be mistaken for a line of the page.
   */
  block(text: string): void
  table(columns: readonly string[], rows: readonly (readonly unknown[])[]): void
  /** Prints text in a colour, if the terminal has colours. */
  mark(kind: Mark, text: string): void
}

export type Mark = 'good' | 'warning' | 'fault'

export interface PageStyle {
  readonly colour: boolean
  /** The width of the terminal; `undefined` if the output goes elsewhere, where nothing is cut. */
  readonly columns: number | undefined
}

export function writePage(style: PageStyle, write: (page: Page) => void): string {
  const lines: string[] = []
  write({
    line: (texts, ...values) => void lines.push(String.raw({ raw: texts }, ...values.map(shown))),
    paragraph(text, { indent = 0, mark } = {}) {
      const wrapped = wrappedLines(visible(text), Math.min(style.columns ?? 100, 100), indent)
      lines.push(
        ...wrapped.map((line) => (mark === undefined ? line : painted(style, COLOURS[mark], line))),
      )
    },
    blank: () => void lines.push(''),
    title: (text) => void lines.push(painted(style, '1', visible(text))),
    fields(rows) {
      const kept = rows.filter(([, value]) => value !== undefined && value !== null)
      const width = Math.max(0, ...kept.map(([label]) => stringWidth(shown(label))))
      for (const [label, value] of kept) {
        lines.push(`${painted(style, '2', padded(shown(label), width))}  ${shown(value)}`)
      }
    },
    block: (text) =>
      void lines.push(
        ...visibleBlock(text)
          .split('\n')
          .map((line) => `    ${line}`),
      ),
    table: (columns, rows) => void lines.push(...tableLines(style, columns, rows)),
    mark: (kind, text) => void lines.push(painted(style, COLOURS[kind], visible(text))),
  })
  return `${lines.join('\n')}\n`
}

/** A value as it is shown in a line: times in UTC to the second, an empty value as a dash. */
export function shown(value: unknown): string {
  if (value === null || value === undefined || value === '') return '-'
  if (value instanceof Date) return value.toISOString().replace(/\.\d+Z$/, 'Z')
  if (Array.isArray(value)) return value.map(shown).join(', ')
  return visible(String(value))
}

/** A duration in two units: `3m 20s`. */
export function shownDuration(ms: number | null | undefined): string {
  if (ms === null || ms === undefined) return '-'
  if (ms < 1_000) return `${Math.round(ms)}ms`
  const units: readonly (readonly [string, number])[] = [
    ['d', 86_400],
    ['h', 3_600],
    ['m', 60],
    ['s', 1],
  ]
  let left = Math.floor(ms / 1_000)
  const parts = units.flatMap(([unit, seconds]) => {
    const count = Math.floor(left / seconds)
    left -= count * seconds
    return count === 0 ? [] : [`${count}${unit}`]
  })
  return parts.slice(0, 2).join(' ')
}

function tableLines(
  style: PageStyle,
  columns: readonly string[],
  rows: readonly (readonly unknown[])[],
): string[] {
  const cells = rows.map((row) => row.map(shown))
  const widths = columns.map((title, index) =>
    Math.max(stringWidth(title), ...cells.map((row) => stringWidth(row[index] ?? ''))),
  )
  const last = columns.length - 1
  const before = widths.slice(0, last).reduce((sum, width) => sum + width + 2, 0)
  // Only the last column is cut, and only on a terminal. The others have ids and names, which
  // people copy.
  const room = style.columns === undefined ? Infinity : Math.max(20, style.columns - before)
  const lineOf = (row: readonly string[]): string =>
    row
      .map((cell, index) => (index === last ? cutTo(room, cell) : padded(cell, widths[index] ?? 0)))
      .join('  ')
      .trimEnd()
  return [painted(style, '2', lineOf(columns)), ...cells.map(lineOf)]
}

/**
 * Wraps text between words. A word that is too long is not cut. All lines but the first are
 * indented.
 */
function wrappedLines(text: string, width: number, indent: number): string[] {
  const lines: string[] = []
  for (const word of text.split(' ')) {
    const last = lines.at(-1)
    if (last === undefined) lines.push(word)
    else if (stringWidth(last) + 1 + stringWidth(word) <= width)
      lines[lines.length - 1] = `${last} ${word}`
    else lines.push(' '.repeat(indent) + word)
  }
  return lines
}

function padded(text: string, width: number): string {
  return text + ' '.repeat(Math.max(0, width - stringWidth(text)))
}

function cutTo(width: number, text: string): string {
  if (stringWidth(text) <= width) return text
  let cut = ''
  for (const { segment } of new Intl.Segmenter('en').segment(text)) {
    if (stringWidth(cut + segment) > width - 1) break
    cut += segment
  }
  return `${cut}…`
}

function painted({ colour }: PageStyle, code: string, text: string): string {
  return colour && text !== '' ? `\u001b[${code}m${text}\u001b[0m` : text
}

const COLOURS: Readonly<Record<Mark, string>> = { good: '32', warning: '33', fault: '31' }
