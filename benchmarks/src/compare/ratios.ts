import { pairwiseRatio } from '../median.ts'
import type { Cell, Table } from '../report.ts'
import type { BenchResult } from '../run-benches.ts'

/** What one round has measured in each of the two trees. */
export interface Pair {
  readonly after: readonly BenchResult[]
  readonly before: readonly BenchResult[]
}

/**
 * The tables of the benches with a ratio (after / before) in each cell that is a number in both
 * trees: the median of the rounds, with the least and the greatest. Rows and columns are matched by
 * their names. Rows and columns that only one of the trees has are left out and named in
 * `unmatched`.
 */
export function ratioTables(pairs: readonly Pair[]): {
  readonly tables: Table[]
  readonly unmatched: string[]
} {
  const unmatched = new Set<string>()
  const tables = (pairs[0]?.after ?? []).flatMap(({ bench, report }) =>
    report.tables.map((table): Table => {
      const rows = table.rows.map((row, at): Cell[] => [
        row[0] ?? '',
        ...table.columns.slice(1).map((column) => {
          const label = labelOf(table, at)
          const samples = pairs.map(({ after, before }) => [
            numberAt(after, bench, table.title, label, column),
            numberAt(before, bench, table.title, label, column),
          ])
          if (samples.every(([ours, theirs]) => ours !== undefined && theirs !== undefined)) {
            return pairwiseRatio(
              samples.map(([ours]) => ours as number),
              samples.map(([, theirs]) => theirs as number),
            )
          }
          const isNumber = samples.some(([ours]) => ours !== undefined)
          if (isNumber) unmatched.add(`${bench}: ${label}, ${column}`)
          const own = row[table.columns.indexOf(column)]
          return typeof own === 'string' ? own : undefined
        }),
      ])
      return { title: `${bench}: ${table.title}`, columns: table.columns, rows }
    }),
  )
  return { tables, unmatched: [...unmatched] }
}

/**
 * The name of a row is all of its cells that are text, because in some tables the first column is
 * not unique.
 */
function labelOf(table: Table, at: number): string {
  return (table.rows[at] ?? []).filter((cell) => typeof cell === 'string').join(', ')
}

function numberAt(
  results: readonly BenchResult[],
  bench: string,
  title: string,
  label: string,
  column: string,
): number | undefined {
  const tables = results.find((result) => result.bench === bench)?.report.tables
  const table = tables?.find((one) => one.title === title)
  const row = table?.rows.find((_, at) => labelOf(table, at) === label)
  const cell = row?.[table?.columns.indexOf(column) ?? -1]
  if (typeof cell === 'number') return cell === 0 ? undefined : cell
  return typeof cell === 'object' ? cell.median : undefined
}
