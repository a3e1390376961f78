import { randomUUID } from 'node:crypto'
import { type Attempt, type Claim, OncekeyError, type Store } from '@oncekey/core'
import {
  type PostgresServer,
  startPostgres,
  startProxy,
  type TcpProxy,
  waitFor,
} from '@oncekey/test-servers'
import type { PoolClient } from 'pg'
import { afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { again, claimOf, eventOf, kept, said } from '../database/claims.ts'
import { storeOn, testDatabase } from '../database/test-database.ts'

/** The points of a request at which the server's process ends, in order. */
const points = [
  'claim unanswered',
  'claimed',
  'written',
  'completing',
  'committing',
  'commit unanswered',
] as const
type Point = (typeof points)[number]

let server: PostgresServer
let wire: TcpProxy

describe.each(['terminated', 'killed'] as const)('a backend that is %s', (how) => {
  beforeAll(async () => {
    server = await startPostgres()
    return () => server.stop()
  })
  const database = testDatabase(() => server.url)
  beforeAll(async () => {
    await database.query(`
      create table effects (key text not null, receipt text not null);
      create function slow() returns trigger language plpgsql as $$ begin
          if new.receipt like 'committing/%' then perform pg_sleep(60); end if;
          return null;
        end $$;
      create constraint trigger slow after insert on effects deferrable initially deferred
        for each row execute function slow()`)
  })
  beforeEach(async () => {
    wire = await startProxy(server.port)
  })
  afterEach(() => wire.stop())

  describe.each(['transaction', 'lease'] as const)('in %s mode', (mode) => {
    test.each(points)('%s has one effect and one answer', async (point) => {
      const bounds = { acquireTimeoutMs: 2_000, commitTimeoutMs: 2_000 }
      const name = `under test ${randomUUID()}`
      const through = { connectionString: wire.through(database.url()), application_name: name }
      const dying = storeOn(database.pool({ ...through, max: 4 }), { mode, ...bounds })
      const claim = claimOf({ leaseMs: 1_500 })
      const there = arrival(point, claim)
      const first = run(dying, claim, `${point}/1`, async (reached) => {
        if (reached === point) await lost(name)
      }).catch(codeOf)
      await there()
      if (point !== 'claimed' && point !== 'written') await lost(name)
      const answered = await first

      const heir = storeOn(database.pool(), { mode })
      const retried = await waitFor(
        async () => {
          const answer = await run(heir, again(claim), 'retry').catch(() => 'in-progress')
          return answer !== 'in-progress' && answer
        },
        { what: 'the key to be answered', timeoutMs: 20_000 },
      )
      if (answered.startsWith('replay')) expect(retried).toBe(answered)
      expect(await run(heir, again(claim), 'another')).toBe(retried)
      const effects = await rows<{ receipt: string }>(
        'select receipt from effects where key = $1',
        claim.key,
      )
      expect(effects.map(({ receipt }) => `replay 201 ${receipt}`)).toEqual([retried])
      expect(await rows('select from oncekey.outbox where subject = $1', claim.key)).toHaveLength(1)
      await waitFor(async () => (await rows(LEFT, name)).length === 0, {
        what: 'nothing to be left over',
      })
      expect(await rows('select from oncekey.attempts where key = $1', claim.key)).toEqual([])
    })

    /** Resolves when the request has reached a point on the wire, or inside COMMIT. */
    function arrival(point: Point, { key }: Claim): () => Promise<unknown> {
      const holds = (word: string) => (sent: Buffer) => sent.includes(word) && sent.includes(key)
      const traps: Partial<Record<Point, () => Promise<void>>> = {
        'claim unanswered': () => wire.holdAfter(holds('.claim')),
        completing: () => wire.holdBefore(holds('.complete')),
        'commit unanswered': () => wire.holdAfter(holds('.complete')),
      }
      const trap = traps[point]?.()
      if (trap !== undefined) return () => trap
      if (point !== 'committing') return async () => {}
      const sleeping = "select from pg_stat_activity where wait_event = 'PgSleep' and $1 <> ''"
      return () =>
        waitFor(async () => (await rows(sleeping, key)).length > 0, {
          what: 'COMMIT to be under way',
        })
    }

    /** Runs the request as an adapter does, and returns what is on record for it. */
    async function run(
      store: Store<PoolClient>,
      claim: Claim,
      receipt: string,
      passing: (point: Point) => Promise<void> = async () => {},
    ): Promise<string> {
      const decision = await store.begin(claim)
      if (decision.kind !== 'run') return said(decision)
      const { attempt } = decision
      try {
        await passing('claimed')
        await handle(attempt, claim.key, receipt, () => passing('written'))
      } catch (error) {
        await attempt.abandon().catch(() => {})
        throw error
      }
      await attempt.complete(kept(receipt, [eventOf({ subject: claim.key })]))
      return `replay 201 ${receipt}`
    }

    async function handle(
      attempt: Attempt<PoolClient>,
      key: string,
      receipt: string,
      written: () => Promise<void>,
    ): Promise<void> {
      const tx = await attempt.transaction()
      await tx.query('insert into effects values ($1, $2)', [key, receipt])
      await written()
      await tx.query('select 1')
    }
  })

  /** Ends every backend of the pool. */
  async function lost(name: string): Promise<void> {
    const pids = await rows<{ pid: number }>(
      'select pid from pg_stat_activity where application_name = $1',
      name,
    )
    if (how === 'terminated') {
      for (const { pid } of pids) await rows('select pg_terminate_backend($1::integer)', `${pid}`)
    } else {
      await server.crashBackend(pids[0]?.pid ?? 0)
    }
  }

  /** Queries, and repeats the query if it went out on a connection that was just lost. */
  async function rows<Row extends object>(text: string, value: string): Promise<Row[]> {
    return await waitFor(() => database.query<Row>(text, [value]).catch(() => undefined), {
      what: 'the database to be there',
    })
  }
})

/** A session of the pool in a transaction, and any advisory lock. */
const LEFT = `select pid from pg_stat_activity
    where application_name = $1 and (xact_start is not null or state like '%transaction%')
  union all
  select pid from pg_locks join pg_database d on d.oid = database
    where d.datname = current_database() and locktype = 'advisory'`

function codeOf(error: unknown): string {
  return error instanceof OncekeyError ? error.code : String(error)
}
