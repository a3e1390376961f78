import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type Crash, crash, everyPoint } from '../src/crash.ts'
import type { Database } from '../src/databases/database.ts'
import { redisDatabase } from '../src/databases/redis.ts'
import { type Outcome, outcomeOf } from '../src/outcome.ts'
import { POINTS, type Point } from '../src/points.ts'
import { ADAPTERS } from '../src/programs/server-options.ts'

/**
 * Only the claim is on record: one server holds the outcome, and the other runs attempt 2. Redis
 * cannot undo what the first attempt wrote outside, and its event was never appended.
 */
const unknown = (lost: readonly string[]): Outcome => ({
  received: 'nothing',
  left: { effects: lost.length, events: 0 },
  blockedFor: 'its lease',
  answers: ['409 outcome-unknown', '201 attempt 2', '201 attempt 2, replayed'],
  otherBody: '422 key-reused',
  effects: ['answered ordered', 'answered paid', ...lost],
  events: ['answered'],
  stored: 'what was answered',
  leftOver: [],
})

/** Response and event are on record, and a retry is replayed. */
const done: Outcome = {
  ...unknown([]),
  left: { effects: 2, events: 1 },
  blockedFor: 'nothing',
  answers: ['201 attempt 1, replayed'],
}

const expected: Record<Point, Outcome> = {
  'claim unanswered': unknown([]),
  claimed: unknown([]),
  written: unknown(['lost ordered']),
  completing: unknown(['lost ordered', 'lost paid']),
  'commit unanswered': done,
  committed: done,
  flushing: { ...done, received: 'a part' },
}

describe('a killed server on Redis', () => {
  let database: Database
  let dead: Crash
  beforeAll(async () => {
    database = await redisDatabase()
    dead = await crash(database, { store: 'redis' }, everyPoint(ADAPTERS))
  }, 240_000)
  afterAll(async () => {
    dead?.stop()
    await database.stop()
  })

  describe.each(ADAPTERS)('with a request of %s', (adapter) => {
    test.each(POINTS)('%s', async (point) => {
      expect(await outcomeOf(dead, { adapter, point }, database)).toEqual(expected[point])
    })
  })
})
