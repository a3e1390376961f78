import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest'
import { type Crash, crash, everyPoint, type Place } from '../src/crash.ts'
import type { Database } from '../src/databases/database.ts'
import { postgresDatabase } from '../src/databases/postgres.ts'
import { type Outcome, outcomeOf } from '../src/outcome.ts'
import { POINTS, type Point } from '../src/points.ts'
import { ADAPTERS, type StoreName } from '../src/programs/server-options.ts'

/**
 * Claim, writes, event and response were one transaction, which is gone, so the key was free at
 * once.
 */
const undone: Outcome = {
  received: 'nothing',
  left: { effects: 0, events: 0 },
  blockedFor: 'nothing',
  answers: ['201 attempt 1', '201 attempt 1, replayed'],
  otherBody: '422 key-reused',
  effects: ['answered ordered', 'answered paid'],
  events: ['answered'],
  stored: 'what was answered',
  leftOver: [],
}

/** All of it was committed, so a retry is replayed. */
const done: Outcome = {
  ...undone,
  left: { effects: 2, events: 1 },
  answers: ['201 attempt 1, replayed'],
}

/** Only the claim was committed: one server holds the outcome, and the other runs attempt 2. */
const unknown: Outcome = {
  ...undone,
  blockedFor: 'its lease',
  answers: ['409 outcome-unknown', '201 attempt 2', '201 attempt 2, replayed'],
}

/** Like `unknown`, for a handler that wrote outside of its transaction. */
const unknownBut = (lost: readonly string[]): Outcome => ({
  ...unknown,
  left: { effects: lost.length, events: 0 },
  effects: [...unknown.effects, ...lost],
})

const atTheEnd = {
  'commit unanswered': done,
  committed: done,
  flushing: { ...done, received: 'a part' },
}

const inTransactionMode: Readonly<Record<Point, Outcome>> = {
  'claim unanswered': undone,
  claimed: undone,
  written: undone,
  completing: undone,
  ...atTheEnd,
}

const inLeaseMode: typeof inTransactionMode = {
  'claim unanswered': unknown,
  claimed: unknown,
  written: unknown,
  completing: unknown,
  ...atTheEnd,
}

const outsideOfTransaction: typeof inTransactionMode = {
  ...inLeaseMode,
  written: unknownBut(['lost ordered']),
  completing: unknownBut(['lost ordered', 'lost paid']),
}

describe('a killed server in transaction mode', () => {
  const killed = killedServer('postgres', everyPoint(ADAPTERS))

  describe.each(ADAPTERS)('with a request of %s', (adapter) => {
    test.each(POINTS)('%s', async (point) => {
      expect(await killed.outcome({ adapter, point })).toEqual(inTransactionMode[point])
    })
  })
})

describe('a killed server in lease mode', () => {
  // For handlers without a transaction all adapters behave in the same way, so one adapter is
  // enough.
  const outside = everyPoint(['express']).map((place) => ({ ...place, outside: true }))
  const killed = killedServer('postgres-lease', [...everyPoint(ADAPTERS), ...outside])

  describe.each(ADAPTERS)('with a request of %s', (adapter) => {
    test.each(POINTS)('%s', async (point) => {
      expect(await killed.outcome({ adapter, point })).toEqual(inLeaseMode[point])
    })
  })

  describe('with a request whose handler uses no transaction', () => {
    test.each(outside)('$point', async (place) => {
      expect(await killed.outcome(place)).toEqual(outsideOfTransaction[place.point])
    })
  })
})

/** The server is killed before the first of the tests. */
function killedServer(store: StoreName, places: readonly Place[]) {
  let database: Database
  let dead: Crash
  beforeAll(async () => {
    database = await postgresDatabase(inject('postgresUrl'))
    dead = await crash(database, { store }, places)
  }, 240_000)
  afterAll(async () => {
    dead?.stop()
    await database.stop()
  })
  return { outcome: (place: Place) => outcomeOf(dead, place, database) }
}
