import { expect, test } from 'vitest'
import { db, report } from '../src/report.ts'

test('a report is made once for its time, by however many replicas', async () => {
  const at = new Date('2026-11-30T03:00:00Z')
  const made = await Promise.all(['one', 'two', 'three'].map((name) => report(at, name)))
  expect(made.filter(({ replayed }) => !replayed)).toHaveLength(1)
  expect(new Set(made.map(({ value }) => value.by)).size).toBe(1)
  await report(new Date('2026-11-30T04:00:00Z'), 'one')
  const { rows } = await db.query('select at from reports')
  expect(rows).toHaveLength(2)
})
