import { afterEach, beforeEach, describe, expect, inject, test } from 'vitest'
import { type Crash, crash } from '../src/crash.ts'
import type { Database } from '../src/databases/database.ts'
import { postgresDatabase } from '../src/databases/postgres.ts'
import { type Outcome, outcomeOf } from '../src/outcome.ts'
import type { Point } from '../src/points.ts'

describe('the crash matrix finds', { timeout: 240_000 }, () => {
  let database: Database
  let dead: Crash | undefined
  beforeEach(async () => {
    database = await postgresDatabase(inject('postgresUrl'))
  })
  afterEach(async () => {
    dead?.stop()
    await database.stop()
  })
  const at = (point: Point) => ({ adapter: 'express', point }) as const
  const outcome = async (point: Point): Promise<Outcome> =>
    await outcomeOf(dead as Crash, at(point), database)

  test('a store that commits writes separately from its record', async () => {
    dead = await crash(database, { store: 'postgres', broken: 'writes-beside' }, [
      at('claimed'),
      at('written'),
      at('completing'),
    ])
    expect((await outcome('claimed')).effects).toEqual(['answered ordered', 'answered paid'])
    expect(await outcome('written')).toMatchObject({
      left: { effects: 1, events: 0 },
      answers: ['201 attempt 1', '201 attempt 1, replayed'],
      effects: ['answered ordered', 'answered paid', 'lost ordered'],
    })
    expect((await outcome('completing')).effects).toEqual([
      'answered ordered',
      'answered paid',
      'lost ordered',
      'lost paid',
    ])
  })

  test('a store whose records die with their process', async () => {
    dead = await crash(database, { store: 'postgres', broken: 'each-for-itself' }, [
      at('committed'),
    ])
    expect(await outcome('committed')).toMatchObject({
      left: { effects: 2, events: 0 },
      answers: ['201 attempt 1', '201 attempt 1, replayed'],
      effects: ['answered ordered', 'answered paid', 'lost ordered', 'lost paid'],
      stored: 'something else',
    })
  })
})
