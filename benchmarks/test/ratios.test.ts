import { expect, test } from 'vitest'
import { type Pair, ratioTables } from '../src/compare/ratios.ts'
import type { Cell } from '../src/report.ts'
import type { BenchResult } from '../src/run-benches.ts'

function results(...rows: Cell[][]): BenchResult[] {
  const table = { title: 'speed', columns: ['', 'at once', 'req/s', 'of bare'], rows }
  return [{ bench: 'express', report: { tables: [table], budgets: [], notes: [] } }]
}

const row = (name: string, persecond: number, ratio: number): Cell[] => [
  name,
  '16',
  persecond,
  { median: ratio, least: 0, most: 9 },
]

test('each number becomes the ratio of the two trees, round by round', () => {
  const pairs: Pair[] = [
    { after: results(row('ours', 300, 0.9)), before: results(row('ours', 200, 0.6)) },
    { after: results(row('ours', 100, 0.8)), before: results(row('ours', 100, 0.8)) },
    { after: results(row('ours', 120, 0.5)), before: results(row('ours', 100, 0.5)) },
  ]
  const { tables, unmatched } = ratioTables(pairs)
  expect(unmatched).toEqual([])
  expect(tables).toHaveLength(1)
  expect(tables[0]?.title).toBe('express: speed')
  const [name, atOnce, persecond, ofBare] = tables[0]?.rows[0] ?? []
  expect([name, atOnce]).toEqual(['ours', '16'])
  expect(persecond).toEqual({ median: 1.2, least: 1, most: 1.5 })
  expect(ofBare).toEqual({ median: 1, least: 1, most: 0.9 / 0.6 })
})

test('rows are matched by name, and what the other tree lacks is named', () => {
  const pair: Pair = {
    after: results(row('new', 10, 1), row('ours', 300, 1)),
    before: results(row('gone', 5, 1), row('ours', 100, 1)),
  }
  const { tables, unmatched } = ratioTables([pair])
  expect(tables[0]?.rows[0]).toEqual(['new', '16', undefined, undefined])
  expect(tables[0]?.rows[1]?.[2]).toEqual({ median: 3, least: 3, most: 3 })
  expect(unmatched).toEqual(['express: new, 16, req/s', 'express: new, 16, of bare'])
})
