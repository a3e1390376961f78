import { namesIn, type Outcome } from './matrix-table.ts'

/**
 * Compares the cells of a sample with those of the page, and returns a sentence about what was left
 * out. Throws if they differ, or if the page lacks a cell.
 */
export function compareSample(page: string, outcomes: readonly Outcome[]): string {
  const cells = cellsOf(page)
  const ran = new Set<string>()
  for (const adapter of namesIn(outcomes, 'adapter')) {
    const row = outcomes.filter((one) => one.adapter === adapter)
    for (const store of namesIn(row, 'store')) {
      const kept = row.filter((one) => one.store === store && one.skipped === undefined).length
      const cell = `${adapter} on ${store}`
      const there = cells.get(cell)
      if (there !== kept) {
        const says = there === undefined ? 'lacks it' : `says ${there}`
        throw new Error(
          `${cell}: ${kept} sentences were kept, and docs/matrix.md ${says}. Write it: pnpm matrix`,
        )
      }
      ran.add(cell)
    }
  }
  const left = [...cells.keys()].filter((cell) => !ran.has(cell))
  return left.length === 0
    ? 'The matrix was run whole.'
    : `A sample of the matrix was run, ${ran.size} of ${cells.size} cells. Left out (pnpm matrix runs all): ${left.join('; ')}.`
}

/** The counts in the tables of a page, by `adapter on store`. */
function cellsOf(page: string): Map<string, number> {
  const cells = new Map<string, number>()
  let stores: string[] = []
  for (const line of page.split('\n')) {
    if (!line.startsWith('|')) continue
    const [first = '', ...rest] = line
      .slice(1, -1)
      .split('|')
      .map((cell) => cell.trim())
    if (first === '') stores = rest
    else if (!first.startsWith('---')) {
      for (const [at, count] of rest.entries())
        cells.set(`${first} on ${stores[at]}`, Number(count))
    }
  }
  return cells
}
