import { setTimeout } from 'node:timers/promises'
import { consumer, createRelay, deadLetters } from '@oncekey/outbox'
import { postgresLog } from '@oncekey/postgres'
import { type Child, startNode, waitFor } from '@oncekey/test-servers'
import type { PoolClient } from 'pg'
import { afterEach, describe, expect, test } from 'vitest'
import { gate, logDatabase, quick } from '../databases/log-database.ts'

const KILLS = Number(process.env.CRASH_KILLS ?? 5)
const children: Child<unknown>[] = []
afterEach(async () => {
  for (const child of children.splice(0)) {
    child.kill()
    await child.exited
  }
})

async function startRelay(url: string, env: Record<string, string> = {}): Promise<Child<unknown>> {
  const child = await startNode(new URL('./relay-process.ts', import.meta.url), {
    env: { DATABASE_URL: url, ...env },
    readyTimeoutMs: 120_000,
  })
  children.push(child)
  return child
}

describe('relays that are killed at random moments', () => {
  const database = logDatabase()

  test('deliver every event to every consumer, take effect once and never move a cursor back', {
    timeout: KILLS * 30_000 + 180_000,
  }, async () => {
    const start = () => startRelay(database.url())
    const relays = [start(), start(), start()]
    await Promise.all(relays)
    let running = true

    const subjects: string[] = []
    const write = async (): Promise<void> => {
      for (let at = 0; running; at += 1) {
        const some = Array.from({ length: 5 }, (_, of) => `order-${at}-${of}`)
        await database.emit(...some)
        subjects.push(...some)
        await setTimeout(20)
      }
    }

    const kill = async (): Promise<void> => {
      for (let kills = 0; kills < KILLS; kills += 1) {
        await setTimeout(200 + Math.random() * 600)
        // Kills the relay that has been starting for the longest time; the next one starts at once.
        const victim = await relays.shift()
        victim?.kill()
        relays.push(start())
        await victim?.exited
      }
      await Promise.all(relays)
      running = false
    }

    const movedBack: unknown[] = []
    const watch = async (): Promise<void> => {
      const last = new Map<string, readonly [bigint, bigint, bigint]>()
      while (running) {
        const rows = await database.query<Record<'at' | 'newest' | 'seq' | 'epoch', string>>(
          `select consumer || ' ' || slot as at, pg_snapshot_xmax(from_snapshot)::text as newest, seq,
             epoch from oncekey.cursors`,
        )
        for (const { at, newest, seq, epoch } of rows) {
          const now = [BigInt(newest), BigInt(seq), BigInt(epoch)] as const
          const before = last.get(at) ?? ([0n, 0n, 0n] as const)
          const isBack =
            now[0] < before[0] || (now[0] === before[0] && now[1] < before[1]) || now[2] < before[2]
          if (isBack) movedBack.push({ at, before, now })
          last.set(at, now)
        }
        await setTimeout(20)
      }
    }

    await Promise.all([write(), kill(), watch()])
    const expected = subjects.flatMap((subject) => [subject, `note-of-${subject}`])
    await waitFor(
      async () => {
        const once = await database.effects('once')
        const plain = await database.effects('plain')
        return expected.every((each) => once[each]) && subjects.every((each) => plain[each])
      },
      { what: 'every event to reach every consumer', timeoutMs: 120_000, intervalMs: 200 },
    )
    const once = await database.effects('once')
    expect(Object.entries(once).filter(([, count]) => count !== 1)).toEqual([])
    expect(Object.keys(once).length).toBe(expected.length)
    expect(movedBack).toEqual([])
  })
})

describe('a relay that is killed', () => {
  const database = logDatabase()

  test('after the effect and before the cursor moves loses nothing: the event is delivered again', async () => {
    await database.emit('one', 'two', 'three')
    const dying = await startRelay(database.url(), { DIE_AFTER: 'two', ADVANCE_EVERY_MS: '60000' })
    expect(await dying.exited).toMatchObject({ signal: 'SIGKILL' })
    await startRelay(database.url())
    await waitFor(async () => (await database.effects('plain')).two === 2, { what: 'a duplicate' })
    await waitFor(async () => Object.keys(await database.effects('once')).length === 6, {
      what: 'all effects',
    })
    expect(Object.values(await database.effects('once'))).toEqual(Array(6).fill(1))
    expect(Object.keys(await database.effects('plain')).sort()).toEqual(['one', 'three', 'two'])
  })
})

// If two starts are allowed, the first start of an event runs beside those of others.
describe.each([1, 2])('an event that kills the process, with maxStarts %i,', (maxStarts) => {
  const database = logDatabase()

  test('becomes a poison dead letter, while the events beside and behind it are delivered', {
    timeout: 300_000,
  }, async () => {
    const others = ['before', 'behind', ...Array.from({ length: 10 }, (_, at) => `beside-${at}`)]
    await database.emit('before', 'deadly', ...others.slice(1))
    const env = { DEADLY: 'deadly', LEASE_MS: '600', MAX_STARTS: String(maxStarts) }
    let running = true
    const keepUp = (async () => {
      while (running) {
        const child = await startRelay(database.url(), env)
        await Promise.race([
          child.exited,
          waitFor(() => !running, { what: 'the end', timeoutMs: 240_000 }),
        ])
        child.kill()
        await child.exited
      }
    })()
    const dead = deadLetters(postgresLog({ client: database.pool() }).deadLetters)
    const letter = await waitFor(async () => (await dead.list()).items[0], {
      what: 'a dead letter',
      timeoutMs: 240_000,
      intervalMs: 100,
    })
    await waitFor(async () => Object.keys(await database.effects('once')).length === 24, {
      what: 'the others',
      timeoutMs: 30_000,
    })
    running = false
    await keepUp
    expect(letter).toMatchObject({ origin: 'once', subject: 'deadly', reason: 'poison' })
    expect(await database.effects('once')).toEqual(
      Object.fromEntries(
        others.flatMap((each) => [each, `note-of-${each}`]).map((each) => [each, 1]),
      ),
    )
    expect((await dead.list()).items).toHaveLength(1)
  })
})

describe('a relay whose lease another one took', () => {
  const database = logDatabase()

  test('during a batch moves no cursor and files nothing; the events take effect once', async () => {
    await database.emit('contested')
    const hold = gate()
    const started: string[] = []
    const lost: unknown[] = []
    const worker = (who: string, wait: Promise<void>) =>
      createRelay<PoolClient>({
        ...quick,
        leaseMs: 60_000,
        log: postgresLog({ client: database.pool({ max: 5 }) }),
        consumers: [
          consumer<PoolClient>({
            name: 'contested',
            async handle({ event, transaction }) {
              started.push(who)
              await wait
              const tx = await transaction()
              await tx.query("insert into effects values ('contested', $1)", [event.subject])
              if (who === 'zombie') lost.push('it got a transaction')
            },
          }),
        ],
      })
    const zombie = worker('zombie', hold.opened)
    zombie.start()
    await waitFor(() => started.includes('zombie'), { what: 'the first to start' })
    await database.query("update oncekey.cursors set lease_until = now() - interval '1 second'")
    await database.query('delete from oncekey.relays')
    const heir = worker('heir', Promise.resolve())
    heir.start()
    await waitFor(async () => (await database.effects('contested')).contested, {
      what: 'the effect',
    })
    const cursors = () =>
      database.query(
        'select slot, from_snapshot::text, seq, epoch from oncekey.cursors order by slot',
      )
    await waitFor(
      async () => (await postgresLog({ client: database.pool() }).lag('contested')).events === 0,
      { what: 'the cursor to pass it' },
    )
    await heir.stop()
    const before = await cursors()
    hold.open()
    await zombie.stop()
    expect(await cursors()).toEqual(before)
    expect(await database.effects('contested')).toEqual({ contested: 1 })
    expect(lost).toEqual([])
    expect(await database.query('select from oncekey.deliveries')).toEqual([])
  })
})
