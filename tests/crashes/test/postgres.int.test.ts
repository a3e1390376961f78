import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest'
import { type Crash, crash, everyPoint } from '../src/crash.ts'
import type { Database } from '../src/databases/database.ts'
import { postgresDatabase } from '../src/databases/postgres.ts'
import { type Outcome, outcomeOf } from '../src/outcome.ts'
import { POINTS, type Point } from '../src/points.ts'
import { ADAPTERS, type Adapter } from '../src/programs/server-options.ts'

/** Claim, writes, event and response were one transaction, which is gone: the key was free at once. */
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

/** It was committed, all of it: a retry is answered from the record. */
const done: Outcome = {
  ...undone,
  left: { effects: 2, events: 1 },
  answers: ['201 attempt 1, replayed'],
}

/** The claim was committed, and nothing else: one server holds that, the other runs it as attempt 2. */
const unknown: Outcome = {
  ...undone,
  blockedFor: 'its lease',
  answers: ['409 outcome-unknown', '201 attempt 2', '201 attempt 2, replayed'],
}

/** The same, where the handler wrote outside of what a transaction takes back. */
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

interface Case {
  readonly name: string
  readonly server: Parameters<typeof crash>[1]
  readonly adapters: readonly Adapter[]
  readonly expected: Readonly<Record<Point, Outcome>>
}

const cases: readonly Case[] = [
  {
    name: 'in transaction mode',
    server: { store: 'postgres' },
    adapters: ADAPTERS,
    expected: {
      'claim unanswered': undone,
      claimed: undone,
      written: undone,
      completing: undone,
      ...atTheEnd,
    },
  },
  {
    name: 'in lease mode',
    server: { store: 'postgres-lease' },
    adapters: ADAPTERS,
    expected: {
      'claim unanswered': unknown,
      claimed: unknown,
      written: unknown,
      completing: unknown,
      ...atTheEnd,
    },
  },
  {
    name: 'in lease mode, with handlers that ask for no transaction',
    server: { store: 'postgres-lease', writesOutside: true },
    // What is different is below what an adapter can tell.
    adapters: ['express'],
    expected: {
      'claim unanswered': unknown,
      claimed: unknown,
      written: unknownBut(['lost ordered']),
      completing: unknownBut(['lost ordered', 'lost paid']),
      ...atTheEnd,
    },
  },
]

describe.each(cases)('a server that is killed, $name', ({ server, adapters, expected }) => {
  let database: Database
  let dead: Crash
  beforeAll(async () => {
    database = await postgresDatabase(inject('postgresUrl'))
    dead = await crash(database, server, everyPoint(adapters))
  })
  afterAll(async () => {
    dead?.stop()
    await database.stop()
  })

  describe.each(adapters)('with a request of %s', (adapter) => {
    test.each(POINTS)('%s', async (point) => {
      expect(await outcomeOf(dead, { adapter, point }, database)).toEqual(expected[point])
    })
  })
})
