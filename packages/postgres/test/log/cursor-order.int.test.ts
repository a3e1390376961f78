import { postgresLog } from '@oncekey/postgres'
import { expect, test } from 'vitest'
import { testDatabase } from '../database/test-database.ts'

const database = testDatabase()

test('a cursor moves to later snapshots, and within one to later numbers, and never back', async () => {
  const log = postgresLog({ client: database.pool() })
  const consumer = 'email'
  await log.subscribe({ consumer, types: null, startAt: 'beginning' })
  await log.lease({ consumer, relay: 'one', leaseMs: 60_000, holding: [] })
  const slot = 7
  const [cursor] = await database.query<{ epoch: string }>(
    'select epoch::text as epoch from oncekey.cursors where consumer = $1 and slot = $2',
    [consumer, slot],
  )
  // Its first place lies before these snapshots, which no server has reached by itself yet.
  const base = 4_000_000_000
  const snapshot = (min: number, max: number, open = ''): string =>
    `${base + min}:${base + max}:${open && base + Number(open)}`
  const moves = async (f: string, t: string | null, s: number): Promise<boolean> => {
    const [row] = await database.query<{ refused: string }>(
      `select oncekey.advance_3($1, $2::json, null) as refused`,
      [consumer, JSON.stringify([{ slot, epoch: cursor?.epoch, f, t, o: 0, s, calm: false }])],
    )
    return JSON.parse(row?.refused ?? '').length === 0
  }
  const [open, closed, later] = [snapshot(100, 105, '100'), snapshot(105, 105), snapshot(110, 110)]
  expect(await moves(open, null, 0)).toBe(true)
  // They end alike, and the second has no open transaction.
  expect(await moves(closed, null, 0)).toBe(true)
  expect(await moves(open, null, 0)).toBe(false)
  expect(await moves(open, closed, 9)).toBe(false)
  // Equal snapshots: by number.
  expect(await moves(closed, later, 5)).toBe(true)
  expect(await moves(closed, later, 4)).toBe(false)
  expect(await moves(closed, later, 5)).toBe(true)
  expect(await moves(closed, later, 6)).toBe(true)
  expect(await moves(later, null, 0)).toBe(true)
  expect(await moves(closed, later, 7)).toBe(false)
})
