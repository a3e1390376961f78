import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest'
import { type Crash, crash } from '../src/crash.ts'
import type { Database } from '../src/databases/database.ts'
import { postgresDatabase } from '../src/databases/postgres.ts'
import { type Outcome, outcomeOf } from '../src/outcome.ts'
import { POINTS, type Point } from '../src/points.ts'
import { ADAPTERS } from '../src/programs/server-options.ts'

/** Claim, writes, event and response were one transaction, which is gone: the key was free at once. */
const undone: Outcome = {
  received: 'nothing',
  left: { effects: 0, events: 0 },
  blockedFor: 'nothing',
  answers: ['201 attempt 1', '201 attempt 1, replayed', '201 attempt 1, replayed'],
  otherBody: '422 key-reused',
  effects: ['answered ordered', 'answered paid'],
  events: ['answered'],
  stored: 'what was answered',
  leftOver: [],
}

/** It was committed, all of it: a retry is answered from the record. */
const done: Outcome = {
  ...undone,
  left: { effects: 2, events: 1 },
  answers: Array(3).fill('201 attempt 1, replayed'),
}

/** The claim was committed, and nothing else: one server holds that, the other runs it as attempt 2. */
const unknown: Outcome = {
  ...undone,
  blockedFor: 'its lease',
  answers: ['409 outcome-unknown', '201 attempt 2', '201 attempt 2, replayed'],
}

const expected: Record<'postgres' | 'postgres-lease', Record<Point, Outcome>> = {
  postgres: {
    'claim unanswered': undone,
    claimed: undone,
    written: undone,
    completing: undone,
    'commit unanswered': done,
    committed: done,
    flushing: { ...done, received: 'a part' },
  },
  'postgres-lease': {
    'claim unanswered': unknown,
    claimed: unknown,
    written: unknown,
    completing: unknown,
    'commit unanswered': done,
    committed: done,
    flushing: { ...done, received: 'a part' },
  },
}

describe.each(['postgres', 'postgres-lease'] as const)('a server on %s that is killed', (store) => {
  let database: Database
  let dead: Crash
  beforeAll(async () => {
    database = await postgresDatabase(inject('postgresUrl'))
    dead = await crash(database, { store })
  })
  afterAll(async () => {
    dead?.stop()
    await database.stop()
  })

  describe.each(ADAPTERS)('with a request of %s', (adapter) => {
    test.each(POINTS)('%s', async (point) => {
      expect(await outcomeOf(dead, { adapter, point }, database)).toEqual(expected[store][point])
    })
  })
})
