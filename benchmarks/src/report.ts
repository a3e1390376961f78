import { type Budget, budgetLine } from './budget.ts'

/** The results of a bench. */
export interface Report {
  readonly tables: readonly Table[]
  readonly budgets: readonly Budget[]
  /** Notes that are needed to read the tables. */
  readonly notes: readonly string[]
  /** The server that was measured against, if any. */
  readonly postgresVersion?: string
}

export interface Table {
  readonly title: string
  readonly columns: readonly string[]
  /** Raw values: the tables round them, and the JSON does not. */
  readonly rows: readonly (readonly Cell[])[]
}

export type Cell = string | number | Ratio | undefined

/** The median of the rounds, and the range of their values. */
export interface Ratio {
  readonly median: number
  readonly least: number
  readonly most: number
}

/** As Markdown. */
export function reportText({ tables, budgets, notes }: Report): string {
  const parts = tables.map(({ title, columns, rows }) => `${title}\n\n${markdown(columns, rows)}`)
  if (budgets.length > 0) parts.push(budgets.map((budget) => `- ${budgetLine(budget)}`).join('\n'))
  parts.push(...notes)
  return parts.join('\n\n')
}

function markdown(columns: Table['columns'], rows: Table['rows']): string {
  const lines = [[...columns], ...rows.map((row) => row.map(cellText))]
  const widths = columns.map((_, at) => Math.max(3, ...lines.map((line) => line[at]?.length ?? 0)))
  const [head = '', ...body] = lines.map(
    (line) => `| ${widths.map((width, at) => padded(line[at] ?? '', width, at)).join(' | ')} |`,
  )
  const rule = `|${widths.map((width, at) => (at === 0 ? `${'-'.repeat(width + 2)}` : `${'-'.repeat(width + 1)}:`)).join('|')}|`
  return [head, rule, ...body].join('\n')
}

const padded = (text: string, width: number, at: number) =>
  at === 0 ? text.padEnd(width) : text.padStart(width)

function cellText(cell: Cell): string {
  if (cell === undefined) return '–'
  if (typeof cell === 'string') return cell
  if (typeof cell === 'number') return Number.isNaN(cell) ? '–' : numberText(cell)
  return `${cell.median.toFixed(2)} (${cell.least.toFixed(2)}–${cell.most.toFixed(2)})`
}

function numberText(value: number): string {
  if (Number.isInteger(value)) return value.toLocaleString('en')
  const digits = Math.abs(value) >= 100 ? 0 : Math.abs(value) >= 10 ? 1 : 2
  return value.toLocaleString('en', {
    minimumFractionDigits: digits,
    maximumFractionDigits: digits,
  })
}
